"""Voxels inside structures: areas, holes, planes and turned grids against pencil-and-paper answers."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from intrepid_cli.verification.inputs import patient_mask
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.structure_mask import structure_mask
from intrepid_rt.structures import Structure, StructureSet

FINE = Grid(np.zeros((30, 41, 43)), affine_from_axes((-10.3, -20.1, -15.2), (0.53, 0.91, 1.07)))


def rectangle(x, y, z):
    return np.array([(x[0], y[0], z), (x[1], y[0], z), (x[1], y[1], z), (x[0], y[1], z)], float)


def in_box(grid, x, y, z):
    p = grid.positions()
    bounds = zip((x, y, z), np.moveaxis(p, -1, 0), strict=True)
    return np.logical_and.reduce([(at >= low) & (at < high) for (low, high), at in bounds])


def structure(*contours):
    return Structure("ROI", 1, tuple(contours))


def test_box_reaches_half_a_plane_beyond_its_outermost_contours():
    x, y = (-4.02, 7.01), (-9.03, 3.04)
    made = structure_mask(structure(*(rectangle(x, y, z) for z in np.arange(-6.0, 6.1, 3.0))), FINE)
    np.testing.assert_array_equal(made, in_box(FINE, x, y, (-7.5, 7.5)))


def test_orientation_of_the_grid_changes_nothing():
    """Voxels of a turned, mirrored grid are inside exactly if their positions are."""
    axes = Rotation.from_euler("xyz", [31, -17, 55], degrees=True).as_matrix() * np.array([[1], [-1], [1]])
    spacing, shape = np.array((0.7, 1.3, 1.9)), (18, 21, 25)
    first = np.array((1.0, -2.0, 1.0)) - (spacing * (np.array(shape[::-1]) - 1) / 2) @ axes
    grid = Grid(np.zeros(shape), affine_from_axes(first, spacing, axes))
    x, y = (-4.02, 7.01), (-9.03, 3.04)
    made = structure_mask(structure(*(rectangle(x, y, z) for z in np.arange(-6.0, 6.1, 3.0))), grid)
    assert 100 < made.sum() < made.size / 2
    np.testing.assert_array_equal(made, in_box(grid, x, y, (-7.5, 7.5)))


@pytest.mark.parametrize("way", ["second contour", "keyhole"])
def test_holes(way):
    outer, inner = rectangle((-8, 8), (-12, 12), 0.0), rectangle((-3.03, 2.02), (-5.01, 4.04), 0.0)
    if way == "second contour":
        contours = [outer, inner]
    else:
        # Out along a cut to the hole, round it the other way, and back along the same cut.
        contours = [np.vstack([outer, outer[:1], inner[:1], inner[::-1], outer[:1]])]
    made = structure_mask(structure(*contours), FINE)
    wanted = in_box(FINE, (-8, 8), (-12, 12), (-0.535, 0.535)) & ~in_box(FINE, (-3.03, 2.02), (-5.01, 4.04), (-1, 1))
    assert wanted.any()
    np.testing.assert_array_equal(made, wanted)


def test_two_parts_on_one_plane_and_a_gap_between_planes():
    left, right = (-9.0, -2.0), (1.0, 8.0)
    heights = [-9.0, -6.0, -3.0, 9.0, 12.0]  # nothing is drawn from -3 to 9: two separate pieces
    contours = [rectangle(x, (-5, 5), z) for z in heights for x in (left, right)]
    made = structure_mask(structure(*contours), FINE)
    levels = FINE.positions()[made][:, 2]
    assert not ((levels > -0.7) & (levels < 6.7)).any()
    assert ((levels > -10.5) & (levels < -3)).any()
    assert (levels > 9).any()
    assert {x < -0.5 for x in FINE.positions()[made][:, 0]} == {True, False}


def test_single_plane_fills_one_layer():
    made = structure_mask(structure(rectangle((-5, 5), (-5, 5), -15.2 + 7 * 1.07)), FINE)
    assert np.flatnonzero(made.any(axis=(1, 2))).tolist() == [7]


def test_volume_of_a_sphere():
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    contours = []
    for z in np.arange(-8.5, 9.0, 1.0):
        r = np.sqrt(81 - z**2)
        contours.append(np.stack([2 + r * np.cos(turn), -1 + r * np.sin(turn), np.full(90, z)], axis=1))
    grid = Grid(np.zeros((44, 44, 44)), affine_from_axes((-10, -12, -11), (0.5, 0.5, 0.5)))
    volume = structure_mask(structure(*contours), grid).sum() * grid.voxel_volume_cc
    assert volume == pytest.approx(4 / 3 * np.pi * 0.9**3, rel=0.01)


def test_nothing_drawn_nothing_inside():
    assert not structure_mask(structure(), FINE).any()
    two_points = np.array([(0.0, 0, 0), (1, 1, 0)])
    assert not structure_mask(structure(two_points), FINE).any()


def test_outline_at_the_edge_does_not_appear_on_the_other_side():
    """The patient is one voxel more all round, but never the far side of the CT."""
    grid = Grid(np.zeros((3, 5, 6)), affine_from_axes((0, 0, 0), (1.0, 1.0, 1.0)))
    body = Structure("BODY", 1, (rectangle((-0.4, 0.4), (-0.4, 0.4), 1.0),), interpreted_type="EXTERNAL")
    mask = patient_mask(StructureSet("", "", "", (body,)), grid)
    assert np.argwhere(mask).tolist() == [[1, 0, 0], [1, 0, 1], [1, 1, 0]]
    assert patient_mask(None, grid) is None
