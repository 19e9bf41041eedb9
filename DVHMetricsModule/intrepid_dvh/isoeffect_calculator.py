"""BED, EQD2 and iso-effective dose for lists of numbers, as a physicist types them into a calculator."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from intrepid_dvh.fractionation import bed, eqd2, isoeffective_dose, isoeffective_fraction_dose
from intrepid_rt.errors import InvalidSetting

Numbers = float | Sequence[float]


@dataclass(frozen=True)
class Isoeffect:
    """One line of the calculator: the value in Gy, or None with the reason."""

    value_gy: float | None
    reason: str = ""


def bed_of(
    *,
    fraction_dose_gy: Numbers,
    alpha_beta_gy: Numbers,
    dose_gy: Numbers | None = None,
    fractions: Numbers | None = None,
) -> list[Isoeffect]:
    """Return BED for each element; lists are repeated to the longest, and ``dose_gy`` counts before ``fractions``.

    Raises
    ------
    InvalidSetting : neither the dose nor the number of fractions is given.
    """
    return _of_total(bed, _total(dose_gy, fractions, fraction_dose_gy), fraction_dose_gy, alpha_beta_gy)


def eqd2_of(
    *,
    fraction_dose_gy: Numbers,
    alpha_beta_gy: Numbers,
    dose_gy: Numbers | None = None,
    fractions: Numbers | None = None,
) -> list[Isoeffect]:
    """Return EQD2 for each element, as :func:`bed_of`."""
    return _of_total(eqd2, _total(dose_gy, fractions, fraction_dose_gy), fraction_dose_gy, alpha_beta_gy)


def _of_total(
    conversion: Callable[..., float], total_gy: Numbers, fraction_dose_gy: Numbers, alpha_beta_gy: Numbers
) -> list[Isoeffect]:
    return [
        _attempt(lambda d, fd, ab: conversion(_positive(d), fraction_dose_gy=fd, alpha_beta_gy=ab), *row)
        for row in _rows(total_gy, fraction_dose_gy, alpha_beta_gy)
    ]


def isoeffective_of(
    *,
    dose_gy: Numbers,
    fraction_dose_gy: Numbers,
    alpha_beta_gy: Numbers,
    new_fraction_dose_gy: Numbers | None = None,
    new_dose_gy: Numbers | None = None,
) -> list[Isoeffect]:
    """Return the total dose for a new fraction dose, or the fraction dose for a new total dose.

    Raises
    ------
    InvalidSetting : both or neither of the new doses are given.
    """
    if (new_fraction_dose_gy is None) == (new_dose_gy is None):
        raise InvalidSetting("Give either the new fraction dose or the new total dose.")
    if new_fraction_dose_gy is not None:
        return [
            _attempt(_total_dose, *row) for row in _rows(dose_gy, fraction_dose_gy, new_fraction_dose_gy, alpha_beta_gy)
        ]
    return [
        _attempt(_fraction_dose, *row) for row in _rows(dose_gy, fraction_dose_gy, new_dose_gy or 0.0, alpha_beta_gy)
    ]


def _total_dose(dose: float, fraction: float, new_fraction: float, ratio: float) -> float:
    return isoeffective_dose(
        _positive(dose), fraction_dose_gy=fraction, new_fraction_dose_gy=new_fraction, alpha_beta_gy=ratio
    )


def _fraction_dose(dose: float, fraction: float, new_dose: float, ratio: float) -> float:
    return isoeffective_fraction_dose(dose, fraction_dose_gy=fraction, new_dose_gy=new_dose, alpha_beta_gy=ratio)


def _total(dose_gy: Numbers | None, fractions: Numbers | None, fraction_dose_gy: Numbers) -> Numbers:
    if dose_gy is not None:
        return dose_gy
    if fractions is None:
        raise InvalidSetting("Give the total dose or the number of fractions.")
    return [int(n) * fraction for n, fraction in _rows(fractions, fraction_dose_gy)]


def _rows(*columns: Numbers) -> list[tuple[float, ...]]:
    lists = [list(column) if isinstance(column, Sequence) else [column] for column in columns]
    longest = max(map(len, lists))
    return [tuple(values[i % len(values)] for values in lists) for i in range(longest)]


def _positive(dose: float) -> float:
    if not dose > 0:
        raise InvalidSetting(f"The dose is {dose:g} Gy; it must be positive.")
    return dose


def _attempt(function: Callable[..., float], *arguments: float) -> Isoeffect:
    try:
        return Isoeffect(function(*arguments))
    except InvalidSetting as error:
        return Isoeffect(None, str(error))
