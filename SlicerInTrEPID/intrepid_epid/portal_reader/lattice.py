"""Bring image arrays onto IEC gantry axes: columns along +X_g, rows along -Y_g."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from intrepid_rt.dicom_image import PortalGeometry

# A turn that moves the corners by less than this is within what the panel's position is known to.
_NEGLIGIBLE_PIXELS = 0.1


@dataclass(frozen=True, eq=False)
class GantryLattice:
    """How to turn stored arrays of one image; made by `gantry_lattice`.

    ``swap``, ``flip_columns`` and ``flip_rows`` bring the array to within 45 degrees, ``angle_deg`` is what is left,
    anticlockwise from +X_g to +Y_g, and is interpolated.
    """

    first_pixel_mm: tuple[float, float]
    pixel_spacing_mm: tuple[float, float]  # row, column
    swap: bool
    flip_columns: bool
    flip_rows: bool
    angle_deg: float = 0.0

    def turned(self, stored: NDArray) -> NDArray:
        """Bring one stored array (rows, columns) onto the lattice; masks stay masks."""
        array = stored.T if self.swap else stored
        array = array[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]
        if self.angle_deg == 0:
            return np.ascontiguousarray(array)
        return _rotated(array, self.pixel_spacing_mm, self.angle_deg)


def gantry_lattice(geometry: PortalGeometry, shape: tuple[int, int]) -> GantryLattice:
    """Find the lattice on gantry axes that holds an image of this shape (rows, columns).

    Flips and quarter turns move no value; any other angle keeps centre, shape and spacing and interpolates linearly.
    """
    rows, columns = shape
    first, per_column, per_row = geometry.first_pixel_mm, geometry.per_column_mm, geometry.per_row_mm
    centre = first + (columns - 1) / 2 * per_column + (rows - 1) / 2 * per_row
    swap = bool(abs(per_column[0]) < abs(per_column[1]))
    if swap:
        per_column, per_row, rows, columns = per_row, per_column, columns, rows
    flip_columns, flip_rows = bool(per_column[0] < 0), bool(per_row[1] > 0)
    towards_x = -per_column if flip_columns else per_column
    spacing = float(np.linalg.norm(per_row)), float(np.linalg.norm(per_column))
    angle = float(np.arctan2(towards_x[1], towards_x[0]))
    moved_pixels = abs(angle) * max(rows, columns) / 2
    return GantryLattice(
        first_pixel_mm=(
            float(centre[0] - (columns - 1) / 2 * spacing[1]),
            float(centre[1] + (rows - 1) / 2 * spacing[0]),
        ),
        pixel_spacing_mm=spacing,
        swap=swap,
        flip_columns=flip_columns,
        flip_rows=flip_rows,
        angle_deg=float(np.degrees(angle)) if moved_pixels > _NEGLIGIBLE_PIXELS else 0.0,
    )


def _rotated(array: NDArray, spacing: tuple[float, float], angle_deg: float) -> NDArray:
    """Sample a stored array, turned by the angle about its centre, on the upright lattice."""
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    row_mm, column_mm = spacing
    # Upright offsets (row along -Y, column along +X) to stored ones: x' = x cos + y sin, y' = -x sin + y cos.
    matrix = np.array([[cosine, sine * column_mm / row_mm], [-sine * row_mm / column_mm, cosine]])
    centre = (np.array(array.shape) - 1) / 2
    order = 0 if array.dtype == bool else 1
    turned = affine_transform(array.astype(np.float32), matrix, centre - matrix @ centre, order=order, mode="nearest")
    return turned.astype(array.dtype)
