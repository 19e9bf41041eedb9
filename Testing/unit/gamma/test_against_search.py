"""The compiled search against plain lattice searches, refined to 1e-4 mm, on doses without a formula."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from intrepid_gamma import gamma_index
from intrepid_gamma.plain import lattice_gamma
from intrepid_rt.grids import Grid
from unit.gamma.gamma_grids import OBLIQUE, TILTED, centred


def random_pair(seed, *, smoothing, planar=False):
    """Two doses of about 40 Gy that differ by some Gy, on anisotropic grids turned against each other."""
    rng = np.random.default_rng(seed)
    shapes = ((1, 20, 24), (1, 40, 44)) if planar else ((7, 8, 9), (15, 16, 17))
    rotations = (TILTED, TILTED) if planar else (OBLIQUE, TILTED)
    grids = []
    for shape, rotation in zip(shapes, rotations, strict=True):
        noise = rng.normal(size=shape)
        smooth = gaussian_filter(noise, smoothing) if smoothing else noise
        values = 40 + 6 * smooth / np.abs(smooth).max()
        spacing_mm = rng.uniform(1.2, 3.2, 3)
        grids.append(Grid(values, centred(shape, spacing_mm, rotation=rotation)))
    return grids


def compare(reference, evaluated, *, dose_percent, distance_mm, step_mm, n_points, seed=0):
    """Ours and the refined lattice's gamma at seeded points that have evaluated dose."""
    gamma = gamma_index(reference, evaluated, dose_percent=dose_percent, distance_mm=distance_mm, norm_gy=50).gamma
    index = np.argwhere(np.isfinite(gamma))
    index = index[np.random.default_rng(seed).choice(len(index), min(n_points, len(index)), replace=False)]
    ours = gamma[tuple(index.T)]
    lattice = lattice_gamma(
        reference.index_to_position(index[:, ::-1]),
        reference.values[tuple(index.T)],
        evaluated,
        dose_criterion_gy=dose_percent / 100 * 50,
        distance_mm=distance_mm,
        step_mm=step_mm,
        radius_mm=ours.max() * distance_mm + 2 * step_mm,
        finest_mm=1e-4,
    )
    return ours, lattice


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("dose_percent", "distance_mm"), [(3, 3), (2, 2), (1, 2)])
def test_smooth_doses(seed, dose_percent, distance_mm):
    reference, evaluated = random_pair(seed, smoothing=1.5)
    ours, lattice = compare(
        reference, evaluated, dose_percent=dose_percent, distance_mm=distance_mm, step_mm=0.25, n_points=12
    )
    assert (ours <= lattice + 1e-6).all()
    assert (ours >= lattice - 0.005).all()


@pytest.mark.parametrize("seed", range(3))
def test_noisy_doses(seed):
    reference, evaluated = random_pair(seed, smoothing=0)
    ours, lattice = compare(reference, evaluated, dose_percent=2, distance_mm=2, step_mm=0.12, n_points=10)
    assert (ours <= lattice + 1e-6).all()
    assert (ours >= lattice - 0.005).all()


@pytest.mark.parametrize("smoothing", [0, 2.0])
def test_planes(smoothing):
    reference, evaluated = random_pair(11, smoothing=smoothing, planar=True)
    ours, lattice = compare(reference, evaluated, dose_percent=2, distance_mm=2, step_mm=0.05, n_points=40)
    assert (ours <= lattice + 1e-6).all()
    assert (ours >= lattice - 0.005).all()


def test_sample_centres_are_searched_by_definition():
    reference, evaluated = random_pair(3, smoothing=1.0)
    result = gamma_index(reference, evaluated, dose_percent=3, distance_mm=3, norm_gy=50, interpolate=False)
    positions = evaluated.positions().reshape(-1, 3)
    for k, j, i in np.argwhere(np.isfinite(result.gamma))[::9]:
        distance = np.linalg.norm(positions - reference.index_to_position([i, j, k]), axis=1) / 3
        dose = (evaluated.values.ravel() - reference.values[k, j, i]) / 1.5
        assert result.gamma[k, j, i] == pytest.approx(np.hypot(distance, dose).min(), abs=1e-9)


def test_float32_and_float64_doses_agree():
    reference, evaluated = random_pair(4, smoothing=1.0)
    rounded = [g.with_values(g.values.astype(np.float32)) for g in (reference, evaluated)]
    exact = [g.with_values(g.values.astype(np.float64)) for g in rounded]
    ours = [gamma_index(*pair, dose_percent=3, distance_mm=3, norm_gy=50).gamma for pair in (rounded, exact)]
    np.testing.assert_allclose(*ours, atol=1e-6)
