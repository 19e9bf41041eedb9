"""Which part of an image was really imaged, and whether the patient reaches beyond it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_rt.grids import Grid

AIR_BELOW_HU = -400.0
DISC_SHARE = 0.97  # a region that fills its enclosing disc to this share is a round field of view


@dataclass(frozen=True)
class Truncation:
    """How much of the patient an image does not show.

    ``outside_cc`` is the volume of the planned outline beyond the field of view, ``outside_percent`` its share of the
    outline, ``cut_cm2`` the area of tissue that touches the side of the field of view.
    """

    outside_cc: float
    outside_percent: float
    cut_cm2: float

    @property
    def is_truncated(self) -> bool:
        """More than half a percent of the outline is missing, or tissue is cut by more than 2 cm2."""
        return self.outside_percent > 0.5 or self.cut_cm2 > 2.0


def field_of_view(image: Grid) -> NDArray[np.bool_]:
    """Pixels (ny, nx) inside the reconstructed field of view, which is one for all slices: a disc, or everything.

    Scanners fill what lies outside a round field of view with one value; it is recognised by that value in all four
    corners and the round shape of the rest.
    """
    values = image.values
    corner = values[0, 0, 0]
    corners = values[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    everything = np.ones(values.shape[1:], bool)
    if not (corners == corner).all():
        return everything
    labels, _ = ndimage.label((values == corner).all(axis=0))
    padding = np.isin(labels, labels[[0, 0, -1, -1], [0, -1, 0, -1]])
    imaged = ~padding
    if not imaged.any():
        return everything
    row, column = np.nonzero(imaged)
    sx, sy, _ = image.spacing_mm
    x, y = column * sx, row * sy
    centre = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
    radius = np.hypot(x - centre[0], y - centre[1]).max()
    disc_pixels = np.pi * (radius + min(sx, sy) / 2) ** 2 / (sx * sy)
    return imaged if imaged.sum() > DISC_SHARE * disc_pixels else everything


def truncation(image: Grid, seen: NDArray[np.bool_], outline: Grid) -> Truncation:
    """Compare what was ``seen`` (ny, nx) of an aligned image with the planned outline (1 inside, 0 outside)."""
    inside = outline.values > 0.5
    missing = 0
    for k in map(int, np.flatnonzero(inside.any(axis=(1, 2)))):
        missing += int((~_is_seen(image, seen, outline.plane_positions(k)[inside[k]])).sum())
    inner = ndimage.binary_erosion(seen, ndimage.generate_binary_structure(2, 2), border_value=0)
    rim = seen & ~inner
    sx, sy, sz = image.spacing_mm
    cut_pixels = ((image.values > AIR_BELOW_HU) & rim).sum()
    return Truncation(
        outside_cc=missing * outline.voxel_volume_cc,
        outside_percent=100.0 * missing / max(1, int(inside.sum())),
        cut_cm2=float(cut_pixels * np.sqrt(sx * sy) * sz / 100.0),
    )


def _is_seen(image: Grid, seen: NDArray[np.bool_], position_lps_mm: NDArray) -> NDArray[np.bool_]:
    """Whether positions (n, 3) lie in a voxel of the field of view."""
    index = np.rint(image.position_to_index(position_lps_mm)).astype(int)
    last = np.array(image.shape[::-1]) - 1
    held = np.clip(index, 0, last)
    return (index == held).all(axis=-1) & seen[held[:, 1], held[:, 0]]
