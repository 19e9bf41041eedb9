"""Decisions to rows and back: replacing a treatment, and reading the one that is there."""

from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from intrepid_cohort.curation.decision import PlanDecision, SetDecision, TreatmentDecision
from intrepid_cohort.schema import Collection, Dose, Treatment, TreatmentPlan, TreatmentStructureSet

_COLUMNS = ("status", "exclusion_step", "exclusion_reason", "main_plan_uid", "main_plan_rule", "laterality",
            "laterality_evidence", "prescription_dose_gy", "fractions_planned", "fractions_delivered",
            "outside_factor", "decisions", "warnings", "content_digest")  # fmt: skip
_PLAN_COLUMNS = ("plan_uid", "role", "reason", "fractions_planned", "fractions_delivered", "fractions_source",
                 "dose_factor", "dose_uids")  # fmt: skip


def stored_treatment(session: Session, collection: Collection, patient_id: int) -> Treatment | None:
    """Return the treatment of a patient in a collection."""
    return session.scalar(
        select(Treatment).where(Treatment.collection_id == collection.id, Treatment.patient_id == patient_id)
    )


def as_decision(row: Treatment, pseudonym: str) -> TreatmentDecision:
    """Return what a stored treatment says."""
    return TreatmentDecision(
        pseudonym=pseudonym,
        **{name: getattr(row, name) for name in _COLUMNS},
        plans=[
            PlanDecision(**{name: getattr(plan, name) for name in _PLAN_COLUMNS})
            for plan in sorted(row.plans, key=lambda plan: plan.plan_uid)
        ],
        structure_sets=[
            SetDecision(structure_set_uid=one.structure_set_uid, role=one.role, source=one.source)
            for one in sorted(row.structure_sets, key=lambda one: one.structure_set_uid)
        ],
    )


def delete_treatment(session: Session, row: Treatment | None) -> None:
    """Delete a treatment together with its dose."""
    if row is None:
        return
    treatment_id, dose_id = row.id, row.dose_id
    # Forgotten by the session first: its rows die with the treatment, and SQLite gives their numbers away again.
    for one in (*row.plans, *row.structure_sets, row):
        session.expunge(one)
    quietly = {"synchronize_session": False}
    session.execute(delete(Treatment).where(Treatment.id == treatment_id), execution_options=quietly)
    session.execute(delete(Dose).where(Dose.id == dose_id), execution_options=quietly)


def store_treatment(
    session: Session, collection: Collection, patient_id: int, made: TreatmentDecision, dose: Dose | None
) -> Treatment:
    """Add a treatment; ``dose`` is None if it is not included."""
    row = Treatment(
        collection_id=collection.id,
        patient_id=patient_id,
        dose_id=dose.id if dose is not None else None,
        dose_reason=None if dose is not None else made.exclusion_reason,
        curated_at=datetime.now(UTC),
        **{name: getattr(made, name) for name in _COLUMNS},
    )
    row.plans = [TreatmentPlan(**{name: getattr(plan, name) for name in _PLAN_COLUMNS}) for plan in made.plans]
    row.structure_sets = [
        TreatmentStructureSet(structure_set_uid=one.structure_set_uid, role=one.role, source=one.source)
        for one in made.structure_sets
    ]
    session.add(row)
    return row
