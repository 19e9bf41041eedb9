"""Curating a collection: a dry run first, then the same for good, every change logged and able to be taken back."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from intrepid_cohort.curation.deciding import STEPS, decide
from intrepid_cohort.curation.decision import TreatmentDecision
from intrepid_cohort.curation.facts import patient_facts
from intrepid_cohort.curation.rules import Rules
from intrepid_cohort.curation.storing import as_decision, delete_treatment, store_treatment, stored_treatment
from intrepid_cohort.curation.treatment_dose import add_treatment_dose
from intrepid_cohort.database import translating_errors
from intrepid_cohort.dose_facts import software_version
from intrepid_cohort.edits.log import log_edit
from intrepid_cohort.schema import Collection, Dose, Edit, Job, Patient
from intrepid_rt.errors import InvalidSetting, MissingObject, UnusableInput

Progress = Callable[[str, int, int], None]


@dataclass
class CurationResult:
    """What a run decided; ``changed`` holds the pseudonyms whose treatment is new or another one."""

    treatments: list[TreatmentDecision] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    applied: bool = False
    job_id: int | None = None

    @property
    def flow(self) -> list[tuple[str, int]]:
        """Counts as in a CONSORT diagram: patients found, those who leave at each step, those who stay."""
        left = Counter((t.exclusion_step, t.status) for t in self.treatments if t.status != "included")
        lines = [("patients", len(self.treatments))]
        for step in STEPS:
            for status, word in (("excluded", "excluded"), ("review", "held for review")):
                if left[step, status]:
                    lines.append((f"{word}: {step}", left[step, status]))
        return [*lines, ("included", sum(t.status == "included" for t in self.treatments))]


def curate(
    engine: Engine,
    rules: Rules,
    *,
    apply: bool = False,
    edited_by: str = "",
    centres: Sequence[str] = (),
    progress: Progress = lambda stage, done, total: None,
) -> CurationResult:
    """Decide one treatment per patient; with ``apply`` store it, sum its doses and compute its DVHs.

    A patient whose files, names, delivered fractions, rules and hand-made decisions are the same as last time is passed
    over. Each patient is one transaction: a run that was broken off continues where it stopped.

    Parameters
    ----------
    engine : database, see `intrepid_cohort.database.open_database`.
    rules : see `intrepid_cohort.curation.rules.read_rules`.
    apply : store the result; without, nothing is written.
    edited_by : who curates, for the log.
    centres : only patients of these centres; all by default.

    Raises
    ------
    OutputNotWritable
    """
    result = CurationResult(applied=apply)
    with translating_errors(engine), Session(engine, expire_on_commit=False) as session:
        collection = _collection(session, rules, apply)
        result.job_id = _job(session, rules, edited_by) if apply else None
        query = select(Patient.id).where(Patient.content_digest.is_not(None)).order_by(Patient.pseudonym)
        ids = session.scalars(query.where(Patient.centre.in_(centres)) if centres else query).all()
        for done, patient_id in enumerate(ids, 1):
            patient = session.get_one(Patient, patient_id)
            by_hand = decided_by_hand(session, rules.name, patient.pseudonym)
            made = decide(patient_facts(session, patient), rules, by_hand)
            stored = stored_treatment(session, collection, patient_id) if collection.id else None
            if stored is None or stored.content_digest != made.content_digest or _lost_its_dose(stored):
                result.changed.append(patient.pseudonym)
                if apply:
                    _replace(session, collection, patient, made, rules, result.job_id, edited_by)
                    session.commit()
            else:
                made = as_decision(stored, patient.pseudonym)
            result.treatments.append(made)
            session.expunge_all()
            if collection.id:
                collection = session.get_one(Collection, collection.id)
            progress("curating patients", done, len(ids))
        if apply:
            _finish(session, result)
    return result


def undo(engine: Engine, job_id: int, *, edited_by: str = "") -> int:
    """Take back what a curation did: each treatment becomes what it was before; return how many changed.

    Raises
    ------
    MissingObject
        There is no such curation, or it changed nothing that still holds.
    OutputNotWritable
    """
    with translating_errors(engine), Session(engine, expire_on_commit=False) as session:
        edits = session.scalars(
            select(Edit).where(Edit.job_id == job_id, Edit.table_name == "treatments", Edit.undoes.is_(None))
        ).all()
        open_ones = [edit for edit in edits if edit.active]
        if not open_ones:
            raise MissingObject(f"Run {job_id} changed no treatment that still holds. List runs with: --runs")
        for number in [edit.id for edit in open_ones]:
            _take_back(session, session.get_one(Edit, number), edited_by)
            session.commit()
            session.expunge_all()
    return len(open_ones)


def decided_by_hand(session: Session, collection: str, pseudonym: str) -> dict[str, str]:
    """Return what people set for a patient in a collection: roles by plan UID, and the status."""
    edits = session.scalars(
        select(Edit).where(Edit.pseudonym == pseudonym, Edit.active, Edit.table_name == "treatment_plans")
    )
    prefix = f"{collection}/"
    return {edit.row_key.removeprefix(prefix): edit.new_value for edit in edits
            if edit.row_key.startswith(prefix) and edit.new_value is not None}  # fmt: skip


def _lost_its_dose(stored: Any) -> bool:
    return stored.status == "included" and stored.dose_id is None


def _collection(session: Session, rules: Rules, apply: bool) -> Collection:
    row = session.scalar(select(Collection).where(Collection.name == rules.name))
    if row is None:
        row = Collection(name=rules.name, created_at=datetime.now(UTC), rules={}, rules_sha256="")
    if apply:
        row.description, row.rules, row.rules_sha256 = rules.description or None, rules.as_dict(), rules.sha256
        session.add(row)
        session.commit()
    return row


def _job(session: Session, rules: Rules, edited_by: str) -> int:
    job = Job(
        kind="curate", arguments={"collection": rules.name, "rules_sha256": rules.sha256, "by": edited_by},
        software_version=software_version(), started_at=datetime.now(UTC), result={},
    )  # fmt: skip
    session.add(job)
    session.commit()
    return job.id


def _finish(session: Session, result: CurationResult) -> None:
    job = session.get_one(Job, result.job_id)
    job.finished_at = datetime.now(UTC)
    job.result = {"changed": len(result.changed), "flow": [list(line) for line in result.flow]}
    session.commit()


def _replace(
    session: Session,
    collection: Collection,
    patient: Patient,
    made: TreatmentDecision,
    rules: Rules,
    job_id: int | None,
    edited_by: str,
) -> None:
    before = stored_treatment(session, collection, patient.id)
    old = as_decision(before, patient.pseudonym).as_dict() if before is not None else None
    delete_treatment(session, before)
    dose: Dose | None = None
    if made.status == "included":
        try:
            dose = add_treatment_dose(session, patient, made, rules)
        except UnusableInput as error:
            made.leave("review", "dose", str(error))
    store_treatment(session, collection, patient.id, made, dose)
    log_edit(
        session, table="treatments", row_key=collection.name, column="*", old=old, new=made.as_dict(),
        reason="curated", edited_by=edited_by, pseudonym=patient.pseudonym, job_id=job_id,
    )  # fmt: skip


def _take_back(session: Session, edit: Edit, edited_by: str) -> None:
    collection = session.scalars(select(Collection).where(Collection.name == edit.row_key)).one()
    patient = session.scalars(select(Patient).where(Patient.pseudonym == edit.pseudonym)).one()
    delete_treatment(session, stored_treatment(session, collection, patient.id))
    old = edit.old_value
    if old is not None:
        made = msgspec.convert(old, TreatmentDecision)
        rules = msgspec.convert(collection.rules, Rules)
        dose = add_treatment_dose(session, patient, made, rules) if made.status == "included" else None
        store_treatment(session, collection, patient.id, made, dose)
    log_edit(
        session, table="treatments", row_key=edit.row_key, column="*", old=edit.new_value, new=old, reason="undone",
        edited_by=edited_by, pseudonym=edit.pseudonym, undoes=edit.id,
    )  # fmt: skip
    edit.active = False
    _reactivate_the_one_before(session, edit)


def _reactivate_the_one_before(session: Session, edit: Edit) -> None:
    """Let the edit count again that this one had overtaken, so that it can be taken back too."""
    undone = select(Edit.undoes).where(Edit.undoes.is_not(None))
    before = session.scalars(
        select(Edit)
        .where(Edit.table_name == edit.table_name, Edit.row_key == edit.row_key, Edit.pseudonym == edit.pseudonym)
        .where(Edit.id < edit.id, Edit.undoes.is_(None), Edit.id.not_in(undone))
        .order_by(Edit.id.desc())
    ).first()
    if before is not None:
        before.active = True


def set_by_hand(
    engine: Engine, collection: str, pseudonym: str, subject: str, value: str | None, *, reason: str, edited_by: str
) -> None:
    """Set the role of a plan (main, boost, left out) or exclude a patient (subject ``status``, value the reason).

    None takes the decision back. It counts from the next run of `curate` on.

    Raises
    ------
    InvalidSetting
        There is no such patient, or no such role.
    """
    if subject != "status" and value not in ("main", "boost", "left out", None):
        raise InvalidSetting(f"{value!r} is no role of a plan; expected main, boost or left out.")
    with translating_errors(engine), Session(engine) as session:
        if session.scalar(select(Patient.id).where(Patient.pseudonym == pseudonym)) is None:
            raise InvalidSetting(f"There is no patient {pseudonym} in this database.")
        before = decided_by_hand(session, collection, pseudonym).get(subject)
        log_edit(
            session, table="treatment_plans", row_key=f"{collection}/{subject}", column="role", old=before, new=value,
            reason=reason, edited_by=edited_by, pseudonym=pseudonym,
        )  # fmt: skip
        session.commit()


def runs(engine: Engine) -> list[dict[str, Any]]:
    """Return the runs of curation: number, start, collection, who, how many treatments changed and still hold."""
    with translating_errors(engine), Session(engine) as session:
        active = Counter(session.scalars(select(Edit.job_id).where(Edit.table_name == "treatments", Edit.active)))
        jobs = session.scalars(select(Job).where(Job.kind == "curate").order_by(Job.id)).all()
        return [
            {"run": job.id, "started_at": job.started_at.isoformat(timespec="seconds"),
             "collection": job.arguments["collection"], "by": job.arguments["by"],
             "changed": job.result.get("changed"), "active": active[job.id]}
            for job in jobs
        ]  # fmt: skip
