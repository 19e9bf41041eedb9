"""The pair of doses of SlicerRT's own test; provenance in Testing/golden/gamma/README.md."""

import numpy as np
import pytest

from intrepid_gamma import gamma_index
from intrepid_gamma.plain import lattice_gamma
from intrepid_rt.image_files import read_image
from unit.gamma.gamma_grids import GOLDEN


@pytest.fixture(scope="module")
def exact(ent_pair):
    return gamma_index(*ent_pair, dose_percent=3, distance_mm=3)


def test_pass_rate_of_the_interpolated_dose(exact):
    assert exact.n_points == 88129
    assert exact.n_missing == 0
    assert 90.6 <= exact.pass_rate_percent <= 91.0


def test_voxel_centre_search_reproduces_the_baseline(ent_pair):
    baseline = read_image(GOLDEN / "GammaVolume_EclipseEnt_Day1Day2_Baseline.nrrd").values
    result = gamma_index(*ent_pair, dose_percent=3, distance_mm=3, max_gamma=2.0, interpolate=False)
    np.testing.assert_allclose(np.nan_to_num(result.gamma), baseline, atol=1e-5)
    assert result.n_passed == 71292


@pytest.mark.slow
def test_two_thousand_voxels_against_a_refined_search(ent_pair, exact):
    reference, evaluated = ent_pair
    index = np.argwhere(np.isfinite(exact.gamma))
    index = index[np.random.default_rng(2026).choice(len(index), 2000, replace=False)]
    ours = exact.gamma[tuple(index.T)]
    lattice = np.empty(2000)
    # In groups of like gamma, so that the lattice need not reach as far as the worst point everywhere.
    for group in np.array_split(np.argsort(ours), 20):
        lattice[group] = lattice_gamma(
            reference.index_to_position(index[group][:, ::-1]),
            reference.values[tuple(index[group].T)],
            evaluated,
            dose_criterion_gy=0.03 * float(reference.values.max()),
            distance_mm=3.0,
            step_mm=0.4,
            radius_mm=3.0 * ours[group].max() + 0.8,
            finest_mm=1e-4,
        )
    assert (ours <= lattice + 1e-6).all()
    assert (ours >= lattice - 0.005).all()
