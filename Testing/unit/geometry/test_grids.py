"""Grids of any orientation: indices, positions, interpolation and masks against pencil-and-paper answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from intrepid_rt.errors import UnsupportedGeometry
from intrepid_rt.grids import CTGrid, DoseGrid, Grid, affine_from_axes

TURNED = Rotation.from_euler("zyx", [25, -40, 70], degrees=True).as_matrix()
ORIGIN, SPACING, SHAPE = (-31.5, 12.25, 400.0), (1.1, 2.3, 3.7), (4, 5, 6)


def turned_grid(values=None, handedness=1):
    axes = TURNED * np.array([[1], [1], [handedness]])
    return Grid(np.zeros(SHAPE) if values is None else values, affine_from_axes(ORIGIN, SPACING, axes))


@pytest.mark.parametrize("handedness", [1, -1])
def test_voxel_centres_written_out(handedness):
    grid = turned_grid(handedness=handedness)
    i, j, k = 5, 3, 2
    along = [TURNED[0] * SPACING[0] * i, TURNED[1] * SPACING[1] * j, handedness * TURNED[2] * SPACING[2] * k]
    expected = np.array(ORIGIN) + sum(along)
    np.testing.assert_allclose(grid.positions()[k, j, i], expected, atol=1e-12)
    np.testing.assert_allclose(grid.plane_positions(k)[j, i], expected, atol=1e-12)
    np.testing.assert_allclose(grid.position_to_index(expected), (i, j, k), atol=1e-9)
    assert grid.spacing_mm == pytest.approx(SPACING)
    assert grid.voxel_volume_cc == pytest.approx(np.prod(SPACING) / 1000)


@given(st.lists(st.floats(-0.999, 0.999), min_size=3, max_size=3))
def test_linear_field_is_interpolated_exactly(part):
    grid = turned_grid()
    slope = np.array([0.7, -0.3, 0.11])
    grid = grid.with_values(grid.positions() @ slope + 5)
    centre = grid.index_to_position((np.array(SHAPE[::-1]) - 1) / 2)
    inside = grid.index_to_position((np.array(SHAPE[::-1]) - 1) / 2 * (1 + np.array(part)))
    assert grid.sample(inside) == pytest.approx(inside @ slope + 5, abs=1e-9)
    assert grid.sample(centre) == pytest.approx(centre @ slope + 5)


def test_outside_begins_beyond_the_outermost_centres():
    grid = turned_grid(np.arange(120.0).reshape(SHAPE))
    last = np.array(SHAPE[::-1]) - 1
    assert grid.sample(grid.index_to_position(last)) == pytest.approx(119)
    for axis in range(3):
        beyond = last + 0.01 * np.eye(3)[axis]
        assert np.isnan(grid.sample(grid.index_to_position(beyond)))
        assert grid.sample(grid.index_to_position(-0.01 * np.eye(3)[axis]), outside=-7.0) == -7.0
    assert np.isnan(grid.sample([np.nan, 0, 0]))


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.uint32, np.float32, np.float64])
def test_integers_are_interpolated_not_rounded(dtype):
    grid = Grid(np.arange(8).reshape(2, 2, 2).astype(dtype), affine_from_axes((0, 0, 0), (1, 1, 1)))
    assert grid.sample([0.5, 0.5, 0.5]) == 3.5
    assert grid.sample([0.4, 0.4, 0.6], order=0) == 4


def test_resampling_between_turned_grids():
    slope = np.array([0.7, -0.3, 0.11])
    source = Grid(np.zeros((30, 31, 32)), affine_from_axes((-20, -20, -20), (1.3, 1.4, 1.5)))
    source = source.with_values(source.positions() @ slope)
    wanted = Grid(np.zeros((5, 4, 3)), affine_from_axes((-3, 2, 1), (1.1, 1.2, 2.3), TURNED))
    np.testing.assert_allclose(source.resampled_to(wanted), wanted.positions() @ slope, atol=1e-5)


def test_lattices_are_told_apart():
    grid = turned_grid()
    assert grid.same_lattice(turned_grid(np.ones(SHAPE)))
    assert not grid.same_lattice(turned_grid(handedness=-1))
    moved = np.array(grid.index_to_lps)
    moved[0, 3] += 0.01
    assert not grid.same_lattice(Grid(grid.values, moved))
    stretched = np.array(grid.index_to_lps)
    stretched[:3, 0] *= 1.001
    assert not grid.same_lattice(Grid(grid.values, stretched))
    assert not grid.same_lattice(Grid(np.zeros((4, 5, 7)), grid.index_to_lps))


def test_grids_are_immutable_and_keep_their_kind():
    values = np.ones((2, 2, 2), np.float32)
    dose = DoseGrid(values, np.eye(4), "1.2.3")
    with pytest.raises(ValueError, match="read-only"):
        dose.values[0, 0, 0] = 2
    with pytest.raises(ValueError, match="read-only"):
        dose.index_to_lps[0, 0] = 2
    assert isinstance(dose * 0.5, DoseGrid)
    assert (0.5 * dose).dose_gy.tolist() == (values / 2).tolist()
    assert (dose * 2).frame_of_reference_uid == "1.2.3"
    assert CTGrid(values, np.eye(4)).hounsfield.shape == (2, 2, 2)


@pytest.mark.parametrize(
    ("values", "affine", "message"),
    [
        (np.zeros((2, 2)), np.eye(4), "three axes"),
        (np.zeros((2, 0, 2)), np.eye(4), "three axes"),
        (np.zeros((2, 2, 2)), np.diag([1, 0, 1, 1]), "singular"),
        (np.zeros((2, 2, 2)), np.diag([1, np.nan, 1, 1]), "finite"),
        (np.zeros((2, 2, 2)), np.eye(3), "4 x 4"),
    ],
)
def test_impossible_grids_are_refused(values, affine, message):
    with pytest.raises(UnsupportedGeometry, match=message):
        Grid(values, affine)
    with pytest.raises(UnsupportedGeometry, match="shape"):
        turned_grid().with_values(np.zeros((1, 2, 3)))
