"""Closed surfaces from stacks of planar contours, by interpolating their distance maps between slices.

Each contour stands for a slab of its slice spacing, as planning systems take it: the surface ends half a slice beyond
the first and the last contour, and a gap in the stack stays a gap.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from intrepid_rt.structures import Structure

BAND = 2  # pixels on both sides of an outline in which the distance is exact


def inside_polygons(polygons_mm: list[NDArray], x_mm: NDArray, y_mm: NDArray) -> NDArray:
    """Return which points of a raster lie inside polygons combined by exclusive or (even-odd rule).

    Parameters
    ----------
    polygons_mm : list of ndarray, (n, 2)
        Closed polygons, the first point not repeated.
    x_mm, y_mm : ndarray, (nx,) and (ny,)
        Ascending coordinates of the raster's columns and rows.

    Returns
    -------
    ndarray of bool, (ny, nx)

    Examples
    --------
    >>> square = np.array([[0.5, 0.5], [2.5, 0.5], [2.5, 1.5], [0.5, 1.5]])
    >>> inside_polygons([square], np.arange(4.0), np.arange(3.0)).astype(int)
    array([[0, 0, 0, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    crossings = np.zeros((y_mm.size, x_mm.size + 1), np.int32)
    for polygon in polygons_mm:
        for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            low, high = np.searchsorted(y_mm, sorted((y0, y1)))
            if low < high:
                x_at = x0 + (y_mm[low:high] - y0) * (x1 - x0) / (y1 - y0)
                crossings[np.arange(low, high), np.searchsorted(x_mm, x_at)] += 1
    return (np.cumsum(crossings, axis=1)[:, :-1] % 2).astype(bool)


def signed_distance(polygons_mm: list[NDArray], x_mm: NDArray, y_mm: NDArray) -> NDArray:
    """Distance in mm of the points of a square raster to the nearest polygon edge, positive inside.

    Exact near the edges, where the surface will run; elsewhere to half a pixel, which is enough to blend two slices.
    """
    inside = inside_polygons(polygons_mm, x_mm, y_mm)
    step_mm = x_mm[1] - x_mm[0]
    distance = (distance_transform_edt(inside) + distance_transform_edt(~inside) - 0.5) * step_mm
    rows, columns = np.nonzero(distance < BAND * step_mm)
    points = np.column_stack([x_mm[columns], y_mm[rows]])
    distance[rows, columns] = _distance_to_edges(points, polygons_mm)
    return np.where(inside, distance, -distance)


def _distance_to_edges(points: NDArray, polygons_mm: list[NDArray]) -> NDArray:
    start = np.concatenate(polygons_mm)
    along = np.concatenate([np.roll(p, -1, axis=0) for p in polygons_mm]) - start
    length_squared = np.maximum((along**2).sum(axis=1), 1e-12)
    nearest = np.full(len(points), np.inf)
    # Chunks of edges: all points times all edges at once would need gigabytes for a body outline.
    for first in range(0, len(start), 64):
        a, d = start[first : first + 64], along[first : first + 64]
        offset = points[:, None] - a
        t = np.clip((offset * d).sum(axis=-1) / length_squared[first : first + 64], 0.0, 1.0)
        nearest = np.minimum(nearest, ((offset - t[..., None] * d) ** 2).sum(axis=-1).min(axis=1))
    return np.sqrt(nearest)


def slice_stacks(planes_z_mm: list[float]) -> list[list[float]]:
    """Split plane positions where one or more slices are missing.

    >>> slice_stacks([0.0, 3.0, 6.0, 15.0, 18.0])
    [[0.0, 3.0, 6.0], [15.0, 18.0]]
    """
    if len(planes_z_mm) < 2:
        return [planes_z_mm]
    thickness_mm = float(np.median(np.diff(planes_z_mm)))
    stacks = [[planes_z_mm[0]]]
    for previous, z in pairwise(planes_z_mm):
        if z - previous > 1.5 * thickness_mm:
            stacks.append([])
        stacks[-1].append(z)
    return stacks


def distance_volume(structure: Structure, *, thickness_mm: float) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return x, y, z coordinates (LPS mm, ascending) and a field (nz, ny, nx) that is positive inside the structure.

    ``thickness_mm`` is the slab of a structure with a single contour plane. The raster is as fine as one 150th of the
    structure's larger extent, between 0.5 and 3 mm: a spinal cord stays round and a body outline stays small.
    """
    planes = structure.contours_by_plane()
    outline = np.concatenate(structure.contours)[:, :2]
    low, high = outline.min(axis=0), outline.max(axis=0)
    step = float(np.clip((high - low).max() / 150.0, 0.5, 3.0))
    x, y = (np.arange(low[a] - (BAND + 1) * step, high[a] + (BAND + 2) * step, step) for a in (0, 1))
    z_mm, fields = [], []
    spacing = np.diff(list(planes))
    slab_mm = float(np.median(spacing)) if spacing.size else thickness_mm
    for stack in slice_stacks(list(planes)):
        maps = [signed_distance([c[:, :2] for c in planes[z]], x, y) for z in stack]
        # Twin planes around each end, the outer mirrored: the zero crossing, the cap, lies half a slab from it.
        fields += [-np.abs(maps[0]), maps[0], *maps, maps[-1], -np.abs(maps[-1])]
        z_mm += [stack[0] - 0.55 * slab_mm, stack[0] - 0.45 * slab_mm, *stack]
        z_mm += [stack[-1] + 0.45 * slab_mm, stack[-1] + 0.55 * slab_mm]
    return x, y, np.array(z_mm), np.array(fields)
