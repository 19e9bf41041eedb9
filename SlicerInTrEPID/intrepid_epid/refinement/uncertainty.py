"""The 95 % band per voxel: disagreement of the members, brought to its coverage by beams kept for it.

Split conformal prediction as for portal doses (`intrepid_epid.networks.uncertainty`), with a truth that is noisy
itself: its noise is added to the band in quadrature, and taken off again from what is stated. That works only with
beams whose noise is not much more than the errors that are looked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COVERAGE, Z = 0.95, 1.96
FLOOR, EDGE_MM = 0.004, 0.1  # guess before calibration: of the level, and how far an edge may lie off
DOSE_CUT = 0.1


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One beam with known truth, all in units of its level: dose, guess of the error, truth and the noise of it."""

    dose: NDArray
    guess: NDArray
    truth: NDArray
    sigma: NDArray
    counted: NDArray


def guessed_error(dose: NDArray, spread: NDArray, voxel_mm: float) -> NDArray:
    """Size of the error to be expected per voxel, up to a factor; all in units of the level."""
    slope = np.sqrt(sum(part**2 for part in np.gradient(dose, voxel_mm)))
    return np.asarray(spread + FLOOR + EDGE_MM * slope, np.float32)


def conformal_quantile(held_out: Sequence[HeldOut]) -> float:
    """Return the factor of the guess that covers the true error in 95 % of the voxels, every beam alike."""
    scores, weights = [], []
    for one in held_out:
        error, guess, sigma = _compared(one)
        scores.append(np.sqrt(np.clip(error**2 - (Z * sigma) ** 2, 0, None)) / guess)
        weights.append(np.full(error.size, 1 / error.size))
    score, weight = np.concatenate(scores), np.concatenate(weights)
    order = np.argsort(score)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(score[order][min(int(np.searchsorted(share, COVERAGE)), share.size - 1)])


def covered_percent(held_out: Sequence[HeldOut], quantile: float) -> list[float]:
    """Voxels of each beam whose truth lies in the band, its own noise allowed for."""
    rows = []
    for one in held_out:
        error, guess, sigma = _compared(one)
        rows.append(float(100 * (error**2 <= (quantile * guess) ** 2 + (Z * sigma) ** 2).mean()))
    return rows


def _compared(one: HeldOut) -> tuple[NDArray, NDArray, NDArray]:
    """Error, guess and noise of the voxels that count and receive more than a tenth of the level."""
    inside = one.counted & (one.dose > DOSE_CUT)
    return (one.dose - one.truth)[inside], one.guess[inside], one.sigma[inside]
