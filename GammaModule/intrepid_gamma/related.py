"""Relatives of the gamma index: its sign, and chi."""

import numpy as np
from numpy.typing import NDArray

from intrepid_gamma.distributions import Distribution, Pair, paired
from intrepid_gamma.result import GammaResult
from intrepid_rt.errors import UnsupportedGeometry


def signed_gamma(result: GammaResult, reference: Distribution, evaluated: Distribution) -> NDArray:
    """Return gamma, in the shape of the reference, with the sign of evaluated minus reference dose at the point.

    The sign is + where there is no evaluated dose. Raises what `intrepid_gamma.distributions.paired` raises.

    Examples
    --------
    >>> from intrepid_gamma import gamma_index
    >>> from intrepid_rt.grids import Grid
    >>> plan, measured = (Grid(np.full((2, 3, 4), dose), np.eye(4)) for dose in (2.0, 1.97))
    >>> result = gamma_index(plan, measured, dose_percent=3, distance_mm=3)
    >>> float(signed_gamma(result, plan, measured)[0, 0, 0].round(6))
    -0.5
    """
    difference = _difference(paired(reference, evaluated)).reshape(result.gamma.shape)
    return np.where(difference < 0, -result.gamma, result.gamma)


def chi_index(result: GammaResult, reference: Distribution, evaluated: Distribution) -> NDArray:
    """Return chi, in the shape of the reference, with the criteria of a gamma comparison; at most 1 in size passes.

    chi = (D_evaluated - D_reference) / sqrt(DD^2 + DTA^2 |grad D_reference|^2), gradients by central differences: what
    gamma would be if the reference were linear. NaN where not analysed, inf where there is no evaluated dose.

    Raises
    ------
    UnsupportedGeometry
        The axes of the reference grid are not at right angles.

    References
    ----------
    Bakai, Alber, Nüsslin, Phys. Med. Biol. 48 (2003) 3543-3553.
    """
    pair = paired(reference, evaluated)
    criterion_gy = result.dose_percent / 100.0 * (pair.reference.values if result.settings.local else result.norm_gy)
    tolerance_gy = np.hypot(criterion_gy, result.distance_mm * _gradient_per_mm(pair))
    with np.errstate(invalid="ignore", divide="ignore"):  # a local criterion is 0 where the reference is
        chi = np.nan_to_num(_difference(pair), nan=np.inf) / tolerance_gy
    return np.where(np.isnan(result.gamma), np.nan, chi.reshape(result.gamma.shape))


def _difference(pair: Pair) -> NDArray:
    return pair.evaluated.resampled_to(pair.reference) - pair.reference.values


def _gradient_per_mm(pair: Pair) -> NDArray:
    grid = pair.reference
    axes = grid.index_to_lps[:3, :3] / np.array(grid.spacing_mm)
    if np.abs(axes.T @ axes - np.eye(3)).max() > 1e-4:
        raise UnsupportedGeometry("The axes of the reference grid are not at right angles. Resample it without shear.")
    squares = np.zeros(grid.shape)
    for axis, spacing_mm in enumerate(grid.spacing_mm[::-1]):
        if grid.shape[axis] > 1:
            squares += np.gradient(grid.values.astype(float), spacing_mm, axis=axis) ** 2
    return np.sqrt(squares)
