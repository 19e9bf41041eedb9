"""Detector tables against other programs' numbers and charged-particle equilibrium."""

import numpy as np
import pytest

from intrepid_epid.simulation.detector_kernels import DETECTORS, response_gy_cm2, spread
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_rt.errors import InvalidSetting

# Mohan et al., Med. Phys. 12 (1985) 592: 6 MV, photons per 0.25 MeV bin.
MOHAN_6MV = np.array([
    0.001021, 0.032177, 0.114506, 0.114506, 0.110204, 0.101486, 0.101486, 0.062023,
    0.058823, 0.046387, 0.034351, 0.03241, 0.036879, 0.023592, 0.03097, 0.024281,
    0.022091, 0.012807, 0.010395, 0.011933, 0.004037, 0.006746, 0.00298, 0.00391,
])  # fmt: skip
ENERGY_MEV = 0.125 + 0.25 * np.arange(MOHAN_6MV.size)


def _signal(detector, thickness_cm, radius_mm):
    weight = MOHAN_6MV * np.exp(-thickness_cm * mass_attenuation_cm2_g("water", ENERGY_MEV))
    response = float(weight @ response_gy_cm2(detector, ENERGY_MEV))
    return response * float(spread(detector, ENERGY_MEV, weight).within(radius_mm))


# Primary over open signal at the centre of a 10 x 10 cm2 field behind 10 and 20 cm of water, from an EGSnrc
# simulation of the same two detectors (made 2026-11-22, noise below 0.5 %). The disc has the field's area at 160 cm.
@pytest.mark.parametrize(
    ("thickness_cm", "epid", "water"), [(10.0, 0.59082, 0.60790), (20.0, 0.36101, 0.37848)]
)  # fmt: skip
def test_signals_behind_water_agree_with_egsnrc(thickness_cm, epid, water):
    radius = 160.0 / np.sqrt(np.pi)
    for detector, expected in (("epid", epid), ("water_15mm", water)):
        assert _signal(detector, thickness_cm, radius) / _signal(detector, 0.0, radius) == pytest.approx(
            expected, rel=0.006
        )


def test_output_with_field_size_agrees_with_egsnrc():
    # Open 2 x 2 over 10 x 10 cm2, the same simulation: 0.9685 for the imager, 0.9619 and 0.9112 in water.
    for detector, expected in (("epid", 0.9685), ("water_15mm", 0.9619), ("water_50mm", 0.9112)):
        small, large = (_signal(detector, 0.0, side * 1.6 / np.sqrt(np.pi)) for side in (20.0, 100.0))
        assert small / large == pytest.approx(expected, rel=0.01)


def test_dose_in_water_is_kerma_and_scatter():
    # At 1 MeV and 15 mm depth: collision kerma 0.03103 cm2/g (NIST), attenuated, plus 13 to 30 % scatter.
    kerma = 1.0 * 0.03103 * 1.602176634e-10 * np.exp(-1.5 * float(mass_attenuation_cm2_g("water", 1.0)))
    assert 1.13 < float(response_gy_cm2("water_15mm", 1.0)) / kerma < 1.30


def test_the_phosphor_over_responds_to_soft_photons():
    ratio = response_gy_cm2("epid", [0.1, 1.0]) / response_gy_cm2("water_15mm", [0.1, 1.0])
    assert ratio[0] / ratio[1] > 20


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_spread_is_normalised_and_close_to_the_simulation(detector):
    fitted = spread(detector, ENERGY_MEV, MOHAN_6MV)
    assert sum(fitted.weights) == pytest.approx(1.0)
    assert min(fitted.weights) > 0
    assert fitted.largest_error < 0.004
    assert fitted.within([1e-9, 1e4]).tolist() == pytest.approx([sum(
        w for w, s in zip(fitted.weights, fitted.widths_mm, strict=True) if s == 0
    ), 1.0], abs=1e-6)  # fmt: skip


def test_what_the_tables_cannot_answer_is_refused():
    with pytest.raises(InvalidSetting, match="leave the kernel tables"):
        response_gy_cm2("epid", 25.0)
    with pytest.raises(InvalidSetting, match="Unknown detector 'film'"):
        response_gy_cm2("film", 1.0)
    with pytest.raises(InvalidSetting, match="needs weights"):
        spread("epid", [1.0, 2.0], [0.0, 0.0])
