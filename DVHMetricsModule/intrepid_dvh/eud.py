"""Generalised equivalent uniform dose: the flat dose that would have the same effect as the histogram."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from intrepid_dvh.curve import DVH
from intrepid_dvh.fractionation import eqd2
from intrepid_dvh.missing import MissingValue
from intrepid_dvh.model_arguments import number, positive, require_known
from intrepid_dvh.statistics import dose_statistic, native_bins


def generalised_eud(
    dvh: DVH, a: float, *, fraction_dose_gy: float | None = None, alpha_beta_gy: float | None = None
) -> float:
    """Return (sum of v d^a / sum of v)^(1/a) over the bins between the curve's points.

    Parameters
    ----------
    a : 1 is the mean dose, +inf the maximum, -inf the minimum (as the source states them); negative for tumours.
    fraction_dose_gy, alpha_beta_gy : if both are given, each bin's dose is first turned into EQD2. This has no
        effect for a = 1 and infinite a, which are read from the stated statistics.

    Returns
    -------
    float : dose in the DVH's own unit.

    Raises
    ------
    MissingValue : a is 0, or the volume that the doses belong to is unknown.

    References
    ----------
    A. Niemierko, Med. Phys. 26 (1999) 1100 (abstract).
    """
    if a == 0 or math.isnan(a):
        raise MissingValue("the exponent a must not be 0")
    if a == 1 or math.isinf(a):
        return _statistic(dvh, "mean" if a == 1 else "max" if a > 0 else "min")
    bins = native_bins(dvh)
    if a > 0 and dvh.structure_volume_cc is None and not np.isnan(bins.volume_cc).all():
        raise MissingValue(f"the volume of {dvh.structure} is unknown, so the curve may miss a part of it")
    filled = bins.volume > 0
    if not filled.any():
        raise MissingValue(f"the curve of {dvh.structure} holds no volume")
    dose = bins.dose[filled]
    if fraction_dose_gy is not None and alpha_beta_gy is not None:
        dose = eqd2(dose, fraction_dose_gy=fraction_dose_gy, alpha_beta_gy=alpha_beta_gy)
    return _power_mean(dose, bins.volume[filled], a)


def _power_mean(dose: np.ndarray, volume: np.ndarray, a: float) -> float:
    # Scaled by the dose that dominates, so that large exponents stay finite.
    scale = float(dose.max() if a > 0 else dose.min())
    if scale == 0:
        return 0.0
    return scale * float(np.average((dose / scale) ** a, weights=volume) ** (1 / a))


def _statistic(dvh: DVH, name: str) -> float:
    value = dose_statistic(dvh, name)
    if value is None:
        raise MissingValue(f"the {name} dose of {dvh.structure} is unknown")
    return value


def eud_from_arguments(dvh: DVH, arguments: Mapping[str, Any], *, default_a: float | None = None) -> float:
    """Return the EUD with ``EUDa``, ``EUDfd`` and ``EUDab`` of a user's parameters, in the DVH's own unit.

    Raises
    ------
    MissingValue : neither ``EUDa`` nor ``default_a`` is given.
    InvalidSetting : a parameter is unknown or out of its range.
    """
    require_known(arguments)
    a = number(arguments, "EUDa")
    a = default_a if a is None else a
    if a is None:
        raise MissingValue("needs EUDa")
    return generalised_eud(
        dvh, a, fraction_dose_gy=positive(arguments, "EUDfd"), alpha_beta_gy=positive(arguments, "EUDab")
    )
