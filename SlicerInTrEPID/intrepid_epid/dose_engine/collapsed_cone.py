"""Collapsed-cone superposition: energy released in each voxel is carried along the axes of a set of cones.

Ahnesjö, Med. Phys. 16 (1989) 577. Along every cone axis the kernel is a sum of exponentials in mass per area, so that
one pass along a line gives the exact sum over all voxels behind it. The lines of one direction are copies of one
voxel path, shifted; they meet every voxel exactly once, so that no energy is made or lost inside the grid.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike, NDArray

from intrepid_epid.compute.device import CPU, Device, DeviceArray, Loop
from intrepid_epid.dose_engine.cone_kernel import ConeKernel
from intrepid_rt.errors import UnsupportedGeometry

FloatArray = NDArray[np.floating]

DIVERGING_BELOW_DEG = 60.0


def superpose(
    primary_terma_gy: FloatArray,
    scatter_terma_gy: FloatArray,
    density_g_cc: FloatArray,
    *,
    spacing_mm: ArrayLike,
    source_mm: ArrayLike,
    kernel: ConeKernel,
    device: Device = CPU,
) -> FloatArray:
    """Spread released energy around its voxels and return the absorbed dose.

    Parameters
    ----------
    primary_terma_gy, scatter_terma_gy : ndarray, (nz, ny, nx)
        Released energy per mass in Gy that goes to electrons of the first interaction, and the rest (see
        :func:`intrepid_epid.dose_engine.cone_kernel.primary_share`), at voxel centres.
    density_g_cc : ndarray, (nz, ny, nx)
        Density in g/cm3 of water that stops electrons and photons as the voxel does; released energy and dose are per
        mass of this density.
    spacing_mm : array_like, (3,)
        Voxel size along the grid axes, (x, y, z) order; axes must be perpendicular.
    source_mm : array_like, (3,)
        Position of the photon source along the grid axes, (x, y, z) order, from the centre of voxel (0, 0, 0). Kernels
        point away from it on average: every voxel's energy is shared among the four corner directions of the beam.
    kernel : ConeKernel
    device : Device
        Where energy is carried along the lines.

    Returns
    -------
    ndarray of float32, (nz, ny, nx) : dose in Gy. Energy that leaves the grid is lost, nothing comes in from outside.

    Raises
    ------
    UnsupportedGeometry
        Arrays of different shapes, a spacing that is not positive, or a source within the irradiated voxels.
    """
    spacing_cm = _checked(primary_terma_gy, scatter_terma_gy, density_g_cc, spacing_mm)
    density = np.maximum(density_g_cc, 1e-6).astype(np.float32)
    released = np.stack([primary_terma_gy, scatter_terma_gy]).astype(np.float32) * density
    deposited = np.zeros(density.shape, np.float32)
    bundles = _bundles(released.sum(axis=0), spacing_cm, np.asarray(source_mm, float)[::-1] / 10, kernel)
    for axis in range(3):
        # The leading axis goes first, so that a line takes exactly one voxel of every slab.
        order = [axis, *(a for a in range(3) if a != axis)]
        moved_density = device.put(np.moveaxis(density, axis, 0))
        parts = np.zeros((device.sums, *moved_density.shape), np.float32)
        with device.updated(parts) as out:
            for bundle in bundles:
                energy = released if bundle.share is None else released * bundle.share
                _carry_bundle(
                    np.moveaxis(energy, axis + 1, 1), moved_density, out, spacing_cm, bundle, kernel, order, device
                )
        deposited += np.moveaxis(parts.sum(axis=0), 0, axis)
    return deposited / density


@dataclass(frozen=True, eq=False)
class _Bundle:
    """Cones around one direction, and the share (nz, ny, nx) of the released energy that takes it; None is all."""

    direction: FloatArray
    share: FloatArray | None
    cones: NDArray[np.bool_]


def _checked(primary: FloatArray, scatter: FloatArray, density: FloatArray, spacing_mm: ArrayLike) -> FloatArray:
    if not primary.shape == scatter.shape == density.shape or density.ndim != 3:
        raise UnsupportedGeometry(
            f"Released energy and density must be on one grid with three axes; found shapes {primary.shape}, "
            f"{scatter.shape} and {density.shape}."
        )
    spacing_cm = np.asarray(spacing_mm, float)[::-1] / 10
    if not (spacing_cm > 0).all():
        raise UnsupportedGeometry(f"Voxel sizes must be positive; found {spacing_cm[::-1] * 10} mm.")
    return spacing_cm


def _bundles(released: FloatArray, spacing_cm: FloatArray, source_cm: FloatArray, kernel: ConeKernel) -> list[_Bundle]:
    """Cones around the beam's corner directions and its central one.

    A kernel that is parallel to the central axis everywhere keeps scattered photons from diverging: for a 10 cm field
    at 90 cm that makes 5 % too much scatter, 1.3 % too much dose, at 10 cm depth. Bilinear shares of the four corner
    directions give every voxel its own direction in the mean. Cones that open wider than a beam by far hardly see the
    difference (0.1 % of the dose for a 10 cm field) and are laid around the central direction alone.
    """
    forward_cones = np.asarray(kernel.polar_deg) < DIVERGING_BELOW_DEG
    # The field alone: what little the taking-off of scatter leaves around it would widen the corners at random.
    lit = np.nonzero(released > 0.02 * released.max())
    if lit[0].size == 0:  # nothing is released
        return []
    rays = np.stack(lit, axis=1) * spacing_cm - source_cm
    central = np.average(rays / np.linalg.norm(rays, axis=1, keepdims=True), axis=0, weights=released[lit])
    central /= np.linalg.norm(central)
    forward = rays @ central
    if forward.min() <= 0:
        raise UnsupportedGeometry(
            "The photon source lies within the irradiated voxels; give its position in mm from the first voxel's "
            "centre along the grid axes."
        )
    across = _perpendicular(central)
    slopes = [rays @ vector / forward for vector in across]
    bounds = [(slope.min(), slope.max()) for slope in slopes]
    axes = [np.arange(n) * size - start for n, size, start in zip(released.shape, spacing_cm, source_cm, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    ahead = np.maximum(z * central[0] + y * central[1] + x * central[2], 1e-6)
    upper = [
        np.clip(((z * v[0] + y * v[1] + x * v[2]) / ahead - lo) / max(hi - lo, 1e-9), 0, 1).astype(np.float32)
        for v, (lo, hi) in zip(across, bounds, strict=True)
    ]
    bundles = [_Bundle(central, None, ~forward_cones)]
    for corner in product((0, 1), repeat=2):
        direction = central + sum(bound[side] * v for bound, side, v in zip(bounds, corner, across, strict=True))
        first, second = (part if side else 1 - part for part, side in zip(upper, corner, strict=True))
        bundles.append(_Bundle(direction / np.linalg.norm(direction), first * second, forward_cones))
    return bundles


def _carry_bundle(
    energy: FloatArray,
    density: DeviceArray,
    out: DeviceArray,
    spacing_cm: FloatArray,
    bundle: _Bundle,
    kernel: ConeKernel,
    order: list[int],
    device: Device,
) -> None:
    """Carry energy (2, slabs, rows, columns) along those axes of a bundle that lead along the first of ``order``."""
    axes, cones = _directions(kernel, bundle.direction)
    chosen = np.flatnonzero((np.abs(axes / spacing_cm).argmax(axis=1) == order[0]) & bundle.cones[cones])
    if chosen.size == 0:
        return
    weights = np.stack([kernel.primary_weights, kernel.scatter_weights], axis=1)[cones[chosen]]
    weights /= np.array(kernel.directions)[cones[chosen], None, None]
    rates = np.stack([kernel.primary_rates_cm2_g, kernel.scatter_rates_cm2_g], axis=1)[cones[chosen]]
    steps = axes[chosen][:, order] / spacing_cm[order]
    energy = np.ascontiguousarray(energy)
    shifts = _shifts(steps, energy.shape[1])
    lines = np.array(energy.shape[2:]) + np.ptp(shifts, axis=2)
    together = device.side_by_side(int(lines[:, 1].max()))
    per_row = -(-lines[:, 1] // together)
    strips = int((lines[:, 0] * per_row).max())
    device.run(
        STRIPS,
        strips * len(chosen),
        strips,
        per_row,
        energy,
        density,
        _lit_columns(energy),
        shifts,
        -shifts.max(axis=2),
        steps[:, 0] > 0,
        weights.astype(np.float32),
        (rates / np.abs(steps[:, :1, None])).astype(np.float32),
        out,
        at_once=strips,
        scratch=rates[0].size * together,
    )


def _perpendicular(vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    first = np.cross(vector, np.eye(3)[np.abs(vector).argmin()])
    first /= np.linalg.norm(first)
    return first, np.cross(vector, first)


def _directions(kernel: ConeKernel, beam: FloatArray) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return the unit vectors (n, 3) of all cone axes in array axis order, and the polar cone (n,) of each."""
    first, second = _perpendicular(beam)
    axes, cones = [], []
    for cone, (polar_deg, count) in enumerate(zip(kernel.polar_deg, kernel.directions, strict=True)):
        # Turning every ring by the golden angle keeps cone axes of different rings from lining up.
        azimuth = 2 * np.pi * (np.arange(count) / count + 0.381966 * cone)
        sine, cosine = np.sin(np.deg2rad(polar_deg)), np.cos(np.deg2rad(polar_deg))
        around = np.outer(np.cos(azimuth), first) + np.outer(np.sin(azimuth), second)
        axes.append(cosine * beam + sine * around)
        cones.append(np.full(count, cone))
    return np.concatenate(axes), np.concatenate(cones)


