"""DVH exports of Monaco (5)."""

import re
from dataclasses import replace
from typing import Any

from intrepid_dvh.curve import DVH
from intrepid_dvh.text.decoding import Options
from intrepid_dvh.text.plan_name import prescription_in_plan_name
from intrepid_dvh.text.section import Section, columns_of, finished, table_volume, with_volume
from intrepid_dvh.text.source import Line, Source

_FIRST_ROW = 3  # after the line on the plan, a blank line and the titles
_ROW = re.compile(r"(?P<name>.*\S)\s+(?P<dose>[-+]?[\d.,]+)\s+(?P<volume>[-+]?[\d.,]+)\s*")

_DATE = re.compile(r"\d[-./]\d{1,2}[-./]\d")


def looks_like_monaco(text: str) -> bool:
    """Tell a Monaco export by its first line."""
    first = text.partition("\n")[0]
    return "~" in first and "| Plan Name:" in first


def read_monaco(source: Source, options: Options) -> list[DVH]:
    """Read an export of Monaco; the kind of table is told by its shape, a differential one holds volume per bin."""
    header = _header(source, options)
    rows, date = _rows(source)
    # Names stand before the numbers, so that only here the lines are known to be a table.
    numbers = "\n".join(" ".join(line.text.split()[-2:]) for _, line in rows)
    source = replace(source, decimal_comma=Source.of_text(source.path, numbers).decimal_comma)
    header["date"] = date
    names = list(dict.fromkeys(name for name, _ in rows))
    return finished(
        [_structure(source, name, [line for n, line in rows if n == name], header, options) for name in names],
        source.path,
    )


def _header(source: Source, options: Options) -> dict[str, Any]:
    first = source.lines[0].text
    fields = dict(re.findall(r"\|\s*([^:|]+?)\s*:\s*([^|]*?)\s*(?=\||$)", first))
    patient = first.partition("|")[0].partition(":")[2]
    name, _, patient_id = patient.partition("~")
    unit = fields.get("Dose Units", "")
    relative_dose = "%" in unit
    if relative_dose:
        unit = fields.get("Bin Width", "").partition("(")[2].rstrip(")")
    dose_unit = unit.upper() if unit.upper() in ("GY", "CGY") else None
    plan = fields.get("Plan Name")
    from_plan = options.prescription_from_plan and dose_unit
    return {
        "patName": name.strip(),
        "patID": patient_id.strip() or None,
        "plan": plan,
        "doseUnit": dose_unit,
        "doseRx": prescription_in_plan_name(plan, dose_unit, strict=True) if from_plan and dose_unit else None,
        "volumeUnit": "PERCENT" if "%" in fields.get("Volume Units", "") else "CC",
        "relative_dose": relative_dose,
    }


def _rows(source: Source) -> tuple[list[tuple[str, Line]], str | None]:
    """Return (structure, line) for every row, and the date that ends the file."""
    filled = [line for line in source.lines[_FIRST_ROW:] if line.text.strip()]
    date: str | None = None
    if filled and _DATE.search(filled[-1].text):
        date = " ".join(filled.pop().text.split())
    rows = []
    for line in filled:
        match = _ROW.fullmatch(line.text)
        if not match:
            raise source.fail(line, "a structure name, a dose and a volume")
        rows.append((" ".join(match["name"].split()), line))
    return rows, date


def _structure(source: Source, name: str, lines: list[Line], plan: dict[str, Any], options: Options) -> Section:
    header = {key: value for key, value in plan.items() if key != "relative_dose"} | {"structure": name}
    numbers = [Line(line.number, " ".join(line.text.split()[-2:])) for line in lines]
    values = source.table(numbers, columns=2)
    where = {
        "dose_percent" if plan["relative_dose"] else "dose": 0,
        "volume_percent" if header["volumeUnit"] == "PERCENT" else "volume_cc": 1,
    }
    warnings = () if header["doseRx"] else ("The file states no prescription, so relative doses are unknown.",)
    section = Section(header, columns_of(values, **where), per_dose=False, warnings=warnings)
    return with_volume(section, table_volume(section) if options.volume_from_dvh else None)
