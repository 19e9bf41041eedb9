"""A structure between its contour planes: blended distance fields, and ends that close as the shape tapers.

Shape-based interpolation after Raya and Udupa, IEEE Trans. Med. Imaging 9 (1990) 32-42: the zero level of a distance
field that changes smoothly from plane to plane. Outlines with no counterpart in the next plane end there.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intrepid_dvh.contour_geometry import ContourStack, PlaneRegion, signed_area
from intrepid_dvh.coverage import cover
from intrepid_dvh.sections import Section
from intrepid_dvh.signed_distance import Lattice, covered_cells, signed_distance
from intrepid_dvh.slabs import EndCaps, Slabs
from intrepid_dvh.taper import Taper, closing_taper


@dataclass(frozen=True, eq=False)
class _Island:
    """One outline with its holes, and the islands of the planes below and above that it overlaps."""

    plane: int
    region: PlaneRegion
    below: list["_Island"]
    above: list["_Island"]

    @cached_property
    def polygon(self) -> Any:
        """The outline with its holes as a valid geometry of shapely, in mm."""
        import shapely

        outline, *holes = self.region.rings
        return shapely.make_valid(shapely.Polygon(outline, holes))


@dataclass(frozen=True, eq=False)
class _Stage:
    """The signed distance field of some islands of one plane."""

    w_mm: float
    field: NDArray


class _Stages:
    """Distance fields of one part on one lattice, each computed once."""

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        self._known: dict[frozenset[int], _Stage] = {}

    def of(self, islands: list[_Island]) -> _Stage:
        """Return the distance field (nv, nu) of some islands of one plane together."""
        key = frozenset(id(island) for island in islands)
        if key not in self._known:
            # Only the planes next to a gap are needed again: two before, two behind.
            while len(self._known) >= 6:
                self._known.pop(next(iter(self._known)))
            field = signed_distance(_union(islands), self.lattice)
            self._known[key] = _Stage(islands[0].region.w_mm, field)
        return self._known[key]


def blended_sections(stack: ContourStack, slabs: Slabs, cell_mm: float, end_caps: EndCaps) -> Iterator[Section]:
    """Yield thin prisms that follow the blended shape, and the end caps of every outline that ends."""
    planes = _linked_islands(stack, slabs)
    stages = {
        part: _Stages(Lattice.around([stack.regions[k] for k in np.flatnonzero(slabs.part == part)], cell_mm))
        for part in np.unique(slabs.part)
    }
    for k, islands in enumerate(planes):
        linked = [island for island in islands if island.above]
        if linked:
            yield from _between(linked, stages[slabs.part[k]])
        for island in islands:
            yield from _ends(island, stack, slabs, cell_mm, end_caps)


def _linked_islands(stack: ContourStack, slabs: Slabs) -> list[list[_Island]]:
    planes = [[_Island(k, r, [], []) for r in _islands(region)] for k, region in enumerate(stack.regions)]
    for k in range(len(planes) - 1):
        if slabs.part[k] != slabs.part[k + 1]:
            continue
        for lower in planes[k]:
            for upper in planes[k + 1]:
                if lower.polygon.intersects(upper.polygon):
                    lower.above.append(upper)
                    upper.below.append(lower)
    return planes


def _islands(region: PlaneRegion) -> list[PlaneRegion]:
    """Split a region into outlines, each first in its own region and followed by the holes it holds."""
    import shapely

    outlines = [[ring] for ring in region.rings if signed_area(ring) > 0]
    for hole in (ring for ring in region.rings if signed_area(ring) <= 0):
        holders = [rings for rings in outlines if shapely.Polygon(rings[0]).intersects(shapely.Point(hole[0]))]
        if holders:
            min(holders, key=lambda rings: signed_area(rings[0])).append(hole)
    return [_joined(region.w_mm, rings) for rings in outlines]


def _joined(w_mm: float, rings: list[NDArray]) -> PlaneRegion:
    return PlaneRegion(w_mm, np.concatenate(rings), np.cumsum([0, *(len(ring) for ring in rings)]))


def _union(islands: list[_Island]) -> PlaneRegion:
    rings = [ring for island in islands for ring in island.region.rings]
    return _joined(islands[0].region.w_mm, rings)


def _neighbours(islands: list[_Island], side: str) -> list[_Island]:
    return list({id(n): n for island in islands for n in getattr(island, side)}.values())


def _between(lower: list[_Island], stages: _Stages) -> Iterator[Section]:
    """Yield the layers between two planes, each with the shape at its middle."""
    upper = _neighbours(lower, "above")
    before, behind = _neighbours(lower, "below"), _neighbours(upper, "above")
    low, high = stages.of(lower), stages.of(upper)
    blend = _Blend.of(
        stages.of(before) if before else None,
        low,
        high,
        stages.of(behind) if behind else None,
        limit=(high.w_mm - low.w_mm) / stages.lattice.cell_mm,
    )
    layers = max(2, math.ceil((high.w_mm - low.w_mm) / stages.lattice.cell_mm))
    edges = np.linspace(low.w_mm, high.w_mm, layers + 1)
    for layer in range(layers):
        coverage = covered_cells(blend.at((layer + 0.5) / layers), stages.lattice)
        yield Section(coverage, [], float(edges[layer]), float(edges[layer + 1]), False, False)


@dataclass(frozen=True, eq=False)
class _Blend:
    """A distance field between two planes: linear, plus the bend that the planes beyond them show.

    Without the bend a sphere of 24 mm in 3 mm slices loses 2 % of its volume. ``enter`` and ``leave`` are the slopes at
    both planes relative to the straight line.
    """

    low: NDArray
    high: NDArray
    enter: NDArray
    leave: NDArray

    @classmethod
    def of(cls, before: _Stage | None, low: _Stage, high: _Stage, behind: _Stage | None, *, limit: float) -> "_Blend":
        """Take the slopes from the planes beyond; at an end of the structure the field is a parabola."""
        change, gap_mm = high.field - low.field, high.w_mm - low.w_mm
        enter = None if before is None else (high.field - before.field) * gap_mm / (high.w_mm - before.w_mm) - change
        leave = None if behind is None else (behind.field - low.field) * gap_mm / (behind.w_mm - low.w_mm) - change
        if enter is None:
            enter = np.zeros_like(change) if leave is None else -leave
        if leave is None:
            leave = -enter
        return cls(low.field, high.field, np.clip(enter, -limit, limit), np.clip(leave, -limit, limit))

    def at(self, f: float) -> NDArray:
        """Field at the fraction ``f`` of the way up (cubic Hermite)."""
        straight = (1 - f) * self.low + f * self.high
        return straight + f * (1 - f) * ((1 - f) * self.enter - f * self.leave)


def _ends(island: _Island, stack: ContourStack, slabs: Slabs, cell_mm: float, end_caps: EndCaps) -> Iterator[Section]:
    """Yield what lies beyond the plane of an island that has no counterpart below or above."""
    k, w = island.plane, float(stack.w_mm[island.plane])
    lone = not island.below and not island.above
    for direction, neighbours, spacing in (
        (-1, island.below, float(slabs.spacing_below_mm[k])),
        (1, island.above, float(slabs.spacing_above_mm[k])),
    ):
        if neighbours:
            continue
        taper = _taper(island, stack, direction, spacing, cell_mm) if end_caps == "rounded" and not lone else None
        if taper is not None:
            yield from _closing(taper, w, direction, cell_mm)
        elif lone or end_caps != "none" or _goes_on(slabs, k, direction):
            low, high = sorted((w, w + 0.5 * direction * spacing))
            yield Section(cover(island.region, cell_mm), island.region.rings, low, high, direction < 0, direction > 0)


def _goes_on(slabs: Slabs, plane: int, direction: int) -> bool:
    """Whether the structure has a next plane: then an outline without counterpart ends half way to it, not in a cap."""
    beyond = plane + direction
    return 0 <= beyond < slabs.part.size and bool(slabs.part[beyond] == slabs.part[plane])


def _taper(island: _Island, stack: ContourStack, direction: int, spacing_mm: float, cell_mm: float) -> Taper | None:
    """Read the taper of the last planes before an end; None where the shape does not taper."""
    previous = island.above if direction < 0 else island.below
    stages = [[island], previous, _neighbours(previous, "above" if direction < 0 else "below")]
    regions = [_union(stage) for stage in stages if stage]
    return closing_taper(regions, spacing_mm=spacing_mm, cell_mm=cell_mm)


def _closing(taper: Taper, w_mm: float, direction: int, cell_mm: float) -> Iterator[Section]:
    layers = max(3, math.ceil(taper.height_mm / cell_mm))
    edges = np.linspace(0.0, taper.height_mm, layers + 1)
    for low, high in pairwise(edges.tolist()):
        coverage = covered_cells(taper.distance_at(0.5 * (low + high)), taper.lattice)
        bottom, top = sorted((w_mm + direction * low, w_mm + direction * high))
        yield Section(coverage, [], bottom, top, False, False)