def _shifts(steps: FloatArray, slabs: int) -> NDArray[np.int64]:
    """Voxel shifts (n, 2, slabs) of the lines against their start, along both axes across the leading one."""
    along = np.where(steps[:, :1] > 0, np.arange(slabs), np.arange(slabs)[::-1])[:, None, :]
    slope = steps[:, 1:, None] / np.abs(steps[:, :1, None])
    # The phase differs from direction to direction, so that rounding to voxels does not add up.
    number = np.arange(1, len(steps) + 1)[:, None, None]
    phase = (np.array([[0.754878], [0.569840]]) * number) % 1 - 0.5
    return np.rint(slope * along + phase * (np.abs(slope) > 1e-9)).astype(np.int64)


@njit(cache=True)
def _lit_columns(released):  # type: ignore[no-untyped-def]
    """First column of every row that releases energy and the one after the last; (columns, 0) if none does."""
    slabs, rows, columns = released.shape[1:]
    lit = np.empty((slabs, rows, 2), np.int64)
    for slab in range(slabs):
        for row in range(rows):
            lit[slab, row, 0], lit[slab, row, 1] = columns, 0
            for column in range(columns):
                if released[0, slab, row, column] > 0.0 or released[1, slab, row, column] > 0.0:
                    lit[slab, row, 0] = min(lit[slab, row, 0], column)
                    lit[slab, row, 1] = column + 1
    return lit


