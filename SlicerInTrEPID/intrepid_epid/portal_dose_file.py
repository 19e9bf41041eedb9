"""Portal dose images as two-dimensional NRRD files, in the layout clinics and the converter share.

Axes are millimetres in the imager plane: x along +X_g, y along -Y_g; the space origin is the centre of the first pixel
relative to the beam axis.
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name its documentation uses

from intrepid_rt.atomic import replacing
from intrepid_rt.errors import UnreadableFile
from intrepid_rt.image_files import read_sitk
from intrepid_rt.portal_image import PortalImage


def read_portal_dose(
    path: str | Path, *, source_to_image_mm: float, source_to_axis_mm: float, gantry_angle_deg: float | None = None
) -> PortalImage:
    """Read a portal dose in Gy; the distances come from the image it belongs to, since the file does not hold them.

    Raises
    ------
    UnreadableFile
        No two-dimensional image, or values that are not finite.
    """
    image = read_sitk(path)
    values = sitk.GetArrayFromImage(image)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise UnreadableFile(f"{path}: expected a finite two-dimensional portal dose, found shape {values.shape}.")
    (x, y), (dx, dy) = image.GetOrigin(), image.GetSpacing()
    return PortalImage(
        values=values.astype(np.float64),
        first_pixel_mm=(x, -y),
        pixel_spacing_mm=(dy, dx),
        source_to_image_mm=source_to_image_mm,
        source_to_axis_mm=source_to_axis_mm,
        gantry_angle_deg=gantry_angle_deg,
        unit="Gy",
    )


def write_portal_dose(image: PortalImage, path: str | Path) -> None:
    """Write a portal dose as uncompressed float NRRD."""
    out = sitk.GetImageFromArray(np.asarray(image.values, np.float32))
    row_spacing_mm, column_spacing_mm = image.pixel_spacing_mm
    x, y = image.first_pixel_mm
    out.SetSpacing((column_spacing_mm, row_spacing_mm))
    out.SetOrigin((x, -y))
    with replacing(path) as temporary:
        sitk.WriteImage(out, str(temporary), useCompression=False)
