"""Local polynomial regression with a Gaussian kernel and the direct plug-in bandwidth.

Used to compare with software that smooths DVHs; the curves themselves need no smoothing.

References
----------
D. Ruppert, S. J. Sheather, M. P. Wand, "An effective bandwidth selector for local least squares regression",
J. Am. Stat. Assoc. 90 (1995) 1257-1270; M. P. Wand, M. C. Jones, "Kernel Smoothing" (1995), appendix D on binning.
"""

import math
from dataclasses import dataclass

import numpy as np

from intrepid_dvh.missing import MissingValue

_GRID = 1001
_PILOT_GRID = 401
_KERNEL_REACH = 4.0  # standard deviations beyond which the Gaussian counts as 0
_TRIMMED = 0.01  # of the points at either end do not count for the bandwidth
_EDGE = 0.05  # of the grid at either end does not count for the curvature
_MAX_BLOCKS = 5
_POINTS_PER_BLOCK = 20
_QUARTIC = 5  # coefficients of a quartic
_ILL_CONDITIONED = 1e12
_EXACT = 1e-24  # of the variance of y: what a quartic leaves when it fits to rounding


@dataclass(frozen=True, eq=False)
class _Binned:
    """Data shared out to the two neighbouring points of an even grid: weights (n,) and weighted sums (n,)."""

    grid: np.ndarray
    weight: np.ndarray
    total: np.ndarray

    @property
    def spacing(self) -> float:
        """Distance between neighbouring points of the grid, in the unit of x."""
        return float(self.grid[1] - self.grid[0])


def smooth_on_grid(x: np.ndarray, y: np.ndarray, *, count: int = _GRID) -> tuple[np.ndarray, np.ndarray]:
    """Return a local cubic fit of y (n,) over x (n,) on equidistant points of the range of x: (count,), (count,).

    The fit is NaN where a point has too few data around it.

    Raises
    ------
    MissingValue : there are too few rows, or too regular ones, to choose a bandwidth.
    """
    bandwidth = plug_in_bandwidth(x, y)
    binned = _bin(x, y, count)
    return binned.grid, _local_polynomial(binned, bandwidth, degree=3)


def plug_in_bandwidth(x: np.ndarray, y: np.ndarray) -> float:
    """Return the direct plug-in bandwidth for local linear regression of y (n,) over x (n,), in the unit of x.

    Raises
    ------
    MissingValue : there are too few rows, or too regular ones.
    """
    order = np.argsort(x, kind="stable")
    trimmed = math.floor(_TRIMMED * x.size)
    kept = order[trimmed : x.size - trimmed]
    low, high = float(x[kept[0]]), float(x[kept[-1]])
    count = kept.size
    if np.unique(x[kept]).size <= _QUARTIC:
        raise MissingValue(f"{x.size} rows are too few to smooth")
    x, y = (x[kept] - low) / (high - low), y[kept]
    variance, curvature_product = _blocked_quartic(x, y)
    _require_positive(variance - _EXACT * float(np.var(y)), abs(curvature_product))
    binned = _bin(x, y, _PILOT_GRID)
    curvature = _curvature(binned, _pilot_bandwidth(variance, curvature_product, count), count)
    _require_positive(curvature)
    refined = _residual_variance(binned, y, _variance_bandwidth(variance, curvature, count))
    _require_positive(refined)
    return float((refined / (2 * math.sqrt(math.pi) * curvature * count)) ** 0.2 * (high - low))


def _require_positive(*values: float) -> None:
    if not all(0 < value < math.inf for value in values):
        raise MissingValue("the rows are too regular to tell how much to smooth them")


def _bin(x: np.ndarray, y: np.ndarray, count: int) -> _Binned:
    grid = np.linspace(x.min(), x.max(), count)
    position = (x - grid[0]) / (grid[1] - grid[0])
    left = np.minimum(np.floor(position).astype(int), count - 2)
    right_share = position - left
    shares = np.concatenate([1 - right_share, right_share])
    cells = np.concatenate([left, left + 1])
    totals = shares * np.concatenate([y, y])
    return _Binned(grid, np.bincount(cells, shares, count), np.bincount(cells, totals, count))


def _kernel(binned: _Binned, bandwidth: float) -> tuple[np.ndarray, np.ndarray]:
    """Return distances (2 l + 1,) in bandwidths on the grid within the kernel's reach, and its weights there."""
    reach = min(math.floor(_KERNEL_REACH * bandwidth / binned.spacing), binned.grid.size - 1)
    if reach == 0:
        raise MissingValue("the smoothing that suits the rows is finer than the grid on which they are smoothed")
    distance = binned.spacing / bandwidth * np.arange(-reach, reach + 1)
    return distance, np.exp(-0.5 * distance**2)


def _moments(values: np.ndarray, distance: np.ndarray, weight: np.ndarray, powers: int) -> np.ndarray:
    """Return (powers, n): for each grid point the sums of value * weight * distance^power over its neighbours."""
    reach = distance.size // 2
    rows = [
        np.convolve(values, (weight * distance**power)[::-1])[reach : reach + values.size] for power in range(powers)
    ]
    return np.array(rows)


def _normal_matrices(binned: _Binned, distance: np.ndarray, weight: np.ndarray, degree: int) -> np.ndarray:
    """Return (n, degree + 1, degree + 1) moment matrices, one per grid point."""
    moments = _moments(binned.weight, distance, weight, 2 * degree + 1)
    index = np.add.outer(np.arange(degree + 1), np.arange(degree + 1))
    return np.moveaxis(moments[index], -1, 0)


