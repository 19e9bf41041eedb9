"""The planar contours of a structure as a stack of plane regions, with what is wrong or unusual about them said."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intrepid_rt.errors import UnsupportedGeometry
from intrepid_rt.structures import Structure

PLANARITY_TOLERANCE_MM = 0.1
SAME_PLANE_MM = 0.01


@dataclass(frozen=True, eq=False)
class PlaneRegion:
    """What the contours of one plane enclose: closed rings that add (sign +1) or, inside others, subtract (-1).

    ``points_mm`` (n, 2) holds all rings one after the other, ring ``i`` from ``starts[i]`` to ``starts[i + 1]``.
    Each ring is counter-clockwise if its sign is +1, clockwise if -1, so that winding numbers are 0 or 1.
    """

    w_mm: float
    points_mm: NDArray
    starts: NDArray

    @property
    def rings(self) -> list[NDArray]:
        """The rings (n, 2) in mm."""
        return [self.points_mm[a:b] for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]

    @property
    def area_mm2(self) -> float:
        """Enclosed area, holes taken out."""
        return float(sum(signed_area(ring) for ring in self.rings))


@dataclass(frozen=True, eq=False)
class ContourStack:
    """The plane regions of a structure in ascending order along their common normal.

    ``axes_lps`` (3, 3) has the unit vectors u, v (in plane) and w (normal) as rows: LPS = (u, v, w) @ axes_lps.
    """

    axes_lps: NDArray
    regions: tuple[PlaneRegion, ...]
    warnings: tuple[str, ...] = ()

    @property
    def w_mm(self) -> NDArray:
        """(n,) plane positions along the normal, ascending."""
        return np.array([region.w_mm for region in self.regions])

    def to_lps(self, positions_uvw: NDArray) -> NDArray:
        """Map (n, 3) positions in the stack's frame to LPS mm."""
        return positions_uvw if is_axial(self.axes_lps) else positions_uvw @ self.axes_lps

    @classmethod
    def of(cls, structure: Structure) -> "ContourStack":
        """Sort the contours of a structure into planes and orient outlines and holes.

        Contours of one plane combine by exclusive or. Contours without area and exact repeats are left out and named in
        ``warnings``; a repeat would cancel its original.

        Raises
        ------
        UnsupportedGeometry
            A contour is not planar, or the contours lie in planes that are not parallel.
        """
        contours = [np.asarray(c, float) for c in structure.contours]
        axes = _common_axes(contours, structure.name)
        placed = sorted((_in_plane(c, axes) for c in contours), key=lambda item: item[0])
        drawn = [(w, ring) for w, ring in placed if not _is_flat(ring)]
        warnings: list[str] = []
        if len(drawn) < len(placed):
            warnings.append("Contours without area (points or lines) have been left out.")
        planes: list[tuple[float, list[_Ring]]] = []
        for (w, ring), simple in zip(drawn, _are_simple([ring for _, ring in drawn]), strict=True):
            if not planes or w - planes[-1][0] > SAME_PLANE_MM:
                planes.append((w, []))
            planes[-1][1].append(_Ring(ring, simple))
        regions = [_region(w, rings, warnings) for w, rings in planes]
        return cls(axes, tuple(r for r in regions if r is not None), tuple(dict.fromkeys(warnings)))


class _Ring(NamedTuple):
    """A closed ring (n, 2) in mm; not simple if it crosses or touches itself, as the bridge of a keyhole does."""

    points_mm: NDArray
    is_simple: bool


def is_axial(axes_lps: NDArray) -> bool:
    """Whether the stack's frame, axes as rows (3, 3), is the patient frame itself."""
    return bool(np.array_equal(axes_lps, np.eye(3)))


@njit(cache=True)
def signed_area(ring: NDArray) -> float:
    """Area in mm2 of a closed ring (n, 2), positive when counter-clockwise."""
    twice, u0, v0 = 0.0, ring[0, 0], ring[0, 1]
    for p in range(1, len(ring) - 1):
        # Relative to the first point: far from the origin the products would cancel.
        twice += (ring[p, 0] - u0) * (ring[p + 1, 1] - v0) - (ring[p + 1, 0] - u0) * (ring[p, 1] - v0)
    return 0.5 * twice


def _common_axes(contours: list[NDArray], name: str) -> NDArray:
    """Return the patient axes for axial contours, else axes with w along the common normal."""
    if all(np.ptp(c[:, 2]) <= PLANARITY_TOLERANCE_MM for c in contours):
        return np.eye(3)
    vectors = np.array([0.5 * np.cross(c - c[0], np.roll(c - c[0], -1, axis=0)).sum(axis=0) for c in contours])
    w = np.linalg.eigh(vectors.T @ vectors)[1][:, 2]
    w *= np.sign(w[np.argmax(np.abs(w))])
    worst = max(float(np.ptp(c @ w)) for c in contours)
    if worst > PLANARITY_TOLERANCE_MM:
        raise UnsupportedGeometry(
            f"The contours of {name} depart by {worst:.2g} mm from parallel planes; a DVH needs planar contours of one "
            "orientation. Re-export the structure with axial contours or use its segmentation."
        )
    helper = np.eye(3)[np.argmin(np.abs(w))]
    u = helper - w * (helper @ w)
    u /= np.linalg.norm(u)
    return np.stack([u, np.cross(w, u), w])


