"""Tables of numbers as text for the clipboard, as CSV, and as a page to print."""

import html
import math
from pathlib import Path
from typing import Any

from intrepid_rt.atomic import write_text
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.research_note import RESEARCH_NOTE


def cells(node: Any) -> list[list[str]]:
    """Return a table node's titles and rows as text; numbers in six digits, missing ones empty."""
    table = node.GetTable()
    columns = range(table.GetNumberOfColumns())
    titles = [table.GetColumnName(column) for column in columns]
    return [titles] + [
        [_text(table.GetValue(row, column)) for column in columns] for row in range(table.GetNumberOfRows())
    ]


def _text(value: Any) -> str:
    if value.IsString():
        return value.ToString()
    number = value.ToDouble()
    return "" if math.isnan(number) else f"{number:.6g}"


def for_clipboard(nodes: list[Any]) -> str:
    """Return tables as spreadsheets paste them: cells apart by tabs, tables by an empty line."""
    return "\n\n".join("\n".join("\t".join(row) for row in cells(node)) for node in nodes if node)


def save(path: Path, nodes: list[Any], *, title: str, notes: list[str]) -> None:
    """Write tables as .csv (decimal point) or .html, whole or not at all.

    Raises
    ------
    InvalidSetting
        The suffix is neither.
    OutputNotWritable
        The file cannot be written.
    """
    writers = {".csv": _csv, ".html": lambda tables: _page(tables, title, notes)}
    write = writers.get(path.suffix.lower())
    if write is None:
        raise InvalidSetting(f"{path.name} is neither .csv nor .html. Give the file one of these endings.")
    write_text(path, write([cells(node) for node in nodes if node]))


def _csv(tables: list[list[list[str]]]) -> str:
    return "\n\n".join("\n".join(",".join(_quoted(cell) for cell in row) for row in rows) for rows in tables) + "\n"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"\n') else cell


def _page(tables: list[list[list[str]]], title: str, notes: list[str]) -> str:
    body = "".join(_html_table(rows) for rows in tables)
    remarks = "".join(f"<p>{html.escape(note)}</p>" for note in notes)
    return (
        f"<!DOCTYPE html><html><head><meta charset='utf-8'><title>{html.escape(title)}</title><style>"
        "body{font-family:sans-serif;margin:2em}table{border-collapse:collapse;margin-bottom:2em}"
        "th,td{border:1px solid #bbb;padding:.3em .6em;text-align:left}th{background:#eee}.violated{background:#f8d7d4}"
        f".met{{background:#d5eedd}}</style></head><body><h1>{html.escape(title)}</h1>"
        f"<p>{RESEARCH_NOTE}</p>{body}{remarks}</body></html>\n"
    )


def _html_table(rows: list[list[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0])
    body = "".join(
        f"<tr class='{_kind(row)}'>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows[1:]
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _kind(row: list[str]) -> str:
    return "violated" if "VIOLATED" in row else "met" if "met" in row else ""
