"""Geometry of a structure as a pile of prisms: volume, centroid, extent, cross-sections, surface."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from intrepid_dvh.contour_geometry import ContourStack, is_axial
from intrepid_dvh.slabs import Slabs, slabs_of
from intrepid_rt.errors import MissingObject, UnsupportedGeometry
from intrepid_rt.structures import Structure


@dataclass(frozen=True, eq=False)
class PrismPile:
    """Contour planes as polygons in mm, each with the stretch of z for which it stands.

    ``polygons`` (n,) of shapely geometries in LPS x and y; ``low_mm``, ``high_mm`` (n,) along z; ``part`` (n,) numbers
    the connected parts. Volumes equal those of the DVH engine with its default end caps (half a slice).
    """

    polygons: tuple[shapely.Geometry, ...]
    z_mm: NDArray
    low_mm: NDArray
    high_mm: NDArray
    part: NDArray
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, structure: Structure, *, slice_spacing_mm: float | None = None) -> "PrismPile":
        """Build the pile from axial contours.

        Raises
        ------
        MissingObject
            The structure has no closed contour.
        UnsupportedGeometry
            Contours that are not axial, or a single plane without ``slice_spacing_mm``.
        """
        stack = ContourStack.of(structure)
        if not stack.regions:
            raise MissingObject(f"{structure.name} has no closed contour, hence no geometry.")
        if not is_axial(stack.axes_lps):
            raise UnsupportedGeometry(
                f"The contours of {structure.name} are not axial; its geometry needs axial contours."
            )
        slabs = slabs_of(stack, end_caps="half_slice", slice_spacing_mm=slice_spacing_mm)
        polygons = tuple(_polygon(region.rings) for region in stack.regions)
        return cls(polygons, stack.w_mm, slabs.low_mm, slabs.high_mm, slabs.part, _notes(stack, slabs))

    @cached_property
    def area_mm2(self) -> NDArray:
        """(n,) area of each plane."""
        return shapely.area(list(self.polygons))

    @property
    def thickness_mm(self) -> NDArray:
        """(n,) thickness of each prism."""
        return self.high_mm - self.low_mm

    @cached_property
    def volume_cc(self) -> float:
        """Volume of all prisms."""
        return float(self.area_mm2 @ self.thickness_mm) / 1000.0

    @cached_property
    def centroid_mm(self) -> NDArray:
        """(3,) centre of gravity, LPS mm."""
        centres = shapely.get_coordinates(shapely.centroid(list(self.polygons)))
        places = np.column_stack([centres, (self.low_mm + self.high_mm) / 2])
        return np.average(places, axis=0, weights=self.area_mm2 * self.thickness_mm)

    @cached_property
    def spread_mm(self) -> NDArray:
        """(3,) extent along LPS x, y, z."""
        x_low, y_low, x_high, y_high = shapely.total_bounds(list(self.polygons))
        return np.array([x_high - x_low, y_high - y_low, self.high_mm.max() - self.low_mm.min()])

    @cached_property
    def surface_area_cm2(self) -> float:
        """Surface area, with walls that slant from each plane to the next.

        Between two planes the wall is that of a frustum: its mean outline times the slant that spreads their
        difference in shape evenly along that outline. Exact for right prisms, cylinders and cones between planes;
        upright walls of the prisms alone would count every step of a sphere twice.
        """
        outlines = shapely.length(list(self.polygons))
        total_mm2 = 0.0
        for i in range(len(self.polygons)):
            if i == 0 or self.part[i - 1] != self.part[i]:
                total_mm2 += self.area_mm2[i] + outlines[i] * (self.z_mm[i] - self.low_mm[i])
            if i == len(self.polygons) - 1 or self.part[i + 1] != self.part[i]:
                total_mm2 += self.area_mm2[i] + outlines[i] * (self.high_mm[i] - self.z_mm[i])
        for i, j in pairwise(range(len(self.polygons))):
            if self.part[i] == self.part[j]:
                step_mm2 = shapely.area(shapely.symmetric_difference(self.polygons[i], self.polygons[j]))
                outline = (outlines[i] + outlines[j]) / 2
                total_mm2 += outline * float(np.hypot(self.z_mm[j] - self.z_mm[i], step_mm2 / outline))
        return float(total_mm2) / 100.0


def overlap_cc(one: PrismPile, others: list[PrismPile]) -> float:
    """Return the volume of ``one`` that lies in any of ``others``: union per slice, times the common thickness.

    Every stretch of z in which no prism begins or ends is one slice, so planes need not coincide.
    """
    edges = np.unique(np.concatenate([e for pile in (one, *others) for e in (pile.low_mm, pile.high_mm)]))
    total_mm3 = 0.0
    for low, high in pairwise(edges):
        ours = _between(one, low, high)
        theirs = [polygon for pile in others for polygon in _between(pile, low, high)]
        if ours and theirs:
            common = shapely.intersection(shapely.union_all(ours), shapely.union_all(theirs))
            total_mm3 += shapely.area(common) * (high - low)
    return float(total_mm3) / 1000.0


def _between(pile: PrismPile, low: float, high: float) -> list[shapely.Geometry]:
    middle = (low + high) / 2
    return [pile.polygons[i] for i in np.flatnonzero((pile.low_mm < middle) & (middle < pile.high_mm))]


def _polygon(rings: list[NDArray]) -> shapely.Geometry:
    """Polygon of rings that combine by exclusive or."""
    region: shapely.Geometry = shapely.Polygon()
    for ring in rings:
        region = shapely.symmetric_difference(region, shapely.make_valid(shapely.Polygon(ring)))
    return region


def _notes(stack: ContourStack, slabs: Slabs) -> tuple[str, ...]:
    return stack.warnings + slabs.warnings
