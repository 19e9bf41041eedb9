"""Checking DVHs against dose constraints."""

import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from intrepid_dvh.constraint_distance import NearestPoint, nearest_point
from intrepid_dvh.constraint_grammar import ConstraintText, parse_constraint
from intrepid_dvh.curve import DVH
from intrepid_dvh.metrics import evaluate

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Constraint:
    """A constraint and whom it is for; ``*`` and ``?`` stand for any letters, and case does not count.

    Parameters
    ----------
    level : ``mandatory``, ``acceptable`` or ``ideal``; empty is as strict as mandatory.
    fractions : fewest and most fractions for which the numbers hold, None for any.
    citation : where the numbers come from.
    """

    text: str
    patient: str = "*"
    structure: str = "*"
    level: str = ""
    fractions: tuple[int, int] | None = None
    citation: str = ""

    def applies_to(self, dvh: DVH) -> bool:
        """Whether both patterns match the whole of the patient ID and the structure's name, and the fractionation fits.

        A DVH whose number of fractions is unknown counts as fitting: its result says that it cannot be judged.
        """
        fits = self.fractions is None or dvh.fractions is None or self._holds_for(dvh.fractions)
        return fits and _matches(self.patient, dvh.patient_id) and _matches(self.structure, dvh.structure)

    def _holds_for(self, fractions: int) -> bool:
        return self.fractions is None or self.fractions[0] <= fractions <= self.fractions[1]


@dataclass(frozen=True)
class ConstraintResult:
    """One constraint on one DVH. What could not be computed is None, with the reason.

    Parameters
    ----------
    constraint : canonical text, its doses in the unit of the DVH.
    observed, unit : value of the metric.
    compliance : whether it meets the limit.
    delta : observed minus limit.
    delta_volume, delta_dose : deviation in volume at the constraint's dose and in dose at its volume; the percent
        forms are of the constraint's own numbers, infinite where such a number is 0.
    distance : shortest Euclidean distance from the constraint point to the curve; ``distance_percent`` relative to the
        distance of the constraint point from the axes.
    nearest_dose, nearest_volume : where on the curve that is, in the constraint's units.
    written : the constraint as it was given.
    """

    patient_id: str
    structure: str
    constraint: str
    observed: float | None = None
    unit: str = ""
    compliance: bool | None = None
    delta: float | None = None
    delta_volume: float | None = None
    delta_volume_percent: float | None = None
    delta_dose: float | None = None
    delta_dose_percent: float | None = None
    distance: float | None = None
    distance_percent: float | None = None
    nearest_dose: float | None = None
    nearest_volume: float | None = None
    reason: str = ""
    level: str = ""
    citation: str = ""
    written: str = ""

    @property
    def shown(self) -> str:
        """The constraint for people: canonical, but as it was given where a number does not convert (``NA``)."""
        return self.written if self.written and "NA" in self.constraint else self.constraint

    @property
    def failed(self) -> bool:
        """Whether a limit that must be kept is violated or could not be judged; a missed ideal is no failure."""
        return self.compliance is not True and self.level != "ideal"


def check_constraints(
    dvhs: Iterable[DVH],
    constraints: Iterable[str | Constraint],
    *,
    interp: str = "linear",
    signed: bool = False,
    sort_by: Sequence[str] = (),
    **model_args: Any,
) -> list[ConstraintResult]:
    """Check every constraint on every DVH that it is for.

    Parameters
    ----------
    constraints : texts, which apply to every DVH, or :class:`Constraint` with their scope. Rows that say the same
        twice count once. See :func:`unmatched` for those that are for no DVH at hand.
    interp : how metrics are interpolated; the distance is always to the linear curve.
    signed : let the deviations and distances carry the verdict: positive when violated, else negative.
    sort_by : fields of :class:`ConstraintResult`, the first one counts most; missing values come last and ties in
        the order of the constraint's text.
    **model_args : parameters of DEUD, DNTCP and DTCP.

    Returns
    -------
    list of ConstraintResult : in the order of the constraints, then of the DVHs. A text that is no constraint gives
        a result without verdict.
    """
    dvhs = list(dvhs)
    results: dict[tuple[int, str, str], ConstraintResult] = {}
    for constraint in _as_constraints(constraints):
        for index, dvh in enumerate(dvhs):
            if constraint.applies_to(dvh):
                parsed = parse_constraint(constraint.text, dvh.stated_dose_unit, dvh.volume_unit)
                key = (index, parsed.canonical or constraint.text, constraint.level)
                if key not in results:
                    results[key] = _check(dvh, constraint, parsed, interp, model_args)
    checked = [_with_sign(result) if signed else result for result in results.values()]
    return sorted(checked, key=lambda result: _sort_key(result, sort_by)) if sort_by else checked


def unmatched(dvhs: Iterable[DVH], constraints: Iterable[str | Constraint]) -> list[Constraint]:
    """Return the constraints that are for none of the DVHs, perhaps because a structure's name is misspelt."""
    dvhs = list(dvhs)
    return [c for c in _as_constraints(constraints) if not any(c.applies_to(dvh) for dvh in dvhs)]


