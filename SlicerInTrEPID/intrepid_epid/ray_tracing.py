"""Exact path lengths from the source through the voxels of a CT to any point.

Every ray is followed from voxel face to voxel face in index space, so that any grid orientation, spacing and beam
direction is the same case (Siddon, Med. Phys. 12 (1985) 252; incremental stepping after Amanatides and Woo, 1987).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike, NDArray

from intrepid_rt.errors import UnsupportedGeometry
from intrepid_rt.grids import Grid


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What rays and dose engines see of a CT: mass density and the class of material of every voxel.

    Parameters
    ----------
    density : Grid
        Mass density in g/cm3.
    material : ndarray of uint8, (nz, ny, nx)
        Index into ``materials`` for every voxel.
    materials : tuple of str
        Names known to :mod:`intrepid_epid.simulation.materials`.
    """

    density: Grid
    material: NDArray
    materials: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.material.shape != self.density.shape:
            raise UnsupportedGeometry(
                f"The material map has shape {self.material.shape}, the density {self.density.shape}; they must agree."
            )


def mass_thickness_g_cm2(anatomy: Anatomy, source_lps_mm: ArrayLike, target_lps_mm: ArrayLike) -> NDArray:
    """Integrate mass density per material along straight rays from one source to many targets.

    Parameters
    ----------
    anatomy : Anatomy
        Voxels are filled cuboids around their centres; nothing is outside them.
    source_lps_mm : array_like, (3,)
    target_lps_mm : array_like, (..., 3)
        Ends of the rays, LPS mm, inside or outside the grid. A target inside a voxel counts the voxel up to itself.

    Returns
    -------
    ndarray of float32, (..., n_materials) : g/cm2 of each material in front of each target.

    Raises
    ------
    UnsupportedGeometry
        A position is not finite; a ray to it would never end.
    """
    targets = np.asarray(target_lps_mm, float)
    if not (np.isfinite(targets).all() and np.isfinite(source_lps_mm).all()):
        raise UnsupportedGeometry("Rays need finite ends; found a position that is NaN or infinite.")
    source_index = anatomy.density.position_to_index(source_lps_mm)
    result = np.zeros((targets[..., 0].size, len(anatomy.materials)), np.float32)
    _trace(
        np.ascontiguousarray(anatomy.density.values, np.float32),
        np.ascontiguousarray(anatomy.material, np.uint8),
        source_index,
        np.ascontiguousarray(anatomy.density.position_to_index(targets.reshape(-1, 3))),
        np.ascontiguousarray(anatomy.density.index_to_lps[:3, :3]),
        result,
    )
    return result.reshape(*targets.shape[:-1], len(anatomy.materials))


def geometric_path_mm(anatomy: Anatomy, source_lps_mm: ArrayLike, target_lps_mm: ArrayLike) -> NDArray:
    """Length in mm of each ray inside the grid's box, shape (...)."""
    box = Anatomy(
        anatomy.density.with_values(np.full(anatomy.density.shape, 10.0, np.float32)),
        np.zeros(anatomy.density.shape, np.uint8),
        ("box",),
    )
    return mass_thickness_g_cm2(box, source_lps_mm, target_lps_mm)[..., 0]


@njit(cache=True, parallel=True, fastmath=False)
def _trace(density, material, source, targets, index_to_mm, out):  # type: ignore[no-untyped-def]
    for ray in prange(targets.shape[0]):
        _trace_one(density, material, source, targets[ray], index_to_mm, out[ray])


@njit(cache=True)
def _trace_one(density, material, source, target, index_to_mm, out):  # type: ignore[no-untyped-def]
    size = (density.shape[2], density.shape[1], density.shape[0])
    direction = np.empty(3)
    for axis in range(3):
        direction[axis] = target[axis] - source[axis]
    length_mm = np.sqrt(np.sum((index_to_mm @ direction) ** 2))
    enter, leave = 0.0, 1.0
    for axis in range(3):
        low, high = -0.5 - source[axis], size[axis] - 0.5 - source[axis]
        if abs(direction[axis]) < 1e-12:
            if low > 0.0 or high < 0.0:
                return
        else:
            first, second = low / direction[axis], high / direction[axis]
            enter, leave = max(enter, min(first, second)), min(leave, max(first, second))
    if leave <= enter:
        return
    voxel = np.empty(3, np.int64)
    step = np.empty(3, np.int64)
    crossing = np.empty(3)  # ray parameter at which the next face across each axis is reached
    pace = np.empty(3)  # ray parameter from one face to the next across each axis
    for axis in range(3):
        at = source[axis] + direction[axis] * enter
        voxel[axis] = min(max(int(np.floor(at + 0.5)), 0), size[axis] - 1)
        if direction[axis] > 1e-12:
            step[axis], pace[axis] = 1, 1.0 / direction[axis]
            crossing[axis] = (voxel[axis] + 0.5 - source[axis]) / direction[axis]
        elif direction[axis] < -1e-12:
            step[axis], pace[axis] = -1, -1.0 / direction[axis]
            crossing[axis] = (voxel[axis] - 0.5 - source[axis]) / direction[axis]
        else:
            step[axis], pace[axis], crossing[axis] = 0, np.inf, np.inf
    at = enter
    while at < leave:
        axis = 0
        if crossing[1] < crossing[axis]:
            axis = 1
        if crossing[2] < crossing[axis]:
            axis = 2
        end = min(crossing[axis], leave)
        if end > at:
            rho = density[voxel[2], voxel[1], voxel[0]]
            out[material[voxel[2], voxel[1], voxel[0]]] += rho * (end - at) * length_mm * 0.1
        at = max(at, end)
        crossing[axis] += pace[axis]
        voxel[axis] += step[axis]
        if voxel[axis] < 0 or voxel[axis] >= size[axis]:
            return
