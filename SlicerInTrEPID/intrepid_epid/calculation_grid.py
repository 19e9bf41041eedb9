"""The grid on which a dose engine works: the lattice of the wanted dose, extended over the whole patient."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.errors import UnsupportedGeometry
from intrepid_rt.grids import Grid

LARGEST_GRID_VOXELS = 30_000_000
SOLID_G_CC = 0.05


@dataclass(frozen=True, eq=False)
class CalculationGrid:
    """Density on the extended lattice, and where in it the wanted lattice lies."""

    density_g_cc: Grid
    wanted: tuple[slice, slice, slice]

    def cropped(self, values: NDArray) -> NDArray:
        """Part of an array (nz, ny, nx) on the calculation grid that belongs to the wanted lattice."""
        return values[self.wanted]


def calculation_grid(wanted: Grid, density_g_cc: Grid) -> CalculationGrid:
    """Extend a lattice over everything that is denser than air and average the density into its voxels.

    Beyond the density grid there is nothing (0 g/cm3).

    Raises
    ------
    UnsupportedGeometry
        The extended lattice would be too large to compute on.
    """
    below, above = _extension(wanted, density_g_cc)
    shape = np.array(wanted.shape[::-1]) + below + above
    if np.prod(shape) > LARGEST_GRID_VOXELS:
        spacing = " x ".join(f"{s:g}" for s in wanted.spacing_mm)
        raise UnsupportedGeometry(
            f"A dose grid of {spacing} mm over the patient has {np.prod(shape) / 1e6:.0f} million voxels; at most "
            f"{LARGEST_GRID_VOXELS / 1e6:.0f} million are computed. Give --grid-mm with a larger spacing."
        )
    affine = np.array(wanted.index_to_lps)
    affine[:3, 3] = wanted.index_to_position(-below)
    lattice = Grid(np.broadcast_to(np.float32(0), shape[::-1]), affine, wanted.frame_of_reference_uid)
    density = lattice.with_values(_averaged(density_g_cc, lattice))
    nx, ny, nz = wanted.shape[::-1]
    i, j, k = below
    return CalculationGrid(density, (slice(k, k + nz), slice(j, j + ny), slice(i, i + nx)))


def solid_extent(density_g_cc: Grid) -> tuple[NDArray, NDArray] | None:
    """Lowest and highest index (i, j, k) along each axis of what is denser than air; None if nothing is."""
    solid = density_g_cc.values > SOLID_G_CC
    seen = [np.flatnonzero(solid.any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    if len(seen[0]) == 0:
        return None
    return np.array([s[0] for s in seen]), np.array([s[-1] for s in seen])


def _extension(wanted: Grid, density: Grid) -> tuple[NDArray, NDArray]:
    """Voxels to add below index 0 and above the last index along (i, j, k)."""
    extent = solid_extent(density)
    if extent is None:
        return np.zeros(3, int), np.zeros(3, int)
    low, high = extent[0] - 1, extent[1] + 1
    corners = np.array([[i, j, k] for i in (low[0], high[0]) for j in (low[1], high[1]) for k in (low[2], high[2])])
    index = wanted.position_to_index(density.index_to_position(corners))
    last = np.array(wanted.shape[::-1]) - 1
    below = np.ceil(np.clip(-index.min(axis=0), 0, None) - 1e-3).astype(int)
    above = np.ceil(np.clip(index.max(axis=0) - last, 0, None) - 1e-3).astype(int)
    return below, above


def _averaged(source: Grid, lattice: Grid) -> NDArray:
    """Average of the source over each voxel of ``lattice``; nothing lies beyond the outermost source voxels."""
    to_source = source.lps_to_index @ lattice.index_to_lps
    steps = np.diag(to_source)[:3]
    if np.allclose(to_source[:3, :3], np.diag(steps), atol=1e-6):
        return _averaged_along_axes(source.values, lattice.shape, steps[::-1], to_source[2::-1, 3])
    return _averaged_by_samples(source, lattice)


def _averaged_along_axes(values: NDArray, shape: tuple[int, ...], steps: NDArray, offsets: NDArray) -> NDArray:
    """Exact averages, axis by axis: voxel n of the result spans ``offset + step * (n -+ 1/2)`` in source voxels."""
    result = values.astype(np.float32)
    for axis, (size, step, offset) in enumerate(zip(shape, steps, offsets, strict=True)):
        ends = offset + np.sort([step * (np.arange(size) - 0.5), step * (np.arange(size) + 0.5)], axis=0)
        faces = np.arange(values.shape[axis] + 1) - 0.5
        inside = np.clip(ends[:, :, None], faces[:-1], faces[1:])
        share = ((inside[1] - inside[0]) / abs(step)).astype(np.float32)
        result = np.moveaxis(np.tensordot(share, result, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(result)


def _averaged_by_samples(source: Grid, lattice: Grid) -> NDArray:
    """Average over turned voxels: as many samples along each axis as source voxels fit into it."""
    finest = min(source.spacing_mm)
    counts = [int(np.clip(np.ceil(s / finest - 0.01), 1, 5)) for s in lattice.spacing_mm]
    offsets = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    order = 1 if max(counts) == 1 else 0
    total = np.zeros(lattice.shape, np.float32)
    for k in range(lattice.shape[0]):
        j, i = np.meshgrid(np.arange(lattice.shape[1]), np.arange(lattice.shape[2]), indexing="ij")
        for di, dj, dk in ((di, dj, dk) for dk in offsets[2] for dj in offsets[1] for di in offsets[0]):
            at = lattice.index_to_position(np.stack([i + di, j + dj, np.full(i.shape, k + dk)], axis=-1))
            total[k] += source.sample(at, outside=0.0, order=order)
    return total / np.float32(np.prod(counts))
