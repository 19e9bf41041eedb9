"""How well a registration carries the plan over: Dice of structures, what remains in HU, how repeatable it is."""

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.grids import Grid

MIN_OVERLAP_VOXELS = 100


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float | None:
    """Overlap of two masks, 2 |A and B| / (|A| + |B|) (Dice, Ecology 26 (1945) 297); None if both are empty.

    >>> dice(np.array([True, True, False]), np.array([False, True, False]))
    0.6666666666666666
    """
    total = int(one.sum()) + int(other.sum())
    return 2.0 * int((one & other).sum()) / total if total else None


def residual_hu(planning: Grid, carried_hu: NDArray, region: NDArray[np.bool_]) -> float | None:
    """Return the median absolute HU difference inside a region, after removing its median; None without overlap.

    Parameters
    ----------
    carried_hu, region : ndarray, (nz, ny, nx)
        On the lattice of ``planning``; NaN where the other image shows nothing.
    """
    both = region & np.isfinite(carried_hu)
    if both.sum() < MIN_OVERLAP_VOXELS:
        return None
    difference = carried_hu[both] - planning.values[both]
    return float(np.median(np.abs(difference - np.median(difference))))
