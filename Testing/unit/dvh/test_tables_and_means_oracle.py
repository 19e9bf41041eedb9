import re

import numpy as np
import pytest

from intrepid_dvh.conversions import differential, in_unit, merged, resampled
from intrepid_dvh.curve import DVH
from intrepid_dvh.frames import as_frame, curves_frame
from intrepid_dvh.mean_dvh import mean_dvhs
from intrepid_dvh.metric_tables import metric_rows, split_rows, table_text
from intrepid_dvh.results import selected
from intrepid_dvh.text.cumulative import made_cumulative
from intrepid_dvh.text.record import Columns
from intrepid_rt.errors import InvalidSetting

FOUR = ("HEART", "AOVALVE", "AMYOCR", "AVNODE")
KEYS = {"patID": "patient_id", "structure": "structure", "metric": "metric", "observed": "observed"}


def listed(value):
    return [value] if isinstance(value, str) else list(value or ())


def chosen(dvhs, args):
    return selected(
        dvhs,
        patients=listed(args.get("patID")),
        structures=listed(args.get("structure")),
        regex=not args.get("fixed", True),
    )


def of_patients(curves):
    return [dvh for dvh in curves.values() if dvh.patient_id != "SYN1"]


@pytest.mark.parametrize("case", ["T1", "T2", "T3", "T4", "T5"])
def test_metric_tables_agree_with_r(oracle, curves, agrees, number, arguments, case):
    expected = [row for row in oracle("metric_tables") if row["case"] == case]
    args = arguments(expected[0]["args"])
    rows = metric_rows(
        chosen(of_patients(curves), args), listed(args["metric"]), sort_by=[KEYS[k] for k in listed(args.get("sortBy"))]
    )
    parts = split_rows(rows, [KEYS[k] for k in listed(args.get("splitBy"))]) or {"": rows}
    if not args.get("splitBy"):
        parts = {"(not split)": rows}
    assert set(parts) == {row["splitName"] for row in expected}
    for name, part in parts.items():
        wanted = [row for row in expected if row["splitName"] == name]
        if not args.get("sortBy"):
            part = sorted(part, key=lambda r: (r.structure, r.metric, r.patient_id))
            wanted = sorted(wanted, key=lambda r: (r["structure"], r["metric"], r["patID"]))
        assert [(r.patient_id, r.structure, r.metric) for r in part] == [
            (row["patID"], row["structure"], row["metric"]) for row in wanted
        ]
        assert all(agrees(r.observed, number(row["observed"])) for r, row in zip(part, wanted, strict=True))


@pytest.mark.parametrize("case", ["MD1", "MD2", "MD3", "MD4", "MD5"])
def test_mean_curves_agree_with_r(oracle, curves, number, arguments, case):
    rows = [row for row in oracle("mean_dvh") if row["case"] == case]
    args = arguments(rows[0]["args"])
    pool = of_patients(curves)
    if case == "MD5":
        pool = [dvh for dvh in curves.values() if dvh.patient_id == "SYN1"]
    elif case != "MD1":
        pool = [dvh for dvh in pool if dvh.structure in FOUR]
    means = mean_dvhs(
        chosen(pool, args),
        over="structures" if args["byPat"] else "patients",
        functions=("mean", "median", "sd", "min", "max"),
        differential=not args.get("cumul", True),
        thin=args.get("thin", 1),
    )
    for row in rows:
        mean = means[row["group"]]
        index = int(row["row"]) - 1
        assert mean.dose_gy.size == int(row["nRows"])
        assert mean.dose_gy[index] == pytest.approx(float(row["dose"]), rel=1e-9)
        for column, value in row.items():
            name = re.fullmatch(r"volume(Rel)?([A-Z]+)", column)
            if name and number(value) is not None:
                found = (mean.volume_percent if name[1] else mean.volume_cc)[name[2].lower()][index]
                assert found == pytest.approx(float(value), rel=1e-6, abs=1e-9), (row, column)


def test_metrics_of_a_mean_curve_agree_with_r(oracle, curves, number, agrees):
    means = mean_dvhs([dvh for dvh in of_patients(curves) if dvh.structure in FOUR], over="patients")
    for row in oracle("mean_dvh_metrics"):
        dvh = means[row["structure"]].as_dvh()
        assert dvh.patient_id == row["patID"]
        found = dvh.metric(row["metric"])
        if row["metric"] == "V10%":  # R's relative dose is a fraction; all three have 60 Gy
            assert agrees(found.value, dvh.metric("V6Gy").value)
        elif row["metric"] == "D5%_%":
            assert agrees(found.value, dvh.metric("D5%").value / 0.6)
        else:
            assert agrees(found.value, number(row["expected"])), (row, found)


