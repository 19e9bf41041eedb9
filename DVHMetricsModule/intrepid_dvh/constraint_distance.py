"""How far a constraint point lies from the curve, in the mixed plane of dose and volume."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NearestPoint:
    """The point of the curve next to a constraint point.

    Parameters
    ----------
    distance : Euclidean distance in the units of the constraint, dose and volume simply mixed.
    distance_percent : in percent of the constraint point's own distance from the nearer axis along the same line;
        infinite for a constraint on an axis, None where it is undefined (on the curve, or a curve
        that is nearest along that axis).
    dose, volume : the nearest point of the curve.
    """

    distance: float
    distance_percent: float | None
    dose: float
    volume: float


def nearest_point(dose: np.ndarray, volume: np.ndarray, at_dose: float, at_volume: float) -> NearestPoint | None:
    """Return the point of the polyline next to a point, None for a curve without points.

    Parameters
    ----------
    dose, volume : (n,) the curve in the units of the constraint; rows with a missing value are left out.
    """
    known = ~(np.isnan(dose) | np.isnan(volume))
    curve = np.column_stack([dose[known], volume[known]])
    if curve.shape[0] == 0:
        return None
    point = np.array([at_dose, at_volume])
    candidates = np.vstack([curve, _feet(curve, point)])
    distances = np.hypot(*(candidates - point).T)
    best = int(np.argmin(distances))
    distance = float(distances[best])
    return NearestPoint(
        distance, _relative(point, candidates[best], distance), float(candidates[best, 0]), float(candidates[best, 1])
    )


def _feet(curve: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Return the feet (m, 2) of the perpendiculars that fall inside a segment."""
    start, along = curve[:-1], np.diff(curve, axis=0)
    length_squared = np.sum(along**2, axis=1)
    proper = length_squared > 0
    start, along = start[proper], along[proper]
    t = np.sum((point - start) * along, axis=1) / length_squared[proper]
    inside = (t > 0) & (t < 1)
    return start[inside] + t[inside, None] * along[inside]


def _relative(point: np.ndarray, nearest: np.ndarray, distance: float) -> float | None:
    if distance == 0:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        to_axes = np.abs(point) / (np.abs(nearest - point) / distance)
    reach = float(np.min(to_axes))
    if math.isnan(reach):  # the line to the curve runs along an axis
        return None
    return 100 * distance / reach if reach > 0 else math.inf
