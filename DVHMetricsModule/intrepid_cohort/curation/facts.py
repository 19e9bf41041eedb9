"""What the database knows of one patient, as far as curation decides by it."""

from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from intrepid_cohort.schema import (
    Beam,
    DeliveredFractions,
    Dose,
    DoseVolumeHistogram,
    Patient,
    Plan,
    Structure,
    StructureSet,
    Study,
    TreatmentRecord,
)

# A fraction of which at least this share was delivered counts as whole: metersets are rounded.
_WHOLE = 0.995


@dataclass(frozen=True)
class DoseFacts:
    """One imported dose object of a plan."""

    id: int
    uid: str
    sha256: str
    summation_type: str
    beam_number: int | None
    frame_uid: str
    max_gy: float


@dataclass(frozen=True)
class PlanFacts:
    """One plan with its doses, and the fractions that each source states."""

    uid: str
    label: str
    approval: str
    timestamp: datetime | None
    fractions: int | None
    prescription_gy: float | None
    structure_set_uid: str
    frame_uid: str
    study_id: int
    beam_numbers: frozenset[int]
    doses: tuple[DoseFacts, ...] = ()
    delivered: dict[str, float] = field(default_factory=dict)

    @property
    def plan_doses(self) -> list[DoseFacts]:
        """Doses of the whole plan."""
        return [dose for dose in self.doses if dose.summation_type == "PLAN"]

    @property
    def beam_doses(self) -> list[DoseFacts]:
        """Doses of single beams, if there is exactly one for each beam."""
        beams = [dose for dose in self.doses if dose.summation_type == "BEAM"]
        numbers = [dose.beam_number for dose in beams]
        whole = len(set(numbers)) == len(numbers) and set(numbers) == set(self.beam_numbers)
        return beams if beams and whole else []


@dataclass(frozen=True)
class OrganFacts:
    """Where a structure lies and what it receives from the dose of one plan."""

    structure_set_uid: str
    name: str
    interpreted_type: str
    centroid_x_mm: float | None
    mean_gy_by_dose: dict[int, float]


@dataclass(frozen=True)
class SetFacts:
    """One structure set."""

    id: int
    uid: str
    frame_uid: str
    series_uid: str
    label: str
    manufacturer: str
    timestamp: datetime | None


@dataclass(frozen=True)
class PatientFacts:
    """All that curation decides by; two equal ones get the same treatment."""

    id: int
    pseudonym: str
    centre: str
    sex: str
    content_digest: str
    study_days: tuple[date, ...]
    plans: tuple[PlanFacts, ...]
    structure_sets: tuple[SetFacts, ...]
    organs: tuple[OrganFacts, ...]


def patient_facts(session: Session, patient: Patient) -> PatientFacts:
    """Collect the facts of one patient."""
    studies = session.scalars(select(Study).where(Study.patient_id == patient.id)).all()
    ids = [study.id for study in studies]
    doses = _doses(session, ids)
    return PatientFacts(
        id=patient.id,
        pseudonym=patient.pseudonym,
        centre=patient.centre,
        sex=patient.patient_sex or "",
        content_digest=patient.content_digest or "",
        study_days=tuple(sorted(study.study_date for study in studies if study.study_date)),
        plans=tuple(_plans(session, patient.id, ids, doses)),
        structure_sets=tuple(_sets(session, ids)),
        organs=tuple(_organs(session, ids)),
    )


def _doses(session: Session, study_ids: list[int]) -> dict[str, list[DoseFacts]]:
    found: dict[str, list[DoseFacts]] = {}
    query = select(Dose).where(Dose.study_id.in_(study_ids), Dose.dose_summation_type != "TREATMENT")
    for row in session.scalars(query.order_by(Dose.sop_instance_uid)):
        facts = DoseFacts(
            row.id, row.sop_instance_uid, row.file_sha256, row.dose_summation_type, row.referenced_beam_number,
            row.frame_of_reference_uid, row.max_gy,
        )  # fmt: skip
        found.setdefault(row.referenced_plan_uid or "", []).append(facts)
    return found


def _plans(session: Session, patient_id: int, ids: list[int], doses: dict[str, list[DoseFacts]]) -> list[PlanFacts]:
    stated = {
        row.plan_uid: row.fractions
        for row in session.scalars(select(DeliveredFractions).where(DeliveredFractions.patient_id == patient_id))
    }
    recorded = _recorded(session, ids)
    rows = session.scalars(select(Plan).where(Plan.study_id.in_(ids)).order_by(Plan.sop_instance_uid)).all()
    return [_plan(session, row, doses.get(row.sop_instance_uid, []), stated, recorded) for row in rows]


