"""Walls of hollow organs, and the dose on a structure's surface."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from intrepid_dvh.compute import require_same_frame
from intrepid_dvh.condense import condense
from intrepid_dvh.contour_geometry import ContourStack
from intrepid_dvh.coverage import cover
from intrepid_dvh.slabs import slabs_of
from intrepid_dvh.surface import dense_ring
from intrepid_dvh.trilinear import dose_at
from intrepid_rt.errors import InvalidSetting, MissingObject, UnsupportedGeometry
from intrepid_rt.grids import DoseGrid
from intrepid_rt.structures import Structure


@dataclass(frozen=True, eq=False)
class SurfaceHistogram:
    """Cumulative dose-surface histogram: ``area_cm2`` (n,) of the surface receives at least ``dose_gy`` (n,)."""

    structure: str
    dose_gy: NDArray
    area_cm2: NDArray
    area_outside_dose_cm2: float = 0.0

    @property
    def area_percent(self) -> NDArray:
        """Area (n,) in percent of the surface within the dose grid."""
        return 100.0 * self.area_cm2 / self.area_cm2[0]


def surface_histogram(
    dose_grid: DoseGrid, structure: Structure, *, ends: bool = True, slice_spacing_mm: float | None = None
) -> SurfaceHistogram:
    """Compute the dose-surface histogram of the contours as right prisms with half-slice caps.

    The surface is that of the walls of all slabs and, with ``ends``, the outermost faces; steps between slabs are left
    out, because they stand for a slope that the walls already count.

    Raises
    ------
    FrameOfReferenceMismatch
        Dose and structure name different frames of reference.
    MissingObject
        The structure has no closed contour.
    UnsupportedGeometry
        The surface lies outside the dose grid, or as for DVHs.

    Examples
    --------
    >>> from intrepid_rt.grids import affine_from_axes
    >>> dose = DoseGrid(np.full((41, 41, 41), 7.0), affine_from_axes((0, 0, 0), (1, 1, 1)))
    >>> square = np.array([[10, 10, 0], [30, 10, 0], [30, 30, 0], [10, 30, 0]], float)
    >>> cube = Structure("Cube", 1, tuple(square + [0, 0, z] for z in range(11, 31, 2)))
    >>> round(float(surface_histogram(dose, cube).area_cm2[0]), 6)
    24.0
    """
    require_same_frame(dose_grid, structure)
    stack = ContourStack.of(structure)
    if not stack.regions:
        raise MissingObject(f"{structure.name} has no closed contour, hence no surface.")
    uvw, area_mm2 = _surface_elements(stack, slice_spacing_mm, ends)
    dose_gy = dose_at(dose_grid, stack.to_lps(uvw))
    inside = np.isfinite(dose_gy)
    if not inside.any():
        raise UnsupportedGeometry(f"The surface of {structure.name} lies outside the dose grid.")
    found = dose_gy[inside]
    levels, areas = condense(found, area_mm2[inside] / 100.0, low_gy=float(found.min()), high_gy=float(found.max()))
    at_least = np.cumsum(areas[::-1])[::-1]
    return SurfaceHistogram(
        structure.name,
        np.append(0.0, levels),
        np.append(at_least[0], at_least),
        float(area_mm2[~inside].sum()) / 100.0,
    )


def _surface_elements(stack: ContourStack, slice_spacing_mm: float | None, ends: bool) -> tuple[NDArray, NDArray]:
    slabs = slabs_of(stack, end_caps="half_slice", slice_spacing_mm=slice_spacing_mm)
    pitch_mm = 0.5
    places, areas = [], []
    for i, region in enumerate(stack.regions):
        low, high = slabs.low_mm[i], slabs.high_mm[i]
        layers = max(1, round((high - low) / pitch_mm))
        heights = low + (np.arange(layers) + 0.5) * (high - low) / layers
        for ring in region.rings:
            dense = dense_ring(ring, pitch_mm)
            following = np.roll(dense, -1, axis=0)
            middle, length = 0.5 * (dense + following), np.hypot(*(following - dense).T)
            places.append(np.column_stack([np.tile(middle, (layers, 1)), np.repeat(heights, len(middle))]))
            areas.append(np.tile(length * (high - low) / layers, layers))
        for face, is_end in ((low, _ends(slabs.part, i, -1)), (high, _ends(slabs.part, i, 1))):
            if ends and is_end:
                coverage = cover(region, pitch_mm)
                j, k = np.nonzero(coverage.fraction)
                cells = np.column_stack([k + coverage.centroid_u[j, k], j + coverage.centroid_v[j, k]]) * pitch_mm
                places.append(np.column_stack([cells + coverage.corner_mm, np.full(len(cells), face)]))
                areas.append(coverage.fraction[j, k] * pitch_mm**2)
    return np.concatenate(places), np.concatenate(areas)


def _ends(part: NDArray, plane: int, step: int) -> bool:
    beyond = plane + step
    return not 0 <= beyond < part.size or bool(part[beyond] != part[plane])


def wall_of(structure: Structure, *, inwards_mm: float = 0.0, outwards_mm: float = 0.0) -> Structure:
    """Return the wall of a structure: what lies within given distances of its contours, in their planes.

    Compute its DVH like any other; where the organ ends above and below, its wall is as thick as the slices there say.

    Raises
    ------
    InvalidSetting
        A distance is negative, or both are zero.
    UnsupportedGeometry
        The contours are not axial.
    """
    import shapely

    if min(inwards_mm, outwards_mm) < 0 or inwards_mm + outwards_mm <= 0:
        raise InvalidSetting(f"The wall is {inwards_mm:g} mm inwards, {outwards_mm:g} mm outwards; give a thickness.")
    contours: list[NDArray] = []
    for z_mm, rings in structure.contours_by_plane().items():
        region = shapely.Polygon()
        for ring in rings:
            region = shapely.symmetric_difference(region, shapely.make_valid(shapely.Polygon(ring[:, :2])))
        wall = region.buffer(outwards_mm).difference(region.buffer(-inwards_mm))
        for polygon in getattr(wall, "geoms", [wall]):
            lines = [] if polygon.is_empty else [polygon.exterior, *polygon.interiors]
            outlines = (np.array(line.coords)[:-1] for line in lines)
            contours += [np.column_stack([outline, np.full(len(outline), z_mm)]) for outline in outlines]
    return replace(structure, name=f"{structure.name} wall", contours=tuple(contours), points=())
