"""Quality checks on rows made by hand, EPID results, delivered fractions from CSV, DVHs computed another way."""

import json
from datetime import date

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from intrepid_cohort.curation.checks import CheckLimits, _doses, _duplicates, _missing, _outliers
from intrepid_cohort.curation.crosscheck import crosscheck
from intrepid_cohort.curation.delivered import import_delivered
from intrepid_cohort.database import initialise
from intrepid_cohort.epid_results import add_results
from intrepid_cohort.importing import import_folders
from intrepid_cohort.schema import DeliveredFractions, EpidResult, Patient
from intrepid_cohort.simulation.cohort import write_cohort
from intrepid_rt.errors import InvalidSetting, UnreadableFile

LIMITS = CheckLimits()


def row(number, name="Heart", **changed):
    base = {
        "patient_id": number, "pseudonym": f"P{number}", "centre": "A", "prescription_gy": 50.0, "max_gy": 54.0,
        "name": name, "type": "ORGAN", "volume_cc": 600.0 + number, "median_gy": 3.0,
        "mean_gy": 3.0, "centroid_mm": (float(number % 3), 0.0, 0.0),
    }  # fmt: skip
    return base | changed


def test_doses_against_expected_ranges_and_units():
    assert list(_doses([row(1)], LIMITS)) == []
    (hot,) = _doses([row(1, max_gy=65.0)], LIMITS)
    assert (hot["check_name"], hot["severity"], hot["evidence"]["percent"]) == ("maximum dose", "warning", 130.0)
    (unit,) = _doses([row(1, max_gy=5400.0)], LIMITS)
    assert unit["severity"] == "error"
    assert "unit" in unit["message"]
    (cold,) = _doses([row(1, name="PTV", type="PTV", median_gy=40.0)], LIMITS)
    assert (cold["check_name"], cold["subject"]) == ("target median", "PTV")


def test_missing_structures_are_those_that_nearly_all_have():
    rows = [row(n, name) for n in range(10) for name in ("Heart", "Lung_L") if (n, name) != (4, "Lung_L")]
    (found,) = _missing(rows, LIMITS)
    assert (found["pseudonym"], found["subject"]) == ("P4", "Lung_L")
    assert list(_missing(rows[:8], LIMITS)) == []


def test_outliers_of_volume_and_place():
    rng = np.random.default_rng(1)
    rows = []
    for n in range(30):
        rows.append(row(n, "External", type="EXTERNAL", centroid_mm=(100.0 * n, 0.0, 0.0), volume_cc=20_000.0))
        x_mm = 100.0 * n + rng.normal(0, 2) + (60.0 if n == 7 else 0.0)
        volume_cc = 600 * np.exp(rng.normal(0, 0.1)) * (0.05 if n == 3 else 1.0)
        rows.append(row(n, centroid_mm=(x_mm, 0.0, 0.0), volume_cc=volume_cc))
    found = {(one["pseudonym"], one["check_name"]) for one in _outliers(rows, LIMITS)}
    assert {("P3", "volume outlier"), ("P7", "position outlier x")} <= found
    assert len(found) <= 3


def test_a_body_without_place_is_no_origin():
    rows = []
    for n in range(30):
        centroid = (None,) * 3 if n == 5 else (100.0 * n, 0.0, 0.0)
        rows.append(row(n, "External", type="EXTERNAL", centroid_mm=centroid, volume_cc=20_000.0))
        rows.append(row(n, centroid_mm=(100.0 * n + n % 3, 0.0, 0.0)))
    assert "P5" not in {one["pseudonym"] for one in _outliers(rows, LIMITS)}


def test_one_person_twice():
    twin = {"volume_cc": 612.5, "centroid_mm": (1.0, 2.0, 3.0), "mean_gy": 3.25}
    (found,) = _duplicates([row(1, **twin), row(2, **twin), row(3)])
    assert (found["pseudonym"], found["subject"], found["severity"]) == ("P2", "P1", "error")


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    truth = write_cohort(folder, patients=1, centres=1, seed=4)
    engine = initialise(folder / "c.db")
    import_folders(engine, [folder / "centre_1"], centre="centre_1", processes=1)
    return engine, truth["patients"][0], folder