@njit(fastmath=True, cache=True)
def _strip(  # type: ignore[no-untyped-def]
    number, carried, strips, per_row, released, density, lit, shifts, first_line, upwards, weights, rates, sums
):
    """Carry energy along neighbouring lines of one direction through all slabs.

    Lines are named by the row and column at which they would pass a slab without shift; ``carried`` holds what each of
    them carries, for every group and term of the kernel.
    """
    direction, strip = number // strips, number % strips
    slabs, rows, columns = density.shape
    _, groups, terms = rates.shape
    width = carried.size // (groups * terms)
    shift, out = shifts[direction], sums[direction % sums.shape[0]]
    line_row = first_line[direction, 0] + strip // per_row[direction]
    line_column = first_line[direction, 1] + strip % per_row[direction] * width
    carried[:] = 0.0
    low, high = width, 0  # lines that carry energy; the others are passed over
    for step in range(slabs):
        slab = step if upwards[direction] else slabs - 1 - step
        row = line_row + shift[0, slab]
        if row < 0 or row >= rows:
            continue
        offset = line_column + shift[1, slab]
        if lit[slab, row, 1] > 0:
            low, high = max(0, min(low, lit[slab, row, 0] - offset)), min(width, max(high, lit[slab, row, 1] - offset))
        first, last = max(0, low + offset), min(columns, high + offset)
        if first >= last:
            continue
        for group in range(groups):
            for term in range(terms):
                here = (group * terms + term) * width - offset
                _exchange(
                    carried[here + first : here + last],
                    released[group, slab, row, first:last],
                    density[slab, row, first:last],
                    out[slab, row, first:last],
                    weights[direction, group, term],
                    rates[direction, group, term],
                )


@njit(cache=True, parallel=True)
def _strips(turns, scratch_size, arguments):  # type: ignore[no-untyped-def]
    # A thread takes whole directions: those that add to one of the sums follow each other.
    strips, sums = arguments[0], arguments[-1].shape[0]
    for part in prange(sums):
        carried = np.empty(scratch_size, np.float32)
        for direction in range(part, turns // strips, sums):
            for number in range(direction * strips, (direction + 1) * strips):
                _strip(number, carried, *arguments)


STRIPS = Loop(_strip, _strips)


@njit(fastmath=True, cache=True)
def _exchange(carried, released, density, out, weight, rate):  # type: ignore[no-untyped-def]
    """Move energy through a row of voxels: some of what arrives and of what is released stays, the rest goes on."""
    one, half, sixth = np.float32(1.0), np.float32(0.5), np.float32(1.0 / 6.0)
    for i in range(carried.size):
        x = rate * density[i]
        passes = _exp_minus(x)
        # Mean of exp over the voxel: energy is released evenly along the path. The series keeps air exact.
        mean = (one - passes) / x if x > np.float32(0.02) else one - x * (half - x * sixth)
        source = weight * released[i]
        out[i] += carried[i] * (x * mean) + source * (one - mean)
        carried[i] = carried[i] * (one - x * mean) + source * mean


@njit(fastmath=True, inline="always")
def _exp_minus(x):  # type: ignore[no-untyped-def]
    # exp(-x/16)^16 with four terms, which compiles to vector instructions: within 5e-6 below x = 2, 2e-5 everywhere.
    y = min(x, np.float32(16.0)) * np.float32(-1.0 / 16.0)
    e = np.float32(1.0) + y * (
        np.float32(1.0) + y * (np.float32(0.5) + y * (np.float32(1 / 6) + y * np.float32(1 / 24)))
    )
    e *= e
    e *= e
    e *= e
    return e * e
