"""Values that people set in place of what files say: which may be set, and how an import puts them into its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from intrepid_cohort.schema import Edit
from intrepid_rt.errors import InvalidSetting

_KINDS: Mapping[str, type] = {"text": str, "number": float, "whole number": int, "yes or no": bool, "date": date,
                              "list of whole numbers": list}  # fmt: skip

# (table, column): kind of value. Geometry, doses and UIDs are not among them: those are measured, not said.
EDITABLE: Mapping[tuple[str, str], str] = {
    ("patients", "patient_sex"): "text",
    ("patients", "patient_birth_date"): "date",
    ("studies", "study_date"): "date",
    ("studies", "study_description"): "text",
    ("plans", "rt_plan_label"): "text",
    ("plans", "plan_intent"): "text",
    ("plans", "approval_status"): "text",
    ("plans", "is_baseline"): "yes or no",
    ("plans", "physician"): "text",
    ("plans", "treatment_sites"): "text",
    ("plans", "fractions_planned"): "whole number",
    ("plans", "prescription_dose_gy"): "number",
    ("structure_sets", "structure_set_label"): "text",
    ("structure_sets", "ptv_roi_numbers"): "list of whole numbers",
}


def parsed(table: str, column: str, value: str) -> Any:
    """Return a value written by a person in the form in which the log keeps it (JSON); ``none`` is no value.

    >>> parsed("structure_sets", "ptv_roi_numbers", "2, 5"), parsed("plans", "is_baseline", "yes")
    ([2, 5], True)

    Raises
    ------
    InvalidSetting
        The column may not be set, or the value is not of its kind.
    """
    kind = EDITABLE.get((table, column))
    if kind is None:
        known = ", ".join(f"{table}.{column}" for table, column in EDITABLE)
        raise InvalidSetting(f"{table}.{column} cannot be set by hand; what can: {known}.")
    if value.strip().lower() == "none":
        return [] if kind == "list of whole numbers" else None
    try:
        return _parse(kind, value.strip())
    except (ValueError, KeyError):
        raise InvalidSetting(f"{value!r} is no {kind}, which {table}.{column} holds.") from None


def _parse(kind: str, value: str) -> Any:
    if kind == "date":
        return date.fromisoformat(value).isoformat()
    if kind == "yes or no":
        return {"yes": True, "no": False}[value.lower()]
    if kind == "list of whole numbers":
        return [int(part) for part in value.replace(",", " ").split()]
    return _KINDS[kind](value)


@dataclass
class Corrections:
    """What people set for one patient: new values by (table, key of the row), each used once."""

    values: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def apply(self, table: str, key: str, row: object) -> None:
        """Put the values of one row in place, if there are any."""
        for column, value in self.take(table, key).items():
            is_date = EDITABLE.get((table, column)) == "date" and value is not None
            setattr(row, column, date.fromisoformat(value) if is_date else value)

    def take(self, table: str, key: str) -> dict[str, Any]:
        """Return the values of one row by column; they then count as used."""
        return self.values.pop((table, key), {})

    def left_over(self) -> list[str]:
        """Return a note on each value whose row is no longer there."""
        return [f"{table}.{column} of {key} was set by hand, but there is no such row now."
                for (table, key), columns in sorted(self.values.items()) for column in sorted(columns)]  # fmt: skip


def values_by_hand(session: Session, *, of: str | None = None) -> dict[str, list[tuple[str, str, str, Any]]]:
    """Return the values that hold, by pseudonym: table, key of the row, column, value; of one patient or of all."""
    query = select(Edit.pseudonym, Edit.table_name, Edit.row_key, Edit.column_name, Edit.new_value)
    query = query.where(Edit.active, Edit.pseudonym == of if of else Edit.pseudonym.is_not(None))
    found: dict[str, list[tuple[str, str, str, Any]]] = {}
    for name, table, key, column, value in session.execute(query):
        if (table, column) in EDITABLE:
            found.setdefault(name, []).append((table, key, column, value))
    return {name: sorted(values, key=repr) for name, values in found.items()}


def corrections_of(session: Session, pseudonym: str) -> Corrections:
    """Return what people set for one patient."""
    made = Corrections()
    for table, key, column, value in values_by_hand(session, of=pseudonym).get(pseudonym, []):
        made.values.setdefault((table, "" if table == "patients" else key), {})[column] = value
    return made
