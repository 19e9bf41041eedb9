"""Rows of a query as a file: CSV, JSON, Excel, Stata, Parquet, by the ending of its name."""

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from intrepid_rt.atomic import replacing, write_text
from intrepid_rt.errors import InvalidSetting

Row = Mapping[str, Any]
_EXACT = 2**53  # beyond, a double skips whole numbers


def write_rows(path: str | Path, rows: Sequence[Row], names: Sequence[str]) -> None:
    """Write rows with the columns ``names``; what a row lacks is empty.

    Raises
    ------
    InvalidSetting
        No known ending, or more rows than the format can hold.
    OutputNotWritable
    """
    path = Path(path)
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise InvalidSetting(f"{path.name}: rows are written as {', '.join(WRITERS)}; expected one of these endings.")
    writer(path, rows, list(dict.fromkeys(names)))


def _csv(path: Path, rows: Sequence[Row], names: list[str]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([row.get(name) for name in names] for row in rows)


def _json(path: Path, rows: Sequence[Row], names: list[str]) -> None:
    write_text(path, json.dumps([{name: row.get(name) for name in names} for row in rows], allow_nan=False))


def _excel(path: Path, rows: Sequence[Row], names: list[str]) -> None:
    write_sheets(path, {"rows": (names, [[row.get(name) for name in names] for row in rows])})


def write_sheets(path: Path, sheets: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]]) -> None:
    """Write an Excel file with a sheet for each name: heading and rows of values.

    Raises
    ------
    InvalidSetting
        More rows than Excel holds.
    OutputNotWritable
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    for title, (heading, rows) in sheets.items():
        if len(rows) >= 1_048_576:
            raise InvalidSetting(f"{title}: {len(rows)} rows; Excel holds 1,048,575. Write Parquet or CSV.")
        sheet = book.create_sheet(title[:31])
        for row in (heading, *rows):
            cells = []
            for value in row:
                text = isinstance(value, str)
                cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("?", value) if text else value)
                if text:
                    cell.data_type = "s"  # a name that begins with "=" is a name, no formula
                cells.append(cell)
            sheet.append(cells)
    with replacing(path) as temporary:
        book.save(temporary)


def _stata(path: Path, rows: Sequence[Row], names: list[str]) -> None:
    """Names become Stata's; the label of a variable is the name it has here."""
    frame = _frame(rows, names)
    stata = stata_names(names)
    frame.columns = stata
    for column in stata:
        if frame[column].isna().all():
            frame[column] = frame[column].astype(float)  # Stata knows no column without a type
        elif frame[column].dtype.kind == "i" and frame[column].abs().max() > _EXACT:
            frame[column] = frame[column].astype(str)  # Stata's numbers would lose digits
        elif frame[column].dtype == object or str(frame[column].dtype).startswith("str"):
            frame[column] = frame[column].astype(object).where(frame[column].notna(), "").map(str)
    with replacing(path) as temporary:
        labels = {s: name[:80] for s, name in zip(stata, names, strict=True)}
        frame.to_stata(temporary, write_index=False, version=118, variable_labels=labels)


def stata_names(names: Sequence[str]) -> list[str]:
    """Return valid, different names of at most 32 characters.

    >>> stata_names(["D95%", "V20Gy reason", "D95_pct"])
    ['D95_pct', 'V20Gy_reason', 'D95_pct_2']
    """
    made: list[str] = []
    for name in names:
        short = re.sub(r"\W", "_", name.replace("%", "_pct"))[:32]
        short = f"_{short}"[:32] if short[:1].isdigit() else short
        number, unique = 2, short
        while unique in made:
            unique, number = f"{short[:29]}_{number}", number + 1
        made.append(unique)
    return made


def _parquet(path: Path, rows: Sequence[Row], names: list[str]) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = {name: pyarrow.array([row.get(name) for row in rows]) for name in names}
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(columns), temporary)


def _frame(rows: Sequence[Row], names: list[str]) -> Any:
    import pandas

    return pandas.DataFrame([{name: row.get(name) for name in names} for row in rows], columns=names)


WRITERS: dict[str, Callable[[Path, Sequence[Row], list[str]], None]] = {
    ".csv": _csv,
    ".json": _json,
    ".xlsx": _excel,
    ".dta": _stata,
    ".parquet": _parquet,
}
