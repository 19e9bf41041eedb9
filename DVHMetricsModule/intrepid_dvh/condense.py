"""Weighted dose samples as fewer weighted levels, fine where the curve is steep or near its ends."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

VOLUME_STEPS, DOSE_STEPS = 3000, 2000
# Within this share of the volume from either end, a level spans about 1 % of the volume still to come.
TAIL, TAIL_STEPS, FINEST_SHARE = 0.02, 100, 1e-7


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
    number_bits = dose_gy.size.bit_length()
    keys = _keys(dose_gy, volume_cc, low_gy, high_gy, number_bits)
    # Integers sort three times as fast as positions (argsort) of doses.
    keys.sort()
    levels, volumes = _merge(*_in_order(dose_gy, volume_cc, keys, number_bits), low_gy, high_gy)
    return np.concatenate([[low_gy], levels, [high_gy]]), np.concatenate([[0.0], volumes, [0.0]])


@njit(cache=True)
def _keys(dose: NDArray, volume: NDArray, low: float, high: float, number_bits: int) -> NDArray:
    """Return for each sample with a volume its dose as an integer, followed by its number in the lowest bits.

    A million samples leave 42 bits for the dose: doses closer than a trillionth of the range may change places.
    """
    keys, n = np.empty(dose.size, np.int64), 0
    per_dose = 2.0 ** (62 - number_bits) / (high - low) if high > low else 0.0
    for s in range(dose.size):
        if volume[s] > 0.0:
            keys[n] = (np.int64((dose[s] - low) * per_dose) << number_bits) | s
            n += 1
    return keys[:n]


@njit(cache=True)
def _in_order(dose: NDArray, volume: NDArray, keys: NDArray, number_bits: int) -> tuple[NDArray, NDArray]:
    """Return the samples in the order of their keys."""
    doses, volumes = np.empty(keys.size), np.empty(keys.size)
    for place in range(keys.size):
        s = keys[place] & ((1 << number_bits) - 1)
        doses[place], volumes[place] = dose[s], volume[s]
    return doses, volumes


@njit(cache=True)
def _merge(dose: NDArray, volume: NDArray, low: float, high: float) -> tuple[NDArray, NDArray]:
    levels, volumes = np.empty(dose.size), np.empty(dose.size)
    n, before, rank_before, below = -1, -1, -1, 0.0
    total = volume.sum()
    per_dose = DOSE_STEPS / (high - low) if high > low else 0.0
    first = excess = 0.0
    for s in range(dose.size):
        level = _level((below + 0.5 * volume[s]) / total)
        rank = int((dose[s] - low) * per_dose)
        below += volume[s]
        if level != before or rank != rank_before:
            if n >= 0:
                levels[n] = first + excess / volumes[n]
            n += 1
            before, rank_before = level, rank
            # Measured from the first sample of the level: equal doses stay equal to the last bit.
            first, excess, volumes[n] = dose[s], 0.0, 0.0
        excess += volume[s] * (dose[s] - first)
        volumes[n] += volume[s]
    levels[n] = first + excess / volumes[n]
    return levels[: n + 1].copy(), volumes[: n + 1].copy()


@njit(cache=True)
def _level(share: float) -> int:
    """Level numbers that rise evenly with volume, and logarithmically towards both ends."""
    if share < TAIL:
        return int(TAIL_STEPS * math.log1p(share / FINEST_SHARE))
    if share > 1.0 - TAIL:
        return 2_000_000 - int(TAIL_STEPS * math.log1p((1.0 - share) / FINEST_SHARE))
    return 1_000_000 + int(VOLUME_STEPS * share)
