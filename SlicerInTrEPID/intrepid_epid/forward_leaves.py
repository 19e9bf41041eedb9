"""Whether what differs between prediction and image lies in the band of one leaf pair."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.aperture import leaf_boundaries_mm
from intrepid_epid.forward_views import View
from intrepid_rt.plan import Beam
from intrepid_rt.portal_image import PortalImage

BANDS_MM = (5.0, 10.0)  # widths of leaves, for plans that state none
BAND_MARGIN_MM = 3.0  # the source blurs a leaf's edge beyond the leaf


def leaf_band(views: Sequence[View], beam: Beam, image: PortalImage) -> tuple[float, float, float]:
    """Largest share of all differences in the band of one leaf pair, the largest difference there, the band's centre.

    Parameters
    ----------
    views : all directions of the beam, whose collimator stands still; shares are of the sum over them.
    image : the lattice of the imager.

    Returns
    -------
    (float, float, float) : share; percent of the field's dose; mm across the leaves.
    """
    differences = [_difference(view) for view in views]
    squares = np.sum([difference**2 for difference in differences], axis=0)
    total, largest = max(float(squares.sum()), 1e-12), np.max(np.abs(differences), axis=0)
    turn = np.deg2rad(beam.control_points[0].collimator_angle_deg)
    x, y = np.meshgrid(image.x_mm / image.magnification, image.y_mm / image.magnification)
    across = {"X": y * np.cos(turn) - x * np.sin(turn), "Y": x * np.cos(turn) + y * np.sin(turn)}
    best = (0.0, 0.0, 0.0)
    for along, low, high in _bands(beam, float(np.abs(across["X"]).max())):
        band = (across[along] > low - BAND_MARGIN_MM) & (across[along] < high + BAND_MARGIN_MM)
        share = float(squares[band].sum()) / total
        if share > best[0]:
            best = (share, float(100 * largest[band].max(initial=0.0)), (low + high) / 2)
    return best


def _difference(view: View) -> NDArray:
    """Measured less predicted dose over the field, in parts of the measured level."""
    level = view.open_level
    expected = view.predicted * level
    return np.where(view.field(expected), (view.measured - expected) / (view.level_gy * level), 0.0)


def _bands(beam: Beam, reach_mm: float) -> list[tuple[str, float, float]]:
    leaves = leaf_boundaries_mm(beam)
    if leaves is not None:
        along, boundary = leaves
        return [(along, float(low), float(high)) for low, high in pairwise(boundary)]
    starts = {width: np.arange(-reach_mm, reach_mm, width / 2) for width in BANDS_MM}
    return [(along, float(low), float(low + w)) for along in "XY" for w, lows in starts.items() for low in lows]
