"""DVH exports of ProSoma."""

import re
from typing import Any

from intrepid_dvh.curve import DVH
from intrepid_dvh.text.decoding import Options
from intrepid_dvh.text.section import Section, columns_of, finished
from intrepid_dvh.text.source import Line, Source, field, sections, text_field, value_after_colon
from intrepid_dvh.units import dose_factor

_STATISTICS = {"doseMin": "Min", "doseMax": "Max", "doseAvg": "Average", "doseMed": "D50%"}
_COLUMNS = (
    (r"Dose \[%\]", "dose_percent"),
    (r"Dose \[c?Gy\]", "dose"),
    (r"Volume \[%\]", "volume_percent"),
    (r"Volume \[(ml|cm3|cm³|ccm)\]", "volume_cc"),
)


def looks_like_prosoma(text: str) -> bool:
    """Tell a ProSoma export by its second line and its blocks."""
    second = [*text.split("\n", 2), ""][1]
    return second.strip() in ("Cumulative DVH", "Differential DVH") and "\nName:" in text


def read_prosoma(source: Source, _options: Options) -> list[DVH]:
    """Read an export of ProSoma; a differential table holds volume per bin."""
    _, blocks = sections(list(source.lines), r"Name\s*:")
    last, _, first = source.lines[0].text.partition(",")
    name = " ".join(f"{first} {last}".split())
    differential = source.lines[1].text.startswith("Differential")
    return finished([_structure(source, block, name, differential) for block in blocks], source.path)


def _structure(source: Source, block: list[Line], name: str, differential: bool) -> Section:
    titles = field(block, r"(Dose|Volume) \[[^\]]*\]\t")
    if titles is None:
        raise source.fail(block[0], "a table with the titles Dose [..] and Volume [..] in this block")
    kinds = [_kind(source, titles, title) for title in titles.text.strip().split("\t")]
    unit = re.search(r"Dose \[(c?Gy)\]", titles.text, re.IGNORECASE)
    header: dict[str, Any] = {
        "patName": name,
        "structure": value_after_colon(block[0].text),
        "structVol": source.number(text_field(block, r"Volume \[(ml|cm3|cm³|ccm)\]\s*:") or ""),
        "doseUnit": unit[1].upper() if unit else None,
        "volumeUnit": "CC",
    }
    for statistic, title in _STATISTICS.items():
        header[statistic] = _stated_dose(source, block, title, header["doseUnit"])
    rows = [line for line in block if line.number > titles.number and line.text.strip()]
    columns = columns_of(source.table(rows, columns=len(kinds)), **{kind: kinds.index(kind) for kind in kinds})
    return Section(header, columns, differential, per_dose=False)


def _stated_dose(source: Source, block: list[Line], title: str, unit: str | None) -> float | None:
    line = field(block, rf"{title} \[c?Gy\]\s*:")
    value = source.number(value_after_colon(line.text)) if line else None
    if line is None or value is None or unit is None:
        return value
    return value * dose_factor("CGY" if "[cgy]" in line.text.lower() else "GY", unit)


def _kind(source: Source, line: Line, title: str) -> str:
    for pattern, kind in _COLUMNS:
        if re.fullmatch(pattern, title.strip(), re.IGNORECASE):
            return kind
    raise source.fail(line, "the titles Dose [%], Dose [Gy] and Volume [%] or [ml]")
