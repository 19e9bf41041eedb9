"""Exact path lengths from the source through the voxels of a CT to any point.

Every ray is followed from voxel face to voxel face in index space, so that any grid orientation, spacing and beam
direction is the same case (Siddon, Med. Phys. 12 (1985) 252; incremental stepping after Amanatides and Woo, 1987).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike, NDArray

from intrepid_epid.compute.device import CPU, Device, DeviceArray, Loop
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
    device : Device
        Where rays through it are traced and dose in it is computed.
    """

    density: Grid
    material: NDArray
    materials: tuple[str, ...]
    device: Device = CPU

    def __post_init__(self) -> None:
        if self.material.shape != self.density.shape:
            raise UnsupportedGeometry(
                f"The material map has shape {self.material.shape}, the density {self.density.shape}; they must agree."
            )

    @cached_property
    def voxels(self) -> tuple[DeviceArray, DeviceArray, NDArray]:
        """Density and material on the device, and the matrix (3, 3) from steps of the index to mm: what rays cross."""
        return (
            self.device.put(self.density.values.astype(np.float32, copy=False)),
            self.device.put(self.material.astype(np.uint8, copy=False)),
            np.ascontiguousarray(self.density.index_to_lps[:3, :3]),
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
    ends = np.ascontiguousarray(anatomy.density.position_to_index(targets.reshape(-1, 3)))
    result = np.zeros((len(ends), len(anatomy.materials)), np.float32)
    source = anatomy.density.position_to_index(source_lps_mm)
    with anatomy.device.updated(result) as out:
        anatomy.device.run(RAYS, len(ends), *anatomy.voxels, source, ends, out)
    return result.reshape(*targets.shape[:-1], len(anatomy.materials))


def geometric_path_mm(anatomy: Anatomy, source_lps_mm: ArrayLike, target_lps_mm: ArrayLike) -> NDArray:
    """Length in mm of each ray inside the grid's box, shape (...)."""
    box = Anatomy(
        anatomy.density.with_values(np.full(anatomy.density.shape, 10.0, np.float32)),
        np.zeros(anatomy.density.shape, np.uint8),
        ("box",),
        anatomy.device,
    )
    return mass_thickness_g_cm2(box, source_lps_mm, target_lps_mm)[..., 0]


@njit(cache=True)
def _ray(number, scratch, density, material, index_to_mm, source, targets, out):  # type: ignore[no-untyped-def]
    target = targets[number]
    add_mass_thickness(density, material, index_to_mm, source, target[0], target[1], target[2], out[number])


@njit(cache=True, parallel=True)
def _rays(turns, scratch_size, arguments):  # type: ignore[no-untyped-def]
    for number in prange(turns):
        _ray(number, np.empty(scratch_size, np.float32), *arguments)


RAYS = Loop(_ray, _rays)


@njit(cache=True)
def add_mass_thickness(density, material, index_to_mm, source, x, y, z, out):  # type: ignore[no-untyped-def]
    """Add the g/cm2 of every material between a source (3,) and a target, both in voxel indices, to ``out``."""
    # Scalars instead of arrays of three: short rays spent most of their time on allocating.
    nz, ny, nx = density.shape
    dx, dy, dz = x - source[0], y - source[1], z - source[2]
    enter_x, leave_x = _crossed(source[0], dx, nx)
    enter_y, leave_y = _crossed(source[1], dy, ny)
    enter_z, leave_z = _crossed(source[2], dz, nz)
    at = max(0.0, enter_x, enter_y, enter_z)
    leave = min(1.0, leave_x, leave_y, leave_z)
    if leave <= at:
        return
    length_cm = 0.1 * math.sqrt(
        (index_to_mm[0, 0] * dx + index_to_mm[0, 1] * dy + index_to_mm[0, 2] * dz) ** 2
        + (index_to_mm[1, 0] * dx + index_to_mm[1, 1] * dy + index_to_mm[1, 2] * dz) ** 2
        + (index_to_mm[2, 0] * dx + index_to_mm[2, 1] * dy + index_to_mm[2, 2] * dz) ** 2
    )
    i, step_x, next_x, pace_x = _start(source[0], dx, at, nx)
    j, step_y, next_y, pace_y = _start(source[1], dy, at, ny)
    k, step_z, next_z, pace_z = _start(source[2], dz, at, nz)
    while at < leave:
        end = min(next_x, next_y, next_z)
        part = min(end, leave) - at
        if part > 0.0:
            out[material[k, j, i]] += density[k, j, i] * part * length_cm
            at += part
        if end >= leave:
            return
        if next_x == end:
            next_x += pace_x
            i += step_x
            if i < 0 or i >= nx:
                return
        elif next_y == end:
            next_y += pace_y
            j += step_y
            if j < 0 or j >= ny:
                return
        else:
            next_z += pace_z
            k += step_z
            if k < 0 or k >= nz:
                return


@njit(cache=True, inline="always")
def _crossed(source, direction, size):  # type: ignore[no-untyped-def]
    """Ray parameters at which the grid is entered and left across one axis; an empty range if it is passed by."""
    low, high = -0.5 - source, size - 0.5 - source
    if abs(direction) < 1e-12:
        return (-np.inf, np.inf) if low <= 0.0 <= high else (np.inf, -np.inf)
    first, second = low / direction, high / direction
    return min(first, second), max(first, second)


@njit(cache=True, inline="always")
def _start(source, direction, at, size):  # type: ignore[no-untyped-def]
    """Voxel at ray parameter ``at``, the step to the next one, the parameter of the next face and from face to face."""
    voxel = min(max(int(math.floor(source + direction * at + 0.5)), 0), size - 1)  # noqa: RUF046 - a float on CUDA
    if direction > 1e-12:
        return voxel, 1, (voxel + 0.5 - source) / direction, 1.0 / direction
    if direction < -1e-12:
        return voxel, -1, (voxel - 0.5 - source) / direction, -1.0 / direction
    return voxel, 0, np.inf, np.inf
