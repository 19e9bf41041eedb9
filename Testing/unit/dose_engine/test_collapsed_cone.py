"""Collapsed-cone superposition against conservation, equilibrium, exact kernel sums and Monte Carlo depth dose."""

import numpy as np
import pytest

from intrepid_epid.dose_engine.collapsed_cone import superpose
from intrepid_epid.dose_engine.cone_kernel import collapsed_cone_kernel, primary_share
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_epid.simulation.point_monte_carlo import POLAR_STEPS, point_kernel
from intrepid_rt.errors import UnsupportedGeometry

KERNEL = collapsed_cone_kernel([2.0], [1.0])
FAR_MM = 1e7


def _point(shape, at, value=1.0):
    array = np.zeros(shape, np.float32)
    array[at] = value
    return array


@pytest.mark.parametrize("towards", [(0, 1, 0), (-1, 0, 0), (0.3, 1.0, -0.5)])
@pytest.mark.parametrize("spacing_mm", [(2.0, 2.0, 2.0), (1.5, 2.5, 2.0)])
def test_released_energy_is_conserved(towards, spacing_mm):
    terma = _point((41, 43, 45), (20, 21, 22))
    source = -FAR_MM * np.array(towards)
    for density, primary, scatter in ((1.5, terma, 0 * terma), (400.0, 0 * terma, terma)):
        dose = superpose(
            primary, scatter, np.full(terma.shape, density, np.float32), spacing_mm=spacing_mm, source_mm=source,
            kernel=KERNEL,
        )  # fmt: skip
        assert dose.sum() == pytest.approx(1.0, rel=2e-3)


def test_uniform_release_gives_uniform_dose():
    terma = np.ones((31, 33, 35), np.float32)
    dose = superpose(terma, 0 * terma, terma, spacing_mm=(4, 4, 4), source_mm=(0, -FAR_MM, 0), kernel=KERNEL)
    assert dose[15, 16, 17] == pytest.approx(1.0, rel=2e-3)


def test_only_mass_per_area_counts():
    rng = np.random.default_rng(1)
    terma = rng.random((20, 21, 22), np.float32)
    density = 0.3 + rng.random(terma.shape, np.float32)
    near = superpose(terma, terma, density, spacing_mm=(2, 3, 4), source_mm=(0, -FAR_MM, 0), kernel=KERNEL)
    far = superpose(terma, terma, density / 4, spacing_mm=(8, 12, 16), source_mm=(0, -FAR_MM, 0), kernel=KERNEL)
    assert far == pytest.approx(near, rel=1e-4)


@pytest.mark.parametrize("axes", [(1, 0, 2), (0, 2, 1), (2, 1, 0)])
def test_turning_the_grid_turns_the_dose(axes):
    rng = np.random.default_rng(2)
    terma = np.zeros((25, 27, 29), np.float32)
    terma[5:20, 5:22, 5:24] = 1
    density = 0.3 + rng.random(terma.shape, np.float32)
    spacing, source = np.array([4.0, 3.0, 5.0]), np.array([40.0, -800.0, 50.0])
    order = [2 - axis for axis in axes][::-1]
    straight = superpose(terma, terma, density, spacing_mm=spacing, source_mm=source, kernel=KERNEL)
    turned = superpose(
        terma.transpose(axes), terma.transpose(axes), density.transpose(axes), spacing_mm=spacing[order],
        source_mm=source[order], kernel=KERNEL,
    ).transpose(np.argsort(axes))  # fmt: skip
    inside = straight > 0.5 * straight.max()
    # Cone axes have other azimuths and other voxel paths in the turned grid.
    assert np.abs(turned / straight - 1)[inside].mean() < 0.01


def test_energy_flies_away_from_the_source():
    # Off the axis by 200 mm at 500 mm: the centre of the deposited energy lies on the ray from the source.
    terma = np.zeros((21, 61, 121), np.float32)
    terma[10, 10, 10] = terma[10, 10, 110] = 1
    density = np.ones_like(terma)
    dose = superpose(terma, 0 * terma, density, spacing_mm=(4, 4, 4), source_mm=(240, -460, 40), kernel=KERNEL)
    left = dose[:, :, :60]
    k, j, i = (float((axis * left).sum() / left.sum()) for axis in np.indices(left.shape))
    assert j > 10.3
    assert (i - 10) / (j - 10) == pytest.approx(-0.4, abs=0.04)
    assert k == pytest.approx(10, abs=0.05)


