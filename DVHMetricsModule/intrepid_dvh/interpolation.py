"""Reading one column of a DVH at a value of another: linear, monotone cubic Hermite, or local cubic regression.

Nothing is extrapolated: outside the table the answer is missing.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from intrepid_rt.errors import InvalidSetting

Interpolant = Callable[[float], float]

METHODS = ("linear", "spline", "ksmooth")
_REGRESSION = ("ksmooth", "smooth")

# Unit conversions shift a request by rounding: this fraction of the table's largest value still counts as inside.
_ROUNDING = 1e-9


class Table:
    """Pairs (x ascending and distinct, y) with missing rows dropped, ready to be read by any method."""

    def __init__(self, x: np.ndarray, y: np.ndarray, *, merge: str) -> None:
        """Merge rows of equal x into their ``"largest"`` y or their ``"mean"`` y."""
        known = ~(np.isnan(x) | np.isnan(y))
        x, y = x[known], y[known]
        order = np.argsort(x, kind="stable")
        self._every_row = x[order], y[order]
        self.x, self.y = _merged(*self._every_row, merge)
        self._interpolants: dict[str, Interpolant] = {}

    def inside(self, value: float) -> float | None:
        """Return ``value``, moved onto the table if only rounding kept it outside, or None if it lies outside."""
        if self.x.size == 0:
            return None
        low, high = float(self.x[0]), float(self.x[-1])
        slack = _ROUNDING * max(abs(low), abs(high))
        return min(max(value, low), high) if low - slack <= value <= high + slack else None

    def at(self, value: float, method: str) -> float:
        """Return y at ``value``, which must be inside."""
        interpolant = self._interpolants.get(method)
        if interpolant is None:
            # Regression weighs every row, also those on a plateau.
            rows = self._every_row if method in _REGRESSION else (self.x, self.y)
            interpolant = self._interpolants[method] = _interpolant(*rows, method)
        return interpolant(value)


def _merged(x: np.ndarray, y: np.ndarray, merge: str) -> tuple[np.ndarray, np.ndarray]:
    if x.size < 2 or np.all(x[1:] > x[:-1]):
        return x, y
    first = np.flatnonzero(np.append(True, x[1:] != x[:-1]))
    if merge == "largest":
        return x[first], np.maximum.reduceat(y, first)
    return x[first], np.add.reduceat(y, first) / np.diff(np.append(first, x.size))


def _interpolant(x: np.ndarray, y: np.ndarray, method: str) -> Interpolant:
    if method == "linear" or x.size < 3:
        return lambda value: float(np.interp(value, x, y))
    if method == "spline":
        return partial(_hermite, x, y, monotone_slopes(x, y))
    if method in _REGRESSION:
        from intrepid_dvh.kernel_smoothing import smooth_on_grid

        return partial(_nearest, *smooth_on_grid(x, y))
    raise InvalidSetting(f"Interpolation '{method}' is unknown; choose one of {', '.join(METHODS)}.")


def monotone_slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return node slopes (n,) that keep a cubic Hermite spline monotone.

    Slopes start as the mean of the neighbouring secants (the end secant at the ends) and are shrunk, segment after
    segment, where they leave the region of monotonicity.

    References
    ----------
    F. N. Fritsch, R. E. Carlson, SIAM J. Numer. Anal. 17 (1980) 238-246.
    """
    secant = np.diff(y) / np.diff(x)
    slope = np.concatenate([secant[:1], (secant[1:] + secant[:-1]) / 2, secant[-1:]])
    for k, s in enumerate(secant):
        if s == 0:
            slope[k] = slope[k + 1] = 0.0
            continue
        a, b = slope[k] / s, slope[k + 1] / s
        excess_a, excess_b = 2 * a + b - 3, a + 2 * b - 3
        if excess_a > 0 and excess_b > 0 and a * (excess_a + excess_b) < excess_a**2:
            scale = 3.0 / np.hypot(a, b)
            slope[k], slope[k + 1] = scale * a * s, scale * b * s
    return slope


def _hermite(x: np.ndarray, y: np.ndarray, slope: np.ndarray, value: float) -> float:
    k = min(max(int(np.searchsorted(x, value, side="right")) - 1, 0), x.size - 2)
    width = x[k + 1] - x[k]
    t = (value - x[k]) / width
    return float(
        y[k] * (1 + 2 * t) * (1 - t) ** 2
        + y[k + 1] * t**2 * (3 - 2 * t)
        + width * (slope[k] * t * (1 - t) ** 2 + slope[k + 1] * t**2 * (t - 1))
    )


def _nearest(grid: np.ndarray, values: np.ndarray, value: float) -> float:
    return float(values[np.argmin(np.abs(grid - value))])