def _as_constraints(constraints: Iterable[str | Constraint]) -> list[Constraint]:
    return [Constraint(c) if isinstance(c, str) else c for c in constraints]


def _matches(pattern: str, name: str) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(letter) or re.escape(letter) for letter in pattern)
    return re.fullmatch(expression, name, re.IGNORECASE) is not None


def _check(
    dvh: DVH, constraint: Constraint, parsed: ConstraintText, interp: str, model_args: dict[str, Any]
) -> ConstraintResult:
    result = ConstraintResult(
        dvh.patient_id,
        dvh.structure,
        parsed.canonical or constraint.text.strip(),
        level=constraint.level,
        citation=constraint.citation,
        written=constraint.text.strip(),
    )
    if not parsed.valid:
        return replace(result, reason=parsed.problem)
    if constraint.fractions is not None and dvh.fractions is None:
        fewest, most = constraint.fractions
        return replace(result, reason=f"holds for {fewest} to {most} fractions, but their number is unknown")
    if "PERCENT" in (parsed.metric.unit, parsed.metric.output):
        return replace(result, reason=parsed.missing)
    # A dimensionless metric compared with "Gy", as DVHmetrics demands, is evaluated without that unit.
    metric = evaluate(dvh, parsed.metric.canonical, interp=interp, **model_args)
    result = replace(result, observed=metric.value, unit=metric.unit, reason=parsed.missing or metric.reason)
    if parsed.missing:
        return result
    if metric.value is not None:
        delta = metric.value - parsed.limit
        result = replace(result, compliance=_COMPARE[parsed.comparator](metric.value, parsed.limit), delta=delta)
    return _with_distance(dvh, parsed, _with_deviations(dvh, parsed, result, interp))


def _with_deviations(dvh: DVH, constraint: ConstraintText, result: ConstraintResult, interp: str) -> ConstraintResult:
    """Add the deviations in dose and in volume, one from the metric itself, the other from its inverse."""
    inverse = evaluate(dvh, constraint.inverse, interp=interp).value if constraint.inverse else None
    if constraint.is_dose:
        volume = constraint.volume[0] if constraint.inverse else math.nan
        dose_deviation, volume_deviation = result.delta, _difference(inverse, volume)
    else:
        volume = constraint.volume[0]
        dose_deviation, volume_deviation = _difference(inverse, constraint.dose[0]), result.delta
    return replace(
        result,
        delta_volume=volume_deviation,
        delta_volume_percent=_percent(volume_deviation, volume),
        delta_dose=dose_deviation,
        delta_dose_percent=_percent(dose_deviation, constraint.dose[0]),
    )


def _with_distance(dvh: DVH, constraint: ConstraintText, result: ConstraintResult) -> ConstraintResult:
    nearest = _nearest(dvh, constraint) if constraint.inverse else None
    if nearest is None:
        return result
    return replace(
        result,
        distance=nearest.distance,
        distance_percent=nearest.distance_percent,
        nearest_dose=nearest.dose,
        nearest_volume=nearest.volume,
    )


def _nearest(dvh: DVH, constraint: ConstraintText) -> NearestPoint | None:
    (dose, dose_unit), (volume, volume_unit) = constraint.dose, constraint.volume
    doses = dvh.dose_percent if dose_unit == "%" else dvh.dose_native
    volumes = dvh.volume_percent if volume_unit == "%" else dvh.volume_cc
    if constraint.metric.letter in ("DC", "CV"):
        volumes = np.nanmax(volumes) - volumes if not np.isnan(volumes).all() else volumes
    return nearest_point(doses, volumes, dose, volume)


def _difference(value: float | None, reference: float) -> float | None:
    return None if value is None else value - reference


def _percent(deviation: float | None, reference: float) -> float | None:
    if deviation is None or (deviation == 0 == reference):
        return None
    return 100 * deviation / reference if reference else math.copysign(math.inf, deviation)


_SIGNED = (
    *("delta", "delta_volume", "delta_volume_percent", "delta_dose", "delta_dose_percent"),
    *("distance", "distance_percent"),
)


def _with_sign(result: ConstraintResult) -> ConstraintResult:
    sign = 1.0 if result.compliance is False else -1.0
    values: dict[str, Any] = {name: getattr(result, name) for name in _SIGNED}
    signed: dict[str, Any] = {n: None if value is None else sign * abs(value) for n, value in values.items()}
    return replace(result, **signed)


def _sort_key(result: ConstraintResult, sort_by: Sequence[str]) -> list[tuple[bool, Any]]:
    return [_sortable(getattr(result, name)) for name in (*sort_by, "constraint")]


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is None, "" if value is None else value


def describe(result: ConstraintResult) -> str:
    """Return one line for a person: structure, constraint, observed value and verdict."""
    verdict = {True: "met", False: "VIOLATED", None: "not evaluated"}[result.compliance]
    observed = "" if result.observed is None else f" observed {result.observed:.4g} {result.unit}".rstrip()
    reason = f" ({result.reason})" if result.reason else ""
    return f"{result.structure}: {result.shown}{observed}: {verdict}{reason}"
