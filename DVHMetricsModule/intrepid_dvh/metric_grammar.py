"""The language of dose-volume metrics: ``D95%``, ``V20Gy_cc``, ``DMEAN``, ``DC5%``, ``Mean[Gy]``.

The grammar is that of the R package DVHmetrics, with the bracketed units and complements of AAPM TG-263 added.
Blanks do not count and letters are case-insensitive; the canonical form is upper case.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache

from intrepid_dvh.units import DOSE_UNITS

NAMES = ("RX", "MIN", "MAX", "MEAN", "MEDIAN", "SD", "EUD", "NTCP", "TCP", "HI")
DIMENSIONLESS = ("NTCP", "TCP", "HI")

# Metrics of a plan rather than of one structure: they need the DVH of the body (or external contour) as well.
PLAN_INDICES = ("CI", "PCI", "GI", "R")
INDICES_OF_HOMOGENEITY = ("HI_ICRU", "HI_RTOG", "HI_D5D95")

_UNIT = r"(?:%|CC|CGY|GY|EV/G)"
_METRIC = re.compile(
    rf"(?P<letter>DC|CV|D|V)(?P<quantity>[.\d]+|{'|'.join(NAMES)})(?P<units>{_UNIT}*)"
    rf"(?P<outputs>\[{_UNIT}\]|(?:_{_UNIT})*)(?P<rest>.*)"
)
_STATISTIC = re.compile(rf"(?P<quantity>MIN|MAX|MEAN|MEDIAN)\[(?P<output>{_UNIT})\]")
_PLAN_INDEX = re.compile(rf"(?P<index>{'|'.join(PLAN_INDICES)})(?P<level>[.\d]+)%")
_LAST_UNIT = re.compile(rf"{_UNIT}(?=\]?$)")


@dataclass(frozen=True)
class MetricText:
    """A parsed metric.

    Parameters
    ----------
    canonical : upper-case spelling; empty if the text is no metric.
    letter : ``D`` dose, ``V`` volume, ``DC`` dose of the coldest volume, ``CV`` volume below a dose, or a plan index.
    quantity : the number as text, or one of ``NAMES``.
    unit, output : ``%``, ``CC``, ``GY``, ``CGY``, ``EV/G`` or empty.
    problem : why the text is no metric, though its parts may have been understood; empty if it is one.
    note : what was ignored in the text; empty as a rule.
    bracketed : the output unit was written in the brackets of TG-263.
    """

    canonical: str = ""
    letter: str = ""
    quantity: str = ""
    unit: str = ""
    output: str = ""
    problem: str = ""
    note: str = ""
    bracketed: bool = False

    @property
    def valid(self) -> bool:
        """Whether the text is a metric."""
        return not self.problem

    @property
    def named(self) -> bool:
        """Whether the metric is a statistic such as the mean rather than a point of the curve."""
        return self.quantity in NAMES

    @property
    def number(self) -> float:
        """The number of the metric; NaN if there is none or it has two decimal points."""
        try:
            return float(self.quantity)
        except ValueError:
            return math.nan


@lru_cache(maxsize=4096)
def parse_metric(text: str) -> MetricText:
    """Parse a metric; a text that is none comes back with its ``problem``.

    Examples
    --------
    >>> parse_metric(" d 10 cc _ cGy ").canonical
    'D10CC_CGY'
    >>> parse_metric("V20Gy[cc]").canonical, parse_metric("Mean[Gy]").canonical
    ('V20GY_CC', 'DMEAN_GY')
    >>> parse_metric("D10Gy").problem
    'D10Gy: a D metric needs a volume in % or cc, for example D2% or D0.1cc'
    """
    compact = re.sub(r"\s", "", text).upper()
    statistic = _STATISTIC.fullmatch(compact)
    if statistic:
        return _checked(text, "D", statistic["quantity"], "", statistic["output"], "", bracketed=True)
    index = _PLAN_INDEX.fullmatch(compact)
    if index:
        return MetricText(compact, index["index"], index["level"], "%")
    if compact in INDICES_OF_HOMOGENEITY:
        return MetricText(compact, compact)
    match = _METRIC.fullmatch(compact)
    if not match:
        return MetricText(problem=f"{text.strip()}: expected a metric such as D95%, D0.1cc, V20Gy, V20Gy_cc or DMEAN")
    unit, output = _last(match["units"]), _last(match["outputs"])
    return _checked(
        text, match["letter"], match["quantity"], unit, output, match["rest"], bracketed="[" in match["outputs"]
    )


def _last(units: str) -> str:
    """Return the last of several units written one after the other, which is the one that counts."""
    found = _LAST_UNIT.search(units)
    if not found:
        return ""
    # CGY ends in GY: the search finds the leftmost match, which is the longer one.
    return found.group()


def _checked(
    text: str, letter: str, quantity: str, unit: str, output: str, rest: str, *, bracketed: bool
) -> MetricText:
    problem = _problem(letter, quantity, unit, output)
    unit = "" if quantity in NAMES else unit
    if problem:
        return MetricText("", letter, quantity, unit, output, problem=f"{text.strip()}: {problem}")
    canonical = f"{letter}{quantity}{unit}" + (f"_{output}" if output else "")
    if bracketed and quantity in NAMES and output == "%":
        canonical = f"{quantity}[%]"  # DMEAN_% means something else: nothing
    note = f"'{rest}' after {canonical} was ignored" if rest else ""
    return MetricText(canonical, letter, quantity, unit, output, note=note, bracketed=bracketed)


def _problem(letter: str, quantity: str, unit: str, output: str) -> str:
    asks_dose = letter in ("D", "DC")
    if quantity in NAMES and letter != "D":
        return f"{quantity} is a dose; write D{quantity}"
    if quantity not in NAMES:
        if asks_dose and unit not in ("%", "CC"):
            return f"a {letter} metric needs a volume in % or cc, for example D2% or D0.1cc"
        if not asks_dose and unit not in ("%", *DOSE_UNITS):
            return f"a {letter} metric needs a dose in Gy, cGy or %, for example V20Gy or V95%"
    if asks_dose and output == "CC":
        return "a dose cannot be given in cc; use Gy, cGy or %"
    if not asks_dose and output in DOSE_UNITS:
        return "a volume cannot be given as a dose; use cc or %"
    return ""
