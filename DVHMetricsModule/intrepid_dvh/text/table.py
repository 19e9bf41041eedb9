"""Tables of DVHs: ``<name>_curves.csv`` with the points and ``<name>_header.csv`` with a line per structure."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from intrepid_dvh.curve import DVH
from intrepid_dvh.text.cumulative import made_cumulative
from intrepid_dvh.text.decoding import Options, decoded
from intrepid_dvh.text.record import HEADER_FIELDS, Columns, dvh_of
from intrepid_dvh.text.section import breaks_off, require_ascending, require_plausible, rises
from intrepid_rt.errors import UnreadableFile

_CURVE_FIELDS = ("patID", "structure", "dose", "doseRel", "volume", "volumeRel")
_TEXT_FIELDS = ("patName", "patID", "date", "DVHtype", "plan", "course", "structure", "doseUnit", "volumeUnit")
_MISSING = ("", "NA", "NaN")

Key = tuple[str, str]


def looks_like_table(text: str) -> bool:
    """Tell a curves or header table by its first line."""
    first = text.partition("\n")[0].strip()
    fields = {field.strip('"') for field in first.split(_separator(first))}
    return {"patID", "structure"} <= fields and bool({"volumeRel", "doseUnit"} & fields)


def read_tables(paths: Sequence[Path], options: Options) -> list[DVH]:
    """Read curve tables with their headers, given beside them or among ``paths``; structures in the file's order.

    Raises
    ------
    UnreadableFile : a column is missing, or a line holds no number where one must stand.
    """
    tables = [(path, _rows(path, options)) for path in paths]
    curves = [(path, rows) for path, rows in tables if rows and "dose" in rows[0]]
    headers: dict[Key, dict] = {}
    for path, rows in [*_sibling_headers([path for path, _ in curves], options), *tables]:
        if rows and "doseUnit" in rows[0]:
            headers.update({(row["patID"], row["structure"]): _header(path, row) for row in rows})
    return [dvh for path, rows in curves for dvh in _dvhs(path, rows, headers)]


def _sibling_headers(paths: Iterable[Path], options: Options) -> list[tuple[Path, list[dict[str, str]]]]:
    siblings = [path.with_name(path.name.replace("_curves", "_header")) for path in paths]
    return [(s, _rows(s, options)) for s, path in zip(siblings, paths, strict=True) if s != path and s.is_file()]


def _rows(path: Path, options: Options) -> list[dict[str, str]]:
    text = decoded(path, options)
    separator = _separator(text.partition("\n")[0])
    reader = csv.DictReader(io.StringIO(text), delimiter=separator)
    rows = [{key: (value or "").strip() for key, value in row.items() if key} for row in reader]
    found = set(reader.fieldnames or ())
    if not (set(_CURVE_FIELDS) <= found or {"patID", "structure", "doseUnit"} <= found):
        raise UnreadableFile(
            f"{path}: the columns are {', '.join(sorted(found))}; a table of curves needs {', '.join(_CURVE_FIELDS)}, "
            "a table of headers patID, structure, doseUnit and what else is known."
        )
    return rows if separator == "," else _with_points(rows)


def _separator(header: str) -> str:
    return next((candidate for candidate in ";\t" if candidate in header), ",")


def _with_points(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Turn decimal commas into points, unless a point somewhere makes commas ambiguous."""
    numbers = [name for name in (rows[0] if rows else ()) if name not in _TEXT_FIELDS]
    if any("." in row[name] for row in rows for name in numbers):
        return rows
    return [row | {name: row[name].replace(",", ".") for name in numbers} for row in rows]


def _dvhs(path: Path, rows: list[dict[str, str]], headers: Mapping[Key, dict]) -> Iterable[DVH]:
    lines: dict[Key, list[tuple[int, dict[str, str]]]] = {}
    for line, row in enumerate(rows, start=2):
        lines.setdefault((row["patID"], row["structure"]), []).append((line, row))
    for key, members in lines.items():
        header = headers.get(key) or {"patID": key[0], "structure": key[1], "DVHtype": "cumulative"}
        values = [[_number(path, line, row, name) for line, row in members] for name in _CURVE_FIELDS[2:]]
        columns = Columns(*(np.array(v, dtype=np.float64) for v in values))
        warnings = () if key in headers else (f"{path.name} has no header line for {key[1]}; its units are unknown.",)
        require_plausible(columns, key[1], path)
        require_ascending(columns, key[1], path)
        yield _as_dvh(header, columns, warnings)


def _as_dvh(header: dict, columns: Columns, warnings: tuple[str, ...]) -> DVH:
    cumulative, differential = made_cumulative(columns, per_dose=True)
    warnings += (*rises(cumulative), *breaks_off(cumulative))
    return dvh_of(header, cumulative, differential=differential, warnings=warnings)


def _header(path: Path, row: Mapping[str, str]) -> dict:
    header: dict = dict.fromkeys(HEADER_FIELDS)
    for name, value in row.items():
        known = value not in _MISSING
        header[name] = (value if name in _TEXT_FIELDS else _number(path, 0, row, name)) if known else None
    return header


def _number(path: Path, line: int, row: Mapping[str, str], name: str) -> float:
    text = row[name]
    if text in _MISSING:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        raise UnreadableFile(f"{path}, line {line}: {name} is '{text}'; expected a number or NA.") from None
