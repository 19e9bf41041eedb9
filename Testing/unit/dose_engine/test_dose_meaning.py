"""What absorbs the dose: factors against published ratios of stopping power and the Monte Carlo's own statement."""

import numpy as np
import pytest

from intrepid_epid.beam_model import generic_spectrum
from intrepid_epid.dose_engine.dose_to_water import MEANINGS, factors_of
from intrepid_epid.simulation.materials import TISSUES
from intrepid_rt.errors import InvalidSetting

SPECTRUM = generic_spectrum()
BONE, LUNG, WATER = (TISSUES.index(name) for name in ("bone", "lung", "water"))


def factors(meaning):
    return factors_of(meaning, SPECTRUM.energy_mev, SPECTRUM.weight)


def test_water_is_water_whatever_is_asked_for():
    for meaning in MEANINGS:
        assert factors(meaning)[WATER] == pytest.approx(1.0)
    np.testing.assert_array_equal(factors("water"), 1.0)


def test_cavity_over_tissue_is_the_ratio_of_stopping_powers():
    """EGSnrc's ratios for electrons of 1 MeV: 1.128 in cortical bone, 1.012 in lung; ours are of the mean electron."""
    ratio = factors("water-in-tissue") / factors("tissue")
    assert ratio[BONE] == pytest.approx(1.128, abs=0.02)
    assert ratio[LUNG] == pytest.approx(1.012, abs=0.01)


def test_density_scaled_water_is_about_seven_percent_below_bragg_gray_in_bone():
    """Measured with pyRadMC in SLAB1: 0.93 of the Bragg-Gray dose that EGSnrc gives."""
    assert 1 / factors("water-in-tissue")[BONE] == pytest.approx(0.93, abs=0.02)


def test_unknown_meanings_are_refused():
    with pytest.raises(InvalidSetting, match="water, water-in-tissue, tissue"):
        factors("bone")
