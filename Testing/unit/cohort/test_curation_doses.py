"""Sums of doses on paper: other grids, factors, edges, frames of reference."""

import numpy as np
import pytest

from intrepid_cohort.curation.summing import common_type, sum_doses
from intrepid_rt.errors import FrameOfReferenceMismatch, InvalidSetting
from intrepid_rt.grids import DoseGrid, affine_from_axes

SLOPE = np.array([0.02, -0.01, 0.03])


def linear(origin, spacing, shape, *, frame="1.2", turn=0.0):
    c, s = np.cos(turn), np.sin(turn)
    affine = affine_from_axes(origin, spacing, ((c, s, 0), (-s, c, 0), (0, 0, 1)))
    empty = DoseGrid(np.zeros(shape, np.float32), affine, frame)
    return empty.with_values((10.0 + empty.positions() @ SLOPE).astype(np.float32))


def test_a_linear_dose_on_another_grid_adds_up_exactly():
    main = linear((-40, -30, 5), (4, 5, 6), (7, 12, 15))
    boost = linear((-90, -80, -60), (3, 7, 5), (40, 30, 60), turn=0.1)
    total, warnings = sum_doses([(main, 0.8), (boost, 0.5)])
    expected = 1.3 * (10.0 + main.positions() @ SLOPE)
    assert np.abs(total.dose_gy - expected).max() < 1e-4
    assert warnings == []
    assert total.same_lattice(main)


def test_a_grid_that_ends_inside_is_warned_of():
    main = linear((-40, -30, 5), (4, 5, 6), (7, 12, 15))
    small = linear((-30, -20, 10), (4, 5, 6), (4, 6, 8))
    total, warnings = sum_doses([(main, 1.0), (small, 1.0)])
    assert "counts as zero" in warnings[0]
    assert total.dose_gy[0, 0, 0] == main.dose_gy[0, 0, 0]
    fading = small.with_values(np.pad(np.asarray(small.dose_gy)[1:-1, 1:-1, 1:-1], 1))
    assert sum_doses([(main, 1.0), (fading, 1.0)])[1] == []


def test_frames_of_reference_are_never_mixed():
    main = linear((0, 0, 0), (4, 4, 4), (5, 5, 5))
    for frame in ("1.3", ""):
        with pytest.raises(FrameOfReferenceMismatch):
            sum_doses([(main, 1.0), (linear((0, 0, 0), (4, 4, 4), (5, 5, 5), frame=frame), 1.0)])
    with pytest.raises(InvalidSetting):
        sum_doses([])
    with pytest.raises(InvalidSetting):
        sum_doses([(main, -0.1)])


@pytest.mark.parametrize("types", [["PHYSICAL", "EFFECTIVE"], ["", "EFFECTIVE"], ["ERROR"], []])
def test_doses_of_other_kinds_do_not_add_up(types):
    with pytest.raises(InvalidSetting, match="do not add up"):
        common_type(types)
