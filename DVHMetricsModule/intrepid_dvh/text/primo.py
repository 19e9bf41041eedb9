"""DVH exports of PRIMO (0.3.1, and the older 0.1.5 with relative doses only)."""

import re
from typing import Any

import numpy as np

from intrepid_dvh.curve import DVH
from intrepid_dvh.text.decoding import Options
from intrepid_dvh.text.plan_name import iso_date
from intrepid_dvh.text.section import Section, columns_of, finished
from intrepid_dvh.text.source import Line, Source, field, sections, text_field, value_after_colon
from intrepid_dvh.units import dose_factor

_STATISTICS = {"doseMin": "Min", "doseMax": "Max", "doseAvg": "Ave"}
_TITLES = re.compile(
    r"(?P<dose_percent>Rel\. Dose \[%\])|(?P<dose>Dose \[(?P<unit>c?Gy|eV/g)\])"
    r"|(?P<volume_percent>(?:Volume|dV/dD) \[%[^\]]*\])|(?P<volume_cc>(?:Volume|dV/dD) \[cm[^\]]*\])"
    r"|(?P<unnamed>dV/dD)",
    re.IGNORECASE,
)
_KINDS = ("dose_percent", "dose", "volume_percent", "volume_cc", "unnamed")


def looks_like_primo(text: str) -> bool:
    """Tell a PRIMO export by its comment lines."""
    return text.startswith("# PRIMO") or bool(re.search(r"^# Structure\s*:", text, re.MULTILINE))


def read_primo(source: Source, _options: Options) -> list[DVH]:
    """Read an export of PRIMO; a differential table holds volume per bin."""
    head, blocks = sections(list(source.lines), r"#\s*Structure\s*:")
    if not blocks:
        return _read_old(source, head)
    plan = {
        "plan": text_field(head, r"#\s*Project\s*:"),
        "date": iso_date(text_field(head, r"#\s*Date\s*:")),
        "volumeUnit": "CC",
    }
    kind = (text_field(head, r"#\s*Type\s*:") or "").lower()
    differential = kind.startswith("differential") if kind else None
    return finished([_structure(source, block, plan, differential) for block in blocks], source.path)


def _structure(source: Source, block: list[Line], plan: dict[str, Any], differential: bool | None) -> Section:
    titles = next((line for line in block[1:] if len(list(_TITLES.finditer(line.text))) >= 2), None)
    if titles is None:
        raise source.fail(block[0], "a table with the titles Dose [..] and Volume [..] in this block")
    found = list(_TITLES.finditer(titles.text))
    kinds = [next(kind for kind in _KINDS if match[kind]) for match in found]
    kinds = ["volume_percent" if kind == "unnamed" else kind for kind in kinds]
    unit = next((match["unit"].upper() for match in found if match["unit"]), None)
    rows = [line for line in block if line.number > titles.number and line.text.strip() and line.text[0] != "#"]
    columns = columns_of(source.table(rows, columns=len(kinds)), **{kind: kinds.index(kind) for kind in kinds})
    header = plan | {"structure": value_after_colon(block[0].text), "doseUnit": unit}
    header["structVol"] = source.number(text_field(block, r"#\s*Volume \[cm[^\]]*\]\s*:") or "")
    for statistic, title in _STATISTICS.items():
        header[statistic] = _stated_dose(source, block, title, unit)
    header["doseRx"] = _prescription(columns.dose, columns.dose_percent)
    warnings = () if header["doseRx"] else ("The file relates its doses to no prescription.",)
    return Section(header, columns, differential, per_dose=False, warnings=warnings)


def _stated_dose(source: Source, block: list[Line], title: str, unit: str | None) -> float | None:
    line = field(block, rf"#\s*{title}\. Dose \[[^\]]*\]\s*:")
    value = source.number(value_after_colon(line.text).partition("(")[0]) if line else None
    if line is None or value is None or unit is None:
        return value
    return value * dose_factor(line.text.partition("[")[2].partition("]")[0].upper(), unit)


def _prescription(dose: np.ndarray, dose_percent: np.ndarray) -> float | None:
    """Return the dose that the two dose columns make 100 %."""
    related = dose_percent > 0
    return round(float(np.mean(100 * dose[related] / dose_percent[related])), 2) if related.any() else None


def _read_old(source: Source, lines: list[Line]) -> list[DVH]:
    """Read the layout of version 0.1.5: dose in percent, an unnamed column, then one column per structure."""
    titles = field(lines, r"#\s*Dose\t")
    if titles is None:
        raise source.fail(source.lines[0], "a line '# Structure:' or a table with the title Dose")
    rows = [line for line in lines if line.number > titles.number and line.text.strip() and line.text[0] != "#"]
    count = len(rows[0].text.split("\t")) if rows else 2
    values = source.table(rows, columns=count)
    names = titles.text.split("\t")[1 : count - 1]
    plan = text_field(lines, r"#\s*Project\s*:")
    warnings = ("This layout does not say what its columns are; dose in the first, structures from the third.",)
    return finished(
        [
            Section(
                {"patID": plan, "structure": name.strip(), "doseUnit": "PERCENT", "volumeUnit": "PERCENT"},
                columns_of(values, dose_percent=0, volume_percent=2 + index),
                warnings=warnings,
            )
            for index, name in enumerate(names)
        ],
        source.path,
    )
