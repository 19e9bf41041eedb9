"""Control charts of individual values: limits from the moving range, also after taking out what variables explain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_cohort.statistics.charts import Chart, Series, with_unit
from intrepid_cohort.statistics.frames import Sample
from intrepid_rt.errors import InvalidSetting, MissingObject

# Mean range of two values of a normal distribution, in standard deviations: 2 / sqrt(pi).
D2 = 2 / np.sqrt(np.pi)


@dataclass(frozen=True, eq=False)
class ControlChart:
    """Values in order, centre and limits; ``out`` numbers the values beyond a limit, from 0."""

    values: NDArray
    centre: float
    sigma: float
    lower: float
    upper: float
    out: list[int]
    adjusted_for: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


def individuals_chart(
    values: Sequence[float] | NDArray,
    *,
    sigmas: float = 3.0,
    lowest: float | None = None,
    highest: float | None = None,
    labels: Sequence[str] = (),
) -> ControlChart:
    """Return the chart of individual values with limits at ``sigmas`` standard deviations.

    The standard deviation is the mean moving range over 1.128, which a slow drift does not widen.

    Parameters
    ----------
    lowest, highest : what the quantity cannot go beyond (0 and 100 for percent): limits are cut there.

    Raises
    ------
    MissingObject
        Fewer than three values.

    References
    ----------
    NIST/SEMATECH e-Handbook of Statistical Methods, section 6.3.2.2, individuals control charts.
    """
    numbers = np.asarray(values, float)
    if len(numbers) < 3:
        raise MissingObject(f"A control chart needs at least 3 values; found {len(numbers)}.")
    centre = float(numbers.mean())
    sigma = float(np.abs(np.diff(numbers)).mean() / D2)
    lower, upper = centre - sigmas * sigma, centre + sigmas * sigma
    lower = lower if lowest is None else max(lower, lowest)
    upper = upper if highest is None else min(upper, highest)
    out = np.flatnonzero((numbers < lower) | (numbers > upper)).tolist()
    return ControlChart(numbers, centre, sigma, lower, upper, out, labels=tuple(labels))


def regression_adjusted_chart(
    sample: Sample, endpoint: str, variables: Sequence[str], *, sigmas: float = 3.0
) -> ControlChart:
    """Return the chart of what is left of an endpoint after a linear regression on some variables (statsmodels' OLS).

    Raises
    ------
    InvalidSetting
        No variable is given.
    MissingObject
        Fewer rows than the regression needs.
    """
    if not variables:
        raise InvalidSetting("A regression-adjusted chart needs at least one variable.")
    from intrepid_cohort.statistics.regression import fit

    fitted = fit(sample, endpoint, variables)
    labels = sample.frame["pseudonym"].astype(str) if "pseudonym" in sample.frame else ()
    chart = individuals_chart(fitted.residuals, sigmas=sigmas, labels=tuple(labels))
    return ControlChart(
        chart.values, chart.centre, chart.sigma, chart.lower, chart.upper, chart.out, tuple(variables), chart.labels
    )


def chart_of(found: ControlChart, endpoint: str, notes: tuple[str, ...] = ()) -> Chart:
    """Draw values, limits, and those beyond them in another colour."""
    n = len(found.values)
    ends = [1, n]
    inside = [i for i in range(n) if i not in set(found.out)]
    label = [found.labels[i] if found.labels else str(i + 1) for i in range(n)]
    series = (
        Series("line", list(range(1, n + 1)), found.values.tolist(), ""),
        Series("dots", [i + 1 for i in inside], found.values[inside].tolist(), "in control",
               texts=[label[i] for i in inside]),
        Series("dots", [i + 1 for i in found.out], found.values[found.out].tolist(), "out of control", colour=1,
               texts=[label[i] for i in found.out]),
        Series("line", ends, [found.centre] * 2, f"centre {found.centre:.4g}", colour=5),
        Series("line", ends, [found.upper] * 2, f"upper limit {found.upper:.4g}", colour=1, dashed=True),
        Series("line", ends, [found.lower] * 2, f"lower limit {found.lower:.4g}", colour=1, dashed=True),
    )  # fmt: skip
    what = f"Residual of {endpoint} after {', '.join(found.adjusted_for)}" if found.adjusted_for else endpoint
    return Chart(f"Control chart: {what}", "Number in order of time", with_unit(what), series, notes=notes)
