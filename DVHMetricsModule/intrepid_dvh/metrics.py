"""Evaluating metrics on a DVH. What cannot be computed is missing, with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from intrepid_dvh.curve import DVH
from intrepid_dvh.interpolation import METHODS
from intrepid_dvh.metric_grammar import DIMENSIONLESS, INDICES_OF_HOMOGENEITY, MetricText, parse_metric
from intrepid_dvh.missing import MissingValue
from intrepid_dvh.points import dose_at_volume, volume_at_dose
from intrepid_dvh.statistics import dose_statistic
from intrepid_dvh.units import GY_PER_UNIT, UNIT_LABEL, dose_factor
from intrepid_rt.errors import InvalidSetting

T = TypeVar("T")

_ROUNDING = 1e-9
_UNSTATED_UNIT = "the source does not say in which unit its doses are"


@dataclass(frozen=True)
class Metric:
    """A metric's value in ``unit`` (``Gy``, ``cGy``, ``eV/g``, ``%``, ``cc``, or empty for numbers without one).

    ``value`` is None when it cannot be computed; ``reason`` says why, or what to mind about a value that is there.
    """

    value: float | None
    unit: str = ""
    reason: str = ""
    canonical: str = ""


def evaluate(dvh: DVH, text: str, *, interp: str = "linear", body: DVH | None = None, **model_args: Any) -> Metric:
    """Evaluate a metric on a DVH.

    Parameters
    ----------
    dvh : the structure's curve.
    text : the metric, see :mod:`intrepid_dvh.metric_grammar`.
    interp : ``linear``, ``spline`` (monotone cubic Hermite) or ``ksmooth`` (local cubic regression, on a grid).
    body : the curve of the body, for indices of conformity and gradient (``CI95%``, ``PCI95%``, ``GI100%``, ``R50%``).
    **model_args : parameters of DEUD, DNTCP and DTCP: ``EUDa``, ``EUDfd``, ``EUDab``, ``NTCPtd50``, ``NTCPm``,
        ``NTCPn``, ``NTCPgamma50``, ``NTCPs``, ``NTCPtype``, and the same with ``TCP`` (dose: ``TCPtcd50``).

    Returns
    -------
    Metric : doses in the DVH's own unit and volumes in percent unless the text names another unit.

    Raises
    ------
    InvalidSetting : ``interp`` or a model parameter's name is unknown. A bad metric text is no error but a missing
        value, so that one typing slip does not lose a table of results.

    References
    ----------
    ICRU Report 83 (2010) for D_V% and the homogeneity index; AAPM TG-263 (2018) for the notation.
    """
    if interp not in (*METHODS, "smooth"):
        raise InvalidSetting(f"Interpolation '{interp}' is unknown; choose one of {', '.join(METHODS)}.")
    parsed = parse_metric(text)
    if not parsed.valid:
        return Metric(None, reason=parsed.problem)
    try:
        value, unit, note = _value(dvh, parsed, interp, body, model_args)
    except MissingValue as missing:
        return Metric(None, reason=f"{parsed.canonical}: {missing}", canonical=parsed.canonical)
    return Metric(value, UNIT_LABEL[unit], "; ".join(n for n in (note, parsed.note) if n), parsed.canonical)


def _value(
    dvh: DVH, metric: MetricText, interp: str, body: DVH | None, model_args: Mapping[str, Any]
) -> tuple[float, str, str]:
    if metric.letter in ("D", "DC", "V", "CV"):
        return _named(dvh, metric, interp, model_args) if metric.named else _point(dvh, metric, interp)
    if metric.letter in INDICES_OF_HOMOGENEITY:
        return _homogeneity(dvh, metric.letter), "", ""
    return _plan_index(dvh, metric, body), "", ""


def _point(dvh: DVH, metric: MetricText, interp: str) -> tuple[float, str, str]:
    number = metric.number
    if number != number:
        raise MissingValue(f"{metric.quantity} is no number")
    if metric.letter in ("V", "CV"):
        output = metric.output or "%"
        below = metric.letter == "CV"
        volume, note = volume_at_dose(dvh, number, unit=metric.unit, output=output, interp=interp, below=below)
        return volume, output, note
    dose = dose_at_volume(
        dvh, number, unit=metric.unit, output=metric.output, interp=interp, coldest=metric.letter == "DC"
    )
    note = "" if metric.output else _unit_note(dvh)
    return dose, metric.output or dvh.stated_dose_unit, note or _empty_end_note(dvh, metric, dose)


def _empty_end_note(dvh: DVH, metric: MetricText, dose: float) -> str:
    """Warn of a dose read between the last volume and the end of a table whose last rows are empty.

    The R package reads it so, and its numbers are the reference; the dose may lie far above any in the structure.
    """
    highest = dose_statistic(dvh, "max") if metric.output != "%" and metric.letter == "D" else None
    if highest is None:
        return ""
    highest *= dose_factor(dvh.stated_dose_unit, metric.output or dvh.stated_dose_unit)
    if dose <= highest * (1 + _ROUNDING):
        return ""
    return f"exceeds the maximum dose {highest:.6g}, because the table goes on with empty rows; not a dose received"


def _unit_note(dvh: DVH) -> str:
    return "" if dvh.stated_dose_unit else _UNSTATED_UNIT


def _named(dvh: DVH, metric: MetricText, interp: str, model_args: Mapping[str, Any]) -> tuple[float, str, str]:
    if metric.quantity == "HI":
        return _homogeneity(dvh, "DHI"), "", ""
    if metric.quantity in DIMENSIONLESS:
        from intrepid_dvh.ntcp import probability

        return probability(dvh, metric.quantity, model_args), "", ""
    # The R package takes DMEAN_% for a metric without value; TG-263's Mean[%] is one.
    if metric.output == "%" and not metric.bracketed:
        raise MissingValue(f"write {metric.quantity.capitalize()}[%] for percent of the prescription")
    dose = _named_dose(dvh, metric.quantity, interp, model_args)
    if metric.output == "%":
        return _percent_of_prescription(dvh, dose), "%", ""
    if not metric.output:
        return dose, dvh.stated_dose_unit, _unit_note(dvh)
    return dose * dose_factor(dvh.stated_dose_unit, metric.output), metric.output, ""


def _named_dose(dvh: DVH, name: str, interp: str, model_args: Mapping[str, Any]) -> float:
    if name == "EUD":
        from intrepid_dvh.eud import eud_from_arguments

        return eud_from_arguments(dvh, model_args)
    if name != "RX":
        return _present(
            dose_statistic(dvh, name.lower(), interp=interp), f"the curve of {dvh.structure} does not tell it"
        )
    return _present(dvh.prescription_gy, "the prescription is unknown") / GY_PER_UNIT[dvh.dose_unit]


def _percent_of_prescription(dvh: DVH, dose: float) -> float:
    prescription_gy = _present(dvh.prescription_gy, "the prescription is unknown")
    factor = dose_factor(dvh.stated_dose_unit, "GY")
    return dose * factor * dvh.prescription_isodose_percent / prescription_gy


def _homogeneity(dvh: DVH, index: str) -> float:
    from intrepid_dvh.conformity import HOMOGENEITY

    return HOMOGENEITY[index](dvh)


def _plan_index(dvh: DVH, metric: MetricText, body: DVH | None) -> float:
    from intrepid_dvh.conformity import INDICES

    return INDICES[metric.letter](dvh, _present(body, "needs the DVH of the body; give body="), metric.number)


def _present(value: T | None, reason: str) -> T:
    if value is None:
        raise MissingValue(reason)
    return value
