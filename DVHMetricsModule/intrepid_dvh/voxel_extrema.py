"""Extrema of a trilinear dose within a structure: its peaks and troughs are voxel centres."""

import numpy as np
from numpy.typing import NDArray

from intrepid_dvh.structure_samples import StructureSamples
from intrepid_rt.grids import DoseGrid


def widened_by_voxels(
    dose_grid: DoseGrid, samples: StructureSamples, *, min_gy: float, max_gy: float
) -> tuple[float, float]:
    """Widen sampled extrema in Gy by the voxel centres that lie within the structure and exceed them."""
    low, high = _index_box(dose_grid, samples)
    box = dose_grid.values[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
    k, j, i = np.nonzero((box < min_gy) | (box > max_gy))
    if k.size == 0:
        return min_gy, max_gy
    centres_lps = dose_grid.index_to_position(np.column_stack([i, j, k]) + low)
    doses = box[k, j, i].astype(float)[samples.encloses(centres_lps)]
    return float(doses.min(initial=min_gy)), float(doses.max(initial=max_gy))


def _index_box(dose_grid: DoseGrid, samples: StructureSamples) -> tuple[NDArray, NDArray]:
    corners = np.array(np.meshgrid(*samples.bounds_lps_mm.T, indexing="ij")).reshape(3, -1).T
    index = dose_grid.position_to_index(corners)
    low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, None)
    return low, np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, low, dose_grid.shape[::-1])
