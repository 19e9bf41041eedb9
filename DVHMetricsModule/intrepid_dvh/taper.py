"""How a shape closes beyond its last contour."""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intrepid_dvh.contour_geometry import PlaneRegion
from intrepid_dvh.signed_distance import Lattice, signed_distance
from intrepid_dvh.surface import dense_ring


@dataclass(frozen=True, eq=False)
class Taper:
    """The closing of a shape beyond its last plane.

    ``half_width2`` is the squared half-width in cells as a polynomial of the height in mm. ``last`` is the signed
    distance field of the last plane; ``delay`` (cells) tells how far the fastest side must recede until a cell is out:
    the distance to each side divided by that side's speed, so that the ends of a lying cylinder stay while its sides
    close.
    """

    last: NDArray
    delay: NDArray
    half_width: float
    half_width2: np.poly1d
    height_mm: float
    lattice: Lattice

    def distance_at(self, height_mm: float) -> NDArray:
        """Signed distance field (nv, nu) in cells at a height beyond the last plane."""
        squares = np.clip(self.half_width2(np.linspace(0.0, height_mm, 20)), 0.0, None)
        # A width once reached is not exceeded again.
        receded = self.half_width - min(self.half_width, math.sqrt(squares.min()))
        return np.minimum(self.last, self.delay - receded)


def closing_taper(regions: list[PlaneRegion], *, spacing_mm: float, cell_mm: float) -> Taper | None:
    """Extrapolate the closing of a shape from its last two or three planes; None for a shape that does not taper.

    The squared half-width of spheres, ellipsoids, lying cylinders and cones is a parabola of the height. Where it
    vanishes before the next plane, which has no contour, the shape ends there; where it does not, it ends between that
    plane and half way to it, the flatter the nearer to half way.

    Parameters
    ----------
    regions : the last plane's region and those of the one or two planes before it.
    spacing_mm : distance to the next plane, where a contour would have been drawn.
    """
    lattice = Lattice.around(regions, cell_mm)
    fields = [signed_distance(region, lattice) for region in regions]
    deepest = _deepest(fields)
    widths_mm = np.array([max(float(field[deepest]), 0.0) * cell_mm for field in fields])
    drop_mm = widths_mm[1] - widths_mm[0]
    if drop_mm <= 1e-3 * widths_mm[0]:
        return None
    heights_mm = np.array([abs(region.w_mm - regions[0].w_mm) for region in regions])
    half_width2 = _squared_half_width(widths_mm, heights_mm)
    height_mm = _closing_height(half_width2, widths_mm[0], spacing_mm)
    delay = _delay(regions[0], regions[1], drop_mm, fields[0], lattice)
    in_cells = np.poly1d(half_width2.coeffs / cell_mm**2)
    return Taper(fields[0], delay, float(widths_mm[0] / cell_mm), in_cells, height_mm, lattice)


def _deepest(fields: list[NDArray]) -> tuple[int, ...]:
    """Return the cell farthest inside, and among equals (the axis of an oblong) the one farthest inside before."""
    candidates = np.where(fields[0] >= fields[0].max() - 0.5, sum(fields), -np.inf)
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(candidates)), candidates.shape))


def _squared_half_width(widths_mm: NDArray, heights_mm: NDArray) -> np.poly1d:
    squares = widths_mm**2
    if len(squares) >= 3:
        return np.poly1d(np.polyfit(-heights_mm[:3], squares[:3], 2))
    # With two planes: the curvature of a sphere, whose squared half-width is R2 - z2.
    slope = (squares[0] - squares[1]) / heights_mm[1] - heights_mm[1]
    return np.poly1d([-1.0, slope, squares[0]])


def _closing_height(half_width2: np.poly1d, width_mm: float, spacing_mm: float) -> float:
    heights = np.linspace(0.0, spacing_mm, 201)
    squares = half_width2(heights)
    closed = np.flatnonzero(squares <= 1e-3 * width_mm**2)
    if closed.size:
        return float(heights[closed[0]])
    still_open = min(1.0, float(np.sqrt(squares[-1])) / width_mm)
    return spacing_mm * (1.0 - 0.5 * still_open)


def _delay(last: PlaneRegion, before: PlaneRegion, drop_mm: float, field: NDArray, lattice: Lattice) -> NDArray:
    sides = []
    for ring in last.rings:
        points = (dense_ring(ring, 4 * lattice.cell_mm) - lattice.corner_mm) / lattice.cell_mm - 0.5
        sides.append(np.column_stack([points, np.roll(points, -1, axis=0)]))
    edges = np.concatenate(sides)
    outer = (before.points_mm - lattice.corner_mm) / lattice.cell_mm - 0.5
    reach = 3.0 * drop_mm / lattice.cell_mm
    speeds = _recession(edges, outer, before.starts, reach) / (drop_mm / lattice.cell_mm)
    moving = speeds > 1e-3
    return _shortest_delay(field, edges[moving], speeds[moving])


@njit(cache=True)
def _recession(edges: NDArray, points: NDArray, starts: NDArray, reach: float) -> NDArray:
    """Distance from each edge's middle, straight outwards, to the outlines of the plane before; at most ``reach``."""
    distances = np.full(len(edges), reach)
    for e in range(len(edges)):
        u, v = 0.5 * (edges[e, 0] + edges[e, 2]), 0.5 * (edges[e, 1] + edges[e, 3])
        du, dv = edges[e, 2] - edges[e, 0], edges[e, 3] - edges[e, 1]
        length = math.hypot(du, dv)
        if length == 0.0:
            distances[e] = 0.0
            continue
        # Outlines run counter-clockwise: outside is to the right.
        normal_u, normal_v = dv / length, -du / length
        for ring in range(starts.size - 1):
            previous = starts[ring + 1] - 1
            for p in range(starts[ring], starts[ring + 1]):
                hit = _ray_hit(u, v, normal_u, normal_v, points[previous], points[p])
                distances[e] = min(distances[e], hit)
                previous = p
    return distances


@njit(cache=True)
def _ray_hit(u: float, v: float, normal_u: float, normal_v: float, a: NDArray, b: NDArray) -> float:
    """Distance along a ray to a segment; infinite if missed."""
    along_u, along_v = b[0] - a[0], b[1] - a[1]
    denominator = normal_u * along_v - normal_v * along_u
    if abs(denominator) < 1e-12:
        return np.inf
    t = ((a[0] - u) * along_v - (a[1] - v) * along_u) / denominator
    s = ((a[0] - u) * normal_v - (a[1] - v) * normal_u) / denominator
    return max(t, 0.0) if t >= -1e-6 and -1e-9 <= s <= 1.0 + 1e-9 else np.inf


@njit(cache=True)
def _shortest_delay(field: NDArray, edges: NDArray, speeds: NDArray) -> NDArray:
    """Least distance over speed to any receding edge, for the cells inside or close to the outline."""
    n_v, n_u = field.shape
    delay = np.full((n_v, n_u), 1e6)
    for j in range(n_v):
        for i in range(n_u):
            if field[j, i] < -2.0:
                continue
            sign = 1.0 if field[j, i] >= 0 else -1.0
            for e in range(len(edges)):
                du, dv = edges[e, 2] - edges[e, 0], edges[e, 3] - edges[e, 1]
                t = ((i - edges[e, 0]) * du + (j - edges[e, 1]) * dv) / (du * du + dv * dv)
                t = min(max(t, 0.0), 1.0)
                distance = math.hypot(i - edges[e, 0] - t * du, j - edges[e, 1] - t * dv)
                delay[j, i] = min(delay[j, i], distance / speeds[e])
            delay[j, i] *= sign
    return delay
