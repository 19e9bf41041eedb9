"""Statistics against values of other programs and on paper."""

import pickle
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest

from intrepid_cohort.statistics import (
    charts,
    control_charts,
    correlation,
    group_tests,
    machine_learning,
    regression,
    time_series,
)
from intrepid_cohort.statistics.frames import Sample, sample_of
from intrepid_rt.errors import InvalidSetting, MissingObject, UnreadableFile


def sample(**columns):
    return Sample(pd.DataFrame(columns), ())


# NIST/SEMATECH e-Handbook, section 6.3.2.2: batches of a chemical process; centre 50.81, limits 45.8159 and 55.8041.
NIST_BATCHES = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]


def test_control_chart_of_the_nist_handbook():
    found = control_charts.individuals_chart(NIST_BATCHES)
    assert found.centre == pytest.approx(50.81)
    assert (found.lower, found.upper) == pytest.approx((45.8159, 55.8041), abs=2e-3)  # NIST rounds d2 to 1.128
    assert found.out == []
    assert control_charts.individuals_chart([*NIST_BATCHES, 60.0]).out == [10]


def test_limits_stop_where_the_quantity_ends():
    found = control_charts.individuals_chart([99.0, 98.0, 100.0, 99.5], lowest=0, highest=100)
    assert found.upper == 100.0
    with pytest.raises(MissingObject, match="at least 3"):
        control_charts.individuals_chart([1.0, 2.0])


def test_adjusted_chart_takes_out_what_a_variable_explains():
    rng = np.random.default_rng(4)
    x, noise = np.linspace(0, 10, 40), rng.normal(0, 0.1, 40)
    noise[17] = 2.0
    found = control_charts.regression_adjusted_chart(sample(y=5 * x + noise, x=x), "y", ["x"])
    assert found.out == [17]
    assert found.centre == pytest.approx(0, abs=1e-9)
    assert 17 not in control_charts.individuals_chart(5 * x + noise).out


# NIST Statistical Reference Datasets, Longley: certified values.
LONGLEY = {"const": -3482258.63459582, "GNPDEFL": 15.0618722713733, "GNP": -0.0358191792925910,
           "UNEMP": -2.02022980381683, "ARMED": -1.03322686717359, "POP": -0.0511041056535807,
           "YEAR": 1829.15146461355}  # fmt: skip


@pytest.fixture(scope="module")
def longley():
    from statsmodels.datasets import longley

    return Sample(longley.load_pandas().data.astype(float), ())


def test_regression_has_the_certified_values_of_nist(longley):
    found = regression.fit(longley, "TOTEMP", [name for name in LONGLEY if name != "const"])
    for one in found.coefficients:
        assert one.value == pytest.approx(LONGLEY[one.name], rel=1e-6)
    assert found.r_squared == pytest.approx(0.995479004577296, rel=1e-9)
    assert next(one for one in found.coefficients if one.name == "GNP").vif > 100  # known for its collinearity


def test_backward_elimination_keeps_what_matters():
    rng = np.random.default_rng(3)
    a, b, c = rng.normal(size=(3, 200))
    y = 3 * a - 2 * b + rng.normal(0, 0.5, 200)
    found = regression.backward_elimination(sample(y=y, a=a, b=b, c=c), "y", ["a", "b", "c"])
    assert [name for name, _ in found.eliminated] == ["c"]
    assert [one.name for one in found.coefficients] == ["const", "a", "b"]
    assert found.coefficients[1].low < 3 < found.coefficients[1].high


def test_regression_refuses_what_has_no_answer():
    x = np.arange(10.0)
    with pytest.raises(InvalidSetting, match="follows from the others"):
        regression.fit(sample(y=x**2, a=x, b=2 * x), "y", ["a", "b"])
    with pytest.raises(InvalidSetting, match="other columns"):
        regression.fit(sample(y=x), "y", ["y"])
    with pytest.raises(MissingObject, match="complete rows"):
        regression.fit(sample(y=x[:3], a=x[:3]), "y", ["a"])


# Anscombe, The American Statistician 27 (1973) 17: all four sets have r = 0.816.
ANSCOMBE_X = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0]
ANSCOMBE_Y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]


def test_correlation_of_anscombe():
    found = correlation.correlation(sample(x=ANSCOMBE_X, y=ANSCOMBE_Y, k=[1.0] * 11), ["x", "y", "k"])
    assert found.coefficients[0, 1] == pytest.approx(0.81642, abs=1e-5)
    assert found.p_values[0, 1] == pytest.approx(0.00217, abs=1e-5)  # R: cor.test
    assert np.isnan(found.coefficients[0, 2])  # a constant has none
    assert correlation.correlation(sample(x=ANSCOMBE_X, y=np.exp(ANSCOMBE_X)), ["x", "y"],
                                   method="spearman").coefficients[0, 1] == pytest.approx(1)  # fmt: skip