def test_dvhs_computed_by_other_libraries_agree(imported):
    found = crosscheck(imported[0], sample=6)
    assert len(found) == 6
    for one in found:
        assert one["mean_difference_gy"] == pytest.approx(0.0, abs=0.05), one
        assert one["independent_median_gy"] == pytest.approx(one["median_gy"], abs=0.15)
        assert one["independent_volume_cc"] == pytest.approx(one["volume_cc"], rel=0.02)


def test_delivered_fractions_from_csv(imported):
    engine, patient, folder = imported
    path = folder / "rv.csv"
    path.write_text("patient;plan;fractions;first_day\n00001;Breast;22,5;2026-01-31\n")
    assert import_delivered(engine, path, centre="centre_1") == 1
    with Session(engine) as session:
        stored = session.scalars(select(DeliveredFractions)).one()
        assert (stored.fractions, stored.first_day) == (22.5, date(2026, 1, 31))
        assert stored.plan_uid == patient["plans"][0]["sop_instance_uid"]
    for line, error, text in (
        ("00009,Breast,20", InvalidSetting, "not in the database"),
        ("00001,Thorax,20", InvalidSetting, "0 plans"),
        ("00001,Breast,many", UnreadableFile, "no number"),
    ):
        path.write_text(f"patient,plan,fractions\n{line}\n")
        with pytest.raises(error, match=text):
            import_delivered(engine, path, centre="centre_1")
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UnreadableFile, match="expected at least"):
        import_delivered(engine, path)


def gamma(**changed):
    return {"dose_percent": 3.0, "distance_mm": 2.0, "norm_gy": 2.0, "cutoff_percent": 10.0, "region": "BODY",
            "pass_rate_percent": 99.0, "n_points": 10, "mean_gamma": 0.3, "max_gamma": 1.2,
            "reason": ""} | changed  # fmt: skip


def test_epid_results_lie_beside_their_plan(imported):
    engine, patient, folder = imported
    results = {
        "verdict": {"status": "pass"}, "dose_unit": "Gy",
        "plan": {"sop_instance_uid": patient["plans"][0]["sop_instance_uid"]},
        "machine_profile": {"name": "L1"}, "gamma_3d": [gamma()], "warnings": [],
        "points": [{"name": "Isocentre", "ratio": 0.99}],
        "beams": [{"number": 1, "name": "Field 1", "gamma_2d": [gamma(region="field"), gamma(distance_mm=3.0)]}],
        "provenance": {"created": "2026-02-01T10:00:00+00:00", "versions": {"slicer-intrepid": "0.1.0"}},
    }  # fmt: skip
    path = folder / "results.json"
    path.write_text(json.dumps(results))
    for _ in range(2):
        assert add_results(engine, path, course="C1", fraction_number=3, treatment_date=date(2026, 2, 1)) == 3
    with Session(engine) as session:
        rows = session.scalars(select(EpidResult).order_by(EpidResult.beam_number)).all()
        assert len(rows) == 3
        assert (rows[0].beam_number, rows[0].dose_ratio, rows[0].gamma_pass_rate_percent) == (-1, 0.99, 99.0)
        assert (rows[1].beam_name, rows[1].fraction_number, rows[1].course) == ("Field 1", 3, "C1")
        assert rows[0].patient_id == session.scalars(select(Patient.id)).one()
    for wrong in ({"pass_rate_percent": 140.0}, {"distance_mm": "3"}, {"n_points": -1}):
        path.write_text(json.dumps(results | {"gamma_3d": [gamma(**wrong)]}))
        with pytest.raises(UnreadableFile, match=r"gamma_3d\[0\]"):
            add_results(engine, path)
    results["plan"]["sop_instance_uid"] = "1.2.3"
    path.write_text(json.dumps(results))
    with pytest.raises(InvalidSetting, match="0 patients"):
        add_results(engine, path)
    path.write_text("{}")
    with pytest.raises(UnreadableFile, match=r"no results\.json"):
        add_results(engine, path)
