"""The engine against solids in linear doses whose DVHs are known on paper (sets of the kind of Nelms et al. 2015)."""

import numpy as np
import pytest

import analytic_solids as solids
from analytic_solids import DOSE_METRICS, SOLIDS, Solid
from intrepid_dvh.compute import compute_dvh, dvh_of_samples
from intrepid_dvh.curve import DVH
from intrepid_dvh.structure_samples import StructureSamples

TEST_1 = [(0.2, grid) for grid in (0.4, 1.0, 2.0, 3.0)]
TEST_2 = [(spacing, spacing) for spacing in (1.0, 2.0, 3.0)]


def metrics(dvh: DVH) -> dict[str, float]:
    stated = dvh.stated
    points = {m: dvh.metric(m if m.endswith("cc") else f"{m}%").value for m in DOSE_METRICS[3:]}
    return {
        "V": dvh.structure_volume_cc,
        "Dmin": stated.min_gy,
        "Dmax": stated.max_gy,
        "Dmean": stated.mean_gy,
        **points,
    }


def errors_percent(found: dict[str, float], truth: dict[str, float], *, with_volume: bool) -> list[float]:
    """Per cent of the local value; the volume counts once per structure, as in the paper."""
    return [100 * (found[m] / truth[m] - 1) for m in truth if with_volume or m != "V"]


def errors_against_prisms(cases: list[tuple[float, float]], *, contours: float = 0.0, grid: float = 0.0) -> np.ndarray:
    """Errors of a set; ``contours`` and ``grid`` shift both by that part of their spacing."""
    errors: list[float] = []
    for solid in SOLIDS:
        for spacing, grid_spacing in cases:
            shift = contours * spacing
            samples = StructureSamples.of(solids.structure(solid, spacing, shift_mm=shift))
            prisms = solids.prisms_of_contours(solid, spacing, shift_mm=shift)
            for direction in ("SI", "AP"):
                dose = solids.dose_grid(direction, grid_spacing, shift_mm=grid * grid_spacing)
                found = metrics(dvh_of_samples(dose, samples))
                errors += errors_percent(found, solids.truth(prisms, direction), with_volume=direction == "SI")
    return np.abs(errors)


@pytest.mark.parametrize(
    ("solid", "volume_cc"),
    list(zip(SOLIDS, (7.2382, 10.8573, 10.8573, 3.6191, 3.6191), strict=True)),
    ids=lambda v: getattr(v, "name", v),
)
def test_truth_has_the_volume_of_the_solid(solid: Solid, volume_cc: float) -> None:
    truth = solids.truth(solids.prisms_of_solid(solid, 0.0), "SI")
    assert truth["V"] == pytest.approx(volume_cc, rel=1e-4)


def test_truth_of_a_sphere_is_the_closed_form() -> None:
    """V(z and beyond) = pi h^2 (3R - h) / 3 with h = R - z: the dose of the hottest 5 % is where that is 5 %."""
    h = np.linspace(0.0, 24.0, 100001)
    cap_mm3 = np.pi * h**2 * (36.0 - h) / 3
    expected = 28.0 - np.interp(0.05 * cap_mm3[-1], cap_mm3, h)
    truth = solids.truth(solids.prisms_of_solid(SOLIDS[0], 0.0), "AP")
    assert truth["D5"] == pytest.approx(expected, abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("cases", "n"), [(TEST_1, 340), (TEST_2, 255)], ids=["Test 1", "Test 2"])
def test_contours_as_prisms(cases: list[tuple[float, float]], n: int) -> None:
    errors = errors_against_prisms(cases)
    assert errors.size == n
    assert errors.max() < 0.5
    assert np.median(errors) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("contours", "grid"), [(0.5, 0.0), (0.0, 0.5), (0.5, 0.5)])
def test_shifts_by_half_a_voxel_change_nothing(contours: float, grid: float) -> None:
    errors = errors_against_prisms(TEST_2, contours=contours, grid=grid)
    assert errors.max() < 0.5
    assert np.median(errors) < 0.02


