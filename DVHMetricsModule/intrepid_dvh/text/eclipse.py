"""DVH exports of Eclipse (versions 10 to 15), including sum plans and uncertainty plans."""

import re
from dataclasses import replace
from typing import Any

from intrepid_dvh.curve import DVH
from intrepid_dvh.text.decoding import Options
from intrepid_dvh.text.plan_name import iso_date, prescription_in_plan_name
from intrepid_dvh.text.section import Section, columns_of, finished, with_larger_volume
from intrepid_dvh.text.source import Line, Source, field, sections, text_field, value_after_colon
from intrepid_dvh.units import dose_factor
from intrepid_rt.errors import UnreadableFile

_PRESCRIPTION = re.compile(r"(?:Prescribed|Total) dose\s*\[(?P<unit>c?Gy)\]\s*:(?P<value>.*)", re.IGNORECASE)
_UNCERTAINTY = re.compile(r"Uncertainty plan\s*:\s*(?P<name>.*?)\s*(?:\(variation of .*\))?\s*$", re.IGNORECASE)
_STATISTICS = {
    "doseMin": "Min Dose",
    "doseMax": "Max Dose",
    "doseAvg": "Mean Dose",
    "doseMode": "Modal Dose",
    "doseMed": "Median Dose",
    "doseSD": "STD",
}
_TITLES = re.compile(
    r"(?P<dose_percent>Relative dose \[%\])|(?P<dose>Dose \[(?P<dose_unit>c?Gy)\])"
    r"|(?P<volume_percent>Ratio of Total Structure Volume \[%\])|(?P<volume_cc>Structure Volume \[cm[^\]]*\])"
    r"|(?P<per_dose>dVolume ?/ ?dDose \[(?P<volume_unit>[^/\]]*)/\s*(?P<per_unit>[^\]]*)\])",
    re.IGNORECASE,
)


def looks_like_eclipse(text: str) -> bool:
    """Tell an Eclipse export by its structure blocks and table titles."""
    return bool(re.search(r"^Structure\s*:", text, re.MULTILINE)) and bool(
        re.search(r"(Structure Volume|dVolume ?/ ?dDose) \[", text, re.IGNORECASE)
    )


def read_eclipse(source: Source, options: Options) -> list[DVH]:
    """Read an export of Eclipse.

    Raises
    ------
    UnreadableFile : a block without table titles, a bad row, or uncertainty plans that were not announced.
    """
    head, blocks = sections(list(source.lines), r"Structure\s*:|Uncertainty plan\s*:")
    header = _plan_header(source, head, options)
    nominal: list[Section] = []
    varied: dict[str, list[Section]] = {}
    variation: str | None = None
    for block in blocks:
        plan = _UNCERTAINTY.match(block[0].text)
        if plan:
            _require_announced(source, block[0], options)
            variation = plan["name"]
        elif variation is not None:
            base = _known(source, block[0], nominal)
            varied.setdefault(base.header["structure"], []).append(_variation(source, block, base, variation))
            variation = None
        else:
            nominal.append(_structure(source, block, header))
    in_order = [v for section in nominal for v in varied.pop(section.header["structure"], [])]
    return finished([*nominal, *in_order], source.path)


def _plan_header(source: Source, head: list[Line], options: Options) -> dict[str, Any]:
    header: dict[str, Any] = {
        "patName": text_field(head, r"Patient Name\s*:"),
        "patID": text_field(head, r"Patient ID\s*:"),
        "date": iso_date(text_field(head, r"Date\s*:")),
        "type": text_field(head, r"Type\s*:") or "",
        "plan": text_field(head, r"Plan( sum)?\s*:"),
        "course": text_field(head, r"Course\s*:"),
        "warnings": (),
    }
    line = field(head, _PRESCRIPTION.pattern)
    match = _PRESCRIPTION.match(line.text) if line else None
    unit = match["unit"].upper() if match else None
    header |= {"doseUnit": unit, "doseRx": source.number(match["value"]) if match else None}
    if header["doseRx"] is None and options.prescription_from_plan:
        header["doseRx"] = prescription_in_plan_name(header["plan"], unit or "GY")
    header["doseRxUnit"] = unit if header["doseRx"] is not None else None
    iso = source.number(text_field(head, r"% for dose \(%\)\s*:") or "")
    if options.course_as_id:
        header["patID"] = re.sub(r"\s", "", f"{header['patID']}_{header['course']}")
    return header | {"isoDoseRx": 100.0 if iso is None else iso, "warnings": _plan_warnings(header["doseRx"], iso)}


def _plan_warnings(prescription: float | None, iso: float | None) -> tuple[str, ...]:
    warnings = []
    if iso is None:
        warnings.append("The file states no percentage for the prescription; 100 % is assumed.")
    if prescription is None:
        warnings.append("The file states no prescription, so relative doses are unknown.")
    return tuple(warnings)


