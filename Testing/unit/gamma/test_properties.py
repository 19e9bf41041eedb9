"""What must hold for any pair of doses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from intrepid_gamma import gamma_index
from intrepid_rt.grids import Grid
from unit.gamma.gamma_grids import centred

EXAMPLES = settings(max_examples=25, deadline=None, derandomize=True)
criteria = st.fixed_dictionaries({"dose_percent": st.floats(0.5, 5), "distance_mm": st.floats(0.5, 5)})


@st.composite
def pairs(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    grids = []
    for _ in range(2):
        shape = draw(st.tuples(*[st.integers(2, 7)] * 3))
        rotation = Rotation.random(random_state=int(rng.integers(2**31)))
        affine = centred(shape, rng.uniform(1, 4, 3), rotation=rotation, centre_mm=rng.uniform(-1, 1, 3))
        grids.append(Grid(40 + draw(st.floats(0, 8)) * rng.normal(size=shape), affine))
    return grids


@EXAMPLES
@given(pairs(), criteria, st.floats(0.2, 5))
def test_scaling_both_criteria_scales_gamma(pair, criteria, factor):
    scaled = {name: value * factor for name, value in criteria.items()}
    one, other = (gamma_index(*pair, norm_gy=50, **c).gamma for c in (criteria, scaled))
    np.testing.assert_allclose(other * factor, one, atol=1e-6 * max(1, factor), rtol=1e-9)


@EXAMPLES
@given(pairs(), criteria, st.floats(1e-3, 1e3))
def test_the_unit_of_dose_does_not_matter(pair, criteria, factor):
    in_other_unit = [g.with_values(g.values * factor) for g in pair]
    one, other = gamma_index(*pair, **criteria), gamma_index(*in_other_unit, **criteria)
    np.testing.assert_allclose(other.gamma, one.gamma, atol=1e-6, rtol=1e-9)


@EXAMPLES
@given(pairs(), criteria, st.integers(0, 1000))
def test_moving_both_together_changes_nothing(pair, criteria, seed):
    motion = np.eye(4)
    motion[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    motion[:3, 3] = np.random.default_rng(seed).uniform(-300, 300, 3)
    moved = [Grid(g.values, motion @ g.index_to_lps) for g in pair]
    one, other = (gamma_index(*p, norm_gy=50, **criteria).gamma for p in (pair, moved))
    np.testing.assert_allclose(other, one, atol=1e-6)


@EXAMPLES
@given(pairs(), criteria)
def test_refining_the_reference_leaves_gamma_at_its_old_points(pair, criteria):
    reference, evaluated = pair
    shape = tuple(2 * n - 1 for n in reference.shape)
    affine = reference.index_to_lps @ np.diag([0.5, 0.5, 0.5, 1])
    finer = Grid(np.full(shape, 40.0), affine)
    values = finer.values.copy()
    values[::2, ::2, ::2] = reference.values
    one = gamma_index(reference, evaluated, norm_gy=50, **criteria).gamma
    other = gamma_index(finer.with_values(values), evaluated, norm_gy=50, **criteria).gamma
    np.testing.assert_allclose(other[::2, ::2, ::2], one, atol=1e-6)


@EXAMPLES
@given(pairs(), criteria)
def test_gamma_is_bounded_by_the_dose_difference_at_the_point(pair, criteria):
    reference, evaluated = pair
    result = gamma_index(reference, evaluated, norm_gy=50, **criteria)
    there = np.abs(evaluated.resampled_to(reference) - reference.values) / (criteria["dose_percent"] / 100 * 50)
    found = np.isfinite(result.gamma)
    assert (result.gamma[found] <= there[found] + 1e-4).all()


@EXAMPLES
@given(pairs(), criteria)
def test_a_dose_agrees_with_itself(pair, criteria):
    result = gamma_index(pair[0], pair[0], **criteria)
    assert result.pass_rate_percent == 100.0
    assert result.max_gamma == pytest.approx(0.0, abs=1e-6)
