"""Grids on which a swapped axis or a forgotten rotation shows."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from intrepid_rt.grids import Grid, affine_from_axes

GOLDEN = Path(__file__).parents[2] / "golden" / "gamma"


def centred(shape, spacing_mm, *, rotation=None, centre_mm=(12.0, -34.0, 56.0)):
    """Affine of a grid of ``shape`` (nz, ny, nx) whose middle lies at ``centre_mm``; axes turned by ``rotation``."""
    axes = np.eye(3) if rotation is None else rotation.as_matrix().T
    affine = affine_from_axes((0, 0, 0), spacing_mm, axes)
    affine[:3, 3] = np.array(centre_mm) - affine[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2)
    return affine


def field(shape, affine, dose_at):
    """Grid of ``dose_at(positions)``, positions (..., 3) relative to the middle of the grid at ``centred``."""
    empty = Grid(np.zeros(shape), affine)
    return empty.with_values(dose_at(empty.positions() - (12.0, -34.0, 56.0)))


OBLIQUE = Rotation.from_euler("zyx", (25, -40, 65), degrees=True)
TILTED = Rotation.from_euler("xyz", (10, 20, -30), degrees=True)
