"""What the readers take from the exports of ten planning systems, against what R's readDVH took from them."""

import csv
import gzip
import json

import numpy as np
import pytest

from intrepid_dvh.text.decoding import Options, decoded
from intrepid_dvh.text.reading import FORMATS, detected_format, read_dvh_files
from intrepid_rt.errors import UnreadableFile

# R misreads these (quirks.csv); the corrected value stands here, or None if there is nothing to compare.
CORRECTED = {
    ("eclipse11_cumulative_gy", "patName"): "Müller, Jürgen",
    ("eclipse11_cumulative_gy_courseAsID", "patName"): "Müller, Jürgen",
    ("eclipse15_cumulative_cgy_absvol", "patName"): "Sample, Zoé",
    ("raystation_new_gy_rbe", "patName"): "Doe^Réné",
    ("cadplan_differential_gy", "structVol"): 1310,
    ("monaco_differential_cgy_absvol", "structVol"): 1500.0003,
    ("hiart_cumulative_gy_relvol_info", "patID"): "T-1",
    ("mirada_cumulative_relvol_rx", "doseRel"): None,
    ("mirada_cumulative_relvol_rx", "doseRxUnit"): "GY",
    ("monaco_differential_cgy_absvol", "volumeRel"): 118.7404 / 1500.0003,
    ("cadplan_differential_gy", "volumeRel"): 1571.99982 / 1310,
    # 0 Gy is 0 % of any prescription, but the others of that column are unknown.
    ("monaco_differential_cgy_absvol", "doseRel"): None,
}
RENAMED = {"Structure: Dünndarm": "Dünndarm"}
FIELDS = (
    *("patName", "patID", "date", "DVHtype", "plan", "course", "structVol", "doseUnit", "volumeUnit", "doseRx"),
    "doseRxUnit",
    *("isoDoseRx", "doseMin", "doseMax", "doseAvg", "doseMed", "doseMode", "doseSD", "fractionDose", "fractionN"),
)
COLUMNS = {"dose": "dose_native", "doseRel": "dose_percent", "volume": "volume_cc", "volumeRel": "volume_percent"}
RAISING = ("eclipse15_uncertainty_gy_notset",)
SEVERAL_PATIENTS = ("eclipse_glob", "masterplan_two_files")


def options_of(args):
    info = next((args[name] for name in ("hiart", "raystation", "mirada") if name in args), [{}])
    return Options(
        encoding=args.get("encoding"),
        prescription_from_plan=args.get("planInfo") == "doseRx",
        course_as_id=args.get("courseAsID", False),
        uncertainty=args.get("uncertainty", False),
        volume_from_dvh=args.get("volume_from_dvh", False),
        info=info[0],
    )


def cases(golden):
    with (golden / "tps_dvh" / "index.csv").open(encoding="utf-8") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def read(golden, row):
    args = json.loads(row["args"]) or {}
    return read_dvh_files([golden / "tps_dvh" / row["file"]], options=options_of(args))


def expected(golden, case):
    with gzip.open(golden / "tps_dvh" / "parsed" / f"{case}.json.gz", "rt", encoding="utf-8") as file:
        return json.load(file)["files"]


def column(dvh, name):
    return getattr(dvh, COLUMNS[name])


def same(found, wanted):
    if wanted is None or found is None:
        return found is None and wanted is None
    if isinstance(wanted, str):
        return found == wanted
    return np.isclose(found, wanted, rtol=1e-6, atol=1e-9)


def value(dvh, name, row):
    number = float(column(dvh, name)[row])
    return None if np.isnan(number) else number


def header_differences(case, dvh, header):
    for name in FIELDS:
        wanted = CORRECTED.get((case, name), header.get(name))
        if wanted != "(random)" and not same(dvh.header.get(name), wanted):
            yield dvh.structure, name, dvh.header.get(name), wanted


def table_differences(case, dvh, table):
    if dvh.dose_gy.size != table["nRows"]:
        yield dvh.structure, "rows", dvh.dose_gy.size, table["nRows"]
        return
    for name in COLUMNS:
        correction = CORRECTED.get((case, name), 1.0)
        if correction is None:
            continue
        for row in table["rows"]:
            wanted = None if row[name] is None else row[name] * correction
            if not same(value(dvh, name, row["row"] - 1), wanted):
                yield dvh.structure, name, row["row"], value(dvh, name, row["row"] - 1), wanted
        total = table["sums"][name]
        if total is not None and not same(float(np.sum(column(dvh, name))), total * correction):
            yield dvh.structure, name, "sum"


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        from pathlib import Path

        index = Path(__file__).parents[2] / "golden" / "dvh" / "tps_dvh" / "index.csv"
        with index.open(encoding="utf-8") as file:
            metafunc.parametrize("case", [row["case"] for row in csv.DictReader(file) if row["ok"] == "TRUE"])


def test_every_export_reads_as_in_r(golden, case):
    dvhs = read(golden, cases(golden)[case])
    structures = [s for f in expected(golden, case) for s in f["structures"]]
    if case == "hiart_cumulative_gy_relvol_info_novol":  # R drops both structures
        assert [(d.structure, d.prescription_gy) for d in dvhs] == [("PTV", 60.0), ("LUNG_L", 60.0)]
        return
    if case.startswith("monaco"):  # R sorts structures by name
        dvhs = sorted(dvhs, key=lambda dvh: dvh.structure)
    assert len(dvhs) == len(structures)
    alone = "eclipse11_cumulative_gy" if case in SEVERAL_PATIENTS else case
    differences = []
    for dvh, wanted in zip(dvhs, structures, strict=True):
        name = wanted["header"]["structure"]
        assert dvh.structure == RENAMED.get(name, name)
        if "Patient Name :" in wanted["header"]["patName"]:
            wanted["header"]["patName"] = wanted["header"]["patName"].removeprefix("Patient Name : ")
        differences += header_differences(alone if case not in SEVERAL_PATIENTS else "", dvh, wanted["header"])
        differences += table_differences(case, dvh, wanted["dvh"])
    assert differences == []


def test_relative_dose_follows_a_prescription_that_the_user_gives(golden):
    dvhs = read(golden, cases(golden)["mirada_cumulative_relvol_rx"])
    assert np.allclose(dvhs[0].dose_percent, 2 * dvhs[0].dose_gy)


def test_patients_are_told_apart_by_id(golden):
    dvhs = read(golden, cases(golden)["masterplan_two_files"])
    assert [dvh.patient_id for dvh in dvhs] == ["M-1", "M-1", "M-2"]


def test_uncertainty_plans_must_be_announced(golden):
    with pytest.raises(UnreadableFile, match=r"line 101: .*--uncertainty"):
        read(golden, cases(golden)["eclipse15_uncertainty_gy_notset"])


def test_cadplan_takes_an_encoding(golden):
    assert len(read(golden, cases(golden)["cadplan_cumulative_gy_encoding"])) == 2


def test_the_content_tells_the_format(golden):
    for row in cases(golden).values():
        if row["type"] == "Pinnacle" or "*" in row["file"]:
            continue
        path = golden / "tps_dvh" / row["file"]
        text = decoded(path, Options())
        wanted = row["type"].removesuffix("_v015").lower()
        assert detected_format(text, path).lower() == wanted
    assert {row["type"].removesuffix("_v015").lower() for row in cases(golden).values()} | {"table"} == {
        name.lower() for name in FORMATS
    }
