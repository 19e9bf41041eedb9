"""``intrepid cohort edit``: values set by hand, the PTV chosen, a patient deleted; all of it logged."""

from typing import Any

import click

from intrepid_cli.cohort_commands.shared import database_option, library, table
from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report

_reason = click.option("--reason", required=True, metavar="TEXT", help="Why, for the log.")
_by = click.option("--by", "edited_by", metavar="NAME", help="Who, for the log; default: the account.")


@click.group("edit")
def command() -> None:
    """Correct what files say, choose the PTV by hand, delete a patient. Files are never changed."""


@command.command("set")
@click.argument("column", metavar="TABLE.COLUMN")
@click.argument("key")
@click.argument("value")
@database_option
@_reason
@_by
@json_option
def set_(column: str, key: str, value: str, database: str, reason: str, edited_by: str | None, as_json: bool) -> int:
    """Set TABLE.COLUMN of the row KEY (pseudonym, or UID of study, plan or structure set) to VALUE, or to none.

    Such as: plans.prescription_dose_gy UID 50. Imports keep it. Treatments of the patient must be curated again.
    """
    engine, by = library().open_database(database), _name(edited_by)
    from intrepid_cohort.edits.values import set_value

    name, _, what = column.partition(".")
    return _done(set_value(engine, name, key, what, value, reason=reason, edited_by=by), as_json)


@command.command("ptv")
@click.argument("structure_set")
@click.argument("rois", nargs=-1, required=True, type=int)
@database_option
@_reason
@_by
@json_option
def ptv(
    structure_set: str, rois: tuple[int, ...], database: str, reason: str, edited_by: str | None, as_json: bool
) -> int:
    """Take the ROIs of these numbers as the PTV of STRUCTURE_SET (its UID): overlap and distances are made anew."""
    engine, by = library().open_database(database), _name(edited_by)
    from intrepid_cohort.edits.values import set_value

    value = " ".join(map(str, rois))
    result = set_value(engine, "structure_sets", structure_set, "ptv_roi_numbers", value, reason=reason, edited_by=by)
    return _done(result, as_json)


@command.command("list")
@database_option
@json_option
def list_(database: str, as_json: bool) -> int:
    """List all values set by hand: who, when, old, new, why, and whether they still hold."""
    engine = library().open_database(database)
    from intrepid_cohort.edits.values import values_set

    rows = [row | {"edited_at": row["edited_at"].isoformat(timespec="seconds")} for row in values_set(engine)]
    names = ("id", "edited_at", "edited_by", "table_name", "row_key", "column_name", "old_value", "new_value", "reason",
             "active")  # fmt: skip
    report({"edits": rows}, table(rows, names) if rows else "No value was set by hand.", as_json=as_json)
    return DONE


@command.command("undo")
@click.argument("number", type=int)
@database_option
@_by
@json_option
def undo(number: int, database: str, edited_by: str | None, as_json: bool) -> int:
    """Take back the edit of this NUMBER: what held before holds again."""
    engine, by = library().open_database(database), _name(edited_by)
    from intrepid_cohort.edits.values import undo_value

    return _done(undo_value(engine, number, edited_by=by), as_json)


@command.command("delete")
@click.argument("patient")
@database_option
@_reason
@_by
@click.option("--keep-out", is_flag=True, help="Let no import bring the patient back; a hash of the pseudonym stays.")
@click.option("--apply", "apply_", is_flag=True, help="Delete for good; without it nothing is written.")
@json_option
def delete(
    patient: str, database: str, reason: str, edited_by: str | None, keep_out: bool, apply_: bool, as_json: bool
) -> int:
    """Delete all rows of PATIENT (pseudonym) from the database; a dry run unless --apply. The files stay.

    The log keeps who, when, why and counts, not whom.
    """
    engine, by = library().open_database(database), _name(edited_by)
    from intrepid_cohort.edits.deleting import delete_patient

    counts = delete_patient(engine, patient, reason=reason, edited_by=by, keep_out=keep_out, apply=apply_)
    shown = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    text = f"Deleted: {shown}." if apply_ else f"Would delete: {shown}. Nothing was written; repeat with --apply."
    report({"applied": apply_, "rows": counts}, text, as_json=as_json)
    return DONE


def _name(edited_by: str | None) -> str:
    from intrepid_cohort.edits.log import user_name

    return edited_by or user_name()


def _done(result: Any, as_json: bool) -> int:
    failures = [{"patient": name, "reason": reason} for name, reason in result.failures]
    lines = [f"NOT IN FORCE YET: {one['patient']}: {one['reason']}" for one in failures]
    lines.append(f"Logged; {result.patients_imported} patients made anew. Curate again: intrepid cohort curate.")
    report({"patients_imported": result.patients_imported, "failures": failures}, "\n".join(lines), as_json=as_json)
    return CHECK_FAILED if failures else DONE
