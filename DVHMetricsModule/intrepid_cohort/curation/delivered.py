"""Delivered fractions from a CSV file, as record-and-verify systems export them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from intrepid_cohort.database import pseudonym_key, translating_errors
from intrepid_cohort.headers import file_sha256
from intrepid_cohort.pseudonyms import pseudonym
from intrepid_cohort.schema import DeliveredFractions, Job, Patient, Plan, Study
from intrepid_rt.errors import InvalidSetting, UnreadableFile
from intrepid_rt.small_files import read_rows

COLUMNS = ("patient", "plan", "fractions")


def import_delivered(engine: Engine, path: str | Path, *, centre: str = "") -> int:
    """Read a CSV file with columns patient, plan and fractions (and, if stated, first_day and last_day); return lines.

    ``patient`` is a pseudonym of the database or the patient identifier at ``centre``; ``plan`` is a SOP instance UID
    or a plan label that the patient has once. The file replaces what was stated for these plans before.

    Raises
    ------
    UnreadableFile
        The file lacks a column, or a number is none.
    InvalidSetting
        A patient or plan is not in the database, or a label is not unique.
    """
    path = Path(path)
    lines = list(_lines(path))
    source = f"{path.name} {file_sha256(path)}"
    with translating_errors(engine), Session(engine) as session:
        key = pseudonym_key(session)
        for number, line in lines:
            where = f"{path.name}, line {number}"
            patient = _patient(session, key, line["patient"].strip(), centre, where)
            uid = _plan_uid(session, patient, line["plan"].strip(), where)
            row = session.scalar(
                select(DeliveredFractions).where(
                    DeliveredFractions.patient_id == patient.id, DeliveredFractions.plan_uid == uid
                )
            ) or DeliveredFractions(patient_id=patient.id, plan_uid=uid)
            row.fractions, row.source = _number(line["fractions"], where), source
            row.first_day, row.last_day = (_day(line.get(name), where) for name in ("first_day", "last_day"))
            session.add(row)
            session.flush()
        now = datetime.now(UTC)
        session.add(Job(kind="delivered", arguments={"file": path.name, "centre": centre}, software_version="",
                        started_at=now, finished_at=now, result={"lines": len(lines)}))  # fmt: skip
        session.commit()
    return len(lines)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    rows = read_rows(path)
    if not rows or not set(COLUMNS) <= set(rows[0]):
        found = ", ".join(rows[0]) if rows else "no line"
        raise UnreadableFile(f"{path} has columns {found}; expected at least {', '.join(COLUMNS)}.")
    yield from enumerate(rows, 2)


def _patient(session: Session, key: bytes, stated: str, centre: str, where: str) -> Patient:
    names = (stated, pseudonym(key, centre=centre, patient_id=stated))
    patient = session.scalar(select(Patient).where(Patient.pseudonym.in_(names)))
    if patient is None:
        raise InvalidSetting(
            f"{where}: its patient is not in the database. Import the DICOM first; give --centre if there are several."
        )
    return patient


def _plan_uid(session: Session, patient: Patient, stated: str, where: str) -> str:
    plans = session.scalars(select(Plan).join(Study).where(Study.patient_id == patient.id)).all()
    found = {plan.sop_instance_uid for plan in plans if stated in (plan.sop_instance_uid, plan.rt_plan_label)}
    if len(found) != 1:
        raise InvalidSetting(f"{where}: {len(found)} plans of the patient are {stated!r}; expected one. Give its UID.")
    return found.pop()


def _number(stated: str, where: str) -> float:
    try:
        value = float(stated.replace(",", "."))
    except ValueError:
        value = -1.0
    if not 0 <= value < 1000:
        raise UnreadableFile(f"{where}: {stated!r} is no number of fractions.")
    return value


def _day(stated: str | None, where: str) -> date | None:
    if not stated:
        return None
    try:
        return date.fromisoformat(stated.strip())
    except ValueError as error:
        raise UnreadableFile(f"{where}: {stated!r} is no day; expected for example 2026-01-31.") from error
