"""Geometry on paper: boxes, cylinders, cones and spheres, off-centre, with planes that do not coincide."""

import numpy as np
import pytest

from builders import ring
from intrepid_cohort.geometry import PrismPile, overlap_cc
from intrepid_cohort.target_geometry import Target, target_geometry
from intrepid_rt.errors import MissingObject, UnsupportedGeometry
from intrepid_rt.structures import Structure


def box(name, low, high, *, planes, number=1):
    """Box from ``low`` to ``high`` (x, y, z), drawn at the middle of ``planes`` slices."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    step = (z1 - z0) / planes
    square = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)
    heights = z0 + step * (np.arange(planes) + 0.5)
    return Structure(name, number, tuple(np.column_stack([square, np.full(4, z)]) for z in heights))


def test_box_has_its_volume_centroid_extent_and_surface():
    pile = PrismPile.of(box("B", (-10, 5, 40), (30, 25, 100), planes=12))
    assert pile.volume_cc == pytest.approx(48.0)
    np.testing.assert_allclose(pile.centroid_mm, [10, 15, 70])
    np.testing.assert_allclose(pile.spread_mm, [40, 20, 60])
    assert pile.surface_area_cm2 == pytest.approx(2 * (4 * 2 + 4 * 6 + 2 * 6))


def test_hole_is_taken_out_and_its_wall_counts():
    outer = box("B", (0, 0, 0), (40, 40, 30), planes=6)
    inner = box("B", (10, 10, 0), (20, 30, 30), planes=6)
    pile = PrismPile.of(Structure("B", 1, outer.contours + inner.contours))
    assert pile.volume_cc == pytest.approx((16 - 2) * 3.0)
    assert pile.surface_area_cm2 == pytest.approx(2 * 14 + 3 * (16 + 6))


def test_cone_between_planes_has_the_surface_of_frustums():
    heights, radii = np.arange(0.0, 41.0, 4.0), 30.0 - 0.5 * np.arange(0.0, 41.0, 4.0)
    cone = Structure("C", 1, tuple(ring((5, -8), r, z, 360) for z, r in zip(heights, radii, strict=True)))
    slant = np.pi * (radii[0] + radii[-1]) * np.hypot(40.0, radii[0] - radii[-1])
    caps = np.pi * (radii[0] ** 2 + radii[-1] ** 2) + 2 * np.pi * (radii[0] + radii[-1]) * 2.0
    # 360 vertices on the circle: a polygon lacks 5e-5 of the area and half of that of the outline.
    assert PrismPile.of(cone).surface_area_cm2 == pytest.approx((slant + caps) / 100, rel=1e-4)


def test_sphere_surface_is_within_two_percent():
    heights = np.arange(-29.0, 30.0, 2.0)
    sphere = Structure("S", 1, tuple(ring((0, 0), np.sqrt(900 - z * z), z, 180) for z in heights))
    assert PrismPile.of(sphere).surface_area_cm2 == pytest.approx(4 * np.pi * 9, rel=0.02)


def test_overlap_of_boxes_with_different_slices_is_exact():
    one = PrismPile.of(box("A", (0, 0, 0), (40, 30, 50), planes=10))
    other = PrismPile.of(box("B", (25, -10, 20.9), (60, 18, 90.9), planes=14))
    assert overlap_cc(one, [other]) == pytest.approx(15 * 18 * 29.1 / 1000)


def test_overlap_with_several_targets_counts_their_common_part_once():
    organ = PrismPile.of(box("A", (0, 0, 0), (40, 30, 50), planes=10))
    targets = [
        PrismPile.of(box("P1", (-10, 0, 10), (20, 30, 40), planes=10)),
        PrismPile.of(box("P2", (10, 0, 20), (30, 30, 60), planes=8)),
    ]
    # 20 x 30 x 30 and 20 x 30 x 30, of which 10 x 30 x 20 is common.
    assert overlap_cc(organ, targets) == pytest.approx((18000 + 18000 - 6000) / 1000)


def distances(organ, *targets):
    piles = [PrismPile.of(target) for target in targets]
    target = Target.of(targets, piles, slice_spacing_mm=None)
    return target_geometry(organ, PrismPile.of(organ), target, slice_spacing_mm=None)


def test_distances_between_separate_boxes():
    near, far = 12.0, 52.0
    ptv = box("PTV", (0, 0, 0), (200, 200, 150), planes=50)
    organ = box("O", (200 + near, 60, 40), (200 + far, 140, 110), planes=35)
    found = distances(organ, ptv)
    # Opposite the middle of a face, every distance is that along x; points of the PTV's surface are 3 mm apart.
    assert found.ptv_distance_min_mm == pytest.approx(near, abs=0.1)
    assert found.ptv_distance_max_mm == pytest.approx(far, abs=0.1)
    assert found.ptv_overlap_cc == 0.0
    assert found.ptv_centroid_distance_mm == pytest.approx(232 - 100)
    half = dict(found.overlap_volume_histogram)[32.0]
    assert half == pytest.approx(50, abs=1.0)
    assert found.overlap_volume_histogram[-1][1] == 100.0
    assert sum(percent for _, percent in found.distance_to_target_histogram) == pytest.approx(100)


def test_distances_inside_the_target_are_negative():
    ptv = box("PTV", (0, 0, 0), (100, 100, 100), planes=40)
    organ = box("O", (20, 30, 30), (60, 70, 70), planes=16)
    found = distances(organ, ptv)
    assert found.ptv_distance_max_mm == pytest.approx(-20, abs=0.2)
    assert found.ptv_distance_min_mm == pytest.approx(-40, abs=1.0)
    assert found.ptv_overlap_cc == pytest.approx(64.0)


def test_surface_between_two_targets_is_no_surface_of_their_union():
    left = box("PTV1", (0, 0, 0), (60, 80, 80), planes=32)
    right = box("PTV2", (40, 0, 0), (100, 80, 80), planes=32, number=2)
    organ = box("O", (45, 35, 35), (55, 45, 45), planes=4)
    # The walls at x = 40 and x = 60 lie within the other target: the nearest wall of the union is 35 mm away.
    assert distances(organ, left, right).ptv_distance_max_mm == pytest.approx(-35, abs=0.5)


def test_structures_without_area_and_tilted_ones_are_refused():
    with pytest.raises(MissingObject, match="no closed contour"):
        PrismPile.of(Structure("E", 1, ()))
    tilted = [np.array([[0, 0, z], [0, 10, z], [0, 10, z + 10]], float) for z in (0, 5)]
    with pytest.raises(UnsupportedGeometry, match="not axial"):
        PrismPile.of(Structure("T", 1, tuple(tilted)))
