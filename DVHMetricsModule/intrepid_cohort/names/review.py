"""The review of names as a CSV file that any spreadsheet opens: written, filled in by a person, read back."""

import csv
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from intrepid_cohort.database import translating_errors
from intrepid_cohort.names.mapping import NameDecision
from intrepid_cohort.names.proposal import propose
from intrepid_cohort.schema import StructureName
from intrepid_rt.atomic import replacing
from intrepid_rt.errors import InvalidSetting, UnreadableFile
from intrepid_rt.small_files import read_rows

COLUMNS = ("centre", "roi_name", "standard_name", "category", "target_dose_gy", "confidence", "status",
           "structure_count", "candidates", "reason", "decision")  # fmt: skip


def write_review(engine: Engine, path: str | Path, *, only_unsure: bool = False) -> int:
    """Write all names (or those that nobody is sure of), least sure first; return their number.

    The column ``decision`` is for the person: a name after TG-263, ``-`` for none, ``ok`` to confirm ``standard_name``;
    empty leaves the name undecided.
    """
    with translating_errors(engine), Session(engine) as session:
        query = select(StructureName).order_by(
            StructureName.confidence, StructureName.centre, StructureName.roi_name
        )  # fmt: skip
        rows = [row for row in session.scalars(query) if not only_unsure or row.status == "unsure"]
        _write(path, [_line(row) for row in rows])
    return len(rows)


def read_review(path: str | Path) -> Iterator[NameDecision]:
    """Yield the decisions of a review file; lines without one are passed over.

    Raises
    ------
    UnreadableFile
        It is no CSV file with the columns centre, roi_name and decision.
    InvalidSetting
        ``ok`` stands where no name was proposed.
    """
    rows = read_rows(path)
    if not rows or not {"centre", "roi_name", "decision"} <= set(rows[0]):
        raise UnreadableFile(f"{path} has no columns centre, roi_name and decision. Use a file that --review wrote.")
    for row in rows:
        decision = row["decision"].strip()
        if decision:
            yield _decision(row, decision)


def _decision(row: dict[str, str], decision: str) -> NameDecision:
    wanted: str | None = decision
    if decision.lower() == "ok":
        wanted = row.get("standard_name") or None
        if wanted is None and row.get("category") not in ("helper", "device", "dose"):
            raise InvalidSetting(
                f"{row['roi_name']!r}: nothing was proposed that ok could confirm. Write a name, or -."
            )
    return NameDecision(row["centre"], row["roi_name"], None if wanted in (None, "-") else wanted)


def write_proposals(names: list[str], path: str | Path, *, language: str = "") -> int:
    """Read a list of names without any database and write the proposals in the columns of a review file."""
    lines: list[list[object]] = []
    for name in names:
        found = propose(name, language=language)
        candidates = " | ".join(f"{candidate} {sure:.2f}" for candidate, sure in found.candidates)
        lines.append(["", name, found.standard_name, found.category, found.target_dose_gy, round(found.confidence, 4),
                      "confident" if found.is_confident else "unsure", "", candidates, found.reason, ""])  # fmt: skip
    _write(path, lines)
    return len(lines)


def _line(row: StructureName) -> list[object]:
    candidates = " | ".join(f"{one['standard_name']} {one['confidence']:.2f}" for one in row.candidates)
    return [row.centre, row.roi_name, row.standard_name, row.category, row.target_dose_gy, row.confidence, row.status,
            row.structure_count, candidates, row.reason, ""]  # fmt: skip


def _write(path: str | Path, lines: list[list[object]]) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(lines)
