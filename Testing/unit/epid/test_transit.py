"""Transmission, hardening and scatter against exponentials and the Klein-Nishina formula."""

import numpy as np
import pytest

from chain_phantoms import beam_on, one_energy, panel, soft_field, water_box
from intrepid_epid.beam_model import readings_gy_cm2
from intrepid_epid.kerma import GY_PER_MEV_G, compton_transfer_fraction, kerma_gy_cm2
from intrepid_epid.patient_scatter import block_averaged, single_scatter
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_epid.simulation.multiple_scatter import multiple_scatter_factor


def test_one_energy_is_attenuated_exponentially():
    """mu/rho of water at 2 MeV is 0.0494 cm2/g (NIST XCOM): 18 cm let 41 % through."""
    beam = beam_on(water_box(), spectrum=one_energy(2.0))
    along = np.stack([np.zeros(5), np.array([-60.0, -30, 0, 60, 90]), np.zeros(5)], axis=1)
    depth_cm = (along[:, 1] + 90) / 10
    made = beam.transmitted(beam.thickness_g_cm2(along), np.ones(1))
    np.testing.assert_allclose(made, np.exp(-0.0494 * depth_cm), rtol=1e-3)


def test_mixed_tissues_multiply():
    values = np.ones((4, 12, 4), np.float32)
    values[:, 4:8] = 0.3
    values[:, 8:] = 1.6
    grid = water_box((4, 12, 4), (10.0, 10.0, 10.0)).with_values(values)
    beam = beam_on(grid, spectrum=one_energy(1.5))
    through = beam.transmitted(beam.thickness_g_cm2([0.0, 200.0, 0.0]), np.ones(1))
    mu = [float(mass_attenuation_cm2_g(name, 1.5)) for name in ("water", "lung", "bone")]
    assert through == pytest.approx(np.exp(-4 * (mu[0] + 0.3 * mu[1] + 1.6 * mu[2])), rel=1e-4)


def test_spectrum_hardens_with_depth():
    beam = beam_on(water_box((30, 60, 30)))
    depth_cm = np.arange(1.0, 36.0, 2.0)
    at = np.stack([np.zeros_like(depth_cm), -180 + 10 * depth_cm, np.zeros_like(depth_cm)], axis=1)
    through = beam.transmitted(beam.thickness_g_cm2(at), np.ones_like(beam.spectrum.weight))
    attenuation = -np.diff(np.log(through)) / 2.0
    assert (np.diff(attenuation) < 0).all()
    assert through[0] < 1


def test_several_detectors_at_once():
    beam = beam_on(water_box())
    thickness = beam.thickness_g_cm2([[0.0, 0.0, 0.0], [10.0, 50.0, 0.0]])
    readings = readings_gy_cm2(beam.spectrum.energy_mev)
    both = beam.transmitted(thickness, readings)
    assert both.shape == (2, 2)
    for column in (0, 1):
        np.testing.assert_allclose(both[:, column], beam.transmitted(thickness, readings[:, column]), rtol=1e-5)


@pytest.mark.parametrize(("energy_mev", "mu_en"), [(0.5, 0.03299), (1.0, 0.03103), (2.0, 0.02608), (6.0, 0.01806)])
def test_kerma_is_energy_times_transfer(energy_mev, mu_en):
    """Collision kerma from NIST mu_en/rho (Hubbell and Seltzer); bremsstrahlung makes the difference at 6 MeV."""
    assert kerma_gy_cm2("water", energy_mev) == pytest.approx(energy_mev * mu_en * GY_PER_MEV_G, rel=0.03)


@pytest.mark.parametrize("energy_mev", [0.05, 0.5, 2.0, 6.0])
def test_transfer_fraction_is_the_mean_of_klein_nishina(energy_mev):
    cosine = np.linspace(-1, 1, 200_001)
    ratio = 1 / (1 + energy_mev / 0.51099895 * (1 - cosine))
    section = ratio**2 * (ratio + 1 / ratio - 1 + cosine**2)
    expected = np.trapezoid(section * (1 - ratio), cosine) / np.trapezoid(section, cosine)
    assert compton_transfer_fraction(energy_mev) == pytest.approx(expected, rel=1e-6)


