"""Extrema of a trilinear dose within a structure: its peaks and troughs are voxel centres."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intrepid_dvh.structure_samples import StructureSamples
from intrepid_rt.grids import DoseGrid


def widened_by_voxels(
    dose_grid: DoseGrid, samples: StructureSamples, *, min_gy: float, max_gy: float
) -> tuple[float, float]:
    """Widen sampled extrema in Gy by the voxel centres that lie within the structure and exceed them."""
    low, high = _index_box(dose_grid, samples)
    box = dose_grid.values[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
    index, doses = _beyond(box, min_gy, max_gy)
    if doses.size == 0:
        return min_gy, max_gy
    doses = doses[samples.encloses(dose_grid.index_to_position(index + low))]
    return float(doses.min(initial=min_gy)), float(doses.max(initial=max_gy))


@njit(cache=True)
def _beyond(box: NDArray, low: float, high: float) -> tuple[NDArray, NDArray]:
    """Return index (i, j, k) (n, 3) and value (n,) of the voxels below ``low`` or above ``high``."""
    index, values, n = np.empty((box.size, 3)), np.empty(box.size), 0
    for k in range(box.shape[0]):
        for j in range(box.shape[1]):
            for i in range(box.shape[2]):
                if box[k, j, i] < low or box[k, j, i] > high:
                    index[n, 0], index[n, 1], index[n, 2], values[n] = i, j, k, box[k, j, i]
                    n += 1
    return index[:n], values[:n]


def _index_box(dose_grid: DoseGrid, samples: StructureSamples) -> tuple[NDArray, NDArray]:
    corners = np.array(np.meshgrid(*samples.bounds_lps_mm.T, indexing="ij")).reshape(3, -1).T
    index = dose_grid.position_to_index(corners)
    low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, None)
    return low, np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, low, dose_grid.shape[::-1])
