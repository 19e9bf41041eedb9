"""Coarser copies of a grid: registration and dose need no voxels below two millimetres."""

from dataclasses import replace
from typing import TypeVar

import numpy as np

from intrepid_rt.grids import Grid

GridKind = TypeVar("GridKind", bound=Grid)


def coarsened_grid(grid: GridKind, spacing_mm: float) -> GridKind:
    """Average blocks of voxels until these are about this size; a rest that fills no block is left out.

    >>> fine = Grid(np.arange(8.0).reshape(1, 2, 4), np.eye(4))
    >>> coarse = coarsened_grid(fine, 2.0)
    >>> coarse.values, coarse.origin_lps_mm
    (array([[[2.5, 4.5]]], dtype=float32), array([0.5, 0.5, 0. ]))
    """
    factors = [
        max(1, min(int(spacing_mm / own + 0.01), n)) for own, n in zip(grid.spacing_mm, grid.shape[::-1], strict=True)
    ]
    if max(factors) == 1:
        return grid
    counts = [n // f for n, f in zip(grid.shape[::-1], factors, strict=True)]
    (fx, fy, fz), (nx, ny, nz) = factors, counts
    trimmed = grid.values[: nz * fz, : ny * fy, : nx * fx]
    blocks = trimmed.reshape(nz, fz, ny, fy, nx, fx)
    affine = np.array(grid.index_to_lps)
    affine[:3, 3] = grid.index_to_position((np.array(factors) - 1) / 2)
    affine[:3, :3] *= factors
    return replace(grid, values=blocks.mean(axis=(1, 3, 5), dtype=np.float32), index_to_lps=affine)
