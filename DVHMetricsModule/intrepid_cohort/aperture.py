"""The open area that jaws and leaves leave to the beam."""

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.plan import ControlPoint


def aperture_area_cm2(point: ControlPoint) -> float | None:
    """Return the area in cm2 at the isocentre plane; None without collimator, or with two layers of leaves.

    >>> from types import SimpleNamespace
    >>> aperture_area_cm2(SimpleNamespace(jaw_x_mm=(-50, 50), jaw_y_mm=(-20, 30), mlc=()))
    50.0
    """
    if len(point.mlc) > 1:
        return None
    if not point.mlc:
        sides = [pair[1] - pair[0] for pair in (point.jaw_x_mm, point.jaw_y_mm) if pair is not None]
        return max(0.0, sides[0]) * max(0.0, sides[1]) / 100.0 if len(sides) == 2 else None
    (mlc,) = point.mlc
    along, across = (point.jaw_x_mm, point.jaw_y_mm) if mlc.direction == "X" else (point.jaw_y_mm, point.jaw_x_mm)
    open_mm = _overlap(mlc.bank_1_mm, mlc.bank_2_mm, along)
    width_mm = _overlap(mlc.leaf_boundaries_mm[:-1], mlc.leaf_boundaries_mm[1:], across)
    return float(open_mm @ width_mm) / 100.0


def _overlap(low_mm: NDArray, high_mm: NDArray, jaws_mm: tuple[float, float] | None) -> NDArray:
    if jaws_mm is not None:
        low_mm, high_mm = np.maximum(low_mm, jaws_mm[0]), np.minimum(high_mm, jaws_mm[1])
    return np.maximum(0.0, high_mm - low_mm)
