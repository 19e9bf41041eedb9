"""Path lengths against chords on paper and a second ray tracer (all plane crossings sorted, Siddon 1985)."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from intrepid_epid.ray_tracing import Anatomy, geometric_path_mm, mass_thickness_g_cm2
from intrepid_epid.transit import anatomy_of
from intrepid_rt.errors import UnsupportedGeometry
from intrepid_rt.grids import Grid, affine_from_axes

TURNED = Rotation.from_euler("zyx", [25, -40, 70], degrees=True).as_matrix()
ORIGIN, SPACING, SHAPE = (-31.5, 12.25, 40.0), (1.1, 2.3, 3.7), (9, 12, 17)


def random_anatomy(axes=TURNED):
    random = np.random.default_rng(5)
    grid = Grid(random.random(SHAPE).astype(np.float32), affine_from_axes(ORIGIN, SPACING, axes))
    return Anatomy(grid, random.integers(0, 3, SHAPE).astype(np.uint8), ("a", "b", "c"))


def crossings_sorted(anatomy, source, target):
    """Integrate between all sorted crossings with voxel faces: no stepping from voxel to voxel."""
    grid = anatomy.density
    start, end = grid.position_to_index(source), grid.position_to_index(target)
    at = [0.0, 1.0]
    for axis in range(3):
        if end[axis] != start[axis]:
            faces = np.arange(grid.shape[2 - axis] + 1) - 0.5
            at += [a for a in (faces - start[axis]) / (end[axis] - start[axis]) if 0 < a < 1]
    at = np.sort(at)
    middle = start + np.outer((at[1:] + at[:-1]) / 2, end - start)
    voxel = np.floor(middle + 0.5).astype(int)
    inside = ((voxel >= 0) & (voxel < grid.shape[::-1])).all(axis=1)
    length_cm = np.diff(at) * np.linalg.norm(np.subtract(target, source)) / 10
    result = np.zeros(len(anatomy.materials))
    for (i, j, k), piece in zip(voxel[inside], length_cm[inside], strict=True):
        result[anatomy.material[k, j, i]] += anatomy.density.values[k, j, i] * piece
    return result


@pytest.mark.parametrize(
    "axes", [np.eye(3), TURNED, TURNED * np.array([[1], [-1], [1]])], ids=["axial", "turned", "mirrored"]
)
def test_second_ray_tracer_agrees(axes):
    anatomy = random_anatomy(axes)
    centre = anatomy.density.index_to_position((np.array(SHAPE[::-1]) - 1) / 2)
    random = np.random.default_rng(2)
    hits = 0
    for _ in range(60):
        source = centre + random.normal(size=3) * 60
        targets = centre + random.normal(size=(5, 3)) * 15
        traced = mass_thickness_g_cm2(anatomy, source, targets)
        expected = np.array([crossings_sorted(anatomy, source, target) for target in targets])
        np.testing.assert_allclose(traced, expected, atol=1e-5)
        hits += np.count_nonzero(expected.sum(axis=1))
    assert hits > 100


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("direction", [1, -1])
def test_rays_along_the_axes(axis, direction):
    anatomy = random_anatomy(np.eye(3))
    middle = anatomy.density.index_to_position([4, 5, 6])
    along = np.eye(3)[axis] * direction * 500
    traced = mass_thickness_g_cm2(anatomy, middle - along, middle + along).sum()
    line = np.moveaxis(anatomy.density.values, 2 - axis, 0)[(slice(None), *np.delete([6, 5, 4], 2 - axis))]
    assert traced == pytest.approx(line.sum() * SPACING[axis] / 10, rel=1e-5)


def test_rays_between_voxels_and_on_the_rim_are_finite():
    anatomy = random_anatomy(np.eye(3))
    face = anatomy.density.index_to_position([4.5, 5.5, 0])
    traced = mass_thickness_g_cm2(anatomy, face - 500 * np.eye(3)[2], face + 500 * np.eye(3)[2]).sum()
    assert 0 < traced < 1.0 * SHAPE[0] * SPACING[2] / 10
    diagonal = anatomy.density.index_to_position([[-0.5, -0.5, -0.5], [16.5, 11.5, 8.5]])
    through = mass_thickness_g_cm2(anatomy, 2 * diagonal[0] - diagonal[1], 2 * diagonal[1] - diagonal[0])
    np.testing.assert_allclose(
        through, crossings_sorted(anatomy, 2 * diagonal[0] - diagonal[1], 2 * diagonal[1] - diagonal[0]), atol=1e-5
    )


def test_parts_add_up_and_ends_inside_count():
    """From one point inside to another and on: the parts are the whole, forwards and backwards."""
    anatomy = random_anatomy()
    first, second, third = anatomy.density.index_to_position([[1.2, 2.3, 1.7], [9.9, 7.1, 4.2], [15.0, 9.9, 5.6]])
    second = first + (third - first) * 0.4
    whole = mass_thickness_g_cm2(anatomy, first, third)
    parts = mass_thickness_g_cm2(anatomy, first, second) + mass_thickness_g_cm2(anatomy, second, third)
    np.testing.assert_allclose(parts, whole, rtol=1e-5)
    np.testing.assert_allclose(mass_thickness_g_cm2(anatomy, third, first), whole, rtol=1e-5)
    assert mass_thickness_g_cm2(anatomy, first, first).sum() == 0


def test_rays_that_miss_or_stop_short_see_nothing():
    anatomy = random_anatomy(np.eye(3))
    np.testing.assert_array_equal(mass_thickness_g_cm2(anatomy, (0, 0, -500), (0, 0, 30)), 0)
    np.testing.assert_array_equal(mass_thickness_g_cm2(anatomy, (500, 0, 0), (500, 0, 100)), 0)
    np.testing.assert_array_equal(mass_thickness_g_cm2(anatomy, (500, 500, 0), (400, -500, 100)), 0)


def test_chords_of_a_turned_box():
    """A box of any orientation: entry and exit by the slab method in its own axes."""
    anatomy = random_anatomy()
    centre = anatomy.density.index_to_position((np.array(SHAPE[::-1]) - 1) / 2)
    half = np.array(SHAPE[::-1]) * SPACING / 2
    source = centre + np.array([400.0, -300.0, 500.0])
    targets = centre + np.random.default_rng(0).normal(size=(200, 3)) * 12
    ends = centre + 3 * (targets - source)
    a, b = (source - centre) @ TURNED.T, (ends - source) @ TURNED.T
    with np.errstate(divide="ignore"):
        one, two = (-half - a) / b, (half - a) / b
    chord = np.minimum(np.maximum(one, two).min(axis=1), 1) - np.maximum(np.minimum(one, two).max(axis=1), 0)
    expected = np.clip(chord, 0, None) * np.linalg.norm(ends - source, axis=1)
    assert (expected > 5).sum() > 100
    np.testing.assert_allclose(geometric_path_mm(anatomy, source, ends), expected, atol=1e-3)


def test_chords_of_a_sphere():
    grid = Grid(np.zeros((90, 80, 70), np.float32), affine_from_axes((-45, -42, -48), (1.3, 1.1, 1.05)))
    radius = 38.0
    ball = grid.with_values((np.linalg.norm(grid.positions(), axis=-1) < radius).astype(np.float32))
    anatomy = Anatomy(ball, np.zeros(grid.shape, np.uint8), ("water",))
    offset = np.linspace(0, 30, 13)
    source = np.array([0, -1000.0, 0])
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for r in offset:
        targets = np.stack([2 * r * np.cos(turn), np.full(24, 1000.0), 2 * r * np.sin(turn)], axis=1)
        distance = 1000 * np.sin(np.arctan2(2 * r, 2000))
        chord_cm = 2 * np.sqrt(radius**2 - distance**2) / 10
        # The staircase of voxels averages out around the ring, to half a voxel.
        assert mass_thickness_g_cm2(anatomy, source, targets).mean() == pytest.approx(chord_cm, abs=0.06)


def test_another_description_of_the_same_voxels_changes_nothing():
    anatomy = random_anatomy()
    affine = np.array(anatomy.density.index_to_lps)
    # The first and last axis exchanged, the second reversed.
    other = affine[:, [2, 1, 0, 3]]
    other[:3, 3] += other[:3, 1] * (SHAPE[1] - 1)
    other[:3, 1] *= -1
    values = np.transpose(anatomy.density.values, (2, 1, 0))[:, ::-1]
    material = np.transpose(anatomy.material, (2, 1, 0))[:, ::-1]
    same = Anatomy(Grid(values, other), material, anatomy.materials)
    source = np.array([300.0, 200.0, -400.0])
    targets = anatomy.density.positions()[::3, ::3, ::3]
    np.testing.assert_allclose(
        mass_thickness_g_cm2(same, source, targets), mass_thickness_g_cm2(anatomy, source, targets), atol=1e-5
    )


def test_positions_that_are_no_numbers_are_refused():
    anatomy = random_anatomy()
    with pytest.raises(UnsupportedGeometry, match="finite"):
        mass_thickness_g_cm2(anatomy, (0, 0, 0), (np.nan, 0, 0))
    with pytest.raises(UnsupportedGeometry, match="finite"):
        mass_thickness_g_cm2(anatomy, (np.inf, 0, 0), (0, 0, 0))
    with pytest.raises(UnsupportedGeometry, match="shape"):
        Anatomy(anatomy.density, anatomy.material[1:], anatomy.materials)


def test_tissues_by_density():
    grid = Grid(np.array([0.001, 0.3, 1.0, 1.5, 4.5], np.float32).reshape(1, 1, 5), np.eye(4))
    anatomy = anatomy_of(grid)
    thickness = mass_thickness_g_cm2(anatomy, (-100, 0, 0), (100, 0, 0))
    assert anatomy.materials == ("air", "lung", "water", "bone", "titanium")
    np.testing.assert_allclose(thickness, [0.0001, 0.03, 0.1, 0.15, 0.45], rtol=1e-5)
