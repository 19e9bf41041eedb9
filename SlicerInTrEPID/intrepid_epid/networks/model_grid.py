"""Between the lattice of an image and the grid of a dataset or model at the isocentre plane."""

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.portal_image import PortalImage

SOURCE_TO_AXIS_MM = 1000.0  # of images that are given at the isocentre plane, where it does not matter


def grid_image(values: NDArray, pixel_mm: float, *, unit: str = "Gy") -> PortalImage:
    """Return an array (size, size) at the isocentre plane, axis at its centre, as an image; ``pixel_mm`` there."""
    corner = pixel_mm * (len(values) - 1) / 2
    return PortalImage(values, (-corner, corner), (pixel_mm, pixel_mm), SOURCE_TO_AXIS_MM, SOURCE_TO_AXIS_MM, unit=unit)


def on_grid(image: PortalImage, size_px: int, pixel_mm: float) -> NDArray:
    """Sample an image on a square grid at the isocentre plane, 0 where it does not reach; (size_px, size_px)."""
    at_mm = pixel_mm * (np.arange(size_px) - (size_px - 1) / 2) * image.magnification
    return np.nan_to_num(image.sample(*np.meshgrid(at_mm, -at_mm)))


def on_lattice_of(planes: NDArray, pixel_mm: float, image: PortalImage) -> NDArray:
    """Interpolate planes (n, size, size) of a grid at the isocentre plane at the pixels of an image, linearly.

    Beyond the grid its edge goes on. Both lattices are parallel, so rows and columns are interpolated one after the
    other.
    """
    corner = pixel_mm * (planes.shape[-1] - 1) / 2
    columns = _weights((image.x_mm / image.magnification + corner) / pixel_mm, planes.shape[-1])
    rows = _weights((corner - image.y_mm / image.magnification) / pixel_mm, planes.shape[-2])
    return rows @ planes @ columns.T


def _weights(at: NDArray, n: int) -> NDArray:
    """Matrix (len(at), n) of linear interpolation at positions in units of the index."""
    at = np.clip(at, 0, n - 1)
    low = np.minimum(at.astype(int), n - 2)
    weights = np.zeros((len(at), n), np.float32)
    weights[np.arange(len(at)), low] = 1 - (at - low)
    weights[np.arange(len(at)), low + 1] = at - low
    return weights
