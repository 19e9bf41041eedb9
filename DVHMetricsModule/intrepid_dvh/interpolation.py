"""Reading one column of a DVH at a value of another: linear, monotone cubic Hermite, or local cubic regression.

Nothing is extrapolated: outside the table the answer is missing.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from intrepid_dvh.missing import MissingValue
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
        known = (x == x) & (y == y)
        self._rows = (x, y) if known.all() else (x[known], y[known])
        self.x, self.y = _merged(*_ascending(*self._rows), merge)
        self._interpolants: dict[str, Interpolant] = {}

    def inside(self, value: float) -> float | None:
        """Return ``value``, moved onto the table if only rounding kept it outside, or None if it lies outside."""
        if self.x.size == 0:
            return None
        low, high = float(self.x[0]), float(self.x[-1])
        slack = _ROUNDING * max(abs(low), abs(high))
        return min(max(value, low), high) if low - slack <= value <= high + slack else None

    def at(self, value: float, method: str) -> float:
        """Return y at ``value``, which must be inside.

        Raises
        ------
        MissingValue : regression has no value there.
        """
        interpolant = self._interpolants.get(method)
        if interpolant is None:
            interpolant = self._interpolants[method] = self._interpolant(method)
        found = interpolant(value)
        if found != found:
            raise MissingValue("too few rows lie around it for a smooth curve")
        return found

    def _interpolant(self, method: str) -> Interpolant:
        if method not in _REGRESSION:
            return _interpolant(self.x, self.y, method)
        # Regression weighs every row, also those on a plateau.
        order = np.argsort(self._rows[0], kind="stable")
        return _interpolant(self._rows[0][order], self._rows[1][order], method)


def _ascending(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order by x; the volumes of a cumulative curve only need to be turned round."""
    steps = x[1:] - x[:-1]
    if (steps >= 0).all():
        return x, y
    if (steps <= 0).all():
        return x[::-1], y[::-1]
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def _merged(x: np.ndarray, y: np.ndarray, merge: str) -> tuple[np.ndarray, np.ndarray]:
    distinct = x[1:] != x[:-1]
    if distinct.all():
        return np.ascontiguousarray(x), np.ascontiguousarray(y)
    first = np.flatnonzero(np.append(True, distinct))
    if merge == "largest":
        return x[first], np.maximum.reduceat(y, first)
    return x[first], np.add.reduceat(y, first) / np.diff(np.append(first, x.size))


def _interpolant(x: np.ndarray, y: np.ndarray, method: str) -> Interpolant:
    if method == "linear" or (method == "spline" and x.size < 3):
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
