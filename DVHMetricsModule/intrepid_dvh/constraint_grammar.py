"""The language of dose constraints: a metric, a comparator and a limit, such as ``V20Gy < 30%``."""

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache

from intrepid_dvh.metric_grammar import MetricText, parse_metric
from intrepid_dvh.missing import MissingValue
from intrepid_dvh.units import DOSE_UNITS, dose_factor

_CONSTRAINT = re.compile(r"(?P<metric>[^<>=]+)(?P<comparator><=|>=|<|>)(?P<limit>[.\d]+)(?P<unit>%|CC|CGY|GY|EV/G)?")
_INVERSE = {"D": "V", "V": "D", "DC": "CV", "CV": "DC"}


@dataclass(frozen=True)
class ConstraintText:
    """A parsed constraint in the dose unit of the DVH that it is for.

    Parameters
    ----------
    canonical : upper-case spelling with the converted numbers; empty if the text is no constraint.
    metric : the metric with its output unit, which is the unit of the limit.
    comparator : ``<``, ``<=``, ``>`` or ``>=``.
    limit, unit : what the metric is compared with; the unit is empty for numbers without one (probabilities, indices).
    inverse : canonical metric with dose and volume swapped, empty for statistics and indices.
    problem : why the text is no constraint; empty if it is one.
    """

    canonical: str = ""
    metric: MetricText = field(default_factory=MetricText)
    comparator: str = ""
    limit: float = 0.0
    unit: str = ""
    inverse: str = ""
    problem: str = ""

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


@lru_cache(maxsize=4096)
def parse_constraint(text: str, dose_unit: str = "GY") -> ConstraintText:
    """Parse a constraint for a DVH whose doses are in ``dose_unit``; a text that is none comes with its ``problem``.

    Examples
    --------
    >>> parse_constraint("D10cc <= 500cGy").canonical
    'D10CC_GY <= 5GY'
    >>> parse_constraint("V20Gy < 30%", "CGY").canonical, parse_constraint("V20Gy < 30%").inverse
    ('V2000CGY_% < 30%', 'D30%_GY')
    >>> parse_constraint("V20Gy < 3Gy").problem
    'V20Gy < 3Gy: a volume is compared with % or cc'
    """
    match = _CONSTRAINT.fullmatch(re.sub(r"\s", "", text).upper())
    if not match:
        return _refused(text, "expected a metric, one of < <= > >=, and a limit with unit, for example V20Gy < 30%")
    metric = parse_metric(match["metric"])
    try:
        limit = float(match["limit"])
    except ValueError:
        return _refused(text, f"{match['limit']} is no number")
    problem = metric.problem or _problem(metric, match["unit"] or "")
    if problem:
        return _refused(text, problem)
    try:
        return _in_unit(metric, match["comparator"], limit, match["unit"] or "", dose_unit)
    except MissingValue as missing:
        return _refused(text, str(missing))


def _refused(text: str, problem: str) -> ConstraintText:
    return ConstraintText(problem=f"{text.strip()}: {problem}")


def _problem(metric: MetricText, unit: str) -> str:
    if metric.letter in ("V", "CV"):
        if unit not in ("%", "CC"):
            return "a volume is compared with % or cc"
        return _two_units(metric, unit) if metric.output not in ("", unit) else ""
    if metric.letter not in ("D", "DC") or metric.quantity in ("HI", "NTCP", "TCP"):
        return "" if unit in ("", *DOSE_UNITS) else "a number without unit is compared with a number without unit"
    if unit not in ("%", *DOSE_UNITS):
        return "a dose is compared with Gy, cGy or %"
    return _two_units(metric, unit) if metric.output and (metric.output == "%") != (unit == "%") else ""


def _two_units(metric: MetricText, unit: str) -> str:
    return f"{metric.canonical} cannot be compared with {unit}"


def _in_unit(metric: MetricText, comparator: str, limit: float, unit: str, dose_unit: str) -> ConstraintText:
    """Convert the doses on both sides to the unit of the DVH; statistics stay in the unit of their limit."""
    if metric.letter in _INVERSE and not metric.named:
        if unit in DOSE_UNITS:
            limit, unit = limit * dose_factor(unit, dose_unit), dose_unit
        if metric.unit in DOSE_UNITS:
            number = metric.number * dose_factor(metric.unit, dose_unit)
            metric = replace(metric, quantity=_shown(number), unit=dose_unit)
    output = unit if metric.letter in _INVERSE else ""
    quantity = metric.quantity if metric.named else _shown(metric.number)
    spelled = parse_metric(f"{metric.letter}{quantity}{metric.unit}" + (f"_{output}" if output else ""))
    if spelled.problem or (metric.bracketed and metric.output == output):
        spelled = metric
    canonical = f"{spelled.canonical} {comparator} {_shown(limit)}{unit}"
    inverse = "" if metric.named or metric.letter not in _INVERSE else _inverse(spelled, limit, unit)
    return ConstraintText(canonical, spelled, comparator, limit, unit, inverse)


def _inverse(metric: MetricText, limit: float, unit: str) -> str:
    return f"{_INVERSE[metric.letter]}{_shown(limit)}{unit}_{metric.unit}"


def _shown(number: float) -> str:
    return f"{number:.15g}"
