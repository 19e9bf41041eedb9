"""Differential histograms that are smoothed or interpolated before statistics are taken from them.

For comparison with other software only: the linear curve needs none of this, and a cubic spline overshoots at steps.
"""

from collections.abc import Callable

import numpy as np
from scipy.interpolate import CubicHermiteSpline
from scipy.linalg import solve_banded

from intrepid_dvh.curve import DVH
from intrepid_dvh.kernel_smoothing import smooth_on_grid
from intrepid_dvh.missing import MissingValue
from intrepid_dvh.smoothing_spline import smoothing_spline
from intrepid_dvh.statistics import Bins, native_bins
from intrepid_rt.errors import InvalidSetting

_HALF = 50.0
Smoother = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def smoothed_bins(dvh: DVH, method: str, nodes: int) -> Bins:
    """Return the differential histogram at equidistant doses between its first and last mid-point.

    Parameters
    ----------
    method : ``spline`` (cubic spline), ``ksmooth`` (local cubic regression) or ``smoothSpl`` (smoothing spline, its
        smoothness by generalised cross-validation).

    Raises
    ------
    InvalidSetting : the method is unknown.
    """
    smoother = _SMOOTHERS.get(method)
    if smoother is None:
        raise InvalidSetting(f"Interpolation '{method}' is unknown; choose linear or one of {', '.join(_SMOOTHERS)}.")
    bins = native_bins(dvh)
    dose = dvh.dose_native[~np.isnan(dvh.dose_native)]
    width = np.diff(np.unique(dose))
    grid = np.linspace(bins.dose[0], bins.dose[-1], max(nodes, dose.size))
    new_width = np.diff(grid, prepend=0.0)
    volumes = [_smoothed(bins.dose, volume / width, grid, smoother) for volume in (bins.volume_cc, bins.volume_percent)]
    return Bins(grid, volumes[0] * new_width, volumes[1] * new_width)


def _smoothed(dose: np.ndarray, density: np.ndarray, grid: np.ndarray, smoother: Smoother) -> np.ndarray:
    return np.full(grid.size, np.nan) if np.isnan(density).all() else smoother(dose, density, grid)


def _kernel(x: np.ndarray, y: np.ndarray, grid: np.ndarray) -> np.ndarray:
    return np.nan_to_num(smooth_on_grid(x, y, count=grid.size)[1])


def _smoothing_spline(x: np.ndarray, y: np.ndarray, grid: np.ndarray) -> np.ndarray:
    return smoothing_spline(x, y)(grid)


def smoothed_median(dvh: DVH, method: str, nodes: int) -> float | None:
    """Return the dose at half of the volume by ``ksmooth`` or ``smoothSpl``; None if the curve does not reach it."""
    known = ~(np.isnan(dvh.volume_percent) | np.isnan(dvh.dose_native))
    volume, dose = dvh.volume_percent[known], dvh.dose_native[known]
    if not known.any() or not volume.min() <= _HALF <= volume.max():
        return None
    try:
        if method == "smoothSpl":
            return float(smoothing_spline(volume, dose)(np.array(_HALF)))
        grid, doses = smooth_on_grid(volume, dose, count=max(nodes, dvh.dose_gy.size))
    except MissingValue:
        return None
    return _known(float(doses[np.argmin(np.abs(grid - _HALF))]))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _cubic_spline(x: np.ndarray, y: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Interpolate with the spline whose end segments follow the cubic through the four outermost points.

    References
    ----------
    G. E. Forsythe, M. A. Malcolm, C. B. Moler, "Computer Methods for Mathematical Computations" (1977), chapter 4.
    """
    return CubicHermiteSpline(x, y, _spline_slopes(x, y))(grid) if x.size > 3 else np.interp(grid, x, y)


def _spline_slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    width, secant = np.diff(x), np.diff(y) / np.diff(x)
    upper, diagonal, lower, right = (np.zeros(x.size) for _ in range(4))
    diagonal[1:-1] = 2 * (width[:-1] + width[1:])
    upper[2:] = width[1:]
    lower[:-2] = width[:-1]
    right[1:-1] = np.diff(secant)
    diagonal[0], upper[1], right[0] = -width[0], width[0], width[0] ** 2 * _third_difference(x[:4], y[:4])
    diagonal[-1], lower[-2], right[-1] = -width[-1], width[-1], -(width[-1] ** 2) * _third_difference(x[-4:], y[-4:])
    sigma = solve_banded((1, 1), np.vstack([upper, diagonal, lower]), right)  # a sixth of the second derivatives
    first = secant - width * (2 * sigma[:-1] + sigma[1:])
    return np.append(first, secant[-1] + width[-1] * (sigma[-2] + 2 * sigma[-1]))


def _third_difference(x: np.ndarray, y: np.ndarray) -> float:
    table = y
    for order in (1, 2, 3):
        table = np.diff(table) / (x[order:] - x[:-order])
    return float(table[0])


_SMOOTHERS: dict[str, Smoother] = {"spline": _cubic_spline, "ksmooth": _kernel, "smoothSpl": _smoothing_spline}