def _in_plane(contour: NDArray, axes: NDArray) -> tuple[float, NDArray]:
    uvw = contour if is_axial(axes) else contour @ axes.T
    return float(uvw[:, 2].mean()), np.ascontiguousarray(uvw[:, :2])


def _region(w_mm: float, drawn: list[_Ring], warnings: list[str]) -> PlaneRegion | None:
    unique = list({_identity(ring.points_mm): ring for ring in drawn}.values()) if len(drawn) > 1 else drawn
    if len(unique) < len(drawn):
        warnings.append("A contour is stored twice in one plane; the repeat has been left out.")
    rings = [ring.points_mm for ring in unique]
    depth, crossing = _nesting(np.concatenate(rings), _starts(rings))
    if crossing or not all(ring.is_simple for ring in unique):
        rings = _resolved(rings)
        if not rings:
            return None
        depth, _ = _nesting(np.concatenate(rings), _starts(rings))
    oriented = [
        ring if (signed_area(ring) > 0) == (level % 2 == 0) else ring[::-1]
        for ring, level in zip(rings, depth, strict=True)
    ]
    return PlaneRegion(w_mm, np.concatenate(oriented), _starts(oriented))


def _is_flat(ring: NDArray) -> bool:
    """Whether a ring is a point or a line; a figure of eight has no signed area, but is not flat."""
    if len(ring) < 3:
        return True
    return abs(signed_area(ring)) <= 1e-9 and float(np.linalg.svd(ring - ring.mean(axis=0))[1][1]) < 1e-6


def _are_simple(rings: list[NDArray]) -> NDArray:
    import shapely

    if not rings:
        return np.empty(0, bool)
    owner = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    return shapely.is_valid(shapely.polygons(shapely.linearrings(np.concatenate(rings), indices=owner)))


def _starts(rings: list[NDArray]) -> NDArray:
    return np.cumsum([0, *(len(ring) for ring in rings)])


def _resolved(rings: list[NDArray]) -> list[NDArray]:
    """Return rings that do not cross and enclose the exclusive or of ``rings``."""
    import shapely

    def polygons(geometry: Any) -> list[Any]:
        """Return the parts of a geometry that have an area."""
        # Repairing a keyhole leaves its bridge as a line.
        parts = shapely.get_parts(shapely.get_parts(geometry))
        return [part for part in parts if isinstance(part, shapely.Polygon)]

    region = shapely.MultiPolygon()
    for ring in rings:
        enclosed = shapely.MultiPolygon(polygons(shapely.make_valid(shapely.Polygon(ring))))
        region = shapely.MultiPolygon(polygons(shapely.symmetric_difference(region, enclosed, grid_size=1e-6)))
    outlines = [line for polygon in region.geoms for line in (polygon.exterior, *polygon.interiors)]
    found = [np.array(line.coords)[:-1] for line in outlines if not line.is_empty]
    return [ring for ring in found if abs(signed_area(ring)) > 1e-9]


def _identity(ring: NDArray) -> bytes:
    # A repeat may start at another point or run the other way round.
    return np.unique(np.round(ring, 3).view(complex)).tobytes()


@njit(cache=True)
def _nesting(points: NDArray, starts: NDArray) -> tuple[NDArray, bool]:
    """Count for each ring the others that hold most of its points, and say whether any ring lies half in another."""
    n_rings = starts.size - 1
    depth = np.zeros(n_rings, np.int64)
    crossing = False
    for i in range(n_rings):
        n_points = starts[i + 1] - starts[i]
        for j in range(n_rings):
            if i == j:
                continue
            inside = 0
            for p in range(starts[i], starts[i + 1]):
                inside += inside_ring(points[p, 0], points[p, 1], points, starts[j], starts[j + 1])
            depth[i] += 2 * inside > n_points
            crossing |= 0 < inside < n_points
    return depth, crossing


@njit(cache=True)
def inside_ring(x: float, y: float, points: NDArray, start: int, stop: int) -> bool:
    """Even-odd rule for the ring ``points[start:stop]`` of points (n, 2), in the unit of ``x`` and ``y``."""
    inside = False
    previous = stop - 1
    for p in range(start, stop):
        y_p, y_q = points[p, 1], points[previous, 1]
        if (y_p > y) != (y_q > y):
            crossing = points[p, 0] + (y - y_p) / (y_q - y_p) * (points[previous, 0] - points[p, 0])
            inside ^= x < crossing
        previous = p
    return inside
