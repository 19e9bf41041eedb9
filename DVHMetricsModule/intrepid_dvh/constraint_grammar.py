"""The language of dose constraints: a metric, a comparator and a limit, such as ``V20Gy < 30%``.

As in the R package DVHmetrics, numbers are converted to the units of the DVH first. A number that does not convert, as
in ``D10 < 20Gy`` or ``V20Gy < 3Gy``, becomes ``NA``: the text is a constraint, but one that has no verdict.
"""

import math
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache

from intrepid_dvh.metric_grammar import DIMENSIONLESS, MetricText, parse_metric
from intrepid_dvh.missing import MissingValue
from intrepid_dvh.units import DOSE_UNITS, dose_factor

_CONSTRAINT = re.compile(r"(?P<metric>[^<>=]+)(?P<comparator><=|>=|<|>)(?P<limit>[.\d]+)(?P<unit>%|CC|CGY|GY|EV/G)?")
_INVERSE = {"D": "V", "V": "D", "DC": "CV", "CV": "DC"}
_NO_DOSE = "a dose is compared with Gy, cGy or %"
_NO_VOLUME = "a volume is compared with % or cc"


@dataclass(frozen=True)
class ConstraintText:
    """A parsed constraint in the units of the DVH that it is for.

    Parameters
    ----------
    canonical : upper-case spelling with the converted numbers; empty if the text is no constraint.
    metric : the metric with its output unit, which is the unit of the limit.
    comparator : ``<``, ``<=``, ``>`` or ``>=``.
    limit, unit : what the metric is compared with; the unit is empty for numbers without one (probabilities, indices).
    inverse : canonical metric with dose and volume swapped, empty for statistics and indices.
    problem : why the text is no constraint; empty if it is one.
    missing : why a constraint has no verdict: a number of it (NaN here) does not convert to the units of the DVH.
    """

    canonical: str = ""
    metric: MetricText = field(default_factory=MetricText)
    comparator: str = ""
    limit: float = 0.0
    unit: str = ""
    inverse: str = ""
    problem: str = ""
    missing: str = ""

    @property
    def valid(self) -> bool:
        """Whether the text is a constraint."""
        return not self.problem

    @property
    def is_dose(self) -> bool:
        """Whether the limit is a dose (or a probability), not a volume."""
        return self.metric.letter not in ("V", "CV")

    @property
    def dose(self) -> tuple[float, str]:
        """The dose of the constraint point and its unit."""
        return (self.limit, self.unit) if self.is_dose else (self.metric.number, self.metric.unit)

    @property
    def volume(self) -> tuple[float, str]:
        """The volume of the constraint point and its unit."""
        return (self.metric.number, self.metric.unit) if self.is_dose else (self.limit, self.unit)


@dataclass(frozen=True)
class _Number:
    """A number in a unit of the DVH; NaN, with the reason, if it does not convert."""

    value: float
    unit: str
    missing: str = ""
    text: str = ""

    @property
    def shown(self) -> str:
        """The number as canonical text; what was not converted stays as it was written."""
        if self.unit == "%" and self.text:
            return self.text
        return "NA" if math.isnan(self.value) else f"{self.value:.15g}"


@lru_cache(maxsize=4096)
def parse_constraint(text: str, dose_unit: str = "GY", volume_unit: str = "CC") -> ConstraintText:
    """Parse a constraint for a DVH with doses in ``dose_unit`` and volumes in ``volume_unit`` (``CC`` or ``PERCENT``).

    A text that is none comes with its ``problem``.

    Examples
    --------
    >>> parse_constraint("D10cc <= 500cGy").canonical
    'D10CC_GY <= 5GY'
    >>> parse_constraint("V20Gy < 30%", "CGY").canonical, parse_constraint("V20Gy < 30%").inverse
    ('V2000CGY_% < 30%', 'D30%_GY')
    >>> parse_constraint("V20Gy < 3Gy").canonical, parse_constraint("V20Gy < 3Gy").missing
    ('V20GY_CC < NACC', 'V20Gy < 3Gy: a volume is compared with % or cc')
    >>> parse_constraint("D10cc < 20").problem
    'D10cc < 20: a dose is compared with Gy, cGy or %'
    """
    match = _CONSTRAINT.fullmatch(re.sub(r"\s", "", text).upper())
    if not match:
        return _refused(text, "expected a metric, one of < <= > >=, and a limit with unit, for example V20Gy < 30%")
    metric = parse_metric(match["metric"])
    try:
        limit = _Number(float(match["limit"]), match["unit"] or "", text=match["limit"])
    except ValueError:
        return _refused(text, f"{match['limit']} is no number")
    problem = _problem(metric, limit.unit)
    if problem:
        return _refused(text, problem)
    if _is_statistic(metric):
        return _statistic(metric, match["comparator"], limit)
    parsed = _point(metric, match["comparator"], limit, dose_unit, volume_unit)
    return replace(parsed, missing=f"{text.strip()}: {parsed.missing}") if parsed.missing else parsed


