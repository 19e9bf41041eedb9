"""Setting a value by hand, and taking that back: logged first, then the patient's rows are made anew with it."""

from typing import Any

from sqlalchemy import Engine, inspect, select
from sqlalchemy.orm import Session

from intrepid_cohort.database import translating_errors
from intrepid_cohort.edits.corrections import parsed
from intrepid_cohort.edits.log import log_edit
from intrepid_cohort.importing import ImportResult, import_folders
from intrepid_cohort.schema import Base, Edit, Patient, Plan, StructureSet, Study
from intrepid_rt.errors import InvalidSetting, MissingObject

_KEYS: dict[str, Any] = {
    "patients": Patient.pseudonym,
    "studies": Study.study_instance_uid,
    "plans": Plan.sop_instance_uid,
    "structure_sets": StructureSet.sop_instance_uid,
}


def set_value(
    engine: Engine, table: str, key: str, column: str, value: str, *, reason: str, edited_by: str
) -> ImportResult:
    """Set one value in place of what the files say; return the import that made the patient's rows anew.

    Parameters
    ----------
    table, column : one of `intrepid_cohort.edits.corrections.EDITABLE`.
    key : pseudonym of the patient, or UID of the study, plan or structure set.
    value : as written; ``none`` for no value. For ``ptv_roi_numbers`` the numbers of the ROIs that are the PTV.

    Raises
    ------
    InvalidSetting
        The column cannot be set, the value is not of its kind, or no reason is given.
    MissingObject
        There is no such row, or several patients have it.
    OutputNotWritable
    """
    new = parsed(table, column, value)
    if not reason.strip():
        raise InvalidSetting("No reason is given; the log needs one.")
    with translating_errors(engine), Session(engine) as session, session.begin():
        row, pseudonym = _row(session, table, key)
        if column == "ptv_roi_numbers":
            _require_rois(row, new)
        old = getattr(row, column)
        log_edit(
            session, table=table, row_key=key, column=column, old=old if _is_plain(old) else old.isoformat(), new=new,
            reason=reason, edited_by=edited_by, pseudonym=pseudonym,
        )  # fmt: skip
    return import_folders(engine, [], processes=1)


def undo_value(engine: Engine, number: int, *, edited_by: str) -> ImportResult:
    """Take back one value that was set by hand: what held before holds again; return the import that put it there.

    Raises
    ------
    MissingObject
        There is no such edit, or it no longer holds.
    OutputNotWritable
    """
    with translating_errors(engine), Session(engine) as session, session.begin():
        edit = session.get(Edit, number)
        if edit is None or not edit.active or edit.table_name not in _KEYS:
            raise MissingObject(f"Edit {number} is no value set by hand that still holds. List them: cohort edit list.")
        log_edit(
            session, table=edit.table_name, row_key=edit.row_key, column=edit.column_name, old=edit.new_value,
            new=edit.old_value, reason="undone", edited_by=edited_by, pseudonym=edit.pseudonym, undoes=edit.id,
        )  # fmt: skip
        before = _before(session, edit)
        if before is not None:
            before.active = True
    return import_folders(engine, [], processes=1)


def values_set(engine: Engine) -> list[dict[str, Any]]:
    """Return all edits of values, in their order: what, who, when, old, new, why, and whether they still hold."""
    columns = [column.key for column in inspect(Edit).columns if column.key != "job_id"]
    with translating_errors(engine), Session(engine) as session:
        rows = session.scalars(select(Edit).where(Edit.table_name.in_(list(_KEYS))).order_by(Edit.id))
        return [{name: getattr(row, name) for name in columns} for row in rows]


def _row(session: Session, table: str, key: str) -> tuple[Base, str]:
    column = _KEYS[table]
    query = select(column.class_, Patient.pseudonym).where(column == key)
    if table == "plans" or table == "structure_sets":
        query = query.join(Study, column.class_.study_id == Study.id)
    if table != "patients":
        query = query.join(Patient, Study.patient_id == Patient.id)
    found = session.execute(query).all()
    if len(found) != 1:
        raise MissingObject(f"{len(found)} rows of {table} have the key {key}; expected one.")
    return found[0][0], found[0][1]


def _require_rois(row: Any, numbers: list[int]) -> None:
    known = {structure.roi_number: structure.roi_name for structure in row.structures}
    if unknown := sorted(set(numbers) - set(known)):
        shown = ", ".join(f"{number} {name}" for number, name in sorted(known.items()))
        raise InvalidSetting(f"The structure set has no ROI {', '.join(map(str, unknown))}; it has: {shown}.")


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool | list)


def _before(session: Session, edit: Edit) -> Edit | None:
    """Return the edit that this one had overtaken, unless that was undone itself."""
    undone = select(Edit.undoes).where(Edit.undoes.is_not(None))
    return session.scalars(
        select(Edit)
        .where(Edit.table_name == edit.table_name, Edit.row_key == edit.row_key)
        .where(Edit.column_name == edit.column_name, Edit.pseudonym == edit.pseudonym)
        .where(Edit.id < edit.id, Edit.undoes.is_(None), Edit.id.not_in(undone))
        .order_by(Edit.id.desc())
    ).first()
