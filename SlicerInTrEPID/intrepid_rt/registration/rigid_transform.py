"""A rigid motion in the DICOM patient frame, read as shift and rotation about a point."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from intrepid_rt.beam_frame import BeamFrame
from intrepid_rt.errors import UnsupportedGeometry
from intrepid_rt.grids import Grid

GridKind = TypeVar("GridKind", bound=Grid)


def is_rigid(matrix: NDArray) -> bool:
    """Whether a matrix is (4, 4), finite, and only turns and shifts.

    >>> is_rigid(np.diag([1.0, 1.0, -1.0, 1.0])), is_rigid(np.full((4, 4), np.nan)), is_rigid(np.eye(4))
    (False, False, True)
    """
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or (matrix[3] != (0.0, 0.0, 0.0, 1.0)).any():
        return False
    turn = matrix[:3, :3]
    return bool(np.abs(turn @ turn.T - np.eye(3)).max() <= 1e-3 and np.linalg.det(turn) > 0)


@dataclass(frozen=True, eq=False)
class RigidTransform:
    """A rotation and a shift of points, (4, 4) in LPS mm.

    Raises
    ------
    UnsupportedGeometry
        The matrix scales, shears or mirrors.

    Examples
    --------
    >>> turn = rigid_about((10.0, 0.0, 0.0), shift_mm=(1.0, 2.0, 3.0), rotation_deg=(0.0, 0.0, 90.0))
    >>> turn.apply((11.0, 0.0, 0.0)).round(6)
    array([11.,  3.,  3.])
    >>> turn.inverse.apply(turn.apply((5.0, 6.0, 7.0))).round(6)
    array([5., 6., 7.])
    """

    matrix: NDArray

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, float)
        if not is_rigid(matrix):
            raise UnsupportedGeometry("A rigid transform turns and shifts only; this matrix scales, shears or mirrors.")
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    @property
    def inverse(self) -> "RigidTransform":
        """The motion back."""
        return RigidTransform(np.linalg.inv(self.matrix))

    def after(self, first: "RigidTransform") -> "RigidTransform":
        """Do ``first``, then this."""
        return RigidTransform(self.matrix @ first.matrix)

    def apply(self, position_lps_mm: ArrayLike) -> NDArray:
        """Move points (..., 3), LPS mm."""
        return np.asarray(position_lps_mm, float) @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    def shift_at(self, position_lps_mm: ArrayLike) -> NDArray:
        """How far a point moves (3,), LPS mm."""
        return self.apply(position_lps_mm) - np.asarray(position_lps_mm, float)

    @property
    def rotation_deg(self) -> NDArray:
        """Right-handed angles (3,) about the patient's x, y and z axis, applied in the order x, y, z."""
        return Rotation.from_matrix(self.matrix[:3, :3]).as_euler("xyz", degrees=True)

    @property
    def angle_deg(self) -> float:
        """The whole rotation, about whatever axis."""
        return float(np.degrees(Rotation.from_matrix(self.matrix[:3, :3]).magnitude()))


IDENTITY = RigidTransform(np.eye(4))


def rigid_about(
    centre_lps_mm: ArrayLike, *, shift_mm: ArrayLike = (0.0, 0.0, 0.0), rotation_deg: ArrayLike = (0.0, 0.0, 0.0)
) -> RigidTransform:
    """Rotate about a point (angles about x, y, z of the patient, in this order), then shift; LPS mm."""
    matrix, centre = np.eye(4), np.asarray(centre_lps_mm, float)
    matrix[:3, :3] = Rotation.from_euler("xyz", rotation_deg, degrees=True).as_matrix()
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre + np.asarray(shift_mm, float)
    return RigidTransform(matrix)


def moved_grid(grid: GridKind, motion: RigidTransform) -> GridKind:
    """Move a grid with its voxels; nothing is resampled."""
    return replace(grid, index_to_lps=motion.matrix @ grid.index_to_lps)


def moved_frame(frame: BeamFrame, motion: RigidTransform) -> BeamFrame:
    """Move isocentre and axes of a beam."""
    turn = motion.matrix[:3, :3]
    return BeamFrame(
        isocentre_lps_mm=motion.apply(frame.isocentre_lps_mm),
        x_axis=turn @ frame.x_axis,
        y_axis=turn @ frame.y_axis,
        towards_source=turn @ frame.towards_source,
        source_to_axis_mm=frame.source_to_axis_mm,
    )
