"""Correlation of endpoints and variables, each pair with its p value corrected for their number."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from intrepid_cohort.statistics.charts import Chart
from intrepid_cohort.statistics.frames import Sample
from intrepid_rt.errors import InvalidSetting, MissingObject

METHODS = ("pearson", "spearman")


@dataclass(frozen=True, eq=False)
class Correlation:
    """Coefficients (m, m); p values (m, m), corrected after Holm over all pairs; NaN where a variable is constant."""

    names: tuple[str, ...]
    coefficients: NDArray
    p_values: NDArray
    count: int
    method: str


def correlation(sample: Sample, names: Sequence[str], *, method: str = "pearson") -> Correlation:
    """Return the correlation matrix of some columns (SciPy's tests, statsmodels' correction).

    Raises
    ------
    InvalidSetting
        Fewer than two columns, or an unknown method.
    MissingObject
        Fewer than three complete rows.
    """
    from scipy import stats
    from statsmodels.stats.multitest import multipletests

    if method not in METHODS or len(names) < 2:
        raise InvalidSetting(f"Correlation {method!r} of {len(names)} columns; expected {METHODS} of at least two.")
    if sample.size < 3:
        raise MissingObject(f"Correlation needs at least 3 complete rows; found {sample.size}.")
    test = stats.pearsonr if method == "pearson" else stats.spearmanr
    m = len(names)
    r, p = np.eye(m), np.zeros((m, m))
    pairs = list(combinations(range(m), 2))
    constant = [sample.frame[name].nunique() < 2 for name in names]
    tested = [(i, j) for i, j in pairs if not (constant[i] or constant[j])]
    results = [test(sample.frame[names[i]], sample.frame[names[j]]) for i, j in tested]
    corrected = multipletests([result.pvalue for result in results], method="holm")[1] if results else []
    for i, j in pairs:
        r[i, j] = r[j, i] = p[i, j] = p[j, i] = np.nan
    for (i, j), result, corrected_p in zip(tested, results, corrected, strict=True):
        r[i, j] = r[j, i] = result.statistic
        p[i, j] = p[j, i] = corrected_p
    return Correlation(tuple(names), r, p, sample.size, method)


def chart_of(found: Correlation, notes: tuple[str, ...] = ()) -> Chart:
    """Draw the matrix."""
    title = f"{found.method.capitalize()} correlation, {found.count} rows"
    return Chart(title, "", "", matrix=found.coefficients.tolist(), matrix_names=found.names, notes=notes)