def _plan(
    session: Session,
    row: Plan,
    doses: list[DoseFacts],
    stated: dict[str, float],
    recorded: dict[str, list[TreatmentRecord]],
) -> PlanFacts:
    delivered = {}
    if row.sop_instance_uid in stated:
        delivered["CSV"] = stated[row.sop_instance_uid]
    if row.sop_instance_uid in recorded:
        delivered["RTRECORD"] = _fractions(recorded[row.sop_instance_uid], row.meterset_mu)
    beams = session.execute(select(Beam.beam_number, Beam.treatment_delivery_type).where(Beam.plan_id == row.id))
    return PlanFacts(
        uid=row.sop_instance_uid,
        label=row.rt_plan_label or "",
        approval=(row.approval_status or "").upper(),
        timestamp=row.rt_plan_timestamp,
        fractions=row.fractions_planned,
        prescription_gy=row.prescription_dose_gy,
        structure_set_uid=row.referenced_structure_set_uid or "",
        frame_uid=row.frame_of_reference_uid or (doses[0].frame_uid if doses else ""),
        study_id=row.study_id,
        beam_numbers=frozenset(n for n, kind in beams if (kind or "TREATMENT") in ("TREATMENT", "CONTINUATION")),
        doses=tuple(doses),
        delivered=delivered,
    )


def _recorded(session: Session, study_ids: list[int]) -> dict[str, list[TreatmentRecord]]:
    found: dict[str, list[TreatmentRecord]] = {}
    for row in session.scalars(select(TreatmentRecord).where(TreatmentRecord.study_id.in_(study_ids))):
        if row.referenced_plan_uid and row.beam_numbers:
            found.setdefault(row.referenced_plan_uid, []).append(row)
    return found


def _fractions(records: list[TreatmentRecord], meterset_mu: float | None) -> float:
    """Delivered fractions: a broken-off one counts by its share of the meterset, where both are known."""
    delivered: dict[tuple, float] = {}
    complete: dict[tuple, bool] = {}
    for record in records:
        # Records of one fraction may be several, one per beam or one per session that was resumed.
        for number in _numbers(record):
            key = (record.fraction_group_number, number)
            delivered[key] = delivered.get(key, 0.0) + (record.delivered_meterset or 0.0) / len(_numbers(record))
            complete[key] = complete.get(key, False) or record.is_complete
    if not meterset_mu:
        return float(sum(complete.values()))
    shares = [min(1.0, value / meterset_mu) for value in delivered.values()]
    return round(sum(1.0 if share >= _WHOLE else share for share in shares), 3)


def _numbers(record: TreatmentRecord) -> list[int | date | None]:
    """Fractions that a record is about; by its day if it states none."""
    return [*record.fraction_numbers] or [record.treatment_date]


def _sets(session: Session, study_ids: list[int]) -> list[SetFacts]:
    rows = session.scalars(
        select(StructureSet).where(StructureSet.study_id.in_(study_ids)).order_by(StructureSet.sop_instance_uid)
    )
    return [
        SetFacts(row.id, row.sop_instance_uid, row.frame_of_reference_uid, row.referenced_series_uid,
                 row.structure_set_label or "", row.manufacturer or "", row.structure_set_timestamp)
        for row in rows
    ]  # fmt: skip


def _organs(session: Session, study_ids: list[int]) -> list[OrganFacts]:
    query = (
        select(Structure, StructureSet.sop_instance_uid)
        .join(StructureSet, Structure.structure_set_id == StructureSet.id)
        .where(StructureSet.study_id.in_(study_ids))
        .order_by(StructureSet.sop_instance_uid, Structure.roi_number)
    )
    found = []
    for structure, set_uid in session.execute(query):
        means = session.scalars(
            select(DoseVolumeHistogram).where(
                DoseVolumeHistogram.structure_id == structure.id, DoseVolumeHistogram.mean_gy.is_not(None)
            )
        )
        mean_by_dose = {row.dose_id: row.mean_gy for row in means if row.mean_gy is not None}
        found.append(
            OrganFacts(set_uid, structure.institutional_category or structure.roi_name,
                       structure.rt_roi_interpreted_type or "", structure.centroid_x_mm, mean_by_dose)
        )  # fmt: skip
    return found
