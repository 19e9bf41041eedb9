"""One line per change: who, when, what it was, what it is, why."""

import getpass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from intrepid_cohort.schema import Edit


def log_edit(
    session: Session,
    *,
    table: str,
    row_key: str,
    column: str,
    old: Any,
    new: Any,
    reason: str,
    edited_by: str,
    pseudonym: str | None = None,
    job_id: int | None = None,
    undoes: int | None = None,
) -> Edit:
    """Write a change to the log; an earlier one of the same value is overtaken and no longer active."""
    session.execute(
        update(Edit)
        .where(Edit.table_name == table, Edit.row_key == row_key, Edit.column_name == column, Edit.active)
        .where(Edit.pseudonym == pseudonym if pseudonym else Edit.pseudonym.is_(None))
        .values(active=False)
    )
    edit = Edit(
        edited_at=datetime.now(UTC), edited_by=edited_by, job_id=job_id, pseudonym=pseudonym, table_name=table,
        row_key=row_key, column_name=column, old_value=old, new_value=new, reason=reason, undoes=undoes,
        active=undoes is None,
    )  # fmt: skip
    session.add(edit)
    session.flush()
    return edit


def user_name() -> str:
    """Return the account under which the program runs: who changes something, if nobody says otherwise."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no account of this number, as in some containers
        return "unknown"