def klein_nishina_cm2(energy_mev, cosine):
    ratio = 1 / (1 + energy_mev / 0.51099895 * (1 - cosine))
    return 0.5 * 2.8179403e-13**2 * ratio**2 * (ratio + 1 / ratio - (1 - cosine**2)), energy_mev * ratio


def uniform_fluence(at_isocentre=3.0):
    return panel(np.full((9, 9), at_isocentre), (5.0, 5.0), 1000.0)


@pytest.mark.parametrize("gantry_deg", [0.0, 70.0])
def test_scatter_of_one_voxel(gantry_deg):
    """2 mm of water at the isocentre: electrons x fluence x cross section / distance squared, pixel by pixel."""
    beam = beam_on(water_box((1, 1, 1), (2.0, 2.0, 2.0)), gantry_deg, spectrum=one_energy(2.0))
    detector = panel(np.zeros((5, 5)), (100.0, 100.0))
    made = single_scatter(beam, uniform_fluence(), detector, lambda e: np.stack([np.ones_like(e), e], axis=1))
    electrons = 0.008 * 0.5551 * 6.02214076e23  # 8 mm3 of water, Z/A of water
    x, y = np.meshgrid(detector.x_mm, detector.y_mm)
    distance_cm = np.sqrt(x**2 + y**2 + 600**2) / 10
    section, energy = klein_nishina_cm2(2.0, 60 / distance_cm)
    expected = electrons * 3.0 * section / distance_cm**2
    np.testing.assert_allclose(made[0], expected, rtol=0.015)
    np.testing.assert_allclose(made[1], expected * energy, rtol=0.02)


def test_scatter_off_the_isocentre_follows_the_inverse_square():
    detector = panel(np.zeros((5, 5)), (100.0, 100.0))
    count = lambda e: np.ones((len(e), 1))  # noqa: E731 - one line says it
    nearer = beam_on(water_box((1, 1, 1), (2.0, 2.0, 2.0), (0.0, -200.0, 0.0)), spectrum=one_energy(2.0))
    made = single_scatter(nearer, uniform_fluence(), detector, count)[0, 2, 2]
    electrons = 0.008 * 0.5551 * 6.02214076e23
    expected = electrons * 3.0 / 0.8**2 * klein_nishina_cm2(2.0, 1.0)[0] / 80**2
    assert made == pytest.approx(expected, rel=0.015)


def test_scatter_grows_with_fluence_and_vanishes_without_patient():
    box = water_box((8, 8, 8), (20.0, 20.0, 20.0))
    field, detector = soft_field(40, 40), panel(np.zeros((40, 40)), (10.0, 10.0))
    once = single_scatter(beam_on(box), field, detector, readings_gy_cm2)
    twice = single_scatter(beam_on(box), field.with_values(2 * field.values), detector, readings_gy_cm2)
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-6)
    assert (once[:, 20, 20] > once[:, 0, 0]).all()
    nothing = single_scatter(beam_on(box.with_values(0 * box.values)), field, detector, readings_gy_cm2)
    np.testing.assert_array_equal(nothing, 0)


def test_blocks_keep_mass_and_place():
    values = np.random.default_rng(4).random((9, 10, 11)).astype(np.float32)
    anatomy = beam_on(water_box((9, 10, 11), (2.5, 3.0, 4.0)).with_values(values)).anatomy
    blocks = block_averaged(anatomy).density
    mass = values.sum() * anatomy.density.voxel_volume_cc
    assert blocks.values.sum() * blocks.voxel_volume_cc == pytest.approx(mass, rel=1e-5)

    def centre(grid):
        return np.average(grid.positions().reshape(-1, 3), axis=0, weights=grid.values.ravel())

    np.testing.assert_allclose(centre(blocks), centre(anatomy.density), atol=1.0)


def test_multiple_scatter_adds_and_grows():
    thin, thick = multiple_scatter_factor(5.0, 10.0), multiple_scatter_factor(25.0, 10.0)
    assert (thin > 1).all()
    assert (thick > thin).all()
    np.testing.assert_array_equal(multiple_scatter_factor(1000.0, 500.0), multiple_scatter_factor(40.0, 20.0))
