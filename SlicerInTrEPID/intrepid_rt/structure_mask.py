"""Which voxels of a grid have their centre inside a structure."""

import numpy as np
import shapely
from numpy.typing import NDArray

from intrepid_rt.grids import Grid
from intrepid_rt.structures import Structure


def structure_mask(structure: Structure, grid: Grid) -> NDArray[np.bool_]:
    """Test voxel centres against a structure's contours, each extended half way to its neighbouring planes.

    Contours in one plane combine by exclusive or. The outermost planes reach half a plane spacing beyond themselves; a
    single plane reaches half of the grid's largest spacing.

    Parameters
    ----------
    structure : Structure
        With axial contours.
    grid : Grid
        Of any orientation.

    Returns
    -------
    ndarray of bool, (nz, ny, nx)
    """
    mask = np.zeros(grid.shape, bool)
    planes = structure.contours_by_plane()
    if not planes:
        return mask
    heights = np.array(list(planes))
    lower, upper = _plane_limits(heights, max(grid.spacing_mm))
    positions = grid.positions()
    z = positions[..., 2]
    for contours, low, high in zip(planes.values(), lower, upper, strict=True):
        at = (z >= low) & (z < high)
        if at.any():
            x, y = positions[at][:, 0], positions[at][:, 1]
            inside = np.zeros(x.shape, bool)
            for contour in contours:
                if len(contour) >= 3:
                    polygon = shapely.Polygon(contour[:, :2])
                    shapely.prepare(polygon)
                    inside ^= shapely.contains_xy(polygon, x, y)
            mask[at] = inside
    return mask


def _plane_limits(heights_mm: NDArray, single_spacing_mm: float) -> tuple[NDArray, NDArray]:
    if len(heights_mm) == 1:
        half = np.array([single_spacing_mm / 2])
        return heights_mm - half, heights_mm + half
    middles = (heights_mm[1:] + heights_mm[:-1]) / 2
    # A gap wider than its neighbours is a gap in the structure, not one thick slice.
    usual = np.median(np.diff(heights_mm))
    lower = np.concatenate([[heights_mm[0] - usual / 2], np.maximum(middles, heights_mm[1:] - 0.75 * usual)])
    upper = np.concatenate([np.minimum(middles, heights_mm[:-1] + 0.75 * usual), [heights_mm[-1] + usual / 2]])
    return lower, upper
