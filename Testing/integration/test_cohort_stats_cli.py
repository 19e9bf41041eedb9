"""``intrepid cohort stats`` on made-up patients whose dose grows with the volume by 1 Gy in 25 cm3."""

import json
from itertools import pairwise

import pytest

from cohort_tables import fill
from intrepid_cli.main import run
from intrepid_cohort.database import initialise


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("stats") / "c.db"
    engine = initialise(path)
    fill(engine, 50, 2)
    engine.dispose()
    return str(path)


@pytest.fixture
def answer(database, capsys):
    def ask(*arguments):
        code = run(["cohort", "stats", *arguments, "--database", database, "--json"])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return json.loads(captured.out)

    return ask


ORGAN = ("--where", "name = organ 1")


def test_population_dvh_of_groups(answer, tmp_path):
    found = answer("dvh", *ORGAN, "--group", "A: centre = A", "--group", "rest: not centre = A",
                   "--plot", str(tmp_path / "dvh.png"), "--out", str(tmp_path / "dvh.csv"))  # fmt: skip
    assert {name: group["count"] for name, group in found["groups"].items()} == {"A": 17, "rest": 33}
    first = found["curves"][0]
    assert (first["dose"], first["p100"]) == (0.0, pytest.approx(100.0, rel=1e-6))
    assert first["p0"] == pytest.approx(100.0, abs=0.1)  # a normal dose goes a little below zero
    for row in found["curves"]:
        assert row["p0"] <= row["p25"] <= row["p50"] <= row["p95"] <= row["p100"]
    assert (tmp_path / "dvh.png").stat().st_size > 10_000
    assert (tmp_path / "dvh.csv").read_text().startswith("group,dose,mean,p0,p5")


def test_several_dvhs_of_one_patient_are_told(answer):
    assert answer("dvh", *ORGAN)["groups"][""]["notes"] == []
    (note,) = answer("dvh")["groups"][""]["notes"]
    assert note.startswith("100 DVHs come from 50 patients")


def test_mean_dose_is_the_area_under_the_population_dvh(answer, database, capsys):
    curves = answer("dvh", *ORGAN)["curves"]
    area = sum((b["dose"] - a["dose"]) * (a["mean"] + b["mean"]) / 200 for a, b in pairwise(curves))
    run(["cohort", "query", "--database", database, *ORGAN, "--json"])
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert area == pytest.approx(sum(row["mean_gy"] for row in rows) / len(rows), abs=0.05)


def test_time_and_control_chart(answer, tmp_path):
    found = answer("time", *ORGAN, "--metric", "D50%", "--window", "5", "--plot", str(tmp_path / "t.svg"))
    assert len(found["rows"]) == 50
    assert [row["date"] for row in found["rows"]] == sorted(row["date"] for row in found["rows"])
    plain = answer("control", *ORGAN, "--metric", "D50%", "--plot", str(tmp_path / "c.html"))
    adjusted = answer("control", *ORGAN, "--metric", "D50%", "--on", "dvhs.volume_cc", "--on", "dvhs.sd_gy")
    assert plain["count"] == adjusted["count"] == 50
    assert 0.5 < adjusted["sigma"] < 2 < plain["sigma"]


def test_regression_finds_the_slope(answer):
    found = answer("regression", *ORGAN, "--metric", "D50%", "--on", "dvhs.volume_cc", "--on", "sd_gy", "--eliminate")
    assert [one["name"] for one in found["eliminated"]] == ["sd_gy"]
    slope = next(one for one in found["coefficients"] if one["name"] == "dvhs.volume_cc")
    assert slope["low"] < 1 / 25 < slope["high"]


def test_correlation_groups_and_learning(answer, tmp_path):
    pairs = answer("correlation", *ORGAN, "--metric", "D50%", "--metric", "D2%", "--show", "dvhs.volume_cc")["pairs"]
    assert min(pair["r"] for pair in pairs) > 0.9
    tests = answer("groups", *ORGAN, "--metric", "D50%", "--metric", "V20Gy", "--by", "centre")["tests"]
    assert [one["test"] for one in tests] == ["Kruskal-Wallis"] * 2
    assert all(one["corrected_p_value"] >= one["p_value"] for one in tests)
    two = answer("groups", "--metric", "D50%", "--group", "one: name = organ 0", "--group", "other: name = organ 1",
                 "--plot", str(tmp_path / "g.png"))  # fmt: skip
    assert two["tests"][0]["effect_name"] == "rank-biserial"
    learned = answer("learn", *ORGAN, "--metric", "D50%", "--on", "dvhs.volume_cc", "--kind", "svr",
                     "--out", str(tmp_path / "m.skops"))  # fmt: skip
    assert learned["train_count"] + learned["test_count"] == 50
    predicted = answer("predict", *ORGAN, "--model-file", str(tmp_path / "m.skops"))
    assert len(predicted["rows"]) == 50


def test_models_of_dose_response_in_a_query(database, capsys):
    """Parameters of an organ from the table; logistic NTCP is 50 % where the EUD is TD50."""
    run(["cohort", "query", "--database", database, *ORGAN, "--organ", "lung", "--metric", "DEUD", "--metric", "DNTCP",
         "--json"])  # fmt: skip
    for row in json.loads(capsys.readouterr().out)["rows"]:
        assert row["DEUD"] == pytest.approx(row["mean_gy"])
        assert row["DNTCP"] == pytest.approx(1 / (1 + (24.5 / row["DEUD"]) ** 8), rel=1e-6)
    assert run(["cohort", "query", "--database", database, "--organ", "list"]) == 0
    assert "pneumonitis" in capsys.readouterr().out
    assert run(["cohort", "query", "--database", database, "--organ", "appendix"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [["time"], ["time", "--metric", "Q7"], ["control", "--metric", "D50%", "--where", "mean_gy > 900"],
     ["time", "--metric", "D50%", "--plot", "x.gif"], ["groups", "--metric", "D50%", "--group", "A"],
     ["predict", "--model-file", "none.skops"]],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(database, capsys, arguments):
    assert run(["cohort", "stats", *arguments, "--database", database]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
