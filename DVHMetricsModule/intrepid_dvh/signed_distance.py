"""Signed distance of lattice points to the outlines of a plane region, and the covered cells of a distance field."""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intrepid_dvh.contour_geometry import PlaneRegion
from intrepid_dvh.coverage import Coverage


@dataclass(frozen=True, eq=False)
class Lattice:
    """Square cells in a plane: the corner of the first, their size, and their numbers along v and u."""

    corner_mm: tuple[float, float]
    cell_mm: float
    shape: tuple[int, int]

    @classmethod
    def around(cls, regions: list[PlaneRegion], cell_mm: float) -> "Lattice":
        """Return a lattice that holds all regions with two cells to spare."""
        points = np.concatenate([region.points_mm for region in regions])
        low = points.min(axis=0) - 2 * cell_mm
        n_u, n_v = (math.ceil(extent / cell_mm) + 4 for extent in np.ptp(points, axis=0))
        return cls((float(low[0]), float(low[1])), cell_mm, (n_v, n_u))


def signed_distance(region: PlaneRegion, lattice: Lattice) -> NDArray:
    """Distance (nv, nu) in cells from each cell centre to the nearest outline, positive inside.

    Exact near the outlines; farther away the nearest outline point of a neighbour is taken (vector distance transform,
    Danielsson, Comput. Graph. Image Process. 14 (1980) 227-248), which errs by a small part of a cell.
    """
    points = (region.points_mm - lattice.corner_mm) / lattice.cell_mm - 0.5
    return _signed_distance(points, region.starts, lattice.shape[0], lattice.shape[1])


def covered_cells(distance: NDArray, lattice: Lattice) -> Coverage:
    """Return the cells where a distance field (nv, nu), in cells, is positive, with partial cells from its slope."""
    fraction, mean_u, mean_v = _covered_cells(distance)
    return Coverage(lattice.corner_mm, lattice.cell_mm, fraction, mean_u, mean_v)


@njit(cache=True)
def _signed_distance(points: NDArray, starts: NDArray, n_v: int, n_u: int) -> NDArray:
    nearest = np.full((n_v, n_u, 2), 1e9)
    squared = np.full((n_v, n_u), np.inf)
    parity = np.zeros((n_v, n_u), np.bool_)
    for ring in range(starts.size - 1):
        previous = starts[ring + 1] - 1
        for p in range(starts[ring], starts[ring + 1]):
            u0, v0, u1, v1 = points[previous, 0], points[previous, 1], points[p, 0], points[p, 1]
            _near_edge(nearest, squared, u0, v0, u1, v1)
            _cross_rows(parity, u0, v0, u1, v1)
            previous = p
    _propagate(nearest, squared)
    for j in range(n_v):
        inside = False
        for i in range(n_u):
            inside ^= parity[j, i]
            squared[j, i] = math.sqrt(squared[j, i]) if inside else -math.sqrt(squared[j, i])
    return squared


@njit(cache=True)
def _near_edge(nearest: NDArray, squared: NDArray, u0: float, v0: float, u1: float, v1: float) -> None:
    """Give the cells within two of an edge their exact distance to it."""
    n_v, n_u = squared.shape
    du, dv = u1 - u0, v1 - v0
    length2 = du * du + dv * dv
    for j in range(max(0, int(min(v0, v1)) - 2), min(n_v, int(max(v0, v1)) + 4)):
        for i in range(max(0, int(min(u0, u1)) - 2), min(n_u, int(max(u0, u1)) + 4)):
            t = ((i - u0) * du + (j - v0) * dv) / length2 if length2 > 0 else 0.0
            t = min(max(t, 0.0), 1.0)
            _offer(nearest, squared, j, i, u0 + t * du, v0 + t * dv)


@njit(cache=True)
def _offer(nearest: NDArray, squared: NDArray, j: int, i: int, u: float, v: float) -> None:
    d2 = (i - u) ** 2 + (j - v) ** 2
    if d2 < squared[j, i]:
        squared[j, i] = d2
        nearest[j, i, 0], nearest[j, i, 1] = u, v


@njit(cache=True)
def _cross_rows(parity: NDArray, u0: float, v0: float, u1: float, v1: float) -> None:
    """Toggle the first cell centre beyond each crossing of the edge with a row of centres."""
    n_v, n_u = parity.shape
    for j in range(max(0, math.ceil(min(v0, v1))), min(n_v, math.floor(max(v0, v1)) + 1)):
        if (v0 > j) != (v1 > j):
            i = max(0, math.floor(u0 + (j - v0) / (v1 - v0) * (u1 - u0)) + 1)
            if i < n_u:
                parity[j, i] ^= True


@njit(cache=True)
def _propagate(nearest: NDArray, squared: NDArray) -> None:
    """Offer each cell the nearest points of its neighbours, once forth and once back."""
    n_v, n_u = squared.shape
    for sweep in range(2):
        step = 1 if sweep % 2 == 0 else -1
        for row in range(n_v):
            j = row if step > 0 else n_v - 1 - row
            for along in (1, -1):
                for column in range(n_u):
                    i = column if along > 0 else n_u - 1 - column
                    for dj, di in ((0, -along), (-step, 0), (-step, -along), (-step, along)):
                        b, a = j + dj, i + di
                        if 0 <= b < n_v and 0 <= a < n_u and squared[b, a] < np.inf:
                            _offer(nearest, squared, j, i, nearest[b, a, 0], nearest[b, a, 1])


@njit(cache=True)
def _covered_cells(distance: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    n_v, n_u = distance.shape
    fraction, mean_u, mean_v = np.zeros((n_v, n_u)), np.full((n_v, n_u), 0.5), np.full((n_v, n_u), 0.5)
    for j in range(1, n_v - 1):
        for i in range(1, n_u - 1):
            s = distance[j, i]
            if s > 1.5:
                fraction[j, i] = 1.0
            elif s > -1.5:
                slope_u = 0.5 * (distance[j, i + 1] - distance[j, i - 1])
                slope_v = 0.5 * (distance[j + 1, i] - distance[j - 1, i])
                slope = max(math.hypot(slope_u, slope_v), 0.25)
                covered = min(max(0.5 + s / slope, 0.0), 1.0)
                fraction[j, i] = covered
                # What a straight outline covers lies at the side to which the distance grows.
                mean_u[j, i] += 0.5 * (1.0 - covered) * slope_u / slope
                mean_v[j, i] += 0.5 * (1.0 - covered) * slope_v / slope
    return fraction, mean_u, mean_v