def beyond_three_percent(cases: list[tuple[float, float]], *, between_planes: str, contours: float = 0.0) -> int:
    """Points beyond 3 % of the nominal solid; contours at flat ends lengthen it by half a slice."""
    errors: list[float] = []
    for solid in SOLIDS:
        for spacing, grid_spacing in cases:
            contoured = solids.structure(solid, spacing, shift_mm=contours * spacing)
            nominal = solids.prisms_of_solid(solid, 0.0 if contours else spacing)
            samples = StructureSamples.of(contoured, between_planes=between_planes)
            for direction in ("SI", "AP"):
                found = metrics(dvh_of_samples(solids.dose_grid(direction, grid_spacing), samples))
                errors += errors_percent(found, solids.truth(nominal, direction), with_volume=direction == "SI")
    return int(np.sum(np.abs(errors) > 3))


@pytest.mark.slow
def test_nominal_solids_with_fine_contours() -> None:
    """Best published: 4 of 340."""
    assert beyond_three_percent(TEST_1, between_planes="slab") == 0


@pytest.mark.slow
def test_nominal_solids_with_coarse_contours() -> None:
    """Best published: 23 of 255.

    The slabs themselves lack the poles where no contour is drawn: contours that begin half a slice inside the solid
    leave 12 points beyond 3 %, contours at multiples of the spacing 26, with any engine that follows them. Blended
    shapes with rounded ends recover most.
    """
    assert beyond_three_percent(TEST_2, between_planes="slab", contours=0.5) < 16
    assert beyond_three_percent(TEST_2, between_planes="shape") < 16
    assert beyond_three_percent(TEST_2, between_planes="shape", contours=0.5) < 18


@pytest.mark.parametrize("shift_mm", [0.0, 0.9, 1.5])
def test_lying_cylinder_in_three_millimetre_slices(shift_mm: float) -> None:
    """Slabs miss 4.6 % of its volume when the poles fall on planes; the blended shape with rounded ends does not."""
    contoured = solids.structure(SOLIDS[2], 3.0, shift_mm=shift_mm)
    nominal_cc = np.pi * 12**2 * 24 / 1000
    assert StructureSamples.of(contoured, between_planes="shape").structure_volume_cc == pytest.approx(
        nominal_cc, rel=0.006
    )
    if shift_mm == 0:
        slabs_cc = StructureSamples.of(contoured).structure_volume_cc
        assert slabs_cc / nominal_cc - 1 == pytest.approx(-0.0464, abs=5e-4)


@pytest.mark.parametrize("radius_mm", [1.5, 3.5, 10.0])
def test_gaussian_dose_in_spheres(radius_mm: float) -> None:
    """V(D) = 4/3 pi (s sqrt(2 ln(A / D)))^3 for D = A exp(-r^2 / 2 s^2), s = R (Walker and Byrne 2025)."""
    # A coarser grid would test trilinear interpolation of a peak, not the engine.
    spacing = 0.04 * radius_mm
    position = np.arange(-1.2 * radius_mm, 1.2 * radius_mm, spacing)
    r2 = position[:, None, None] ** 2 + position[None, :, None] ** 2 + position[None, None, :] ** 2
    dose = 10.0 * np.exp(-r2 / (2 * radius_mm**2))
    grid = solids.DoseGrid(dose, solids.affine_from_axes((position[0],) * 3, (spacing,) * 3))
    slice_mm = radius_mm / 20
    heights = slice_mm * np.arange(-19.5, 20)
    angle = np.linspace(0, 2 * np.pi, 181)[:-1]
    rings = [np.sqrt(radius_mm**2 - z**2) * np.column_stack([np.cos(angle), np.sin(angle)]) for z in heights]
    sphere = solids.Structure(
        "Sphere", 1, tuple(np.column_stack([ring, np.full(180, z)]) for ring, z in zip(rings, heights, strict=True))
    )
    dvh = compute_dvh(grid, sphere)
    for dose_gy in (8.0, 7.5, 7.0):
        expected_cc = 4 / 3 * np.pi * (radius_mm * np.sqrt(2 * np.log(10 / dose_gy))) ** 3 / 1000
        assert dvh.metric(f"V{dose_gy}Gy_cc").value == pytest.approx(expected_cc, rel=0.01)
    # The coldest point is a corner of the outermost prism, a little beyond the sphere.
    corner2 = (radius_mm**2 - heights[-1] ** 2) + (heights[-1] + slice_mm / 2) ** 2
    assert dvh.stated.min_gy == pytest.approx(10.0 * np.exp(-corner2 / (2 * radius_mm**2)), rel=1e-3)
