"""The 95 % band per pixel: what the members disagree about, brought to its stated coverage by held-out pairs.

Split conformal prediction with a score that is scaled by a guess of the error (Lei et al., J. Am. Stat. Assoc. 113
(2018) 1094); images, not pixels, count alike. What is promised is the mean coverage over images. Where no pair was kept
for it, each pair is judged by the members that have not seen it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.95
DOSE_CUT = 0.1


@dataclass(frozen=True)
class ErrorGuess:
    """How large an error is guessed to be at each pixel before calibration, up to a factor.

    ``floor`` of the maximum, ``edge_mm`` by which an edge may lie off, ``share`` of what the network changes the
    physics by; the spread of the members is added to them.
    """

    floor: float
    edge_mm: float
    share: float = 0.0

    def gy(self, mean_gy: NDArray, spread_gy: NDArray, physics_gy: NDArray, pixel_mm: float) -> NDArray:
        """Return the guess on the lattice of the planes (rows, columns), Gy; ``pixel_mm`` at the isocentre plane."""
        slope = np.hypot(*np.gradient(mean_gy, pixel_mm))
        change = np.abs(mean_gy - physics_gy)
        return spread_gy + self.floor * mean_gy.max() + self.edge_mm * slope + self.share * change


def error_guess(known: Sequence[str]) -> ErrorGuess:
    """Return the guess for a set of known inputs.

    Of the values tried these gave about the least interval score (Gneiting and Raftery, J. Am. Stat. Assoc. 102 (2007)
    359) on the validation part of the simulated set. Where the image alone is known the members share their error, so
    that their spread says too little; what they change the physics by says more.
    """
    return ErrorGuess(floor=0.001, edge_mm=0.01, share=0.0 if known else 0.1)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One held-out pair: mean and spread of the members, the physics and the truth, (rows, columns) in Gy."""

    mean_gy: NDArray
    spread_gy: NDArray
    physics_gy: NDArray
    truth_gy: NDArray
    pixel_mm: float

    @property
    def counted(self) -> NDArray:
        """Pixels above 10 % of the maximum, (rows, columns)."""
        return self.truth_gy > DOSE_CUT * self.truth_gy.max()

    def guessed(self, guess: ErrorGuess) -> NDArray:
        """Return the guessed error, (rows, columns) in Gy."""
        return guess.gy(self.mean_gy, self.spread_gy, self.physics_gy, self.pixel_mm)


def conformal_quantile(held_out: Sequence[HeldOut], guess: ErrorGuess) -> float:
    """Return the factor by which the guessed error covers the true one at 95 % of the pixels, every image alike."""
    scores, weights = [], []
    for one in held_out:
        inside = one.counted
        scores.append((np.abs(one.mean_gy - one.truth_gy) / one.guessed(guess))[inside])
        weights.append(np.full(int(inside.sum()), 1.0 / inside.sum()))
    score, weight = np.concatenate(scores), np.concatenate(weights)
    order = np.argsort(score)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(score[order][min(int(np.searchsorted(share, COVERAGE)), len(share) - 1)])


@dataclass(frozen=True)
class BandQuality:
    """How a band fares on pairs with known truth: means over images, percent (widths and errors: of the maximum)."""

    coverage_percent: float
    half_width_percent: float
    error_percent: float


def band_quality(held_out: Sequence[HeldOut], guess: ErrorGuess, quantile: float) -> BandQuality:
    """Judge a band over the pixels above 10 % of the maximum."""
    rows = []
    for one in held_out:
        inside, highest = one.counted, one.truth_gy.max()
        half, error = quantile * one.guessed(guess)[inside], np.abs(one.mean_gy - one.truth_gy)[inside]
        rows.append((100 * (error <= half).mean(), 100 * half.mean() / highest, 100 * error.mean() / highest))
    return BandQuality(*(float(column) for column in np.mean(rows, axis=0)))
