"""Walls, surfaces and contour shifts of a cube in a linear dose."""

from dataclasses import replace

import numpy as np
import pytest

from intrepid_dvh.compute import compute_dvh
from intrepid_dvh.contour_shift import shift_band
from intrepid_dvh.structure_samples import StructureSamples
from intrepid_dvh.walls import surface_histogram, wall_of
from intrepid_rt.errors import FrameOfReferenceMismatch, InvalidSetting, MissingObject, UnsupportedGeometry
from intrepid_rt.grids import DoseGrid, affine_from_axes
from intrepid_rt.structures import Structure


def cube(half_mm: float = 10.0, name: str = "Cube") -> Structure:
    corners = half_mm * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    step = half_mm / 5
    heights = -half_mm + step * (np.arange(10) + 0.5)
    return Structure(name, 1, tuple(np.column_stack([corners, np.full(4, z)]) for z in heights))


def dose_along(axis: int) -> DoseGrid:
    """40 Gy + 1 Gy/mm along one LPS axis, voxels of 2 x 2.5 x 3 mm."""
    spacing = (2.0, 2.5, 3.0)
    n = [2 * int(30.0 / s) + 1 for s in spacing]
    grid = DoseGrid(
        np.zeros(n[::-1]), affine_from_axes([-s * (k // 2) for s, k in zip(spacing, n, strict=True)], spacing)
    )
    return grid.with_values(40.0 + grid.positions()[..., axis])


@pytest.mark.parametrize("axis", [0, 2])
def test_surface_of_a_cube(axis: int) -> None:
    """Two of six faces lie at the ends of the dose, four fall evenly from 24 to 4 cm2."""
    found = surface_histogram(dose_along(axis), cube())
    assert found.area_cm2[0] == pytest.approx(24.0, rel=1e-6)
    at = lambda dose: float(np.interp(dose, found.dose_gy, found.area_cm2))  # noqa: E731
    assert at(35.0) == pytest.approx(16.0, abs=0.3)
    assert at(45.0) == pytest.approx(8.0, abs=0.3)
    assert at(49.7) == pytest.approx(4.0, abs=0.5)
    assert found.area_percent[0] == 100.0


def test_surface_without_ends_and_outside() -> None:
    assert surface_histogram(dose_along(0), cube(), ends=False).area_cm2[0] == pytest.approx(16.0, rel=1e-6)
    edge = Structure("Edge", 1, tuple(contour + np.array([30.0, 0, 0]) for contour in cube().contours))
    assert surface_histogram(dose_along(0), edge).area_outside_dose_cm2 == pytest.approx(12.0, abs=0.3)
    far = Structure("Far", 1, tuple(contour + np.array([300.0, 0, 0]) for contour in cube().contours))
    with pytest.raises(UnsupportedGeometry, match="The surface of Far lies outside"):
        surface_histogram(dose_along(0), far)
    with pytest.raises(MissingObject, match="no surface"):
        surface_histogram(dose_along(0), Structure("Empty", 1, ()))


def test_surface_in_another_frame_of_reference_is_refused() -> None:
    dose = replace(dose_along(0), frame_of_reference_uid="1.2.3")
    with pytest.raises(FrameOfReferenceMismatch, match=r"1\.2\.3.*9\.9"):
        surface_histogram(dose, replace(cube(), frame_of_reference_uid="9.9"))


def test_wall() -> None:
    dvh = compute_dvh(dose_along(0), wall_of(cube(), inwards_mm=2.0))
    assert dvh.structure == "Cube wall"
    assert dvh.structure_volume_cc == pytest.approx(8.0 - 16**2 * 20 / 1000, rel=1e-6)
    assert dvh.metric("V48Gy_cc").value == pytest.approx(0.8, abs=0.01)
    outer = compute_dvh(dose_along(0), wall_of(cube(), outwards_mm=1.0))
    assert outer.structure_volume_cc == pytest.approx((4 * 20 * 1 + np.pi) * 20 / 1000, rel=1e-3)
    with pytest.raises(InvalidSetting, match="give a thickness"):
        wall_of(cube())


def test_shifts() -> None:
    band = shift_band(dose_along(2), StructureSamples.of(cube()), shift_mm=(1.0, 2.0, 3.0))
    assert len(band.dvhs) == 6
    assert band.range_of("DMEAN") == pytest.approx((37.0, 43.0), abs=0.01)
    assert (band.low_cc <= band.high_cc + 1e-12).all()
    assert float(np.interp(40.0, band.dose_gy, band.high_cc)) == pytest.approx(8 * 13 / 20, abs=0.02)
    with pytest.raises(InvalidSetting, match="positive length"):
        shift_band(dose_along(2), StructureSamples.of(cube()), shift_mm=0.0)


def test_small_structures_come_with_what_the_grid_leaves_open() -> None:
    note = compute_dvh(dose_along(0), cube(2.0, "Lens")).warnings[-1]
    assert note.startswith("The structure has only 0.064 cm3.")
    assert "DMEAN 39 to 41 Gy" in note
    assert compute_dvh(dose_along(0), cube(10.0)).warnings == ()
