"""One pair judged: error, gamma by four criteria, band."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.dataset.manifest import Pair
from intrepid_epid.networks.model_grid import grid_image
from intrepid_epid.networks.pair_prediction import PairPrediction
from intrepid_gamma import GammaSettings, gamma_indices

CRITERIA = (
    (3.0, 3.0),
    (5.0, 5.0),
    (2.0, 2.0),
    (3.0, 2.0),
)  # percent of the maximum, mm; the first decides what is worst
CUT_PERCENT = 10.0


@dataclass(frozen=True, eq=False)
class Sample:
    """What was found for one pair; percent of the reference's maximum, over its pixels above 10 % of it.

    ``gamma`` is the map of the first criteria, NaN where not analysed. The band's numbers are None without a band.
    """

    pair: Pair
    mae_gy: float
    mae_percent: float
    mean_error_90_percent: float  # of the mean over the pixels above 90 % of the maximum
    pass_rates_percent: tuple[float, ...]
    coverage_percent: float | None
    half_width_percent: float | None
    outside: tuple[str, ...]
    truth_gy: NDArray
    dose_gy: NDArray
    gamma: NDArray


def judged_sample(pair: Pair, truth_gy: NDArray, predicted: PairPrediction, pixel_mm: float) -> Sample:
    """Compare a prediction (evaluated) with the truth (reference) on the dataset's grid at the isocentre plane.

    Parameters
    ----------
    truth_gy : ndarray (size, size)
        Portal dose of the pair.
    pixel_mm : float
        At the isocentre plane, where distances of gamma are meant.
    """
    reference, evaluated = grid_image(truth_gy, pixel_mm), grid_image(predicted.dose_gy, pixel_mm)
    settings = [GammaSettings(dose, distance, cutoff_percent=CUT_PERCENT) for dose, distance in CRITERIA]
    results = gamma_indices(reference, evaluated, settings)
    highest = float(truth_gy.max())
    inside, plateau = truth_gy > CUT_PERCENT / 100 * highest, truth_gy > 0.9 * highest
    error = np.abs(predicted.dose_gy - truth_gy)[inside]
    half = None if predicted.half_width_gy is None else predicted.half_width_gy[inside]
    return Sample(
        pair=pair,
        mae_gy=float(error.mean()),
        mae_percent=float(100 * error.mean() / highest),
        mean_error_90_percent=float(100 * (predicted.dose_gy[plateau].mean() / truth_gy[plateau].mean() - 1)),
        pass_rates_percent=tuple(result.pass_rate_percent for result in results),
        coverage_percent=None if half is None else float(100 * (error <= half).mean()),
        half_width_percent=None if half is None else float(100 * half.mean() / highest),
        outside=predicted.outside,
        truth_gy=truth_gy,
        dose_gy=predicted.dose_gy,
        gamma=results[0].gamma,
    )
