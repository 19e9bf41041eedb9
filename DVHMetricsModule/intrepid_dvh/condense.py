"""Weighted dose samples as fewer weighted levels, fine where the curve is steep or near its ends."""

import numpy as np
from numpy.typing import NDArray

VOLUME_STEPS, DOSE_STEPS, TAIL_STEPS, TAIL = 3000, 2000, 100, 1e-7


def condense(dose_gy: NDArray, volume_cc: NDArray, *, low_gy: float, high_gy: float) -> tuple[NDArray, NDArray]:
    """Merge neighbouring samples of the sorted order; extrema stay as levels of no volume.

    A level spans at most 1/3000 of the volume, 1/2000 of the dose range, and near both ends about 1 % of the volume
    still to come, so that interpolation between levels errs by far less than the samples themselves.

    Parameters
    ----------
    dose_gy, volume_cc : (n,) samples, any order; those without volume are left out.
    low_gy, high_gy : the extrema, at or beyond those of the samples.

    Returns
    -------
    (m,) doses (volume-weighted means, ascending) and (m,) volumes; the sums of volume and dose x volume are kept.
    """
    counted = volume_cc > 0
    order = np.argsort(dose_gy[counted])
    dose, volume = dose_gy[counted][order], volume_cc[counted][order]
    below = np.cumsum(volume) - 0.5 * volume
    level = _steps(below / volume.sum())
    changes = level[1:] != level[:-1]
    if high_gy > low_gy:
        rank = ((dose - low_gy) * (DOSE_STEPS / (high_gy - low_gy))).astype(np.int64)
        changes |= rank[1:] != rank[:-1]
    starts = np.append(0, 1 + np.flatnonzero(changes))
    volumes = np.add.reduceat(volume, starts)
    # Measured from the first sample of the level: equal doses stay equal to the last bit.
    first = dose[starts]
    excess = np.add.reduceat((dose - np.repeat(first, np.diff(np.append(starts, dose.size)))) * volume, starts)
    return np.concatenate([[low_gy], first + excess / volumes, [high_gy]]), np.concatenate([[0.0], volumes, [0.0]])


def _steps(fraction: NDArray) -> NDArray:
    """Return level numbers that rise evenly with volume, and logarithmically towards both ends."""
    tails = np.log1p(fraction / TAIL) - np.log1p((1 - fraction) / TAIL)
    return np.floor(VOLUME_STEPS * fraction + TAIL_STEPS * tails).astype(np.int64)
