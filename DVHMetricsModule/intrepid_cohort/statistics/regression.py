"""Linear regression on several variables, the least significant left out one by one (statsmodels' OLS)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_cohort.statistics.charts import Chart, Series
from intrepid_cohort.statistics.frames import Sample
from intrepid_rt.errors import InvalidSetting, MissingObject


@dataclass(frozen=True, eq=False)
class Coefficient:
    """One coefficient with its 95 % interval; ``vif`` tells how far the others explain its variable (1: not at all)."""

    name: str
    value: float
    low: float
    high: float
    p_value: float
    vif: float | None


@dataclass(frozen=True, eq=False)
class Regression:
    """A fit; ``eliminated`` lists what was left out, in that order, with the p value it had."""

    response: str
    coefficients: tuple[Coefficient, ...]
    r_squared: float
    r_squared_adjusted: float
    f_p_value: float
    count: int
    fitted: NDArray
    residuals: NDArray
    residual_normality_p: float
    eliminated: tuple[tuple[str, float], ...] = ()


def fit(sample: Sample, response: str, variables: Sequence[str]) -> Regression:
    """Regress a column on others and a constant.

    Raises
    ------
    InvalidSetting
        No variable, or one that depends on the others.
    MissingObject
        Too few complete rows.
    """
    import statsmodels.api as sm
    from scipy import stats
    from statsmodels.stats.outliers_influence import variance_inflation_factor

    if not variables or response in variables:
        raise InvalidSetting(f"Regression of {response} on {list(variables)}: expected one or more other columns.")
    if sample.size < len(variables) + 3:
        raise MissingObject(f"{sample.size} complete rows; {len(variables)} variables need {len(variables) + 3}.")
    matrix = sm.add_constant(sample.frame[list(variables)].astype(float), has_constant="add")
    if np.linalg.matrix_rank(matrix.to_numpy()) < matrix.shape[1]:
        raise InvalidSetting(f"Of {', '.join(variables)} one is constant or follows from the others. Leave it out.")
    result = sm.OLS(sample.frame[response].astype(float), matrix).fit()
    bounds = result.conf_int().to_numpy()
    several = len(variables) > 1
    rows = [
        Coefficient(
            name, float(result.params.iloc[i]), float(bounds[i, 0]), float(bounds[i, 1]), float(result.pvalues.iloc[i]),
            float(variance_inflation_factor(matrix.to_numpy(), i)) if several and name != "const" else None,
        )
        for i, name in enumerate(matrix.columns)
    ]  # fmt: skip
    residuals = result.resid.to_numpy()
    exact = np.ptp(residuals) < 1e-12 * max(1.0, float(np.abs(result.fittedvalues).max()))
    normality = 1.0 if exact else float(stats.shapiro(residuals).pvalue)
    return Regression(
        response, tuple(rows), float(result.rsquared), float(result.rsquared_adj), float(result.f_pvalue), sample.size,
        result.fittedvalues.to_numpy(), residuals, normality,
    )  # fmt: skip


def backward_elimination(
    sample: Sample, response: str, variables: Sequence[str], *, keep_p: float = 0.05
) -> Regression:
    """Fit, leave out the variable of the highest p value above ``keep_p``, and so on; at least one stays.

    P values of the last fit are too small, because the variables were chosen on the same data.

    Raises
    ------
    InvalidSetting : ``keep_p`` is not between 0 and 1.
    """
    if not 0 < keep_p < 1:
        raise InvalidSetting(f"keep_p is {keep_p}; expected between 0 and 1.")
    left, eliminated = list(variables), []
    found = fit(sample, response, left)
    while len(left) > 1:
        worst = max(found.coefficients[1:], key=lambda one: one.p_value)
        if worst.p_value <= keep_p:
            break
        left.remove(worst.name)
        eliminated.append((worst.name, worst.p_value))
        found = fit(sample, response, left)
    return Regression(**{**vars(found), "eliminated": tuple(eliminated)})


def chart_of(found: Regression, notes: tuple[str, ...] = ()) -> Chart:
    """Draw residuals over fitted values."""
    ends = [float(found.fitted.min()), float(found.fitted.max())]
    series = (
        Series("dots", found.fitted.tolist(), found.residuals.tolist(), ""),
        Series("line", ends, [0.0, 0.0], "", colour=5, dashed=True),
    )
    title = f"{found.response}: R2 = {found.r_squared:.3f}, {found.count} rows"
    return Chart(title, "Fitted", "Residual", series, notes=notes)


def probability_chart(found: Regression) -> Chart:
    """Draw residuals against quantiles of a normal distribution: a straight line if they are normal."""
    from scipy import stats

    (quantiles, ordered), (slope, intercept, _) = stats.probplot(found.residuals)
    ends = [float(quantiles[0]), float(quantiles[-1])]
    series = (
        Series("dots", quantiles.tolist(), ordered.tolist(), ""),
        Series("line", ends, [intercept + slope * end for end in ends], "", colour=1),
    )
    return Chart("Normal probability of residuals", "Normal quantile", "Residual", series)
