"""Gamma by its definition, in plain NumPy: a search over a fine lattice, refined round the best lattice points.

Slow and readable: the truth against which the tests hold the compiled search. Being a search over samples, it can only
be above the true minimum.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intrepid_rt.grids import Grid


def lattice_gamma(
    positions_lps_mm: NDArray,
    reference_gy: NDArray,
    evaluated: Grid,
    *,
    dose_criterion_gy: ArrayLike,
    distance_mm: float,
    step_mm: float,
    radius_mm: float,
    finest_mm: float | None = None,
    n_best: int = 20,
) -> NDArray:
    """Return gamma (n,) at points, from the evaluated dose sampled on a lattice round each of them.

    Parameters
    ----------
    positions_lps_mm : ndarray, (n, 3)
        Points of the reference.
    reference_gy, dose_criterion_gy : ndarray, (n,); the criterion may be one number
        Reference dose and dose criterion at the points.
    evaluated : Grid
        Interpolated linearly; no dose beyond its outermost sample centres. An axis with one sample is not searched.
    step_mm, radius_mm : float
        The lattice lies along the axes of the evaluated grid, within this radius.
    finest_mm : float, optional
        Refine round the ``n_best`` best lattice points, halving the step until it is below this.

    Examples
    --------
    A dose that rises by 1 Gy/mm and is 0.9 Gy higher: 0.9 / sqrt(0.6^2 + 1^2 3^2) = 0.294174.

    >>> x = np.arange(-20.0, 21.0)
    >>> line = Grid(30.9 + x.reshape(1, 1, -1), np.array([[1, 0, 0, -20], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    >>> found = lattice_gamma(np.zeros((1, 3)), np.array([30.0]), line, dose_criterion_gy=0.6, distance_mm=3,
    ...                       step_mm=0.1, radius_mm=5, finest_mm=1e-4)
    >>> round(float(found[0]), 6)
    0.294174
    """
    criterion_gy = np.broadcast_to(np.asarray(dose_criterion_gy, float), np.shape(reference_gy))
    evaluated = evaluated.with_values(evaluated.values.astype(np.float64))  # once, not at every look-up
    directions = _searched_directions(evaluated)
    offsets_mm = _lattice(len(directions), step_mm, radius_mm)
    found = np.empty(len(positions_lps_mm))
    for n, centre in enumerate(positions_lps_mm):

        def squared(offset_mm: NDArray, n: int = n, centre: NDArray = centre) -> NDArray:
            """Squared gamma at offsets (..., axes) from the point."""
            dose_gy = evaluated.sample(centre + offset_mm @ directions, outside=np.inf)
            dose_term = (dose_gy - reference_gy[n]) / criterion_gy[n]
            return dose_term**2 + (offset_mm**2).sum(axis=-1) / distance_mm**2

        values = squared(offsets_mm)
        if finest_mm is not None:
            best = offsets_mm[np.argsort(values)[:n_best]]
            values = _refined(squared, best, step_mm, finest_mm)
        found[n] = np.sqrt(values.min())
    return found


def _searched_directions(grid: Grid) -> NDArray:
    """Return unit vectors (axes, 3) of the axes that have more than one sample."""
    unit = (grid.index_to_lps[:3, :3] / np.array(grid.spacing_mm)).T
    return unit[np.array(grid.shape[::-1]) > 1]


def _lattice(n_axes: int, step_mm: float, radius_mm: float) -> NDArray:
    along = step_mm * np.arange(-np.floor(radius_mm / step_mm), np.floor(radius_mm / step_mm) + 1)
    lattice = np.stack(np.meshgrid(*[along] * n_axes, indexing="ij"), axis=-1).reshape(-1, n_axes)
    return lattice[(lattice**2).sum(axis=1) <= radius_mm**2]


def _refined(squared, best: NDArray, step_mm: float, finest_mm: float) -> NDArray:  # type: ignore[no-untyped-def]
    """Walk from each start to its best neighbour while there is one, then halve the step."""
    neighbours = _lattice(best.shape[1], 1.0, np.sqrt(best.shape[1]))
    values = squared(best)
    while step_mm > finest_mm:
        candidates = best[:, None, :] + step_mm * neighbours
        around = squared(candidates)
        choice = around.argmin(axis=1)
        moved = np.take_along_axis(around, choice[:, None], axis=1)[:, 0]
        better = moved < values
        best = np.where(better[:, None], candidates[np.arange(len(best)), choice], best)
        values = np.minimum(values, moved)
        if not better.any():
            step_mm /= 2
    return values
