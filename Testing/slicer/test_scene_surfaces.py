"""Surfaces from contours: the volume the contours state, holes by exclusive or, gaps that stay gaps."""

import numpy as np
import pytest

pytest.importorskip("slicer")

from vtk.util.numpy_support import vtk_to_numpy

from intrepid_rt.structures import Structure
from SlicerInTrEPIDLib.segmentation import closed_surface, why_no_surface

ANGLE = np.linspace(0, 2 * np.pi, 90, endpoint=False)


def circle(radius_mm, z_mm, centre=(31.0, -47.0)):
    return np.column_stack(
        [centre[0] + radius_mm * np.cos(ANGLE), centre[1] + radius_mm * np.sin(ANGLE), np.full(90, z_mm)]
    )


def volume_cc(contours, thickness_mm=3.0):
    """Volume by the divergence theorem: positive only if the surface is closed and every face looks outwards."""
    surface = closed_surface(Structure("x", 1, tuple(contours)), thickness_mm=thickness_mm)
    points = vtk_to_numpy(surface.GetPoints().GetData()).astype(float)
    a, b, c = np.moveaxis(points[vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)], 1, 0)
    return float((a * np.cross(b, c)).sum() / 6.0 / 1000.0)


POLYGON_AREA_FACTOR = 90 / 2 * np.sin(2 * np.pi / 90)  # of a 90-sided polygon, in units of radius squared


def test_a_stack_of_circles_is_a_cylinder_of_slabs():
    contours = [circle(20.0, 3.0 * k) for k in range(10)]
    assert volume_cc(contours) == pytest.approx(POLYGON_AREA_FACTOR * 20**2 * 30.0 / 1000, rel=0.005)


def test_a_contour_inside_another_is_a_hole():
    contours = [circle(r, 3.0 * k) for k in range(10) for r in (20.0, 8.0)]
    assert volume_cc(contours) == pytest.approx(POLYGON_AREA_FACTOR * (20**2 - 8**2) * 30.0 / 1000, rel=0.01)


def test_a_gap_in_the_stack_stays_a_gap():
    contours = [circle(20.0, z) for z in (0.0, 3.0, 6.0, 21.0, 24.0, 27.0)]
    assert volume_cc(contours) == pytest.approx(POLYGON_AREA_FACTOR * 20**2 * 18.0 / 1000, rel=0.005)


def test_one_single_contour_is_one_slab_of_the_cts_thickness():
    assert volume_cc([circle(20.0, 4.0)], thickness_mm=2.5) == pytest.approx(
        POLYGON_AREA_FACTOR * 20**2 * 2.5 / 1000, rel=0.005
    )


def test_two_parts_in_one_slice_are_both_there():
    contours = [circle(10.0, 3.0 * k, centre) for k in range(8) for centre in ((0.0, 0.0), (40.0, 15.0))]
    assert volume_cc(contours) == pytest.approx(2 * POLYGON_AREA_FACTOR * 10**2 * 24.0 / 1000, rel=0.01)


def test_contours_across_slices_are_refused_with_the_reason():
    tilted = circle(20.0, 0.0)
    tilted[:, 2] = 0.1 * tilted[:, 0]
    assert why_no_surface(Structure("x", 1, (tilted,))) == "its contours are not in axial planes."