def test_percentile_curves_enclose_the_median(curves):
    hearts = [dvh for dvh in of_patients(curves) if dvh.structure == "HEART"]
    mean = mean_dvhs(hearts, functions=("p0", "p50", "median", "p100", "min", "max"))["HEART"]
    assert np.array_equal(mean.volume_cc["p50"], mean.volume_cc["median"])
    assert np.array_equal(mean.volume_cc["p0"], mean.volume_cc["min"])
    assert np.all(mean.volume_percent["p100"] >= mean.volume_percent["p50"])
    with pytest.raises(InvalidSetting, match="p101"):
        mean_dvhs(hearts, functions=("p101",))


def test_conversions_agree_with_r(oracle, curves, number, arguments):
    rows = oracle("convert_dvh")
    for row in rows:
        args = arguments(row["args"])
        dvh = curves[row["patID"], row["structure"]]
        index = int(row["row"]) - 1
        table = converted(dvh, row["case"], args, oracle)
        assert table[0].size == int(row["nRows"])
        for name, column in zip(("dose", "doseRel", "volume", "volumeRel"), table, strict=True):
            # With a range of its own, R spreads the relative dose over the old one.
            if number(row[name]) is not None and not (name == "doseRel" and "rangeD" in args):
                assert column[index] == pytest.approx(float(row[name]), rel=1e-6, abs=1e-9), (row, name)


def converted(dvh, case, args, oracle):
    if case.startswith("cum2diff"):
        table = differential(dvh, per_dose=args["perDose"], nodes=args.get("nodes"))
        return table.dose_gy, table.dose_percent, table.volume_cc, table.volume_percent
    if case == "diff2cum":
        rows = oracle("synthetic_diff_curves")
        bins = Columns(*(np.array([float(r[n]) for r in rows]) for n in ("dose", "doseRel", "volume", "volumeRel")))
        table, _ = made_cumulative(bins, per_dose=args["perDose"], differential=True)
        return table.dose, table.dose_percent, table.volume_cc, table.volume_percent
    found = in_unit(dvh, "CGY") if case == "toCGY" else resampled(dvh, nodes=args["nodes"], range_gy=args.get("rangeD"))
    return found.dose_native, found.dose_percent, found.volume_cc, found.volume_percent


def test_another_unit_changes_answers_not_doses(curves):
    dvh = curves["P123", "HEART"]
    assert in_unit(dvh, "cGy").metric("DMEAN").value == pytest.approx(1811.0)
    assert in_unit(dvh, "cGy").metric("V20Gy").value == dvh.metric("V20Gy").value
    with pytest.raises(InvalidSetting, match="EV/G"):
        in_unit(dvh, "EV/G")


def test_merging_warns_of_a_patient_in_two_sets():
    first, second = (DVH.from_samples([1.0, 2.0], 1.0, structure=name, patient_id="A") for name in ("PTV", "Lung"))
    together, warnings = merged([first], [second])
    assert together == [first, second]
    assert "Patient A" in warnings[0]


def test_results_become_data_frames(curves):
    dvhs = [curves["P123", "HEART"], curves["P123", "AVNODE"]]
    frame = as_frame(metric_rows(dvhs, ["D50%", "V5CC"]))
    assert list(frame.columns) == ["patient_id", "structure", "metric", "observed", "unit", "reason"]
    assert frame.observed.isna().tolist() == [False, True, False, True]
    points = curves_frame(dvhs)
    assert len(points) == sum(dvh.dose_gy.size for dvh in dvhs)
    assert points.groupby("structure").volume_cc.max().to_dict() == {"AVNODE": 37.6, "HEART": 595.5}


def test_tables_are_written_with_point_or_comma(curves):
    rows = metric_rows([curves["P123", "HEART"]], ["D50%", "V5CC"])
    assert table_text(rows).splitlines()[1].split("\t")[3:5] == ["17.70393912265", "Gy"]
    assert table_text(rows, separator=";", decimal=",").splitlines()[1].split(";")[3] == "17,70393912265"
    assert table_text(rows).splitlines()[2].split("\t")[3] == "NA"
    with pytest.raises(InvalidSetting, match="decimal mark"):
        table_text(rows, separator=",", decimal=",")
