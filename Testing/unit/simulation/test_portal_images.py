"""Simulated portal images: published transmissions, and what every option of the machine does."""

from dataclasses import replace

import numpy as np
import pytest

from chain_phantoms import water_box
from intrepid_epid.portal_reader import read_portal_image
from intrepid_epid.simulation import fields
from intrepid_epid.simulation.clinic_export import Identity, write_image
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_epid.simulation.portal_images import simulate_image
from intrepid_epid.simulation.treatment_machine import SimulatedMachine, machine_with
from intrepid_rt.errors import InvalidSetting, MissingObject

MACHINE = SimulatedMachine(pixels=128, pixel_mm=3.24, quanta_per_signal_mm2=np.inf)
TEN = fields.centred("10x10")


def at_centre(image):
    rows, columns = image.values.shape
    return float(image.values[rows // 2 - 1 : rows // 2 + 1, columns // 2 - 1 : columns // 2 + 1].mean())


def test_transmission_and_scatter_behind_water_are_the_published_ones():
    """EGSnrc (November 2026), 10 x 10 cm2 on 20 cm water: panel 0.3806, water 0.3939, scatter 3.9 % of the dose."""
    open_ = simulate_image(MACHINE, TEN, None, seed=1)
    behind = simulate_image(MACHINE, TEN, water_box((50, 50, 75), (4.0, 4.0, 6.0)), seed=1)
    assert at_centre(behind.signal) / at_centre(open_.signal) == pytest.approx(0.3806, rel=0.01)
    assert at_centre(behind.portal_dose) / at_centre(open_.portal_dose) == pytest.approx(0.3939, rel=0.01)
    assert behind.scatter_share == pytest.approx(0.0391, abs=0.003)
    assert behind.scatter_sigma_percent < 3.0


def test_open_field_gives_the_stated_calibration():
    """0.80 cGy/MU at 10 cm depth, SSD 90, is 0.407 cGy/MU 15 mm deep at 1600 mm (docs/physics_kernels.md: / 1.965)."""
    open_ = simulate_image(MACHINE, TEN, None, seed=1)
    assert at_centre(open_.portal_dose) == pytest.approx(0.407, rel=0.01)
    assert at_centre(open_.signal) == pytest.approx(1.0, rel=0.01)


def test_narrow_beam_attenuation_is_exponential():
    """A field of 1 x 1 cm2 through 6 cm of water with hardly any scatter, against the integral over the spectrum."""
    spectrum = MACHINE.spectrum
    one = replace(MACHINE, spectrum=replace(spectrum, weight=1.0 * (abs(spectrum.energy_mev - 2.0) < 0.2)))
    small = fields.centred("1x1")
    box = water_box((10, 10, 10), (6.0, 6.0, 6.0))
    ratio = [simulate_image(one, small, d, seed=1, primaries=4000) for d in (box, None)]
    found = at_centre(ratio[0].portal_dose) / at_centre(ratio[1].portal_dose)
    energies = one.spectrum.energy_mev[one.spectrum.weight > 0]
    assert len(energies) == 2
    expected = np.exp(-6.0 * mass_attenuation_cm2_g("water", energies)).mean()
    assert found == pytest.approx(expected, rel=0.006)


def test_edges_are_as_wide_as_the_source_makes_them():
    """A half-open field: the signal without detector spread is an error function, 80-20 % over 1.683 sigma."""
    machine = replace(MACHINE, pixels=512, pixel_mm=0.81)
    assert machine.penumbra_mm == pytest.approx(0.8 * (1600 - 350) / 350)
    wide, sharp = (
        simulate_image(replace(machine, focal_spot_mm=s), TEN, None, seed=1).signal.values[256] for s in (1.6, 1e-3)
    )

    def width(profile):
        falling = profile[256:] / profile[256]
        return 0.81 * (np.interp(-0.2, -falling, np.arange(256)) - np.interp(-0.8, -falling, np.arange(256)))

    assert np.hypot(width(sharp), 1.683 * 5.714) == pytest.approx(width(wide), rel=0.1)


def test_horns_rise_with_the_square_of_the_distance():
    horned = replace(MACHINE, horn_percent=6.0)
    field = fields.centred("20x20")
    ratio = (
        simulate_image(horned, field, None, seed=1).signal.values
        / simulate_image(MACHINE, field, None, seed=1).signal.values
    )
    x_mm = MACHINE.panel.x_mm / 1.6
    at = int(np.argmin(np.abs(x_mm - 75)))
    assert ratio[64, at] == pytest.approx(1 + 0.06 * (x_mm[at] / 150) ** 2, abs=0.002)


def test_softening_lowers_the_mean_energy_off_the_axis():
    soft = replace(MACHINE, softening_percent=5.0)
    weights = soft.softened(soft.panel)
    np.testing.assert_allclose(weights.sum(axis=0), 1.0)
    mean = np.tensordot(soft.spectrum.energy_mev, weights, axes=1)
    x_mm = soft.panel.x_mm / 1.6
    at = int(np.argmin(np.abs(x_mm - 100)))
    assert mean[64, at] / mean[64, 64] == pytest.approx(0.95, abs=0.01)


def test_glare_moves_signal_and_makes_none():
    glaring = replace(MACHINE, glare_percent=8.0, glare_mm=15.0)
    field = fields.centred("4x4")
    plain, spread = (simulate_image(m, field, None, seed=1).signal.values for m in (MACHINE, glaring))
    assert spread.sum() == pytest.approx(plain.sum(), rel=0.005)
    assert spread[64, 64] < 0.98 * plain[64, 64]
    assert spread[64, 48] > 1.5 * plain[64, 48]


def test_noise_is_that_of_the_stated_quanta():
    noisy = replace(MACHINE, quanta_per_signal_mm2=100.0)
    field = fields.centred("10x10")
    clean, found = (simulate_image(m, field, None, seed=4).signal.values for m in (MACHINE, noisy))
    inside = clean > 0.9 * clean.max()
    relative = found[inside] / clean[inside] - 1
    expected = 1 / np.sqrt(100.0 * 3.24**2 * clean[inside].mean())
    assert relative.std() == pytest.approx(expected, rel=0.08)
    assert abs(relative.mean()) < 4 * expected / np.sqrt(inside.sum())


def test_a_saturated_image_says_so_when_it_is_read(tmp_path):
    machine = replace(MACHINE, saturates_at=0.8)
    image = simulate_image(machine, TEN, None, seed=1)
    write_image(tmp_path / "i.dcm", image.signal, TEN, machine, Identity("P", "x"))
    frame = read_portal_image(tmp_path / "i.dcm")
    assert frame.saturated[64, 64]
    assert frame.saturated_fraction == pytest.approx((image.signal.values >= 0.8).mean(), abs=0.002)


def test_more_monitor_units_more_of_everything():
    box = water_box()
    once, twice = (
        simulate_image(MACHINE, replace(TEN, meterset_mu=mu), box, seed=2, primaries=2000) for mu in (50.0, 100.0)
    )
    np.testing.assert_allclose(twice.signal.values, 2 * once.signal.values, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("colour=1", "no option 'colour'"),
        ("horn_percent=much", "needs a number"),
        ("glare_percent=-2", "between 0 and"),
    ],
)
def test_options_that_make_no_sense_are_refused(option, message):
    with pytest.raises(InvalidSetting, match=message):
        machine_with([option])


def test_a_beam_without_monitor_units_is_refused():
    with pytest.raises(MissingObject, match="nothing to simulate"):
        simulate_image(MACHINE, replace(TEN, meterset_mu=None), None, seed=1)