def _local_polynomial(binned: _Binned, bandwidth: float, *, degree: int, derivative: int = 0) -> np.ndarray:
    distance, weight = _kernel(binned, bandwidth)
    inverse = _inverted(_normal_matrices(binned, distance, weight, degree))
    right = _moments(binned.total, distance, weight, degree + 1).T
    coefficients = np.einsum("nij,nj->ni", inverse, right)
    return math.factorial(derivative) / bandwidth**derivative * coefficients[:, derivative]


def _inverted(matrices: np.ndarray) -> np.ndarray:
    """Return the inverses; NaN where a grid point has too few data around it for a fit."""
    solvable = np.linalg.cond(matrices) < _ILL_CONDITIONED
    inverse = np.full(matrices.shape, np.nan)
    inverse[solvable] = np.linalg.inv(matrices[solvable])
    return inverse


def _blocked_quartic(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return residual variance and mean product of 2nd and 4th derivative from quartic fits in blocks of x.

    Mallows' Cp chooses how many blocks. A plateau may leave a block with one or two different x; then the finest
    partition gives no variance to compare with, and one block serves.
    """
    most = max(min(x.size // _POINTS_PER_BLOCK, _MAX_BLOCKS), 1)
    if any(np.unique(x[members]).size <= 2 for members in _blocks(x.size, most)):
        most = 1
    fits = [_quartic_fits(x, y, blocks) for blocks in range(1, most + 1)]
    finest_variance = max(fits[-1][0] / (x.size - _QUARTIC * most), np.finfo(float).tiny)
    cp = [residual / finest_variance + 2 * _QUARTIC * blocks for blocks, (residual, _) in enumerate(fits, start=1)]
    blocks = int(np.argmin(cp)) + 1
    residual, product = fits[blocks - 1]
    return residual / (x.size - _QUARTIC * blocks), product


def _blocks(count: int, blocks: int) -> list[slice]:
    size = count // blocks
    return [slice(b * size, (b + 1) * size if b < blocks - 1 else count) for b in range(blocks)]


def _quartic_fits(x: np.ndarray, y: np.ndarray, blocks: int) -> tuple[float, float]:
    residual, product = 0.0, 0.0
    for members in _blocks(x.size, blocks):
        fit = _quartic(x[members], y[members])
        residual += float(np.sum((y[members] - fit(x[members])) ** 2))
        product += float(np.sum(fit.deriv(2)(x[members]) * fit.deriv(4)(x[members])))
    return residual, product / x.size


def _quartic(x: np.ndarray, y: np.ndarray) -> np.polynomial.Polynomial:
    """Return the least-squares quartic, the smallest one where x has too few values to determine it.

    Not by ``Polynomial.fit``, which warns where x is nearly constant.
    """
    domain = (float(x.min()), float(x.max()))
    if domain[0] == domain[1]:
        return np.polynomial.Polynomial([float(y.mean())])
    scaled = (2 * x - sum(domain)) / (domain[1] - domain[0])
    coefficients = np.linalg.lstsq(np.vander(scaled, _QUARTIC, increasing=True), y, rcond=None)[0]
    return np.polynomial.Polynomial(coefficients, domain=domain)


def _pilot_bandwidth(variance: float, curvature_product: float, count: int) -> float:
    """Return the bandwidth at which the local cubic fit estimates the curvature."""
    factor = 3 / (8 * math.sqrt(math.pi)) if curvature_product < 0 else 15 / (16 * math.sqrt(math.pi))
    return float((factor * variance / (abs(curvature_product) * count)) ** (1 / 7))


def _curvature(binned: _Binned, bandwidth: float, count: int) -> float:
    """Return the mean squared 2nd derivative, without the outer parts of the range."""
    second = _local_polynomial(binned, bandwidth, degree=3, derivative=2)
    edge = math.floor(_EDGE * second.size)
    inner = slice(edge, second.size - edge)
    return float(np.sum(second[inner] ** 2 * binned.weight[inner]) / count)


def _variance_bandwidth(variance: float, curvature: float, count: int) -> float:
    """Return the bandwidth at which the local linear fit estimates the residual variance."""
    kernel_constant = 4 * (0.5 + 2 * math.sqrt(2) - 4 / 3 * math.sqrt(3)) / math.sqrt(2 * math.pi)
    return float((kernel_constant * variance**2 / (curvature * count) ** 2) ** (1 / 9))


def _residual_variance(binned: _Binned, y: np.ndarray, bandwidth: float) -> float:
    """Return the residual variance of the local linear fit, corrected for the degrees of freedom that it uses."""
    fit = _local_polynomial(binned, bandwidth, degree=1)
    residual = np.sum(y**2) - 2 * np.sum(fit * binned.total) + np.sum(fit**2 * binned.weight)
    distance, weight = _kernel(binned, bandwidth)
    inverse = _inverted(_normal_matrices(binned, distance, weight, 1))
    squared = _normal_matrices(binned, distance, weight**2, 1)
    own_weight = inverse[:, 0, 0]
    row_norm = np.einsum("ni,nij,nj->n", inverse[:, 0], squared, inverse[:, 0])
    freedom = y.size - 2 * np.sum(own_weight * binned.weight) + np.sum(row_norm * binned.weight)
    return float(residual / freedom) if freedom else math.nan
