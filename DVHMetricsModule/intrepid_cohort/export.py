"""The content of a cohort database as files: CSV per table, JSON, the data dictionary, and a canonical form."""

import csv
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Engine, LargeBinary, Table, UniqueConstraint, select
from sqlalchemy.engine import Connection, RowMapping

from intrepid_cohort.database import translating_errors
from intrepid_cohort.packing import unpack_contours, unpack_curve
from intrepid_cohort.schema import Base, DoseVolumeHistogram, Endpoint, Job, SavedQuery, Setting, StructureContours
from intrepid_cohort.views import VIEWS
from intrepid_rt.atomic import replacing, staged_folder, write_text

# The key of the pseudonyms stays where it is.
TABLES = [table for table in Base.metadata.sorted_tables if table.name != Setting.__tablename__]

# What was run or asked is no part of the cohort, and endpoints follow from the curves.
_NOT_CANONICAL = {model.__tablename__ for model in (Job, Endpoint, SavedQuery)}

_AT_ONCE = 2000

_REFERENCED = {key.column.table.name for table in TABLES for key in table.foreign_keys}

_UNPACK: dict[str, Callable[[bytes], Any]] = {
    f"{DoseVolumeHistogram.__tablename__}.cumulative_volume_cc": lambda raw: unpack_curve(raw).tolist(),
    f"{StructureContours.__tablename__}.contours_lps_mm": lambda raw: [c.tolist() for c in unpack_contours(raw)],
}


def export_csv(engine: Engine, folder: str | Path) -> dict[str, int]:
    """Write ``<table>.csv`` for every table and ``dictionary.csv``; return the number of rows by table.

    Curves and coordinates are JSON lists in their cells.
    """
    counts: dict[str, int] = {}
    with translating_errors(engine), engine.connect() as connection, staged_folder(folder) as stage:
        for table in TABLES:
            with (stage / f"{table.name}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow([column.name for column in table.columns])
                counts[table.name] = 0
                for row in rows_of(connection, table):
                    writer.writerow([cell(value) for value in row.values()])
                    counts[table.name] += 1
        with (stage / "dictionary.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["table", "column", "type", "meaning"])
            writer.writerows(data_dictionary())
    return counts


def export_json(engine: Engine, path: str | Path) -> dict[str, int]:
    """Write one JSON object, table name to list of rows; return the number of rows by table."""
    counts: dict[str, int] = {}
    with (
        translating_errors(engine),
        engine.connect() as connection,
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        for number, table in enumerate(TABLES):
            file.write(f"{',' if number else '{'}\n{json.dumps(table.name)}: [")
            counts[table.name] = 0
            for row in rows_of(connection, table):
                file.write(("," if counts[table.name] else "") + "\n" + json.dumps(row, allow_nan=False))
                counts[table.name] += 1
            file.write("]")
        file.write("\n}\n")
    return counts


def data_dictionary() -> Iterator[tuple[str, str, str, str]]:
    """Yield table, column, type and meaning of every column, from the models themselves; views come last."""
    for table in TABLES:
        for column in table.columns:
            yield table.name, column.name, str(column.type), column.comment or "Key of the row"
    for name, (row_is, query) in VIEWS.items():
        for shown in query.selected_columns:
            comment = getattr(shown, "comment", None) or f"See its table. A row of {name} is {row_is}"
            yield name, shown.name, str(shown.type), comment


def export_canonical(engine: Engine, path: str | Path) -> int:
    """Write what was stored as sorted lines without times and row numbers; return their number.

    Two databases of the same pseudonym key that hold the same cohort give the same bytes, in whatever order, in however
    many attempts and on whatever system they were filled.
    """
    with translating_errors(engine), engine.connect() as connection:
        lines = sorted(_canonical_lines(connection))
    write_text(path, "".join(line + "\n" for line in lines))
    return len(lines)


def rows_of(connection: Connection, table: Table, names: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table in the order of their keys, curves unpacked and dates as text; ``names``: columns."""
    columns: list[Column] = [table.columns[name] for name in names or table.columns.keys()]
    query = select(*columns).order_by(*table.primary_key.columns)
    with connection.execute(query.execution_options(yield_per=_AT_ONCE)) as result:
        for row in result.mappings():
            yield {column.name: _plain(column, row[column]) for column in columns}


def _plain(column: Column, value: Any) -> Any:
    if isinstance(value, bytes):
        return _UNPACK[str(column)](value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value


def cell(value: Any) -> Any:
    """Return a value as a cell holds it: lists and mappings as JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else value


def _canonical_lines(connection: Connection) -> Iterator[str]:
    keys: dict[str, dict[int, str]] = {}
    for table in TABLES:
        if table.name in _NOT_CANONICAL:
            continue
        keys[table.name] = {}
        for row in connection.execute(select(table)).mappings():
            stated = {column.name: _canonical(column, row, keys) for column in table.columns if _is_content(column)}
            if table.name in _REFERENCED:
                keys[table.name][row[table.columns["id"]]] = "/".join(str(stated[n]) for n in _natural_key(table))
            yield json.dumps({"table": table.name} | stated, sort_keys=True, allow_nan=False)


def _is_content(column: Column) -> bool:
    return column.name != "id" and not column.info.get("time")


def _canonical(column: Column, row: RowMapping, keys: dict[str, dict[int, str]]) -> Any:
    value = row[column]
    if value is not None and column.foreign_keys:
        (foreign,) = column.foreign_keys
        return keys[foreign.column.table.name][value]
    if isinstance(column.type, LargeBinary):
        # What was compressed: two versions of zlib may compress one content differently.
        return None if value is None else hashlib.sha256(zlib.decompress(value)).hexdigest()
    # SQLite keeps no sign of zero, PostgreSQL does.
    return value + 0.0 if isinstance(value, float) else _plain(column, value)


def _natural_key(table: Table) -> list[str]:
    """Columns that identify a row by content: those of its unique constraint."""
    (constraint,) = (c for c in table.constraints if isinstance(c, UniqueConstraint))
    return [column.name for column in constraint.columns]