def test_depth_dose_is_that_of_the_monte_carlo_kernel():
    """Broad parallel beam of 2 MeV photons on water: the grid result against a direct sum over the point kernel."""
    radius, share = point_kernel(2.0, histories=30_000, seed=9)
    kernel = collapsed_cone_kernel([2.0], [1.0])
    mu = float(mass_attenuation_cm2_g("water", 2.0))
    spacing_cm, half_cm = 0.4, 6.0
    depth = (np.arange(60) + 0.5) * spacing_cm
    across = (np.arange(61) - 30) * spacing_cm
    lit = np.clip((half_cm - np.abs(across)) / spacing_cm + 0.5, 0, 1)
    terma = (lit[:, None, None] * np.exp(-mu * depth)[:, None] * lit).astype(np.float32)
    primary = float(primary_share(2.0))
    dose = superpose(
        terma * primary, terma * (1 - primary), np.ones_like(terma), spacing_mm=[4, 4, 4],
        source_mm=(120, -FAR_MM, 120), kernel=kernel,
    )[30, :, 30]  # fmt: skip
    for at_cm in (2.2, 5.0, 10.2, 15.0):
        expected = _direct_sum(at_cm, radius, share.sum(axis=0), mu, half_cm, depth_cm=24.0, wide_cm=12.2)
        assert np.interp(at_cm, depth, dose) == pytest.approx(expected, rel=0.012)


def _direct_sum(at_cm, radius, share, mu, half_cm, *, depth_cm, wide_cm):
    """Dose on the axis per surface TERMA: every bin of the kernel looks back at the TERMA it came from."""
    polar = (np.arange(POLAR_STEPS) + 0.5) * np.pi / POLAR_STEPS
    azimuth = (np.arange(16) + 0.5) * np.pi / 32
    inner = np.append(0.0, radius[:-2])
    dose = 0.0
    for part in (np.arange(6) + 0.5) / 6:
        r = inner + (radius[:-1] - inner) * part
        z = at_cm - r * np.cos(polar)[:, None]
        aside = r * np.sin(polar)[:, None]
        x, y = aside[..., None] * np.cos(azimuth), aside[..., None] * np.sin(azimuth)
        within = ((np.abs(x) < half_cm) & (np.abs(y) < half_cm)).mean(axis=-1)
        terma = np.where((z > 0) & (z < depth_cm), np.exp(-mu * np.clip(z, 0, None)), 0.0) * within
        dose += (share[:, :-1] * terma).sum() / 6
    return dose


def test_air_neither_makes_nor_hides_dose():
    terma = np.zeros((21, 41, 21), np.float32)
    terma[:, :20] = 1
    density = np.ones_like(terma)
    density[:, 20:30] = 0.001
    gap = superpose(terma, 0 * terma, density, spacing_mm=(4, 4, 4), source_mm=(40, -FAR_MM, 40), kernel=KERNEL)
    assert np.isfinite(gap).all()
    density[:, 20:30] = 1.0
    filled = superpose(terma, 0 * terma, density, spacing_mm=(4, 4, 4), source_mm=(40, -FAR_MM, 40), kernel=KERNEL)
    # Electrons that cross 40 mm of air stop in the water behind it; in water they would have stopped before.
    assert gap[10, 30, 10] > 20 * filled[10, 30, 10]


def test_nothing_released_gives_no_dose():
    empty = np.zeros((5, 6, 7), np.float32)
    assert not superpose(empty, empty, empty + 1, spacing_mm=(2, 2, 2), source_mm=(0, -100, 0), kernel=KERNEL).any()


def test_unusable_geometry_is_refused():
    terma = np.ones((5, 6, 7), np.float32)
    with pytest.raises(UnsupportedGeometry, match="one grid"):
        superpose(terma, terma, terma[1:], spacing_mm=(2, 2, 2), source_mm=(0, -100, 0), kernel=KERNEL)
    with pytest.raises(UnsupportedGeometry, match="positive"):
        superpose(terma, terma, terma, spacing_mm=(2, 0, 2), source_mm=(0, -100, 0), kernel=KERNEL)
    with pytest.raises(UnsupportedGeometry, match="source lies within"):
        superpose(terma, terma, terma, spacing_mm=(2, 2, 2), source_mm=(6, 5, 4), kernel=KERNEL)
