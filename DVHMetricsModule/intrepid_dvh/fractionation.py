"""Linear-quadratic conversions between fractionation schemes: BED, EQD2 and iso-effective dose."""

from dataclasses import replace
from typing import TypeVar

import numpy as np

from intrepid_dvh.curve import DVH, DoseStatistics
from intrepid_rt.errors import InvalidSetting

Number = TypeVar("Number", float, np.ndarray)


def bed(dose_gy: Number, *, fraction_dose_gy: float, alpha_beta_gy: float) -> Number:
    """Return the biologically effective dose D (1 + d / (alpha/beta)).

    Raises
    ------
    InvalidSetting : the fraction dose or alpha/beta is not positive.

    References
    ----------
    J. F. Fowler, Br. J. Radiol. 62 (1989) 679-694.

    Examples
    --------
    >>> bed(50.0, fraction_dose_gy=2.5, alpha_beta_gy=4.0)
    81.25
    """
    _require_positive(fraction_dose_gy, alpha_beta_gy)
    return dose_gy * (1 + fraction_dose_gy / alpha_beta_gy)


def eqd2(dose_gy: Number, *, fraction_dose_gy: float, alpha_beta_gy: float) -> Number:
    """Return the dose in fractions of 2 Gy with the same effect: D (d + alpha/beta) / (2 + alpha/beta)."""
    return isoeffective_dose(
        dose_gy, fraction_dose_gy=fraction_dose_gy, new_fraction_dose_gy=2.0, alpha_beta_gy=alpha_beta_gy
    )


def isoeffective_dose(
    dose_gy: Number, *, fraction_dose_gy: float, new_fraction_dose_gy: float, alpha_beta_gy: float
) -> Number:
    """Return the total dose in fractions of ``new_fraction_dose_gy`` with the same effect."""
    _require_positive(fraction_dose_gy, new_fraction_dose_gy, alpha_beta_gy)
    return dose_gy * ((fraction_dose_gy + alpha_beta_gy) / (new_fraction_dose_gy + alpha_beta_gy))


def isoeffective_fraction_dose(
    dose_gy: float, *, fraction_dose_gy: float, new_dose_gy: float, alpha_beta_gy: float
) -> float:
    """Return the fraction dose at which ``new_dose_gy`` has the same effect.

    Raises
    ------
    InvalidSetting : no positive fraction dose has that effect.
    """
    _require_positive(dose_gy, fraction_dose_gy, new_dose_gy, alpha_beta_gy)
    fraction = dose_gy / new_dose_gy * (fraction_dose_gy + alpha_beta_gy) - alpha_beta_gy
    if fraction <= 0:
        raise InvalidSetting(
            f"{new_dose_gy:g} Gy exceeds the effect of {dose_gy:g} Gy in {fraction_dose_gy:g} Gy fractions "
            "in however small fractions; give a smaller new dose."
        )
    return fraction


def converted(
    dvh: DVH, *, fraction_dose_gy: float, alpha_beta_gy: float, new_fraction_dose_gy: float | None = 2.0
) -> DVH:
    """Return the DVH with every dose converted, consistently with its header.

    Each dose is a total dose given in the same ``fraction_dose_gy``, which is what a histogram can know; a voxel
    that gets half the dose in half the fraction dose is the business of a conversion on the dose grid.
    Curve, statistics and prescription change together, so that none of them is stale and relative doses keep their
    meaning.

    Parameters
    ----------
    new_fraction_dose_gy : 2 for EQD2, another fraction dose for the iso-effective dose, None for BED.
    """
    if new_fraction_dose_gy is None:
        factor = bed(1.0, fraction_dose_gy=fraction_dose_gy, alpha_beta_gy=alpha_beta_gy)
    else:
        factor = isoeffective_dose(
            1.0,
            fraction_dose_gy=fraction_dose_gy,
            new_fraction_dose_gy=new_fraction_dose_gy,
            alpha_beta_gy=alpha_beta_gy,
        )
    return scaled_dose(dvh, factor)


def scaled_dose(dvh: DVH, factor: float) -> DVH:
    """Return the DVH with all its doses multiplied, the prescription too, so that relative doses stay as they are."""
    stated = {name: None if value is None else value * factor for name, value in vars(dvh.stated).items()}
    return replace(
        dvh,
        dose_gy=dvh.dose_gy * factor,
        unstated_dose=None if dvh.unstated_dose is None else dvh.unstated_dose * factor,
        prescription_gy=None if dvh.prescription_gy is None else dvh.prescription_gy * factor,
        stated=DoseStatistics(**stated),
        differential=None,
    )


def _require_positive(*values: float) -> None:
    if not all(value > 0 for value in values):
        raise InvalidSetting(
            f"Fraction dose and alpha/beta must be positive; found {', '.join(f'{value:g}' for value in values)}."
        )
