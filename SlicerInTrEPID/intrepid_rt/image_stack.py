"""Orientation and spacing of stacked image planes, shared by CT and RTDOSE."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom.dataset import Dataset

from intrepid_rt.dicom_file import label, vector
from intrepid_rt.errors import UnsupportedGeometry

# Systems round slice positions to 0.1 mm: a 1.25 mm stack is then up to 0.05 mm off its lattice, and no error.
POSITION_TOLERANCE_MM = 0.06


@dataclass(frozen=True, eq=False)
class Plane:
    """Where one image plane lies in the patient: PS3.3 C.7.6.2.1.1, LPS mm."""

    origin_lps_mm: NDArray  # (3,) centre of the first pixel
    along_row: NDArray  # (3,) unit vector of growing column index
    along_column: NDArray  # (3,) unit vector of growing row index
    row_spacing_mm: float
    column_spacing_mm: float

    @property
    def normal(self) -> NDArray:
        """Unit vector (3,) of growing slice position: along_row x along_column."""
        return np.cross(self.along_row, self.along_column)

    def affine(self, first_position_lps_mm: ArrayLike, step_lps_mm: ArrayLike) -> NDArray:
        """index_to_lps (4, 4) of a stack: its first plane starts at the position (3,), each next one a step (3,) on."""
        matrix = np.eye(4)
        matrix[:3, 0] = self.along_row * self.column_spacing_mm
        matrix[:3, 1] = self.along_column * self.row_spacing_mm
        matrix[:3, 2] = step_lps_mm
        matrix[:3, 3] = first_position_lps_mm
        return matrix


def plane_of(dataset: Dataset) -> Plane:
    """Read ImagePositionPatient, ImageOrientationPatient and PixelSpacing (the distance between rows comes first).

    Raises
    ------
    MissingObject
        One of them is absent.
    UnsupportedGeometry
        Row and column directions are not unit vectors at a right angle, or a spacing is not positive.
    """
    orientation = vector(dataset, "ImageOrientationPatient", 6).reshape(2, 3)
    row_spacing_mm, column_spacing_mm = vector(dataset, "PixelSpacing", 2)
    # Cosines are written with few digits: normalised here, so that 512 columns do not drift.
    lengths = np.linalg.norm(orientation, axis=1)
    if abs(lengths - 1).max() > 1e-3 or abs(orientation[0] @ orientation[1]) > 1e-3:
        raise UnsupportedGeometry(
            f"{label(dataset)}: ImageOrientationPatient {orientation.ravel().tolist()} is not two unit vectors at a "
            "right angle. Export it again."
        )
    if min(row_spacing_mm, column_spacing_mm) <= 0:
        raise UnsupportedGeometry(f"{label(dataset)}: PixelSpacing must be positive.")
    return Plane(
        origin_lps_mm=vector(dataset, "ImagePositionPatient", 3),
        along_row=orientation[0] / lengths[0],
        along_column=orientation[1] / lengths[1],
        row_spacing_mm=float(row_spacing_mm),
        column_spacing_mm=float(column_spacing_mm),
    )


def uniform_step_mm(positions_mm: NDArray) -> float | None:
    """Step of ascending positions if they are evenly spaced within the tolerance, else None.

    >>> uniform_step_mm(np.array([0.0, 2.5, 5.0]))
    2.5
    >>> uniform_step_mm(np.array([0.0, 2.5, 7.5])) is None
    True
    """
    index = np.arange(len(positions_mm))
    # Measured from the fitted line: a rounded first or last position would add its error to all others.
    fitted = np.polynomial.Polynomial.fit(index, positions_mm, 1)
    if abs(positions_mm - fitted(index)).max() > POSITION_TOLERANCE_MM:
        return None
    return float(positions_mm[-1] - positions_mm[0]) / (len(positions_mm) - 1)