# Student, Biometrika 6 (1908) 1: R's `sleep`; t.test gives t = -1.8608, p = 0.07939.
SLEEP = {"1": [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
         "2": [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]}  # fmt: skip


def sleep():
    rows = [{"group": name, "extra": value, "same": value} for name, values in SLEEP.items() for value in values]
    return Sample(pd.DataFrame(rows), ())


def test_welch_t_test_of_student_s_sleep():
    (found,) = group_tests.compare_groups(sleep(), ["extra"], ranks=False)
    assert (found.statistic, found.p_value) == pytest.approx((-1.8608, 0.07939), abs=5e-5)
    # Cohen's d = -1.58 / sqrt((1.7890^2 + 2.0022^2) / 2) = -0.8322, times 1 - 3 / 71.
    assert found.effect == pytest.approx(-0.8322 * (1 - 3 / 71), abs=2e-4)
    assert found.corrected_p_value == found.p_value


def test_rank_test_of_student_s_sleep():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ties
        found = group_tests.compare_groups(sleep(), ["extra", "same"], correction="bonferroni")
    assert found[0].statistic == pytest.approx(25.5)  # R: wilcox.test, W = 25.5, p = 0.06933
    assert found[0].p_value == pytest.approx(0.06933, abs=2e-3)  # exact or normal, with or without continuity
    assert found[0].effect == pytest.approx(2 * 25.5 / 100 - 1)
    assert found[0].corrected_p_value == pytest.approx(2 * found[0].p_value)


def test_more_than_two_groups():
    frame = sample(group=list("aaaabbbbcccc"), y=[1.0, 2, 3, 4, 2, 3, 4, 5, 8, 9, 10, 11])
    (found,) = group_tests.compare_groups(frame, ["y"], ranks=False)
    # Between: 4 (2.5^2 ...) = 114.67 of total 129.67 squares.
    assert found.effect == pytest.approx(114.6667 / 129.6667, abs=1e-4)
    assert group_tests.compare_groups(frame, ["y"])[0].test == "Kruskal-Wallis"
    with pytest.raises(InvalidSetting, match="Only one group"):
        group_tests.compare_groups(sample(group=["a"] * 4, y=[1.0, 2, 3, 4]), ["y"])
    with pytest.raises(MissingObject, match=r"b \(1\)"):
        group_tests.compare_groups(sample(group=list("aaab"), y=[1.0, 2, 3, 4]), ["y"])


@pytest.mark.parametrize("ranks", [True, False])
@pytest.mark.parametrize("groups", ["aaabbb", "aaabbbccc"])
def test_groups_in_which_nothing_varies_are_refused(groups, ranks):
    with pytest.raises(MissingObject, match="does not vary within any group"):
        group_tests.compare_groups(sample(group=list(groups), y=[2.0] * len(groups)), ["y"], ranks=ranks)


def test_moving_average_is_that_of_the_last_values():
    days = [f"2024-01-{day:02d}" for day in (3, 1, 2, 5, 4)]
    rows = [{"pseudonym": day, "study_date": day, "y": float(day[-1])} for day in days]
    made = sample_of(rows, ["y", "study_date"])
    found = time_series.trend(made, "y", window=2)
    assert found.days == sorted(days)
    assert np.isnan(found.average[0])
    assert found.average[1:].tolist() == [1.5, 2.5, 3.5, 4.5]
    with pytest.raises(InvalidSetting, match="at least 2"):
        time_series.trend(made, "y", window=1)


def test_rows_that_lack_a_value_and_patients_that_repeat_are_told():
    rows = [{"pseudonym": "P1", "y": 1.0}, {"pseudonym": "P1", "y": 2.0}, {"pseudonym": "P2", "y": None}]
    notes = " ".join(sample_of(rows, ["y"]).notes)
    assert "1 of 3 rows lack a value" in notes
    assert "2 rows come from 1 patients" in notes
    with pytest.raises(MissingObject, match="Loosen"):
        sample_of([], ["y"])
    with pytest.raises(InvalidSetting, match="was not asked for"):
        sample_of(rows, ["z"])
    with pytest.raises(InvalidSetting, match="expected numbers or dates"):
        sample_of([{"y": "text"}], ["y"])


# Machine learning -----------------------------------------------------------------------------------------------------


def _line(patients=120, per_patient=2):
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(2, patients * per_patient))
    names = np.repeat([f"P{i}" for i in range(patients)], per_patient)
    return sample(pseudonym=names, a=a, b=b, y=4 * a + rng.normal(0, 0.2, len(a)))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("random-forest", {"n_estimators": 30}), ("gradient-boosting", {"n_estimators": 50}), ("decision-tree", {}),
     ("svr", {"C": 100.0}), ("mlp", {"hidden_layer_sizes": (8,)})],
)  # fmt: skip
def test_each_model_learns_is_stored_and_comes_back(kind, settings, tmp_path):
    found = machine_learning.learn(_line(), "y", ["a", "b"], kind=kind, **settings)
    assert found.test_r2 > 0.85
    assert found.train_count + found.test_count == 240
    assert found.importance["a"][0] > 10 * abs(found.importance["b"][0])
    machine_learning.save_model(found, tmp_path / "m.skops")
    content = machine_learning.load_model(tmp_path / "m.skops")
    again = machine_learning.predict(content, _line())
    assert again.tolist() == found.model.predict(_line().frame[["a", "b"]].to_numpy()).tolist()
    with zipfile.ZipFile(tmp_path / "m.skops") as archive:
        assert not any(name.endswith((".pkl", ".pickle", ".joblib")) for name in archive.namelist())


