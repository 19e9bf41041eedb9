"""Phantom scatter by Monte Carlo against the Klein-Nishina integral and an independent Monte Carlo's numbers."""

import numpy as np
import pytest

from chain_phantoms import beam_on, one_energy, panel, water_box
from intrepid_epid.patient_scatter import single_scatter
from intrepid_epid.simulation.interactions import ELECTRON_MASS_MEV
from intrepid_epid.simulation.materials import MATERIALS, mass_attenuation_cm2_g
from intrepid_epid.simulation.photon_scatter import scattered_reading
from intrepid_rt.grids import Grid
from intrepid_rt.portal_image import PortalImage

IMAGER = panel(np.zeros((32, 40)), (12.96, 10.37))
CENTRE = 15, 19


def photons_and_energy(energy_mev):
    """Two detectors: one counts photons, the other their energy."""
    return np.stack([np.ones_like(energy_mev), energy_mev], axis=1)


def field(half_x, half_y, spacing_mm=(1.0, 1.25)):
    """One photon per cm2 at the isocentre plane within the field."""
    rows, columns = 160, 128
    made = PortalImage(np.zeros((rows, columns)), (-spacing_mm[1] * 63.5, spacing_mm[0] * 79.5), spacing_mm, 1e3, 1e3)
    return made.with_values(((abs(made.y_mm) < half_y)[:, None] & (abs(made.x_mm) < half_x)[None, :]).astype(float))


def test_20_cm_of_water_as_published():
    """Reference: EGSnrc with the same spectrum (November 2026), 10 x 10 cm2, 20 cm water, centre of the imager.

    Single scatter 4.667e-3 photons per photon (1.7 %), by the analytic integral 4.675e-3, mean energy 2.19 MeV; all
    orders 6.30e-3. One pixel of ours carries 2 % of noise.
    """
    beam, open_ = beam_on(water_box((50, 50, 75), (4.0, 4.0, 6.0))), field(50, 50)
    options = {"primaries": 120_000, "seed": 3}
    args = (beam.anatomy, beam.frame, beam.spectrum, open_, IMAGER, photons_and_energy)
    once = scattered_reading(*args, only_once=True, **options).reading[:, *CENTRE]
    every = scattered_reading(*args, **options).reading[:, *CENTRE]
    assert once[0] == pytest.approx(4.675e-3, rel=0.04)
    assert once[1] / once[0] == pytest.approx(2.19, rel=0.04)
    assert every[0] == pytest.approx(6.30e-3, rel=0.04)


def test_single_scatter_of_an_oblique_beam_on_a_heterogeneous_phantom_is_the_integral():
    """The integral over voxels is another program; grid and field have no symmetry."""
    density = np.ones((20, 24, 30), np.float32)
    density[:, 8:14, :14] = 0.25
    density[:, 16:19] = 1.6
    box = water_box((20, 24, 30), (9.0, 7.0, 8.0), centre=(12.0, -20.0, 15.0))
    beam, open_ = beam_on(Grid(density, box.index_to_lps), 35.0, isocentre=(5.0, -10.0, 8.0)), field(30, 55)
    expected = single_scatter(beam, open_, IMAGER, photons_and_energy)
    found = scattered_reading(
        beam.anatomy, beam.frame, beam.spectrum, open_, IMAGER, photons_and_energy, primaries=150_000, seed=5,
        only_once=True,
    )  # fmt: skip
    middle = slice(8, 24), slice(10, 30)
    ratio = found.reading[:, *middle] / expected[:, *middle]
    assert np.abs(ratio.mean(axis=(1, 2)) - 1).max() < 0.02
    assert np.abs(ratio - 1).max() < 0.12


def test_a_thin_sheet_scatters_as_one_klein_nishina_cross_section():
    """2 mm of water, 1 MeV, a narrow field: the fluence beside the beam is one formula."""
    beam = beam_on(water_box((60, 1, 60), (2.0, 2.0, 2.0)), spectrum=one_energy(1.0))
    open_ = field(4, 4)
    found = scattered_reading(
        beam.anatomy, beam.frame, beam.spectrum, open_, IMAGER, photons_and_energy, primaries=60_000, seed=1,
        only_once=True,
    ).reading  # fmt: skip
    row, column = 15, 34
    x, y = IMAGER.x_mm[column], IMAGER.y_mm[row]
    distance2_cm2 = (x**2 + y**2 + 600.0**2) / 100
    cosine = 600.0 / np.sqrt(distance2_cm2 * 100)
    ratio = 1 / (1 + 1.0 / ELECTRON_MASS_MEV * (1 - cosine))
    cross_section = 0.5 * 2.8179403e-13**2 * ratio**2 * (ratio + 1 / ratio - 1 + cosine**2)
    electrons_per_cm2 = 0.2 * MATERIALS["water"].electrons_mol_g * 6.02214076e23
    photons = open_.values.sum() * 1.0 * 1.25 / 100
    expected = photons * electrons_per_cm2 * cross_section / distance2_cm2
    expected *= np.exp(-0.1 * mass_attenuation_cm2_g("water", 1.0))
    assert found[0, row, column] == pytest.approx(expected, rel=0.05)
    assert found[1, row, column] / found[0, row, column] == pytest.approx(ratio, rel=0.02)


def test_twice_the_fluence_scatters_twice_and_the_seed_repeats_it():
    beam, open_ = beam_on(water_box()), field(40, 20)

    def run(fluence, seed):
        args = (beam.anatomy, beam.frame, beam.spectrum, fluence, IMAGER, photons_and_energy)
        return scattered_reading(*args, primaries=2000, seed=seed).reading

    np.testing.assert_array_equal(run(open_, 7), run(open_, 7))
    np.testing.assert_allclose(run(open_.with_values(2 * open_.values), 7), 2 * run(open_, 7), rtol=1e-9)
    assert np.abs(run(open_, 8) - run(open_, 7)).max() > 0


def test_a_beam_that_passes_the_phantom_by_scatters_nothing():
    beam = beam_on(water_box((4, 4, 4), centre=(400.0, 0.0, 0.0)))
    found = scattered_reading(
        beam.anatomy, beam.frame, beam.spectrum, field(20, 20), IMAGER, photons_and_energy, primaries=800, seed=1
    )
    assert found.reading.max() == 0
