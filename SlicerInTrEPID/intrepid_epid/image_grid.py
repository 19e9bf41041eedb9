"""Bringing portal images onto the working grid: about one millimetre at the isocentre plane."""

from dataclasses import replace

import numpy as np

from intrepid_rt.portal_image import PortalImage

WORKING_PIXEL_MM = 1.05  # at the isocentre plane; finer adds no information behind a patient


def binned(image: PortalImage, *, largest_pixel_at_isocentre_mm: float = WORKING_PIXEL_MM) -> PortalImage:
    """Average whole blocks of pixels into the coarsest pixels that stay within the limit at the isocentre plane.

    Rows or columns that do not fill a block are left out in equal parts on both sides, so the centre stays.
    """
    limit = largest_pixel_at_isocentre_mm * image.magnification
    row_step, column_step = (max(1, int(limit / spacing + 1e-6)) for spacing in image.pixel_spacing_mm)
    rows, columns = image.values.shape[0] // row_step, image.values.shape[1] // column_step
    first_row = (image.values.shape[0] - rows * row_step) // 2
    first_column = (image.values.shape[1] - columns * column_step) // 2
    part = image.values[first_row : first_row + rows * row_step, first_column : first_column + columns * column_step]
    blocks = part.reshape(rows, row_step, columns, column_step)
    row_spacing, column_spacing = image.pixel_spacing_mm
    x, y = image.first_pixel_mm
    return replace(
        image,
        values=blocks.mean(axis=(1, 3), dtype=np.float64),
        pixel_spacing_mm=(row_spacing * row_step, column_spacing * column_step),
        first_pixel_mm=(
            x + column_spacing * (first_column + (column_step - 1) / 2),
            y - row_spacing * (first_row + (row_step - 1) / 2),
        ),
    )


def on_grid_of(image: PortalImage, grid: PortalImage) -> PortalImage:
    """Interpolate ``image`` at the pixels of ``grid``, both projected from the source; NaN where it does not reach."""
    scale = image.source_to_image_mm / grid.source_to_image_mm
    x, y = np.meshgrid(grid.x_mm * scale, grid.y_mm * scale)
    return replace(grid, values=image.sample(x, y), unit=image.unit)
