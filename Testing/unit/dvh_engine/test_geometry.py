"""Contours in all their forms: holes, keyholes, overlaps, gaps, single planes, any orientation."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from intrepid_dvh.compute import compute_dvh, dvh_of_samples
from intrepid_dvh.condense import condense
from intrepid_dvh.contour_geometry import ContourStack
from intrepid_dvh.coverage import cover
from intrepid_dvh.mask_samples import samples_of_mask
from intrepid_dvh.slabs import common_slice_spacing_mm, slabs_of
from intrepid_dvh.structure_samples import StructureSamples
from intrepid_rt.errors import (
    FrameOfReferenceMismatch,
    InvalidSetting,
    MissingObject,
    UnsupportedGeometry,
)
from intrepid_rt.grids import DoseGrid, Grid, affine_from_axes
from intrepid_rt.structures import Structure


def square(half_mm: float, z_mm: float, *, x_mm: float = 0.0, y_mm: float = 0.0) -> NDArray:
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float) * half_mm + [x_mm, y_mm]
    return np.column_stack([corners, np.full(4, z_mm)])


def blob(rng: np.random.Generator, centre: tuple[float, float], radius: float, n: int = 40) -> NDArray:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    r = radius * (0.5 + 0.5 * rng.random(n))
    return np.column_stack([centre[0] + r * np.cos(angle), centre[1] + r * np.sin(angle), np.zeros(n)])


def linear_dose(
    axes: NDArray, *, spacing: tuple[float, float, float] = (2.0, 2.5, 3.0), shape: tuple[int, int, int] = (40, 45, 50)
) -> DoseGrid:
    """20 Gy + 0.2 x - 0.1 y + 0.3 z on a lattice around the origin, its axes the rows of ``axes``."""
    nz, ny, nx = shape
    affine = affine_from_axes((0, 0, 0), spacing, axes)
    affine[:3, 3] = -affine[:3, :3] @ (np.array([nx, ny, nz]) - 1) / 2
    grid = DoseGrid(np.zeros(shape), affine)
    return grid.with_values(20 + grid.positions() @ np.array([0.2, -0.1, 0.3]))


def rotation(rng: np.random.Generator) -> NDArray:
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


BOX = Structure("Box", 1, tuple(square(10, z) for z in (-6.0, -3.0, 0.0, 3.0, 6.0)))
AXES = {
    "axial": np.eye(3),
    "feet first": np.diag([-1.0, 1.0, -1.0]),
    "coronal": np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]),
    "left-handed": np.diag([1.0, 1.0, -1.0]),
    "oblique": rotation(np.random.default_rng(5)),
}


@pytest.mark.parametrize("cell_mm", [0.37, 1.0, 4.0])
@pytest.mark.parametrize("seed", range(4))
def test_cells_are_clipped_exactly(seed: int, cell_mm: float) -> None:
    rng = np.random.default_rng(seed)
    outline = blob(rng, (3.3, -1.7), 9.0)
    holes = [blob(rng, (3.3, -1.7), 3.0)[::-1], blob(rng, (3.4, -1.6), 1.2)]
    stack = ContourStack.of(Structure("Blob", 1, (outline, *holes)))
    coverage = cover(stack.regions[0], cell_mm)
    region = shapely.Polygon(outline[:, :2])
    for hole in holes:
        region = region.symmetric_difference(shapely.Polygon(hole[:, :2]))
    for j, i in np.ndindex(coverage.fraction.shape):
        u, v = np.array(coverage.corner_mm) + cell_mm * np.array([i, j])
        part = region.intersection(shapely.box(u, v, u + cell_mm, v + cell_mm))
        assert coverage.fraction[j, i] == pytest.approx(part.area / cell_mm**2, abs=1e-9)
        if part.area > 1e-3:
            centroid = (u + coverage.centroid_u[j, i] * cell_mm, v + coverage.centroid_v[j, i] * cell_mm)
            assert centroid == pytest.approx((part.centroid.x, part.centroid.y), abs=1e-6)


def area_mm2(*contours: NDArray) -> float:
    return ContourStack.of(Structure("S", 1, contours)).regions[0].area_mm2


def test_contours_of_one_plane_exclude_each_other() -> None:
    assert area_mm2(square(10, 0), square(4, 0)) == pytest.approx(400 - 64)
    assert area_mm2(square(10, 0), square(4, 0)[::-1], square(1, 0)) == pytest.approx(400 - 64 + 4)
    assert area_mm2(square(10, 0), square(4, 0, x_mm=30)) == pytest.approx(464)
    # Half of the second square overlaps the first: that half counts for neither.
    assert area_mm2(square(10, 0), square(4, 0, x_mm=10)) == pytest.approx(400 + 64 - 2 * 32)


def test_keyhole() -> None:
    outer, inner = square(10, 0), square(4, 0)[::-1]
    keyhole = np.concatenate([outer, outer[:1], inner[[3, 0, 1, 2, 3]]])
    samples = StructureSamples.of(Structure("Keyhole", 1, (keyhole, keyhole + np.array([0, 0, 3]))))
    assert samples.structure_volume_cc == pytest.approx((400 - 64) * 6 / 1000, rel=1e-6)


def test_a_contour_that_crosses_itself_encloses_both_lobes() -> None:
    figure_of_eight = np.array([[0.0, 0, 0], [10, 10, 0], [10, 0, 0], [0, 10, 0]])
    assert area_mm2(figure_of_eight) == pytest.approx(50, rel=1e-6)
    assert area_mm2(figure_of_eight, square(2, 0, x_mm=30)) == pytest.approx(66, rel=1e-6)
    curl = np.array([[0.0, 0, 0], [10, 0, 0], [10, 10, 0], [4, 10, 0], [4, 11, 0], [5, 11, 0], [5, 9, 0], [0, 9, 0]])
    assert area_mm2(curl) == pytest.approx(shapely.make_valid(shapely.Polygon(curl[:, :2])).area, rel=1e-6)


def test_a_contour_stored_twice_does_not_vanish() -> None:
    stack = ContourStack.of(Structure("Twice", 1, (square(10, 0), square(10, 0)[::-1])))
    assert stack.regions[0].area_mm2 == pytest.approx(400)
    assert "stored twice" in stack.warnings[0]


def test_lines_and_points_enclose_nothing() -> None:
    line = np.array([[0.0, 0, 0], [5, 0, 0], [2, 0, 0]])
    stack = ContourStack.of(Structure("Line", 1, (square(10, 0), line)))
    assert stack.regions[0].area_mm2 == pytest.approx(400)
    assert "without area" in stack.warnings[0]
    with pytest.raises(MissingObject, match="no closed contour"):
        StructureSamples.of(Structure("Line", 1, (line,)))


def thicknesses(*heights: float, end_caps: str = "half_slice", x_mm: dict[float, float] | None = None) -> list[float]:
    contours = tuple(square(10, z, x_mm=(x_mm or {}).get(z, 0.0)) for z in heights)
    stack = ContourStack.of(Structure("S", 1, contours))
    return slabs_of(stack, end_caps=end_caps, slice_spacing_mm=3.0).thickness_mm.tolist()


def test_slabs_meet_half_way_and_end_half_a_slice_beyond() -> None:
    assert thicknesses(0, 3, 6) == pytest.approx([3, 3, 3])
    assert thicknesses(0, 2, 5, 6) == pytest.approx([2, 2.5, 2, 1])
    assert thicknesses(0, 3, 6, end_caps="none") == pytest.approx([1.5, 3, 1.5])
    assert thicknesses(5.0) == pytest.approx([3])
    assert thicknesses(5.0, end_caps="none") == pytest.approx([3])


def test_gaps_are_bridged_or_separate_parts_with_a_word() -> None:
    assert thicknesses(0, 3, 9, 12) == pytest.approx([3, 4.5, 4.5, 3])
    assert thicknesses(0, 3, 33, 36) == pytest.approx([3, 3, 3, 3])
    beside = {9.0: 50.0, 12.0: 50.0}
    assert thicknesses(0, 3, 9, 12, x_mm=beside) == pytest.approx([3, 3, 3, 3])
    stack = ContourStack.of(Structure("S", 1, tuple(square(10, z) for z in (0.0, 3.0, 9.0, 12.0))))
    assert "bridged" in slabs_of(stack, end_caps="none").warnings[0]


def test_slice_spacing_of_a_set_is_the_most_frequent() -> None:
    sparse = Structure("Sparse", 2, (square(1, 0), square(1, 9)))
    assert common_slice_spacing_mm([BOX, sparse]) == 3.0
    assert common_slice_spacing_mm([Structure("One", 1, (square(1, 0),))]) is None


def test_single_plane_needs_a_thickness() -> None:
    one = Structure("One", 1, (square(10, 0),))
    with pytest.raises(UnsupportedGeometry, match="give slice_spacing_mm"):
        StructureSamples.of(one)
    dvh = compute_dvh(linear_dose(np.eye(3)), one)
    assert dvh.structure_volume_cc == pytest.approx(1.2)
    assert "taken from the dose grid, 3 mm" in dvh.warnings[0]


def test_sagittal_contours_are_as_far_apart_as_they_were_drawn() -> None:
    """Their mean heights are equal, which does not make them one plane; a lone one is as thick as the grid along x."""
    dose = linear_dose(np.eye(3))
    upright = [square(10, 0)[:, [2, 0, 1]] + [x, 0, 0] for x in (-4.0, 0.0, 4.0)]
    dvh = compute_dvh(dose, Structure("Sagittal", 1, tuple(upright)))
    assert dvh.structure_volume_cc == pytest.approx(4.8)
    assert not any("single contour plane" in warning for warning in dvh.warnings)
    lone = compute_dvh(dose, Structure("One", 1, (upright[1],)))
    spacing_mm = dose.spacing_mm[0]
    assert lone.structure_volume_cc == pytest.approx(0.4 * spacing_mm)
    assert f"taken from the dose grid, {spacing_mm:.3g} mm" in lone.warnings[0]


@pytest.mark.parametrize("between_planes", ["slab", "linear", "shape"])
@pytest.mark.parametrize("axes", AXES.values(), ids=AXES)
def test_any_orientation_of_the_dose_grid(axes: NDArray, between_planes: str) -> None:
    dvh = compute_dvh(linear_dose(axes), BOX, between_planes=between_planes, end_caps="half_slice")
    assert dvh.structure_volume_cc == pytest.approx(6.0, rel=2e-3)
    assert dvh.stated.mean_gy == pytest.approx(20.0, abs=0.01)
    assert dvh.stated.max_gy == pytest.approx(20 + 2 + 1 + 0.3 * 7.5, abs=0.01)
    assert dvh.stated.min_gy == pytest.approx(20 - 2 - 1 - 0.3 * 7.5, abs=0.01)
    # Variance of a uniform variable of half-width a is a^2 / 3.
    assert dvh.stated.sd_gy == pytest.approx(np.sqrt((2**2 + 1 + (0.3 * 7.5) ** 2) / 3), rel=2e-3)


@pytest.mark.parametrize("seed", range(3))
def test_moving_dose_and_structure_together_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turn, shift = rotation(rng), rng.normal(scale=200, size=3)
    still = linear_dose(AXES["oblique"])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn, shift
    moved_dose = DoseGrid(still.values, affine @ still.index_to_lps)
    moved_box = Structure("Box", 1, tuple(c @ turn.T + shift for c in BOX.contours))
    here, there = compute_dvh(still, BOX), compute_dvh(moved_dose, moved_box)
    assert there.structure_volume_cc == pytest.approx(here.structure_volume_cc, rel=1e-9)
    # The samples of the turned frame lie elsewhere: 0.01 Gy is 0.03 mm along the gradient, a tenth of their pitch.
    for metric in ("DMIN", "D98%", "D50%", "D2%", "DMAX"):
        assert there.metric(metric).value == pytest.approx(here.metric(metric).value, abs=0.01), metric


def test_contours_must_be_planar_and_parallel() -> None:
    bent = square(10, 0)
    bent[0, 2] = 4.0
    with pytest.raises(UnsupportedGeometry, match="depart by"):
        ContourStack.of(Structure("Bent", 1, (bent, square(10, 3))))


def test_what_lies_outside_the_dose_is_reported() -> None:
    """The grid ends at x = 49: of a box from 39 to 59 half is outside."""
    dose = linear_dose(np.eye(3))
    edge = dose.index_to_position([49, 0, 0])[0]
    box = Structure("Edge", 1, tuple(square(10, z, x_mm=edge) for z in (-3.0, 0.0, 3.0)))
    dvh = compute_dvh(dose, box)
    assert dvh.structure_volume_cc == pytest.approx(3.6)
    assert dvh.volume_outside_dose_cc == pytest.approx(1.8, rel=1e-3)
    assert dvh.volume_cc[0] == pytest.approx(1.8, rel=1e-3)
    assert "1.8 cm3 (50 %) of the structure lie outside the dose grid" in dvh.warnings[0]


def test_outside_altogether() -> None:
    far = Structure("Far", 1, (square(10, 500), square(10, 503)))
    with pytest.raises(UnsupportedGeometry, match="Far lies outside the dose grid"):
        compute_dvh(linear_dose(np.eye(3)), far)


def test_frames_of_reference_must_agree() -> None:
    dose = DoseGrid(np.ones((4, 4, 4)), np.diag([10, 10, 10, 1.0]), "1.2.3")
    with pytest.raises(FrameOfReferenceMismatch, match=r"1\.2\.3.*9\.9"):
        compute_dvh(dose, Structure("S", 1, BOX.contours, frame_of_reference_uid="9.9"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"end_caps": "flat"}, "expected 'none', 'half_slice' or 'rounded'"),
        ({"between_planes": "spline"}, "expected 'slab', 'linear' or 'shape'"),
        ({"end_caps": "rounded"}, "use between_planes='shape'"),
    ],
)
def test_unknown_settings(given: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        StructureSamples.of(BOX, **given)


def test_a_peak_between_samples_is_the_maximum() -> None:
    dose = np.zeros((41, 41, 41))
    dose[20, 22, 18] = 7.0
    dose[20, 40, 40] = 90.0
    grid = DoseGrid(dose, affine_from_axes((-40, -40, -40), (2, 2, 2)))
    dvh = compute_dvh(grid, BOX)
    assert dvh.stated.max_gy == 7.0
    assert dvh.metric("DMAX").value == pytest.approx(7.0)


def test_flat_dose_is_a_step() -> None:
    grid = DoseGrid(np.full((20, 20, 20), 50.0, np.float32), affine_from_axes((-38, -38, -38), (4, 4, 4)))
    dvh = compute_dvh(grid, BOX)
    assert [dvh.metric(m).value for m in ("D98%", "D2%", "DMEAN", "V50Gy")] == pytest.approx([50, 50, 50, 100])
    assert dvh.metric("V50.001Gy").value == 0


def test_one_geometry_for_several_parts_and_branches() -> None:
    """Two legs that join: the blend follows each, the volume is that of the pieces."""
    legs = [square(4, z, x_mm=x) for z in (0.0, 3.0, 6.0) for x in (-10, 10)]
    trunk = [np.column_stack([np.array([[-14, -4], [14, -4], [14, 4], [-14, 4]]), np.full(4, z)]) for z in (9.0, 12.0)]
    trousers = Structure("Trousers", 1, (*legs, *trunk))
    slabs = StructureSamples.of(trousers).structure_volume_cc
    assert slabs == pytest.approx((2 * 64 * 9 + 28 * 8 * 6) / 1000, rel=1e-6)
    assert StructureSamples.of(trousers, between_planes="shape").structure_volume_cc == pytest.approx(slabs, rel=0.03)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.floats(0, 80), st.floats(0.001, 5)), min_size=2, max_size=60),
)
def test_condensing_keeps_volume_and_mean(samples: list[tuple[float, float]]) -> None:
    dose, volume = np.array(samples).T
    levels, volumes = condense(dose, volume, low_gy=dose.min(), high_gy=dose.max())
    assert volumes.sum() == pytest.approx(volume.sum())
    assert levels @ volumes == pytest.approx(dose @ volume, abs=1e-9)
    assert (np.diff(levels) >= -1e-9).all()


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000))
def test_curves_fall_and_end_at_the_extrema(seed: int) -> None:
    rng = np.random.default_rng(seed)
    contours = tuple(blob(rng, (0, 0), 12.0) + np.array([0, 0, z]) for z in (-3.0, 0.0, 3.0))
    dose = DoseGrid(rng.random((14, 14, 14)) * 60, affine_from_axes((-26, -26, -26), (4, 4, 4)))
    dvh = compute_dvh(dose, Structure("Blob", 1, contours))
    assert (np.diff(dvh.dose_gy) >= 0).all()
    assert (np.diff(dvh.volume_cc) <= 1e-12).all()
    assert dvh.volume_cc[0] == pytest.approx(dvh.structure_volume_cc)
    assert dvh.dose_gy[-1] == pytest.approx(dvh.stated.max_gy)
    assert dvh.stated.min_gy <= dvh.metric("D99%").value <= dvh.metric("D1%").value <= dvh.stated.max_gy


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES)
def test_label_map(axes: NDArray) -> None:
    """A box of 6 x 5 x 4 voxels, one of its faces half covered, in a linear dose."""
    fraction = np.zeros((9, 10, 11))
    fraction[2:6, 3:8, 4:10] = 1.0
    fraction[2:6, 3:8, 10] = 0.5
    lattice = Grid(fraction, affine_from_axes((-3.0, 4.0, 5.0), (1.5, 2.0, 2.5), axes))
    dvh = dvh_of_samples(linear_dose(np.eye(3)), samples_of_mask("Box", lattice))
    assert dvh.structure_volume_cc == pytest.approx(6.5 * 5 * 4 * 7.5 / 1000)
    weights_i = np.array([*range(4, 10), 10]) @ np.array([*[1.0] * 6, 0.5]) / 6.5
    centre = lattice.index_to_position([weights_i, 5.0, 3.5])
    assert dvh.stated.mean_gy == pytest.approx(20 + centre @ np.array([0.2, -0.1, 0.3]), abs=2e-3)
    corners = lattice.index_to_position([(i, j, k) for i in (3.5, 10.5) for j in (2.5, 7.5) for k in (1.5, 5.5)])
    assert dvh.stated.max_gy == pytest.approx((20 + corners @ np.array([0.2, -0.1, 0.3])).max(), abs=0.01)


def test_empty_label_map() -> None:
    with pytest.raises(MissingObject, match="no voxel"):
        samples_of_mask("Empty", Grid(np.zeros((3, 3, 3)), np.eye(4)))
    with pytest.raises(UnsupportedGeometry, match="from 0 to 3"):
        samples_of_mask("Labels", Grid(np.arange(8.0).reshape(2, 2, 2) // 2, np.eye(4)))
