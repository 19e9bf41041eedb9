"""DVH exports of Oncentra MasterPlan (4.3)."""

import re
from typing import Any

from intrepid_dvh.curve import DVH
from intrepid_dvh.text.decoding import Options
from intrepid_dvh.text.section import Section, columns_of, finished, table_volume, with_volume
from intrepid_dvh.text.source import Line, Source, field, sections, text_field, value_after_colon

_TITLES = re.compile(r"\s*(?P<bin>Bin\s+)?Dose\s+Volume\s*", re.IGNORECASE)


def looks_like_masterplan(text: str) -> bool:
    """Tell a MasterPlan export by its ROI blocks and the line on dose."""
    return bool(re.search(r"^ROI\s*:", text, re.MULTILINE) and re.search(r"^\w+ dose - \[", text, re.MULTILINE))


def read_masterplan(source: Source, _options: Options) -> list[DVH]:
    """Read an export of MasterPlan; a differential table holds volume per unit dose.

    Raises
    ------
    UnreadableFile : the doses are relative, which the file does not relate to a prescription.
    """
    head, blocks = sections(list(source.lines), r"ROI\s*:")
    dose = field(head, r"(Absolute|Relative) dose - \[")
    unit = _unit(dose.text) if dose else ""
    if dose is None or unit not in ("GY", "CGY"):
        raise source.fail(dose or source.lines[0], "a line 'Absolute dose - [Gy]' or '[cGy]'")
    volume = field(head, r"(Absolute|Relative) volume - \[")
    relative = volume is not None and volume.text.lower().startswith("relative")
    mode = field(head, r"(Cumulative|Differential) mode")
    header = {
        "patName": text_field(head, r"Patient\s*:"),
        "patID": text_field(head, r"Patient Id\s*:"),
        "plan": text_field(head, r"Plan\s*:"),
        "doseUnit": unit,
        "volumeUnit": "PERCENT" if relative else "CC",
    }
    differential = mode.text.lower().startswith("differential") if mode else None
    return finished([_structure(source, block, header, differential) for block in blocks], source.path)


def _unit(text: str) -> str:
    return text.partition("[")[2].partition("]")[0].upper()


def _structure(source: Source, block: list[Line], plan: dict[str, Any], differential: bool | None) -> Section:
    titles = next((line for line in block if _TITLES.fullmatch(line.text)), None)
    if titles is None:
        raise source.fail(block[0], "a table with the titles Bin, Dose, Volume in this block")
    # The next block's own lines (such as "Dose: ...") may stand before its "ROI:".
    rows = [line for line in block if line.number > titles.number and re.match(r"\s*[-+.\d]", line.text)]
    offset = 1 if "bin" in titles.text.lower() else 0
    values = source.table(rows, columns=offset + 2)
    relative = plan["volumeUnit"] == "PERCENT"
    where = {"dose": offset, "volume_percent" if relative else "volume_cc": offset + 1}
    header = plan | {"structure": value_after_colon(block[0].text)}
    warnings = ("The file states no structure volume, so absolute volumes are unknown.",) if relative else ()
    section = Section(header, columns_of(values, **where), differential, per_dose=True, warnings=warnings)
    return with_volume(section, None if relative else table_volume(section))
