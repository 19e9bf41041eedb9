"""The planes of the report go through the isocentre and cut dose and structures where they are."""

from dataclasses import replace

import numpy as np
import pytest

from intrepid_cli.report.planes import (
    inside_on_line,
    inside_outline,
    nearest_contours,
    planes_through_isocentre,
    upright_cut,
)
from intrepid_rt.grids import DoseGrid, affine_from_axes
from intrepid_rt.verification import DoseVolumeCurve
from synthetic_verification import CENTRE_MM, ELLIPSOIDS, ISOCENTRE_MM, synthetic_result


@pytest.fixture(scope="module")
def result():
    return synthetic_result()


def test_every_plane_contains_the_isocentre_and_shows_the_whole_outline(result):
    outline = np.concatenate(result.structure_set.external.contours)
    corners = result.reconstructed.index_to_position([[0, 0, 0], np.array(result.reconstructed.shape[::-1]) - 1])
    for plane in planes_through_isocentre(result):
        fixed = ({0, 1, 2} - {plane.across, plane.up}).pop()
        assert np.ptp(plane.positions[..., fixed]) == 0
        assert plane.positions[0, 0, fixed] == ISOCENTRE_MM[fixed]
        for axis in (plane.across, plane.up):
            # As far as both the dose grid and the outline reach.
            low = max(outline[:, axis].min(), corners[:, axis].min())
            high = min(outline[:, axis].max(), corners[:, axis].max())
            assert plane.positions[..., axis].min() <= low + 1e-6
            assert plane.positions[..., axis].max() >= high - 1e-6


def test_axial_has_anterior_up_and_the_patients_right_on_the_left(result):
    axial, coronal, sagittal = planes_through_isocentre(result)
    bottom_left, top_right = axial.positions[0, 0], axial.positions[-1, -1]
    assert bottom_left[0] < top_right[0]  # LPS x grows to the patient's left
    assert bottom_left[1] > top_right[1]  # LPS y grows to posterior
    assert axial.labels == ("R", "L", "P", "A")
    assert coronal.positions[0, 0, 2] < coronal.positions[-1, 0, 2]
    assert sagittal.positions[0, 0, 1] < sagittal.positions[0, -1, 1]
    assert sagittal.labels[:2] == ("A", "P")


def test_an_oblique_dose_grid_is_cut_at_the_same_places(result):
    """A linear dose is the same function of position on any grid."""
    turned = np.deg2rad(25.0)
    axes = np.array([[np.cos(turned), np.sin(turned), 0], [-np.sin(turned), np.cos(turned), 0], [0, 0, 1.0]])
    affine = affine_from_axes(ISOCENTRE_MM - (60, 100, 80), (3.0, 4.0, 5.0), axes)
    grid = DoseGrid(np.zeros((40, 50, 60)), affine)
    grid = grid.with_values(grid.positions() @ (0.01, 0.02, -0.03))
    plane = planes_through_isocentre(replace(result, reconstructed=grid))[2]
    sampled = grid.sample(plane.positions)
    inside = np.isfinite(sampled)
    assert inside.sum() > 1000
    np.testing.assert_allclose(sampled[inside], (plane.positions @ (0.01, 0.02, -0.03))[inside], atol=1e-9)


def test_an_upright_cut_of_an_ellipsoid_is_an_ellipse(result):
    offset, semi_axes = next(e[1:3] for e in ELLIPSOIDS if e[0] == "Lung_R")
    by_slice = result.structure_set.named("Lung_R").contours_by_plane()
    x_mm = np.arange(-200.0, 100.0, 0.25)
    z_mm, inside = upright_cut(by_slice, 0, CENTRE_MM[1] + offset[1], x_mm)
    share = np.sqrt(np.maximum(1 - ((z_mm - CENTRE_MM[2] - offset[2]) / semi_axes[2]) ** 2, 0))
    # 72-sided contours have corners on the axis: full width there.
    np.testing.assert_allclose(inside.sum(axis=1) * 0.25, 2 * semi_axes[0] * share, atol=0.5)
    assert not inside[0].any()
    assert not inside[-1].any()


def test_the_difference_is_shown_inside_the_outline_only(result):
    low_mm, high_mm = CENTRE_MM[2] - 96.0, CENTRE_MM[2] + 96.0  # half a slice beyond the first and last contour
    semi_axes = ELLIPSOIDS[0][2]
    for plane in planes_through_isocentre(result):
        inside = inside_outline(result, plane)
        radius = (((plane.positions - CENTRE_MM) / semi_axes) ** 2).sum(axis=-1)
        z_mm = plane.positions[..., 2]
        in_stack = (z_mm > low_mm) & (z_mm < high_mm)
        assert inside[(radius < 0.97) & in_stack].all()
        assert not inside[radius > 1.03].any()
        assert not inside[(z_mm < low_mm - 0.1) | (z_mm > high_mm + 0.1)].any()
    assert inside_outline(replace(result, structure_set=None), plane).all()


def test_a_missing_slice_leaves_a_gap_in_the_cut():
    square = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [10.0, 10.0, 0.0], [0.0, 10.0, 0.0]])
    by_slice = {z: [np.add(square, (0, 0, z))] for z in (0.0, 3.0, 6.0, 15.0, 18.0)}
    z_mm, inside = upright_cut(by_slice, 0, 5.0, np.array([5.0]))
    assert z_mm[inside[:, 0]].tolist() == [0.0, 3.0, 6.0, 15.0, 18.0]
    assert z_mm[~inside[:, 0]].tolist() == [-3.0, 9.0, 12.0, 21.0]


def test_axial_contours_are_those_of_the_slab_that_holds_the_plane():
    contour = np.zeros((3, 3))
    by_slice = {10.0: [contour], 14.0: [contour + 1]}
    assert nearest_contours(by_slice, 12.5)[0][0, 0] == 1.0
    assert nearest_contours(by_slice, 16.5) == []
    assert nearest_contours({}, 0.0) == []


def test_a_keyhole_and_a_hole_are_outside():
    outer = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [10.0, 10.0, 0.0], [0.0, 10.0, 0.0]])
    inner = outer * 0.4 + (3.0, 3.0, 0.0)
    at = np.array([-1.0, 1.0, 5.0, 9.0, 11.0])
    assert inside_on_line([outer, inner], 0, 5.0, at).tolist() == [False, True, False, True, False]
    assert inside_on_line([outer, inner], 1, 5.0, at).tolist() == [False, True, False, True, False]


def test_volume_in_percent_refers_to_the_whole_structure():
    curve = DoseVolumeCurve(np.array([0.0, 1.0]), np.array([5.0, 1.0]))
    assert curve.volume_percent.tolist() == [100.0, 20.0]
