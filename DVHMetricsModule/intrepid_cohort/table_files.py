"""All tables as Excel, Stata and Parquet; curves and coordinates only where they fit."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, LargeBinary, Table
from sqlalchemy.engine import Connection

from intrepid_cohort.database import translating_errors
from intrepid_cohort.export import TABLES, cell, data_dictionary, rows_of
from intrepid_cohort.row_files import write_rows, write_sheets
from intrepid_rt.atomic import staged_folder

_AT_ONCE = 5000
_LONGEST_CELL = 32_000
_KINDS = {int: "int64", float: "float64", bool: "bool_", str: "string"}


def export_excel(engine: Engine, path: str | Path) -> dict[str, int]:
    """Write one workbook with a sheet per table and the dictionary; curves do not fit into cells and are left out."""
    with translating_errors(engine), engine.connect() as connection:
        sheets: dict[str, tuple[list[str], list[list[Any]]]] = {}
        for table in TABLES:
            names = _short(table)
            rows = [[_fitting(row[name]) for name in names] for row in rows_of(connection, table, names)]
            sheets[table.name] = (names, rows)
    counts = {name: len(rows) for name, (_, rows) in sheets.items()}
    sheets["dictionary"] = (["table", "column", "type", "meaning"], [list(row) for row in data_dictionary()])
    write_sheets(Path(path), sheets)
    return counts


def export_stata(engine: Engine, folder: str | Path) -> dict[str, int]:
    """Write ``<table>.dta`` for every table that has rows, and the dictionary; curves are left out."""
    counts: dict[str, int] = {}
    with translating_errors(engine), engine.connect() as connection, staged_folder(folder) as stage:
        for table in TABLES:
            names = _short(table)
            rows = [{k: _fitting(v) for k, v in row.items()} for row in rows_of(connection, table, names)]
            counts[table.name] = len(rows)
            if rows:
                write_rows(stage / f"{table.name}.dta", rows, names)
        entries = [dict(zip(("table", "column", "type", "meaning"), row, strict=True)) for row in data_dictionary()]
        write_rows(stage / "dictionary.dta", entries, ["table", "column", "type", "meaning"])
    return counts


def export_parquet(engine: Engine, folder: str | Path) -> dict[str, int]:
    """Write ``<table>.parquet`` for every table, curves and coordinates included, in pieces so that memory stays flat.

    Dates are text as in the other exports; lists and mappings are JSON, except curves, which are lists of numbers.
    """
    import pyarrow
    import pyarrow.parquet

    counts: dict[str, int] = {}
    with translating_errors(engine), engine.connect() as connection, staged_folder(folder) as stage:
        for table in TABLES:
            schema = pyarrow.schema([(column.name, _arrow_type(column)) for column in table.columns])
            counts[table.name] = 0
            with pyarrow.parquet.ParquetWriter(stage / f"{table.name}.parquet", schema) as writer:
                for piece in _pieces(connection, table):
                    counts[table.name] += len(piece)
                    writer.write_table(pyarrow.Table.from_pylist(piece, schema))
        entries = [dict(zip(("table", "column", "type", "meaning"), row, strict=True)) for row in data_dictionary()]
        write_rows(stage / "dictionary.parquet", entries, ["table", "column", "type", "meaning"])
    return counts


def _pieces(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    curves = {column.name for column in table.columns if column.name == "cumulative_volume_cc"}
    rows = rows_of(connection, table)
    while piece := list(islice(rows, _AT_ONCE)):
        yield [{k: v if k in curves else cell(v) for k, v in row.items()} for row in piece]


def _arrow_type(column: Any) -> Any:
    import pyarrow

    if column.name == "cumulative_volume_cc":
        return pyarrow.list_(pyarrow.float64())
    return getattr(pyarrow, _KINDS.get(column.type.python_type, "string"))()


def _short(table: Table) -> list[str]:
    return [column.name for column in table.columns if not isinstance(column.type, LargeBinary)]


def _fitting(value: Any) -> Any:
    text = cell(value)
    if isinstance(text, str) and len(text) > _LONGEST_CELL:
        return "(too long for a cell; see the CSV or Parquet export)"
    return text
