"""Extrema of a trilinear dose within a structure: its peaks and troughs are voxel centres."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intrepid_dvh.contour_geometry import inside_ring
from intrepid_dvh.structure_samples import StructureSamples
from intrepid_rt.grids import DoseGrid


def widened_by_voxels(
    dose_grid: DoseGrid, samples: StructureSamples, *, min_gy: float, max_gy: float
) -> tuple[float, float]:
    """Widen sampled extrema in Gy by the voxel centres that lie within the structure and exceed them.

    Where contours are blended a centre counts when both neighbouring contours enclose it.
    """
    low, high = _index_box(dose_grid, samples)
    box = dose_grid.values[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
    k, j, i = np.nonzero((box < min_gy) | (box > max_gy))
    if k.size == 0:
        return min_gy, max_gy
    centres_lps = dose_grid.index_to_position(np.column_stack([i, j, k]) + low)
    doses = box[k, j, i].astype(float)[enclosed(samples, centres_lps)]
    return float(doses.min(initial=min_gy)), float(doses.max(initial=max_gy))


def _index_box(dose_grid: DoseGrid, samples: StructureSamples) -> tuple[NDArray, NDArray]:
    corners = np.array(np.meshgrid(*samples.bounds_lps_mm.T, indexing="ij")).reshape(3, -1).T
    index = dose_grid.position_to_index(corners)
    low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, None)
    return low, np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, low, dose_grid.shape[::-1])


def enclosed(samples: StructureSamples, positions_lps_mm: NDArray) -> NDArray:
    """Whether each position (n, 3) lies within the contours that stand for its height."""
    stack, slabs = samples.stack, samples.slabs
    uvw = positions_lps_mm @ stack.axes_lps.T
    if samples.between_planes == "slab":
        lower = np.searchsorted(slabs.low_mm, uvw[:, 2], side="right") - 1
        upper = lower
        reached = (lower >= 0) & (uvw[:, 2] <= slabs.high_mm[lower])
    else:
        lower = np.searchsorted(stack.w_mm, uvw[:, 2], side="right") - 1
        upper = np.minimum(lower + 1, len(stack.regions) - 1)
        reached = (lower >= 0) & (upper > lower) & (slabs.part[lower] == slabs.part[upper])
    inside = np.zeros(len(uvw), bool)
    for p in np.unique(lower[reached]):
        here = np.flatnonzero(reached & (lower == p))
        for plane in {p, upper[here[0]]}:
            region = stack.regions[plane]
            here = here[_inside_region(uvw[here], region.points_mm, region.starts)]
        inside[here] = True
    return inside


@njit(cache=True)
def _inside_region(uvw: NDArray, points: NDArray, starts: NDArray) -> NDArray:
    inside = np.zeros(len(uvw), np.bool_)
    for p in range(len(uvw)):
        for ring in range(starts.size - 1):
            inside[p] ^= inside_ring(uvw[p, 0], uvw[p, 1], points, starts[ring], starts[ring + 1])
    return inside