def test_all_rows_of_a_patient_are_on_one_side():
    found = machine_learning.learn(_line(), "y", ["a", "b"], kind="decision-tree")
    assert found.train_count % 2 == found.test_count % 2 == 0


class _Hostile:
    def __reduce__(self):
        return (print, ("a program ran",))


def test_files_with_programs_in_them_are_refused(tmp_path):
    import skops.io

    (tmp_path / "p.skops").write_bytes(pickle.dumps(_Hostile()))
    with pytest.raises(UnreadableFile, match="no model file"):
        machine_learning.load_model(tmp_path / "p.skops")
    skops.io.dump({"model": np.linalg.norm, "variables": [], "response": "y"}, tmp_path / "f.skops")
    skops.io.dump({"model": _Hostile(), "variables": [], "response": "y"}, tmp_path / "h.skops")
    with pytest.raises(UnreadableFile, match="which no model of ours needs"):
        machine_learning.load_model(tmp_path / "h.skops")
    with pytest.raises(UnreadableFile):
        machine_learning.load_model(tmp_path / "none.skops")


def test_a_tree_that_leads_out_of_itself_is_refused(tmp_path):
    """Such a file would have scikit-learn read memory that is not its own."""
    found = machine_learning.learn(_line(), "y", ["a", "b"], kind="random-forest", n_estimators=3)
    tree = found.model.estimators_[1].tree_
    tree.children_left[0] = tree.node_count + 1000
    machine_learning.save_model(found, tmp_path / "m.skops")
    with pytest.raises(UnreadableFile, match="leads out of itself"):
        machine_learning.load_model(tmp_path / "m.skops")


def test_models_refuse_what_they_cannot_learn():
    with pytest.raises(InvalidSetting, match="no such setting"):
        machine_learning.estimator("random-forest", seed=0, trees=3)
    with pytest.raises(InvalidSetting, match="expected one of"):
        machine_learning.estimator("oracle", seed=0)
    with pytest.raises(MissingObject, match="at least 20"):
        machine_learning.learn(_line(patients=10), "y", ["a"])


# Pictures -------------------------------------------------------------------------------------------------------------


def _charts():
    made = _line()
    yield control_charts.chart_of(control_charts.individuals_chart([*NIST_BATCHES, 60.0]), "D95%")
    yield correlation.chart_of(correlation.correlation(made, ["a", "b", "y"]), ("A note.",))
    yield regression.chart_of(regression.fit(made, "y", ["a", "b"]))
    yield regression.probability_chart(regression.fit(made, "y", ["a", "b"]))
    yield group_tests.chart_of(sleep(), group_tests.compare_groups(sleep(), ["extra"], ranks=False)[0])
    yield machine_learning.importance_chart(machine_learning.learn(made, "y", ["a", "b"], kind="decision-tree"))
    rows = [{"study_date": f"2024-01-{day:02d}", "y": float(day)} for day in range(1, 20)]
    yield time_series.chart_of(time_series.trend(sample_of(rows, ["y", "study_date"]), "y", window=3), "y")


def test_every_chart_is_drawn_in_every_format(tmp_path):
    starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF", ".html": b"<!doctype html>"}
    assert set(starts) == set(charts.FILES)
    for number, chart in enumerate(_charts()):
        for suffix, start in starts.items():
            if suffix in (".pdf", ".html") and number > 1:
                continue  # large files that the same code writes
            path = tmp_path / f"{number}{suffix}"
            charts.save(chart, path)
            assert path.read_bytes().lstrip().startswith(start)
    page = (tmp_path / "0.html").read_text(encoding="utf-8")
    assert "Plotly.newPlot" in page
    assert 'src="http' not in page  # nothing is fetched from a network
    with pytest.raises(InvalidSetting, match=r"\.html"):
        charts.save(chart, tmp_path / "x.gif")
