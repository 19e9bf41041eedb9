"""DVH exports of RayStation (9A and newer)."""

import re
from dataclasses import replace
from typing import Any

from intrepid_dvh.curve import DVH
from intrepid_dvh.text.decoding import Options
from intrepid_dvh.text.plan_name import dose_with_unit, unit_of_dose
from intrepid_dvh.text.section import Section, columns_of, finished, with_volume
from intrepid_dvh.text.source import Line, Source, field, sections, text_field, value_after_colon
from intrepid_dvh.text.user_info import told_header, told_volume

_ASSUMED = "The differential volumes are taken to be per unit dose; the file does not say so."


def looks_like_raystation(text: str) -> bool:
    """Tell a RayStation export by its ROI lines."""
    return bool(re.search(r"^#RoiName\s*:", text, re.MULTILINE))


def read_raystation(source: Source, options: Options) -> list[DVH]:
    """Read an export of RayStation: doses with relative volumes, the kind of table told by its shape."""
    head, blocks = sections(list(source.lines), r"#RoiName\s*:")
    plan: dict[str, Any] = {
        "patName": text_field(head, r"#PatientName\s*:"),
        "patID": text_field(head, r"#PatientId\s*:"),
        "plan": text_field(head, r"#Dosename\s*:"),
        "volumeUnit": "CC",
    }
    prescription = text_field(head, r"#Rx dose\s*:")
    found = []
    for block in blocks:
        prescription = text_field(block, r"#Rx dose\s*:") or prescription
        found.append(_structure(source, block, plan, prescription, options))
        # The name of the next structure's dose may stand at the end of this block.
        plan = plan | {"plan": text_field(block, r"#Dosename\s*:") or plan["plan"]}
    return finished(found, source.path)


def _structure(
    source: Source, block: list[Line], plan: dict[str, Any], prescription: str | None, options: Options
) -> Section:
    line = field(block, r"#(Dose )?unit\s*:")
    unit = re.match(r"c?Gy", value_after_colon(line.text), re.IGNORECASE) if line else None
    if line is None or unit is None:
        raise source.fail(line or block[0], "a line '#Unit: Gy' or '#Dose unit: cGy' in this block")
    dose_unit = unit.group().upper()
    name = value_after_colon(block[0].text)
    stated = source.number(text_field(block, r"#RoiVolume\s*:") or "")
    header = plan | {"structure": name, "doseUnit": dose_unit}
    header["doseRx"] = dose_with_unit(prescription, dose_unit) if prescription else None
    header["doseRxUnit"] = unit_of_dose(prescription) if prescription else None
    header |= told_header(options, dose_unit)
    rows = [row for row in block[1:] if row.text.strip() and not row.text.startswith("#")]
    columns = columns_of(source.table(rows, columns=2), dose=0, volume_percent=1)
    outside = text_field(block, r"#Roi volume fraction outside grid\s*:") or ""
    section = Section(header, columns, per_dose=True, outside_percent=source.number(outside.partition("[")[0]) or 0.0)
    section = replace(section, warnings=_warnings(section, prescription))
    return with_volume(section, told_volume(options, name) or stated)


def _warnings(section: Section, prescription: str | None) -> tuple[str, ...]:
    found = []
    if section.is_differential:
        found.append(_ASSUMED)
    if prescription and unit_of_dose(prescription) is None:
        found.append(f"The prescription {prescription} has no unit; it is taken to be in that of the doses.")
    if section.outside_percent:
        name = section.header["structure"]
        found.append(
            f"{section.outside_percent:g} % of {name} lie outside the dose grid; how the curve counts them is unknown."
        )
    return tuple(found)
