"""Displacements between prediction and image: of the whole image, and of the anatomy behind an unmoved aperture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from intrepid_epid.forward_views import View

PATTERN_MM = 12.0  # anatomy smaller than this is pattern, larger is trend
PATTERN_SEEN = 0.01  # standard deviation of the logarithm: 1 % of dose
SEEN_PER_MM = 2e-4  # 0.1 % of dose for 5 mm: a slope of the anatomy below that shows no shift
# A frame at the border of two sectors counts for one of them: what one gains the next one loses. Over three sectors
# that evens out, and what direction does to the level is left.
SECTOR_SMOOTHING = 1.5  # sectors, standard deviation


@dataclass(frozen=True)
class AnatomyShift:
    """How far the patient is off, as far as the images tell: LPS mm, and the share of the pattern that explains."""

    shift_lps_mm: NDArray  # (3,); 0 along a direction in which nothing is seen
    explains: float


def relative(views: Sequence[View], values: Sequence[NDArray]) -> NDArray:
    """Join logarithms of all views, one array (n,) each, to one array without their common level.

    Levels of single sectors are smoothed over the neighbours.
    """
    levels = np.array([float(np.median(one)) for one in values])
    even = ndimage.gaussian_filter1d(levels, SECTOR_SMOOTHING, mode="nearest")
    common = float(np.average(levels, weights=_weights(views)))
    return np.concatenate([one - own + kept - common for one, own, kept in zip(values, levels, even, strict=True)])


def common_level(views: Sequence[View]) -> float:
    """Measured over predicted dose inside the field: median of a view, mean over views by their predicted dose."""
    levels = [float(np.exp(np.median(view.log_ratio[view.inside]))) for view in views]
    return float(np.average(levels, weights=_weights(views)))


def _weights(views: Sequence[View]) -> list[float]:
    return [view.level_gy for view in views]


def image_shift(view: View) -> tuple[tuple[float, float] | None, float | None]:
    """Displacement of the whole image and the mismatch in percent that remains, the level free."""

    def displaced(shift_px: NDArray) -> NDArray:
        moved = ndimage.shift(view.predicted, shift_px, order=1, mode="nearest")
        field = view.field(moved)
        return moved * (view.measured[field] @ moved[field] / max(1e-30, moved[field] @ moved[field]))

    start = _centroid(view.measured, view.level_gy) - _centroid(view.predicted, view.level_gy)
    if not np.isfinite(start).all():
        return None, None
    shift = start
    for _ in range(6):
        moved = displaced(shift)
        slopes = np.gradient(moved)
        rows = np.stack([-slopes[0].ravel(), -slopes[1].ravel(), moved.ravel()], axis=1)
        step = np.linalg.lstsq(rows, (view.measured - moved).ravel(), rcond=None)[0][:2]
        shift = shift + np.clip(step, -5, 5)
        if np.abs(step).max() < 0.02:
            break
    row_mm, column_mm = view.spacing_mm
    return (float(shift[1] * column_mm), float(-shift[0] * row_mm)), view.mismatch_percent(displaced(shift))


def _centroid(image: NDArray, level_gy: float) -> NDArray:
    lit = image > 0.5 * min(level_gy, float(image.max()))
    return np.array(ndimage.center_of_mass(lit)) if lit.any() else np.full(2, np.nan)


def anatomy_shift(views: Sequence[View]) -> AnatomyShift | None:
    """Fit one shift of the patient to what all directions show; None where the anatomy is too flat to show any."""
    found = relative(views, [view.log_ratio[view.inside] for view in views])
    seen = max(_steepest_per_mm(view) for view in views)
    if seen < SEEN_PER_MM:
        return None
    # A direction in which the anatomy is flat tells nothing; the weak pull to 0 keeps the shift along it at 0.
    pull = SEEN_PER_MM * np.sqrt(found.size)

    def change(shift_lps_mm: NDArray) -> NDArray:
        return relative(views, [_change(view, view.axes_lps @ shift_lps_mm) for view in views])

    def left(shift_lps_mm: NDArray) -> NDArray:
        return np.append(found - change(shift_lps_mm), pull * shift_lps_mm)

    fit = optimize.least_squares(left, np.zeros(3), diff_step=0.05, x_scale=5.0, max_nfev=30)
    remaining = float(np.mean((found - change(fit.x)) ** 2))
    return AnatomyShift(fit.x, 1 - remaining / max(float(np.mean(found**2)), 1e-12))


def _steepest_per_mm(view: View) -> float:
    """Root mean square slope of the anatomy's logarithm along the axis where it is steeper."""
    slopes = np.stack(np.gradient(view.log_transmission, *view.spacing_mm))[:, view.inside]
    return float(np.sqrt((slopes**2).mean(axis=1).max()))


def _change(view: View, shift_mm: NDArray) -> NDArray:
    """Change of the dose's logarithm inside the field when the anatomy moves by (x, y) of the gantry."""
    row_mm, column_mm = view.spacing_mm
    moved = ndimage.shift(
        view.log_transmission, (-shift_mm[1] / row_mm, shift_mm[0] / column_mm), order=1, mode="nearest"
    )
    ratio = np.exp(moved - view.log_transmission) - 1
    return np.asarray(np.log1p(np.maximum(view.primary_share * ratio, -0.99))[view.inside])


def anatomy_correlation(views: Sequence[View]) -> float | None:
    """Correlation of the predicted with the seen anatomy over all views, trends taken off; None without anatomy."""
    patterns = [_patterns(view) for view in views]
    expected = np.concatenate([one for one, _ in patterns])
    if expected.std() < PATTERN_SEEN:
        return None
    seen = expected + np.concatenate([other for _, other in patterns])
    return float(seen @ expected / np.sqrt((seen @ seen) * (expected @ expected)))


def _patterns(view: View) -> tuple[NDArray, NDArray]:
    """Predicted anatomy and what is seen besides, inside the field, (n,) each."""
    sigma = [PATTERN_MM / s for s in view.spacing_mm]
    weight = np.maximum(ndimage.gaussian_filter(view.inside.astype(float), sigma), 1e-6)

    def pattern(image: NDArray) -> NDArray:
        trend = ndimage.gaussian_filter(np.where(view.inside, image, 0.0), sigma) / weight
        return np.asarray((image - trend)[view.inside])

    return pattern(view.primary_share * view.log_transmission), pattern(view.log_ratio)
