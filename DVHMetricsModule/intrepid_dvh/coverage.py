"""Exact area of a polygon region in each cell of a square lattice, with the centroid of the covered part."""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intrepid_dvh.contour_geometry import PlaneRegion


@dataclass(frozen=True, eq=False)
class Coverage:
    """Covered cells of one plane: lattice corner, cell size, and per cell the covered fraction and its centroid.

    ``fraction`` (nv, nu) in 0..1; ``centroid_u``, ``centroid_v`` (nv, nu) in cell units from the cell's lower corner.
    """

    corner_mm: tuple[float, float]
    cell_mm: float
    fraction: NDArray
    centroid_u: NDArray
    centroid_v: NDArray

    @property
    def area_mm2(self) -> float:
        """Total covered area."""
        return float(self.fraction.sum()) * self.cell_mm**2


def cover(region: PlaneRegion, cell_mm: float) -> Coverage:
    """Clip a region against square cells: exact areas and centroids, no sampling.

    The lattice begins at the region's own corner, so narrow regions in a wide field stay cheap.
    """
    low = region.points_mm.min(axis=0)
    size = np.ptp(region.points_mm, axis=0)
    n_u, n_v = (math.floor(extent / cell_mm) + 1 for extent in size)
    fraction, mean_u, mean_v = _cover((region.points_mm - low) / cell_mm, region.starts, n_u, n_v)
    return Coverage((float(low[0]), float(low[1])), cell_mm, fraction, mean_u, mean_v)


@njit(cache=True)
def _cover(points: NDArray, starts: NDArray, n_u: int, n_v: int) -> tuple[NDArray, NDArray, NDArray]:
    """Accumulate per cell the area and first moments of what lies at larger u than each edge (Green's theorem)."""
    # Last axis: area, moment u, moment v within the cell of the edge, then height and its v moment for cells beyond.
    sums = np.zeros((n_v, n_u, 5))
    for ring in range(starts.size - 1):
        previous = starts[ring + 1] - 1
        for p in range(starts[ring], starts[ring + 1]):
            _add_edge(sums, points[previous, 0], points[previous, 1], points[p, 0], points[p, 1])
            previous = p
    return _integrate(sums)


@njit(cache=True)
def _add_edge(sums: NDArray, u0: float, v0: float, u1: float, v1: float) -> None:
    """Cut one edge at the lattice lines and add its pieces; the interior lies to its left."""
    if v0 == v1:
        return
    n_v, n_u = sums.shape[0], sums.shape[1]
    t, steps = 0.0, 0
    du, dv = u1 - u0, v1 - v0
    limit = 4 + int(abs(du)) + int(abs(dv)) + 4
    u_a, v_a = u0, v0
    while t < 1.0 and steps < limit:
        steps += 1
        # The cell ahead, not the one behind, when the piece starts on a lattice line.
        column = math.floor(u_a) if du >= 0 or u_a != math.floor(u_a) else u_a - 1
        row = math.floor(v_a) if dv >= 0 or v_a != math.floor(v_a) else v_a - 1
        t_u = ((column + 1 if du > 0 else column) - u0) / du if du != 0 else 2.0
        t_v = ((row + 1 if dv > 0 else row) - v0) / dv
        t_next = min(1.0, t_u, t_v)
        if t_next >= 1.0:
            u_b, v_b = u1, v1
        else:
            u_b = (column + 1.0 if du > 0 else column) if t_u <= t_v else u0 + t_next * du
            v_b = (row + 1.0 if dv > 0 else row) if t_v <= t_u else v0 + t_next * dv
        i, j = min(max(int(column), 0), n_u - 1), min(max(int(row), 0), n_v - 1)
        _add_piece(sums[j, i], u_a - i, v_a - j, u_b - i, v_b - j)
        t, u_a, v_a = t_next, u_b, v_b


@njit(cache=True)
def _add_piece(cell: NDArray, u0: float, v0: float, u1: float, v1: float) -> None:
    """Add what lies between an edge piece within a cell and the cell's far side, positive for a falling piece."""
    height = v0 - v1
    moment_v = height * 0.5 * (v0 + v1)
    cell[0] += height * (1.0 - 0.5 * (u0 + u1))
    cell[1] += height * 0.5 * (1.0 - (u0 * u0 + u0 * u1 + u1 * u1) / 3.0)
    cell[2] += moment_v - height * (2.0 * u0 * v0 + u0 * v1 + u1 * v0 + 2.0 * u1 * v1) / 6.0
    cell[3] += height
    cell[4] += moment_v


@njit(cache=True)
def _integrate(sums: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Sum along u, fold to the even-odd rule and turn moments into centroids."""
    n_v, n_u = sums.shape[0], sums.shape[1]
    fraction, mean_u, mean_v = np.zeros((n_v, n_u)), np.full((n_v, n_u), 0.5), np.full((n_v, n_u), 0.5)
    for j in range(n_v):
        height, height_v = 0.0, 0.0
        for i in range(n_u):
            area = sums[j, i, 0] + height
            moment_u = sums[j, i, 1] + 0.5 * height
            moment_v = sums[j, i, 2] + height_v
            height += sums[j, i, 3]
            height_v += sums[j, i, 4]
            # Overlapping outlines exclude each other: a winding number of 2 is outside again.
            fold = 2.0 * round(0.5 * area)
            sign = 1.0 if area >= fold else -1.0
            covered = sign * (area - fold)
            if covered < 1e-9:
                continue
            if covered > 1.0 - 1e-9:
                fraction[j, i] = 1.0
                continue
            fraction[j, i] = covered
            mean_u[j, i] = min(max(sign * (moment_u - 0.5 * fold) / covered, 0.0), 1.0)
            mean_v[j, i] = min(max(sign * (moment_v - 0.5 * fold) / covered, 0.0), 1.0)
    return fraction, mean_u, mean_v
