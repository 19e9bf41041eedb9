"""Differences between groups: tests, effect sizes, and p values corrected for the number of endpoints."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from intrepid_cohort.statistics.charts import Chart, Series, with_unit
from intrepid_cohort.statistics.frames import Sample
from intrepid_rt.errors import InvalidSetting, MissingObject

CORRECTIONS = ("holm", "fdr_bh", "bonferroni", "none")


@dataclass(frozen=True)
class GroupTest:
    """One endpoint in all groups.

    Parameters
    ----------
    effect : for two groups Hedges' g (difference of means in pooled standard deviations, first minus second) with the
        t test and the rank-biserial correlation with the rank test; for more, eta squared and epsilon squared.
    corrected_p_value : of ``p_value``, over all endpoints tested together.
    """

    endpoint: str
    test: str
    counts: dict[str, int]
    means: dict[str, float]
    medians: dict[str, float]
    sds: dict[str, float]
    normality_p: dict[str, float | None]
    statistic: float
    p_value: float
    effect_name: str
    effect: float
    corrected_p_value: float


def compare_groups(
    sample: Sample, endpoints: Sequence[str], *, group: str = "group", ranks: bool = True, correction: str = "holm"
) -> list[GroupTest]:
    """Test whether endpoints differ between groups (SciPy's tests, statsmodels' corrections).

    Parameters
    ----------
    ranks : Mann-Whitney or Kruskal-Wallis; else Welch's t test or one-way analysis of variance.
    correction : of p values over the endpoints, see statsmodels' ``multipletests``.

    Raises
    ------
    InvalidSetting
        Fewer than two groups, or an unknown correction.
    MissingObject
        A group with fewer than three values, or nothing but equal values in each.
    """
    from statsmodels.stats.multitest import multipletests

    if correction not in CORRECTIONS:
        raise InvalidSetting(f"Correction {correction!r}; expected one of {', '.join(CORRECTIONS)}.")
    names = sorted(sample.frame[group].astype(str).unique())
    if len(names) < 2:
        raise InvalidSetting(f"Only one group ({names[0]}) has rows; expected two or more.")
    found = [_test(sample, endpoint, group, names, ranks) for endpoint in endpoints]
    raw = [one.p_value for one in found]
    corrected = raw if correction == "none" else multipletests(raw, method=correction)[1]
    return [replace(one, corrected_p_value=float(p)) for one, p in zip(found, corrected, strict=True)]


def _test(sample: Sample, endpoint: str, group: str, names: Sequence[str], ranks: bool) -> GroupTest:
    from scipy import stats

    of = {name: sample.frame.loc[sample.frame[group].astype(str) == name, endpoint].to_numpy(float) for name in names}
    small = [f"{name} ({len(values)})" for name, values in of.items() if len(values) < 3]
    if small:
        raise MissingObject(f"{endpoint}: each group needs at least 3 values; too few in {', '.join(small)}.")
    every = list(of.values())
    if all(np.ptp(values) == 0 for values in every):
        raise MissingObject(f"{endpoint} does not vary within any group, so there is nothing to test it against.")
    if len(every) == 2:
        result = stats.mannwhitneyu(*every) if ranks else stats.ttest_ind(*every, equal_var=False)
        test = "Mann-Whitney U" if ranks else "Welch t"
        effect = ("rank-biserial", 2 * result.statistic / (len(every[0]) * len(every[1])) - 1) if ranks else (
            "Hedges g", _hedges_g(*every))  # fmt: skip
    else:
        result = stats.kruskal(*every) if ranks else stats.f_oneway(*every)
        test = "Kruskal-Wallis" if ranks else "analysis of variance"
        n = sum(map(len, every))
        effect = ("epsilon squared", result.statistic / (n - 1)) if ranks else ("eta squared", _eta_squared(every))
    return GroupTest(
        endpoint, test, {k: len(v) for k, v in of.items()}, {k: float(v.mean()) for k, v in of.items()},
        {k: float(np.median(v)) for k, v in of.items()}, {k: float(v.std(ddof=1)) for k, v in of.items()},
        {k: float(stats.shapiro(v).pvalue) if np.ptp(v) > 0 else None for k, v in of.items()},
        float(result.statistic), float(result.pvalue), effect[0], float(effect[1]), float(result.pvalue),
    )  # fmt: skip


def _hedges_g(one: np.ndarray, other: np.ndarray) -> float:
    """Difference of means over the pooled standard deviation, corrected for small samples (Hedges, 1981)."""
    freedom = len(one) + len(other) - 2
    pooled = np.sqrt(((len(one) - 1) * one.var(ddof=1) + (len(other) - 1) * other.var(ddof=1)) / freedom)
    return float((one.mean() - other.mean()) / pooled * (1 - 3 / (4 * freedom - 1))) if pooled else float("nan")


def _eta_squared(groups: Sequence[np.ndarray]) -> float:
    every = np.concatenate(groups)
    total = float(((every - every.mean()) ** 2).sum())
    between = sum(len(values) * (values.mean() - every.mean()) ** 2 for values in groups)
    return float(between / total) if total else float("nan")


def chart_of(sample: Sample, found: GroupTest, *, group: str = "group", notes: tuple[str, ...] = ()) -> Chart:
    """Draw a box per group."""
    frame = sample.frame
    series = tuple(
        Series("box", [], frame.loc[frame[group].astype(str) == name, found.endpoint].tolist(), name, colour=number)
        for number, name in enumerate(found.counts)
    )
    title = f"{found.endpoint}: {found.test}, p = {found.corrected_p_value:.3g}, {found.effect_name} {found.effect:.2f}"
    return Chart(title, "", with_unit(found.endpoint), series, notes=notes)
