"""Compares a curated database with the truth of a synthetic cohort; the same for 30 and for 300 patients."""

from collections import Counter

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from intrepid_cohort.names.mapping import NameDecision
from intrepid_cohort.pseudonyms import pseudonym
from intrepid_cohort.schema import (
    Collection,
    Dose,
    Patient,
    Plan,
    Structure,
    StructureName,
    StructureSet,
    Study,
    Treatment,
)


def true_names(truth):
    """Return (centre, name as written) -> name after TG-263, None for helpers and points."""
    points = {(patient["centre"], name): None for patient in truth["patients"] for name in patient["points"]}
    return points | {
        (patient["centre"], structure["roi_name"]): structure["tg263"]
        for patient in truth["patients"]
        for structure_set in patient["structure_sets"]
        for structure in structure_set["structures"]
    }


def check_names(engine, truth):
    """No confident name is wrong; return what a person must decide."""
    wanted = true_names(truth)
    with Session(engine) as session:
        rows = {(row.centre, row.roi_name): row for row in session.scalars(select(StructureName))}
    assert set(rows) == set(wanted)
    # The outer contour of Eclipse is called BODY: External by its type.
    wrong = [key for key, row in rows.items() if row.status == "confident" and row.standard_name != wanted[key]]
    assert wrong == []
    return [NameDecision(*key, wanted[key]) for key, row in rows.items() if row.status == "unsure"]


def check_categories(engine, truth):
    """After the review every structure carries its true name."""
    wanted = true_names(truth)
    query = (
        select(Patient.centre, Structure.roi_name, Structure.institutional_category)
        .select_from(Structure)
        .join(StructureSet)
        .join(Study)
        .join(Patient)
    )
    with Session(engine) as session:
        assert {row[:2]: row[2] for row in session.execute(query)} == wanted


def check_treatments(engine, truth, key, collection="breast"):
    """Status, plans, factors, sums, sides and doses of every patient are the true ones; return counts by status."""
    with Session(engine) as session:
        rows = session.execute(
            select(Patient.pseudonym, Treatment)
            .join(Patient, Treatment.patient_id == Patient.id)
            .join(Collection, Treatment.collection_id == Collection.id)
            .where(Collection.name == collection)
        )
        found = dict(rows.all())
        assert len(found) == len(truth["patients"])
        for patient in truth["patients"]:
            name = pseudonym(key.encode(), centre=patient["centre"], patient_id=patient["patient_id"])
            _check_treatment(session, found[name], patient)
        return Counter(row.status for row in found.values())


def _check_treatment(session, row, patient):
    wanted = patient["treatment"]
    assert row.status == wanted["status"], (patient["scenario"], row.exclusion_reason)
    if wanted["status"] != "included":
        assert row.exclusion_step == wanted["step"]
        assert row.exclusion_reason
        assert row.dose_id is None
        return
    assert row.main_plan_uid == wanted["main_plan_uid"]
    plans = session.query(Plan).join(Study).filter(Study.patient_id == row.patient_id)
    assert {plan.planning_system or "Synthetic" for plan in plans} == {patient["system"]}
    assert row.laterality == wanted["laterality"]
    assert row.outside_factor == pytest.approx(wanted["outside_factor"])
    assert row.prescription_dose_gy == pytest.approx(wanted["prescription_gy"])
    factors = {plan.plan_uid: plan.dose_factor for plan in row.plans if plan.dose_factor is not None}
    assert factors == pytest.approx(wanted["factors"])
    assert len(row.plans) == session.query(Plan).join(Study).filter(Study.patient_id == row.patient_id).count()
    _check_doses(session.get_one(Dose, row.dose_id), wanted, patient)


def _check_doses(dose, wanted, patient):
    assert dose.dose_summation_type == "TREATMENT"
    assert {part["sop_instance_uid"] for part in dose.components} <= {
        one["sop_instance_uid"] for one in patient["doses"]
    } | set(patient["beam_dose_uids"])
    assert len(dose.components) >= len(wanted["factors"])
    found = {(dvh.structure.structure_set.sop_instance_uid, dvh.structure.roi_number): dvh for dvh in dose.dvhs}
    for structure_set in wanted["structure_sets"]:
        for structure in structure_set["structures"]:
            dvh = found.pop((structure_set["sop_instance_uid"], structure["roi_number"]))
            # Steps of 16 bit doses add up; corners lie between voxels of a grid that is shifted.
            assert dvh.mean_gy == pytest.approx(structure["mean_gy"], abs=5e-3), (patient["scenario"], structure)
            assert dvh.min_gy == pytest.approx(structure["min_gy"], abs=0.03)
            assert dvh.max_gy == pytest.approx(structure["max_gy"], abs=0.03)
            assert dvh.engine.startswith("intrepid_dvh ")
            assert dvh.dose_sha256 == dose.file_sha256
    assert {dvh.structure.roi_name for dvh in found.values()} <= set(patient["points"])
    assert all(dvh.mean_gy is None and dvh.reason for dvh in found.values())
