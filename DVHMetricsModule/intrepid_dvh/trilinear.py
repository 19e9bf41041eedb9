"""Dose at scattered positions and at the voxel centres within a structure."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intrepid_rt.grids import DoseGrid

# Positions that rounding puts a hair outside the outermost voxel centre belong to the grid.
_HAIR = 1e-6


def dose_at(dose_grid: DoseGrid, positions_lps_mm: NDArray) -> NDArray:
    """Trilinear dose in Gy (n,) at LPS positions (n, 3) in mm; NaN beyond the outermost voxel centres.

    Along an axis with a single sample the dose is that sample's within half a spacing.
    """
    return _trilinear(np.ascontiguousarray(dose_grid.values), dose_grid.lps_to_index, positions_lps_mm)


@njit(cache=True)
def _trilinear(values: NDArray, to_index: NDArray, positions: NDArray) -> NDArray:
    n_z, n_y, n_x = values.shape
    dose = np.empty(len(positions))
    for p in range(len(positions)):
        x, y, z = positions[p, 0], positions[p, 1], positions[p, 2]
        i, a = _cell(to_index[0, 0] * x + to_index[0, 1] * y + to_index[0, 2] * z + to_index[0, 3], n_x)
        j, b = _cell(to_index[1, 0] * x + to_index[1, 1] * y + to_index[1, 2] * z + to_index[1, 3], n_y)
        k, c = _cell(to_index[2, 0] * x + to_index[2, 1] * y + to_index[2, 2] * z + to_index[2, 3], n_z)
        if i < 0 or j < 0 or k < 0:
            dose[p] = np.nan
            continue
        i1, j1, k1 = min(i + 1, n_x - 1), min(j + 1, n_y - 1), min(k + 1, n_z - 1)
        low = _bilinear(values[k], i, i1, j, j1, a, b)
        dose[p] = low + c * (_bilinear(values[k1], i, i1, j, j1, a, b) - low) if c > 0.0 else low
    return dose


@njit(cache=True)
def _cell(index: float, size: int) -> tuple[int, float]:
    """Lower neighbour and distance from it; -1 outside the grid."""
    reach = 0.5 if size == 1 else _HAIR
    if not (-reach <= index <= size - 1 + reach):
        return -1, 0.0
    index = min(max(index, 0.0), size - 1.0)
    lower = int(index)
    return lower, index - lower


@njit(cache=True)
def _bilinear(plane: NDArray, i: int, i1: int, j: int, j1: int, a: float, b: float) -> float:
    near = plane[j, i] + a * (np.float64(plane[j, i1]) - plane[j, i])
    far = plane[j1, i] + a * (np.float64(plane[j1, i1]) - plane[j1, i])
    return near + b * (far - near)