def _refused(text: str, problem: str) -> ConstraintText:
    return ConstraintText(problem=f"{text.strip()}: {problem}")


def _is_statistic(metric: MetricText) -> bool:
    return metric.letter not in _INVERSE or (metric.named and metric.letter not in ("V", "CV"))


def _problem(metric: MetricText, unit: str) -> str:
    if metric.problem and _is_statistic(metric):
        return metric.problem
    if metric.letter not in _INVERSE or metric.quantity in DIMENSIONLESS:
        return "" if unit in ("", *DOSE_UNITS) else "a number without unit is compared with a number without unit"
    if not unit or (metric.named and unit == "CC"):
        return _NO_DOSE if metric.letter in ("D", "DC") else _NO_VOLUME
    if metric.output and (metric.output == "%") != (unit == "%"):
        return f"{metric.canonical or metric.quantity} cannot be compared with {unit}"
    return ""


def _statistic(metric: MetricText, comparator: str, limit: _Number) -> ConstraintText:
    """Return a constraint on a mean, an index or a probability, which stays in the unit of its limit."""
    output = limit.unit if metric.letter in _INVERSE else ""
    spelled = parse_metric(f"{metric.letter}{metric.quantity}{metric.unit}" + (f"_{output}" if output else ""))
    if spelled.problem or (metric.bracketed and metric.output == output):
        spelled = metric
    canonical = f"{spelled.canonical} {comparator} {limit.text}{limit.unit}"
    return ConstraintText(canonical, spelled, comparator, limit.value, limit.unit)


def _point(metric: MetricText, comparator: str, limit: _Number, dose_unit: str, volume_unit: str) -> ConstraintText:
    """Return a constraint on a point of the curve, its numbers in the units of the DVH."""
    bad = "" if metric.number >= 0 else f"{metric.quantity} is no number"
    number = _Number(metric.number, metric.unit, bad, metric.quantity)
    if metric.letter in ("D", "DC"):
        at, limit = _volume_in(number, volume_unit, metric.problem), _dose_in(limit, dose_unit, _NO_DOSE)
    else:
        at, limit = _dose_in(number, dose_unit, metric.problem), _volume_in(limit, volume_unit, _NO_VOLUME)
    canonical = f"{metric.letter}{at.shown}{at.unit}_{limit.unit}"
    metric = replace(metric, canonical=canonical, quantity=at.shown, unit=at.unit, output=limit.unit, problem="")
    inverse = f"{_INVERSE[metric.letter]}{limit.shown}{limit.unit}_{at.unit}"
    written = f"{canonical} {comparator} {limit.shown}{limit.unit}"
    return ConstraintText(
        written, metric, comparator, limit.value, limit.unit, inverse, missing=at.missing or limit.missing
    )


def _dose_in(given: _Number, wanted: str, misplaced: str) -> _Number:
    if given.unit == "%":
        return given
    if given.unit not in DOSE_UNITS:
        return _Number(math.nan, wanted, misplaced)
    try:
        return replace(given, value=given.value * dose_factor(given.unit, wanted), unit=wanted)
    except MissingValue as missing:
        return _Number(math.nan, wanted, str(missing))


def _volume_in(given: _Number, wanted: str, misplaced: str) -> _Number:
    if given.unit == "%" or given.unit == wanted:
        return given
    if given.unit != "CC":
        return _Number(math.nan, wanted, misplaced)
    return _Number(math.nan, wanted, "the DVH has no absolute volume, only percent")
