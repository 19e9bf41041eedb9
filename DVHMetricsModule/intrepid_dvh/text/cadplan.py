"""DVH exports of CadPlan (6.4)."""

import re
from typing import Any

from intrepid_dvh.curve import DVH
from intrepid_dvh.text.decoding import Options
from intrepid_dvh.text.plan_name import prescription_in_plan_name
from intrepid_dvh.text.section import Section, columns_of, finished, with_larger_volume
from intrepid_dvh.text.source import Line, Source, field, sections, text_field, value_after_colon
from intrepid_dvh.units import dose_factor

# The modal dose stands in the file, too, but is not among the statistics that other software takes from it.
_STATISTICS = {
    "doseMin": r"Dose minimum",
    "doseMax": r"Dose maximum",
    "doseAvg": r"Dose mean",
    "doseMed": r"Dose median",
    "doseSD": r"Standard dev\.",
}
_TITLES = re.compile(
    r"(?P<dose_percent>Relative dose \(%\))|(?P<dose>Dose \((?P<unit>c?Gy)\))"
    r"|(?P<volume_cc>Volume \((?:cm3|cc)\))|(?P<volume_percent>Volume \(%\))",
    re.IGNORECASE,
)
_KINDS = ("dose_percent", "dose", "volume_cc", "volume_percent")


def looks_like_cadplan(text: str) -> bool:
    """Tell a CadPlan export by its histogram blocks."""
    return bool(re.search(r"^Histogram\s*:", text, re.MULTILINE))


def read_cadplan(source: Source, options: Options) -> list[DVH]:
    """Read an export of CadPlan; a differential table holds volume per bin."""
    head, blocks = sections(list(source.lines), r"Histogram\s*:")
    kind = next((line.text for line in head if re.match(r".*(Dose Volume|DVH)", line.text)), "")
    differential = kind.startswith("Differential") if kind else None
    plan = field(head, r"PLAN\s")
    header = {
        "patName": text_field(head, r"Patient Name\s*:"),
        "patID": text_field(head, r"Patient ID\s*:"),
        "date": text_field(head, r"Date\s*:"),
        "plan": " ".join(plan.text[4:].split()) if plan else None,
        "volumeUnit": "CC",
    }
    return finished([_structure(source, block, header, differential, options) for block in blocks], source.path)


def _structure(
    source: Source, block: list[Line], plan: dict[str, Any], differential: bool | None, options: Options
) -> Section:
    titles = next((line for line in block if len(list(_TITLES.finditer(line.text))) >= 2), None)
    if titles is None:
        raise source.fail(block[0], "a table with the titles Dose (..) and Volume (..) in this block")
    found = list(_TITLES.finditer(titles.text))
    kinds = [next(k for k in _KINDS if match[k]) for match in found]
    unit = next((match["unit"].upper() for match in found if match["unit"]), "GY")
    header = plan | {"structure": value_after_colon(block[0].text), "doseUnit": unit}
    header |= _prescription(source, block, unit)
    if header["doseRx"] is None and options.prescription_from_plan:
        header["doseRx"] = prescription_in_plan_name(plan["plan"], unit, strict=True)
    header |= _statistics(source, block, header["doseRx"], unit)
    header["structVol"] = source.number(text_field(block, r"Volume \((cc|cm3)\)\s*:") or "")
    rows = [line for line in block if line.number > titles.number and line.text.strip()]
    columns = columns_of(source.table(rows, columns=len(kinds)), **{kind: kinds.index(kind) for kind in kinds})
    return with_larger_volume(Section(header, columns, differential, per_dose=False))


def _prescription(source: Source, block: list[Line], unit: str) -> dict[str, Any]:
    line = field(block, r"Prescr\. dose \(c?Gy\)\s*:")
    value = source.number(value_after_colon(line.text)) if line else None
    stated = "CGY" if line and "(cgy)" in line.text.lower() else "GY"
    if value is not None:
        value *= dose_factor(stated, unit)
    iso = source.number(text_field(block, r"% for dose\s*:") or "")
    return {
        "doseRx": value,
        "doseRxUnit": None if value is None else stated,
        "isoDoseRx": 100.0 if iso is None else iso,
    }


def _statistics(source: Source, block: list[Line], prescription: float | None, unit: str) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, title in _STATISTICS.items():
        line = field(block, rf"{title}\s*\((c?Gy|%)\)\s*:")
        value = source.number(value_after_colon(line.text)) if line else None
        if line and value is not None and "(%)" in line.text:
            value = None if prescription is None else value * prescription / 100
        elif line and value is not None:
            value *= dose_factor("CGY" if "(cgy)" in line.text.lower() else "GY", unit)
        found[name] = value
    return found
