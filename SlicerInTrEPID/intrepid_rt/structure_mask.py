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
    lower, upper = _plane_limits(np.array(list(planes)), max(grid.spacing_mm))
    slabs = list(zip(lower, upper, map(_polygons, planes.values()), strict=True))
    for k in range(grid.shape[0]):
        x, y, z = np.moveaxis(grid.plane_positions(k), -1, 0)
        lowest, highest = z.min(), z.max()
        for low, high, polygons in slabs:
            if low <= highest and high > lowest:
                at = (z >= low) & (z < high)
                mask[k][at] = _inside(polygons, x[at], y[at])
    return mask


def _polygons(contours: list[NDArray]) -> list[shapely.Polygon]:
    polygons = [shapely.Polygon(contour[:, :2]) for contour in contours if len(contour) >= 3]
    shapely.prepare(polygons)
    return polygons


def _inside(polygons: list[shapely.Polygon], x: NDArray, y: NDArray) -> NDArray[np.bool_]:
    inside = np.zeros(x.shape, bool)
    for polygon in polygons:
        inside ^= shapely.contains_xy(polygon, x, y)
    return inside


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