def _require_announced(source: Source, line: Line, options: Options) -> None:
    if not options.uncertainty:
        raise UnreadableFile(
            f"{source.path}, line {line.number}: found an uncertainty plan; read the file with --uncertainty to keep "
            "such plans as structures of their own."
        )


def _known(source: Source, line: Line, nominal: list[Section]) -> Section:
    name = value_after_colon(line.text)
    base = next((section for section in nominal if section.header["structure"] == name), None)
    if base is None:
        raise source.fail(line, "a structure for which the nominal plan has a block above")
    return base


def _variation(source: Source, block: list[Line], base: Section, plan: str) -> Section:
    statistics = dict.fromkeys(_STATISTICS)
    header = base.header | statistics | {"structure": f"{base.header['structure']}_{plan}"}
    return _with_table(source, block, header, base.warnings, base.differential)


def _structure(source: Source, block: list[Line], plan: dict[str, Any]) -> Section:
    header = {name: value for name, value in plan.items() if name not in ("type", "warnings")}
    header["structure"] = value_after_colon(block[0].text)
    header["structVol"] = source.number(text_field(block, r"Volume \[cm[^\]]*\]\s*:") or "")
    header["volumeUnit"] = "CC"
    kind = plan["type"].lower()
    differential = True if kind.startswith("differential") else False if kind.startswith("cumulative") else None
    section = _with_table(source, block, header, plan["warnings"], differential)
    stated = _statistics(source, block, section.header)
    return with_larger_volume(replace(section, header=section.header | stated))


def _statistics(source: Source, block: list[Line], header: dict[str, Any]) -> dict[str, float | None]:
    """Return the stated statistics in the dose unit of the file; percent is of the prescription, not of an isodose."""
    found: dict[str, float | None] = {}
    for name, title in _STATISTICS.items():
        line = field(block, rf"{title}\s*\[(c?Gy|%)\]\s*:")
        value = source.number(value_after_colon(line.text)) if line else None
        unit = line.text.partition("[")[2].partition("]")[0].upper() if line else ""
        found[name] = None if value is None else _in_dose_unit(value, unit, header)
    return found


def _in_dose_unit(value: float, unit: str, header: dict[str, Any]) -> float | None:
    if unit == "%":
        return None if header["doseRx"] is None else value * header["doseRx"] / 100
    return value * dose_factor(unit, header["doseUnit"]) if header["doseUnit"] else None


def _with_table(
    source: Source, block: list[Line], header: dict[str, Any], warnings: tuple[str, ...], differential: bool | None
) -> Section:
    titles = next((line for line in block if _is_title(line.text)), None)
    if titles is None:
        raise source.fail(block[0], "a table with the titles Dose [..] and Structure Volume [..] in this block")
    found = list(_TITLES.finditer(titles.text))
    kinds = [next(k for k in _KINDS if match[k]) for match in found]
    rows = [line for line in block if line.number > titles.number and line.text.strip()]
    values = source.table(rows, columns=len(found))
    header = _in_table_unit(header, found)
    where: dict[str, int | None] = {k: kinds.index(k) for k in kinds if k != "per_dose"}
    if "per_dose" in kinds:
        index = kinds.index("per_dose")
        where["volume_percent" if "%" in found[index]["volume_unit"] else "volume_cc"] = index
        values[:, index] *= _per_native_dose(found[index]["per_unit"], header["doseUnit"])
        differential = True
    return Section(header, columns_of(values, **where), differential, per_dose=True, warnings=warnings)


_KINDS = ("dose_percent", "dose", "volume_percent", "volume_cc", "per_dose")


def _is_title(text: str) -> bool:
    names = {name for match in _TITLES.finditer(text) for name in _KINDS if match[name]}
    return bool(names & {"dose", "dose_percent"}) and bool(names & {"volume_percent", "volume_cc", "per_dose"})


def _in_table_unit(header: dict[str, Any], titles: list[re.Match[str]]) -> dict[str, Any]:
    """Let the table's own dose unit count if it differs from that of the prescription."""
    unit = next((match["dose_unit"].upper() for match in titles if match["dose_unit"]), header["doseUnit"])
    if unit == header["doseUnit"] or unit is None:
        return header
    prescription = header["doseRx"]
    if prescription is not None and header["doseUnit"]:
        prescription *= dose_factor(header["doseUnit"], unit)
    return header | {"doseUnit": unit, "doseRx": prescription}


def _per_native_dose(per_unit: str, dose_unit: str | None) -> float:
    unit = per_unit.strip().upper()
    return dose_factor(dose_unit, unit) if dose_unit and unit in ("GY", "CGY") else 1.0
