"""How the patient deformed: a field of displacements on the planning lattice."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intrepid_rt.grids import Grid

GridKind = TypeVar("GridKind", bound=Grid)


@dataclass(frozen=True, eq=False)
class Displacement:
    """Where each point x of the planning frame lies in the (rigidly aligned) image of the day: at x + u(x).

    Parameters
    ----------
    lattice : Grid
        Its values play no part.
    u_mm : ndarray of float32, (nz, ny, nx, 3)
        LPS mm at the voxel centres; constant beyond the outermost ones.
    """

    lattice: Grid
    u_mm: NDArray

    def at(self, position_lps_mm: ArrayLike) -> NDArray:
        """Displacement (..., 3) at positions (..., 3), LPS mm."""
        grid, positions = self.lattice, np.asarray(position_lps_mm, float)
        held = np.clip(grid.position_to_index(positions), 0, np.array(grid.shape[::-1]) - 1)
        inside = grid.index_to_position(held)
        parts = [grid.with_values(np.ascontiguousarray(self.u_mm[..., axis])).sample(inside) for axis in range(3)]
        return np.stack(parts, axis=-1)

    @property
    def volume_change(self) -> NDArray:
        """Determinant of the Jacobian of x + u(x) (nz, ny, nx): below 0 the field folds, which no tissue does."""
        along = np.stack(np.gradient(self.u_mm, axis=(2, 1, 0)), axis=-1)  # by index i, j, k
        return np.linalg.det(np.eye(3) + along @ self.lattice.lps_to_index[:3, :3])


def carried(
    day: Grid, lattice: GridKind, displacement: Displacement | None, *, outside: float = np.nan, order: int = 1
) -> GridKind:
    """Bring an aligned grid of the day to the planning frame: what lies at x + u(x) stands at x of ``lattice``."""
    values = np.empty(lattice.shape, np.float32)
    for k in range(lattice.shape[0]):
        at = lattice.plane_positions(k)
        moved = at if displacement is None else at + displacement.at(at)
        values[k] = day.sample(moved, outside=outside, order=order)
    return lattice.with_values(values)
