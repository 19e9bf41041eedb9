"""Constraint tables as text: columns ``constraint``, and optionally ``patID`` and ``structure``."""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

from intrepid_dvh.constraint_grammar import parse_constraint
from intrepid_dvh.constraints import Constraint
from intrepid_dvh.text.decoding import Options, decoded
from intrepid_rt.atomic import write_text
from intrepid_rt.errors import UnreadableFile

_COLUMNS = {"constraint": "text", "patid": "patient", "patient": "patient", "structure": "structure"}


def read_constraint_table(path: str | Path, *, separator: str | None = None) -> list[Constraint]:
    """Read a table of constraints; the header names the columns in any order and case.

    Parameters
    ----------
    separator : one character; by default tab, semicolon or comma if the header holds it, else blanks (then a
        constraint with blanks must be quoted).

    Raises
    ------
    UnreadableFile : no column ``constraint``, or a line with more fields than the header.
    """
    path = Path(path)
    return parse_constraint_table(decoded(path, Options()), str(path), separator=separator)


def parse_constraint_table(text: str, source: str, *, separator: str | None = None) -> list[Constraint]:
    """Parse a pasted table, as :func:`read_constraint_table`; ``source`` names it in messages.

    Without a header every line must be a constraint, which then applies to everything.

    Raises
    ------
    UnreadableFile : the text is empty, or no column is called constraint; the message names the line.
    """
    text = text.removeprefix("\ufeff")
    lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip() and line.lstrip()[0] != "#"]
    if not lines:
        raise UnreadableFile(f"{source} is empty; expected a table with a column constraint.")
    header = lines[0][1].strip().strip('"').lower()
    if header == "constraint" or parse_constraint(lines[0][1]).valid:
        return _bare_list(lines[1:] if header == "constraint" else lines, source)
    separator = separator or _separator(lines[0][1])
    names = [_COLUMNS.get(name.lower()) for name in _fields(lines[0][1], separator)]
    if "text" not in names:
        found = ", ".join(_fields(lines[0][1], separator))
        raise UnreadableFile(f"{source}, line {lines[0][0]}: the columns are {found}; expected one called constraint.")
    return [_constraint(_fields(line, separator), names, f"{source}, line {n}") for n, line in lines[1:]]


def _bare_list(lines: list[tuple[int, str]], source: str) -> list[Constraint]:
    for n, line in lines:
        parsed = parse_constraint(line.strip().strip('"'))
        if not parsed.valid:
            raise UnreadableFile(f"{source}, line {n}: {parsed.problem}.")
    return [Constraint(line.strip().strip('"')) for _, line in lines]


def _separator(header: str) -> str:
    return next((candidate for candidate in "\t;," if candidate in header), " ")


def _fields(line: str, separator: str) -> list[str]:
    if separator == " ":
        line = re.sub(r"\s+", " ", line.strip())
    return [field.strip() for field in next(csv.reader(io.StringIO(line), delimiter=separator))]


def _constraint(fields: list[str], names: list[str | None], place: str) -> Constraint:
    if len(fields) == len(names) + 1 and fields[0].isdigit():
        fields = fields[1:]  # R numbers the rows of the tables that it writes, but not their header
    if len(fields) > len(names):
        raise UnreadableFile(
            f"{place} has {len(fields)} fields but the header has {len(names)}; quote a constraint that holds blanks."
        )
    known = {name: field for name, field in zip(names, fields, strict=False) if name and field}
    if "text" not in known:
        raise UnreadableFile(f"{place} holds no constraint.")
    return Constraint(known["text"], known.get("patient", "*"), known.get("structure", "*"))


def constraint_table_text(constraints: Iterable[Constraint], *, separator: str = "\t") -> str:
    """Return constraints as a table that :func:`parse_constraint_table` reads back."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, lineterminator="\n")
    writer.writerow(["constraint", "patID", "structure"])
    writer.writerows([c.text, c.patient, c.structure] for c in constraints)
    return buffer.getvalue()


def write_constraint_table(path: str | Path, constraints: Iterable[Constraint], *, separator: str = "\t") -> None:
    """Write constraints as a table, whole or not at all."""
    write_text(path, constraint_table_text(constraints, separator=separator))
