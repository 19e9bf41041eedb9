"""A two-dimensional image in the plane of the portal imager, perpendicular to the beam axis."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates


@dataclass(frozen=True, eq=False)
class PortalImage:
    r"""Samples on the imager plane in IEC 61217 gantry (collimator angle 0) axes, as seen from the source.

    The column index grows along +X_g (at gantry 0: patient left of a head-first supine patient), the row index along
    -Y_g (away from the gantry), as RT Image Orientation 1\0\0\0\-1\0 states.

    Parameters
    ----------
    values : ndarray, (rows, columns)
        What is imaged; ``unit`` says in which unit ("Gy", "signal", "relative").
    first_pixel_mm : (x, y)
        Centre of pixel [0, 0] relative to the beam axis in this plane: +X_g and +Y_g, mm.
    pixel_spacing_mm : (row spacing, column spacing)
        DICOM order: the distance between rows first. In this plane, not scaled to the isocentre.
    source_to_image_mm, source_to_axis_mm : float
        Distance from the source to this plane and to the isocentre.
    gantry_angle_deg : float or None
        As imaged; None if the file does not say.
    """

    values: NDArray
    first_pixel_mm: tuple[float, float]
    pixel_spacing_mm: tuple[float, float]
    source_to_image_mm: float
    source_to_axis_mm: float
    gantry_angle_deg: float | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        view = np.asarray(self.values).view()
        view.flags.writeable = False
        object.__setattr__(self, "values", view)

    @property
    def x_mm(self) -> NDArray:
        """X_g (columns,) in this plane, mm."""
        return self.first_pixel_mm[0] + self.pixel_spacing_mm[1] * np.arange(self.values.shape[1])

    @property
    def y_mm(self) -> NDArray:
        """Y_g (rows,) in this plane, mm, descending."""
        return self.first_pixel_mm[1] - self.pixel_spacing_mm[0] * np.arange(self.values.shape[0])

    @property
    def magnification(self) -> float:
        """Scale of this plane relative to the isocentre plane."""
        return self.source_to_image_mm / self.source_to_axis_mm

    def sample(self, x_mm: ArrayLike, y_mm: ArrayLike, *, outside: float = np.nan, order: int = 1) -> NDArray:
        """Interpolate at positions in this plane (mm); beyond the outermost pixel centres gives ``outside``."""
        column = (np.asarray(x_mm, float) - self.first_pixel_mm[0]) / self.pixel_spacing_mm[1]
        row = (self.first_pixel_mm[1] - np.asarray(y_mm, float)) / self.pixel_spacing_mm[0]
        rows, columns = self.values.shape
        inside = (row >= -1e-6) & (row <= rows - 1 + 1e-6) & (column >= -1e-6) & (column <= columns - 1 + 1e-6)
        row, column = np.broadcast_arrays(np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1))
        at = [row.ravel(), column.ravel()]
        sampled = map_coordinates(self.values.astype(np.float64, copy=False), at, order=order, mode="nearest")
        return np.where(inside, sampled.reshape(inside.shape), outside)

    def with_values(self, values: NDArray, *, unit: str | None = None) -> "PortalImage":
        """Return an image of the same geometry with other samples (rows, columns)."""
        return replace(self, values=values, unit=self.unit if unit is None else unit)
