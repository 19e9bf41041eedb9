"""The cubic smoothing spline as the R function ``smooth.spline`` fits it, smoothness by generalised cross-validation.

For comparison with other software only. The knots are thinned out for 50 rows and more, which is why SciPy's smoothing
spline, with a knot at every row, gives other numbers.

References
----------
P. Craven, G. Wahba, Numer. Math. 31 (1979) 377-403 (generalised cross-validation); documentation of R 4.2.2,
``stats::smooth.spline`` (rows that count as equal, number of knots, range and scale of the smoothing parameter).
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.interpolate import BSpline
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize_scalar

from intrepid_dvh.missing import MissingValue

_DEGREE = 3
_FEWEST = 4
_EQUAL = 1e-6  # of the inter-quartile range: rows closer than that in x are one row
_SPAR_RANGE = (-1.5, 1.5)
_SPAR_TOLERANCE = 1e-4
_THIRD = 0.3330  # R integrates the square of the slope so; a true third shifts the fit in the sixth digit
# Number of knots for so many rows, logarithmic in between; more rows add knots as the fifth root.
_KNOTS = np.array([(50, 50), (200, 100), (800, 140), (3200, 200)], dtype=float)


def smoothing_spline(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the smoothing spline of y (n,) over x (n,), for values within the range of x.

    Raises
    ------
    MissingValue : fewer than four rows differ in x, or half of the rows have the same x, which leaves no scale.
    """
    rows = _Rows(x, y)
    knots = _knots(rows.x)
    basis = BSpline.design_matrix(rows.x, knots, _DEGREE).toarray()
    normal = basis.T @ (rows.weight[:, None] * basis)
    roughness = _roughness(knots)
    right = basis.T @ (rows.weight * rows.y)
    # Compared without the outermost knots, so that the scale of x and of the weights does not matter.
    ratio = np.diag(normal)[2:-3].sum() / np.diag(roughness)[2:-3].sum()

    fitted: list[np.ndarray] = []

    def score(spar: float) -> float:
        """Return the generalised cross-validation at R's smoothing parameter; inf where there is no spline."""
        try:
            factor = cho_factor(normal + ratio * 256.0 ** (3 * spar - 1) * roughness)
        except LinAlgError:  # so little smoothing that the rows do not determine the spline
            return math.inf
        coefficients = cho_solve(factor, right)
        fitted.append(coefficients)
        residual = rows.within + float(np.sum(rows.weight * (rows.y - basis @ coefficients) ** 2))
        freedom = float(np.trace(cho_solve(factor, normal)))
        return residual / rows.total / (1 - freedom / rows.total) ** 2

    minimize_scalar(score, bounds=_SPAR_RANGE, method="bounded", options={"xatol": _SPAR_TOLERANCE})
    curve = BSpline(knots, fitted[-1], _DEGREE)  # R keeps the last spline that it tried, a hair beside the best
    return lambda at: curve((np.asarray(at) - rows.origin) / rows.span)


class _Rows:
    """Rows with distinct x, scaled to 0..1, each with the mean of its y and how many rows it stands for."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        lower, upper = np.percentile(x, [25, 75])
        tolerance = _EQUAL * float(upper - lower)
        if tolerance <= 0:
            raise MissingValue("too many rows are equal for a smoothing spline")
        _, first, group = np.unique(np.round((x - x.mean()) / tolerance), return_index=True, return_inverse=True)
        if first.size < _FEWEST:
            raise MissingValue(f"{first.size} different rows are too few for a smoothing spline")
        distinct = x[first]
        self.origin, self.span = float(distinct[0]), float(distinct[-1] - distinct[0])
        self.x = (distinct - self.origin) / self.span
        self.weight = np.bincount(group).astype(float)
        self.y = np.bincount(group, weights=y) / self.weight
        self.within = float(np.sum((y - self.y[group]) ** 2))
        self.total = float(self.weight.sum())


def _knots(x: np.ndarray) -> np.ndarray:
    """Return the knots (m + 6,): every m-th part of the rows, the outermost four times."""
    rows = np.linspace(0, x.size - 1, _knot_count(x.size))
    inner = x[np.floor(rows + 1e-9).astype(int)]
    return np.concatenate([np.repeat(inner[0], _DEGREE), inner, np.repeat(inner[-1], _DEGREE)])


def _knot_count(rows: int) -> int:
    if rows < _KNOTS[0, 0]:
        return rows
    if rows >= _KNOTS[-1, 0]:
        return int(_KNOTS[-1, 1] + (rows - _KNOTS[-1, 0]) ** 0.2)
    return int(2 ** np.interp(rows, _KNOTS[:, 0], np.log2(_KNOTS[:, 1])) + 1e-9)


def _roughness(knots: np.ndarray) -> np.ndarray:
    """Return the integrals (k, k) of the products of second derivatives, which are linear between the knots."""
    breaks = np.unique(knots)
    width = np.diff(breaks)[:, None]
    second = BSpline(knots, np.eye(knots.size - _DEGREE - 1), _DEGREE).derivative(2)
    third = BSpline(knots, np.eye(knots.size - _DEGREE - 1), _DEGREE).derivative(3)
    left = second(breaks[:-1])
    rise = third((breaks[:-1] + breaks[1:]) / 2) * width
    cross = left.T @ (width * rise) / 2
    return left.T @ (width * left) + cross + cross.T + _THIRD * rise.T @ (width * rise)
