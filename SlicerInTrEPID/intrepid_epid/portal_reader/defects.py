"""Pixels that cannot be believed: saturated, defective, outside the field."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, median_filter, minimum_filter

# A field edge passes over three or more pixels; only a defect stands out this far from its neighbourhood's median.
_DEFECT_FRACTION = 0.3
_FIELD_FRACTION = 0.1
_NEIGHBOURHOOD_PIXELS = 5


@dataclass(frozen=True, eq=False)
class Defects:
    """Masks (rows, columns) of a portal image, and the signal with defective pixels replaced by their surroundings."""

    saturated: NDArray
    dead: NDArray
    out_of_field: NDArray
    repaired: NDArray
    warnings: tuple[str, ...]


def find_defects(signal: NDArray, at_limit: NDArray) -> Defects:
    """Find saturated, defective and out-of-field pixels.

    A pixel is defective if it differs from the median of its 5 x 5 neighbourhood by more than 30 % of the field's
    level and also stands out from its sound neighbours (the corner of a field does not), saturated if it is at the
    limit of the number range without being defective, and out of the field below 10 % of the level. The level is the
    99.95th percentile of the medians: what at least a few hundred pixels of a panel reach.

    Parameters
    ----------
    signal : ndarray, (rows, columns)
    at_limit : ndarray of bool
        Pixels at the end of the number range.
    """
    # Mirrored, so that a defect in the first column does not count three times in its own neighbourhood.
    smooth = median_filter(signal, _NEIGHBOURHOOD_PIXELS, mode="mirror")
    level = float(np.percentile(smooth, 99.95))
    dead = _standing_out(signal, abs(signal - smooth) > _DEFECT_FRACTION * level, 0.5 * _DEFECT_FRACTION * level)
    repaired = np.where(dead, smooth, signal)
    saturated = at_limit & ~dead
    warnings = [*_counted(saturated, dead), *_at_the_edge(smooth, level)]
    return Defects(saturated, dead, repaired < _FIELD_FRACTION * level, repaired, tuple(warnings))


def _standing_out(signal: NDArray, suspect: NDArray, margin: float) -> NDArray:
    """Suspects whose value lies beyond those of their unsuspected neighbours by more than the margin."""
    highest = maximum_filter(np.where(suspect, -np.inf, signal), 3, mode="mirror")
    lowest = minimum_filter(np.where(suspect, np.inf, signal), 3, mode="mirror")
    return suspect & ((signal > highest + margin) | (signal < lowest - margin))


def _counted(saturated: NDArray, dead: NDArray) -> list[str]:
    warnings = []
    if saturated.any():
        percent = 100 * float(saturated.mean())
        warnings.append(f"{int(saturated.sum())} pixels ({percent:.2g} %) are saturated: the dose there is a minimum.")
    if dead.any():
        warnings.append(f"{int(dead.sum())} pixels are defective.")
    return warnings


def _at_the_edge(smooth: NDArray, level: float) -> list[str]:
    sides = {"first row": smooth[0], "last row": smooth[-1], "first column": smooth[:, 0], "last column": smooth[:, -1]}
    reached = [side for side, values in sides.items() if (values > 0.5 * level).any()]
    return (
        [f"The field reaches the edge of the imager ({', '.join(reached)}): part of it was not seen."]
        if reached
        else []
    )
