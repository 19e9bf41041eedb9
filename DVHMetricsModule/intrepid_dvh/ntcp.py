"""Complication and control probabilities: probit (Lyman-Kutcher-Burman), logit, Poisson, relative seriality."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, ndtr

from intrepid_dvh.curve import DVH
from intrepid_dvh.eud import eud_from_arguments
from intrepid_dvh.missing import MissingValue
from intrepid_dvh.model_arguments import number, positive, require_known
from intrepid_dvh.statistics import native_bins


@dataclass(frozen=True)
class DoseResponse:
    """A sigmoid dose response.

    Parameters
    ----------
    dose_50 : dose of 50 % probability, in the DVH's own unit.
    m : relative standard deviation of the probit form; the normalised slope at 50 % is 1 / (m sqrt(2 pi)).
    """

    dose_50: float
    m: float

    @property
    def gamma_50(self) -> float:
        """Normalised slope at 50 % probability."""
        return 1 / (self.m * math.sqrt(2 * math.pi))


def probit(dose: float, response: DoseResponse) -> float:
    """Return Phi((D - D50) / (m D50)).

    References
    ----------
    J. T. Lyman, Radiat. Res. 104 (1985) S13-S19; G. J. Kutcher, C. Burman, IJROBP 16 (1989) 1623-1630.
    """
    return float(ndtr((dose - response.dose_50) / (response.m * response.dose_50)))


def logit(dose: float, response: DoseResponse) -> float:
    """Return 1 / (1 + (D50 / D)^(4 gamma50)) (Niemierko, Med. Phys. 26 (1999) 1100)."""
    if dose <= 0:
        return 0.0
    return float(expit(4 * response.gamma_50 * math.log(dose / response.dose_50)))


def poisson(dose: float, response: DoseResponse) -> float:
    """Return 2^(-exp(e gamma50 (1 - D / D50))) (Källman, Ågren, Brahme, Int. J. Radiat. Biol. 62 (1992) 249-262)."""
    return float(_poisson(np.array(dose), response))


def relative_seriality(dvh: DVH, response: DoseResponse, seriality: float) -> float:
    """Return (1 - product of (1 - P(d)^s)^v)^(1/s) over the bins between the curve's points, v in fractions.

    Raises
    ------
    MissingValue : the volume of the structure is unknown.

    References
    ----------
    P. Källman, A. Ågren, A. Brahme, Int. J. Radiat. Biol. 62 (1992) 249-262.
    """
    bins = native_bins(dvh)
    if np.isnan(bins.volume_percent).all():
        raise MissingValue(f"{dvh.structure} has no relative volume; its structure volume is unknown")
    filled = bins.volume_percent > 0
    with np.errstate(divide="ignore"):  # a bin without survivors decides alone: log(0) is meant
        log_survival = np.log1p(-(_poisson(bins.dose[filled], response) ** seriality))
    return float((-np.expm1(np.sum(log_survival * bins.volume_percent[filled] / 100))) ** (1 / seriality))


def _poisson(dose: np.ndarray, response: DoseResponse) -> np.ndarray:
    return np.exp2(-np.exp(math.e * response.gamma_50 * (1 - dose / response.dose_50)))


_OF_EUD: dict[str, Callable[[float, DoseResponse], float]] = {"probit": probit, "logit": logit, "poisson": poisson}


def probability(dvh: DVH, kind: str, arguments: Mapping[str, Any]) -> float:
    """Return NTCP or TCP with a user's parameters.

    Parameters
    ----------
    kind : ``NTCP`` or ``TCP``; parameters are then called ``NTCPtd50`` or ``TCPtcd50``, ``NTCPm`` or ``TCPm`` and so
        on. Either ``m`` or ``gamma50`` is needed (``m`` counts), and ``n`` or ``EUDa`` (``EUDa`` counts, n = 1/a);
        the seriality is ``NTCPs`` for both. Doses are in the DVH's own unit.

    Raises
    ------
    MissingValue : a parameter is missing or not positive, or the DVH lacks what the model needs.
    """
    require_known(arguments)
    response = _response(kind, arguments)
    model = arguments.get(f"{kind}type") or "probit"
    if model == "relative_seriality":
        return relative_seriality(dvh, response, _needed(positive(arguments, "NTCPs"), "NTCPs"))
    n = number(arguments, f"{kind}n")
    if n is None and arguments.get("EUDa") is None:
        raise MissingValue(f"needs {kind}n or EUDa")
    if n is not None and (n == 0 or math.isinf(n)):
        raise MissingValue(f"{kind}n is {n:g}; it must be finite and not 0")
    dose = eud_from_arguments(dvh, arguments, default_a=None if n is None else 1 / n)
    return _OF_EUD[model](dose, response)


def _response(kind: str, arguments: Mapping[str, Any]) -> DoseResponse:
    name = "NTCPtd50" if kind == "NTCP" else "TCPtcd50"
    dose_50 = _needed(positive(arguments, name), name)
    m, gamma_50 = positive(arguments, f"{kind}m"), positive(arguments, f"{kind}gamma50")
    if m is None:
        m = 1 / (_needed(gamma_50, f"{kind}m or {kind}gamma50") * math.sqrt(2 * math.pi))
    return DoseResponse(dose_50, m)


def _needed(value: float | None, name: str) -> float:
    if value is None:
        raise MissingValue(f"needs {name}")
    return value
