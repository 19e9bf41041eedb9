"""The patient in an image without contours: what is denser than air, without the couch."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_rt.grids import Grid

AIR_BELOW_HU = -400.0
THIN_MM = 3.0  # couch shells are thinner
MARGIN_MM = 25.0  # weight and posture change by less


def patient_in(image: Grid, near: Grid) -> NDArray[np.bool_]:
    """Voxels of the patient in an image that is aligned to the plan.

    Parameters
    ----------
    image : Grid
        CT numbers (HU).
    near : Grid
        1 inside the planned patient outline, 0 outside; tissue farther than `MARGIN_MM` from it is no patient.

    Returns
    -------
    ndarray of bool, (nz, ny, nx) : the largest connected piece of tissue, cavities and lungs included.
    """
    allowed = _near(near).resampled_to(image, outside=0.0) > 0.5
    tissue = (image.values > AIR_BELOW_HU) & allowed
    radius = [max(1, round(THIN_MM / spacing)) for spacing in image.spacing_mm[:2]]
    thick = ndimage.binary_opening(tissue, _ellipse(*radius))
    labels, count = ndimage.label(thick)
    if count == 0:
        return np.zeros(image.shape, bool)
    largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    # Plane by plane: lungs and bowel gas reach the first and last slice, where nothing closes them in three dimensions.
    return np.stack([ndimage.binary_fill_holes(plane) for plane in largest])


def _near(outline: Grid) -> Grid:
    distance = ndimage.distance_transform_edt(outline.values < 0.5, sampling=outline.spacing_mm[::-1])
    return outline.with_values((distance < MARGIN_MM).astype(np.float32))


def _ellipse(along_x: int, along_y: int) -> NDArray[np.bool_]:
    y, x = np.ogrid[-along_y : along_y + 1, -along_x : along_x + 1]
    return ((x / along_x) ** 2 + (y / along_y) ** 2 <= 1.0)[None]
