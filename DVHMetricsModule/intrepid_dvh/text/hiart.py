"""DVH exports of TomoTherapy HiArt: comma-separated, three columns per structure."""

import re

import numpy as np

from intrepid_dvh.curve import DVH
from intrepid_dvh.text.decoding import Options
from intrepid_dvh.text.section import Section, columns_of, finished, table_volume, with_volume
from intrepid_dvh.text.source import Line, Source
from intrepid_dvh.text.user_info import told_header, told_volume

_TITLE = re.compile(r"Dose \((?P<unit>c?Gy)\)", re.IGNORECASE)
_SUFFIX = "(STANDARD)"
_ASSUMED = "The differential volumes are taken to be per unit dose; the file does not say so."


def looks_like_hiart(text: str) -> bool:
    """Tell a HiArt export by the titles in its first line."""
    return bool(re.search(r",\s*Dose \(c?Gy\)\s*,\s*(Relative|Absolute) Volume", text.partition("\n")[0]))


def read_hiart(source: Source, options: Options) -> list[DVH]:
    """Read an export of HiArt; the kind of table is told by its shape."""
    titles = [title.strip().strip('"') for title in source.lines[0].text.split(",")]
    rows = [line for line in source.lines[1:] if line.text.strip(", ")]
    groups = range(0, len(titles) - 2, 3)
    return finished([_structure(source, titles, rows, start, options) for start in groups], source.path)


def _structure(source: Source, titles: list[str], rows: list[Line], start: int, options: Options) -> Section:
    name, dose_title, volume_title = titles[start : start + 3]
    unit = _TITLE.match(dose_title)
    if not unit:
        raise source.fail(source.lines[0], "the titles <structure>, Dose (Gy), Relative or Absolute Volume in turn")
    name = name.removesuffix(_SUFFIX).strip()
    values = [_pair(source, line, start) for line in rows]
    table = np.array([v for v in values if v], dtype=np.float64).reshape(-1, 2)
    relative = "%" in volume_title
    volume = told_volume(options, name)
    header = {
        "structure": name,
        "doseUnit": unit["unit"].upper(),
        "volumeUnit": "PERCENT" if relative and volume is None else "CC",
    }
    header |= told_header(options, header["doseUnit"])
    columns = columns_of(table, dose=0, **{"volume_percent" if relative else "volume_cc": 1})
    section = Section(header, columns, per_dose=True)
    if section.is_differential:
        section = Section(header, columns, per_dose=True, warnings=(_ASSUMED,))
    if volume is None and options.volume_from_dvh:
        volume = table_volume(section)
    return with_volume(section, volume)


def _pair(source: Source, line: Line, start: int) -> tuple[float, float] | None:
    """Return dose and volume of one structure in a row; None where its shorter table has ended."""
    fields = [field.strip() for field in line.text.split(",")][start + 1 : start + 3]
    if not any(fields):
        return None
    dose, volume = (source.number(field) for field in (*fields, "", "")[:2])
    if dose is None or volume is None:
        raise source.fail(line, "a dose and a volume for every structure, separated by commas")
    return dose, volume
