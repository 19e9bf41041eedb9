"""DVH exports of Mirada: tab-separated, two columns per structure."""

import re

import numpy as np

from intrepid_dvh.curve import DVH
from intrepid_dvh.text.decoding import Options
from intrepid_dvh.text.section import Section, columns_of, finished, with_volume
from intrepid_dvh.text.source import Line, Source
from intrepid_dvh.text.user_info import told_header, told_volume

_TITLE = re.compile(r"(?P<name>.*?)\s*\((?P<volume>[\d.,]+)\s*cm[^)\s]{0,3}\)\s*")
_DATE = re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})")


def looks_like_mirada(text: str) -> bool:
    """Tell a Mirada export by its first lines."""
    head = "\n".join(text.split("\n")[:6])
    return head.startswith("Patient\t") and bool(re.search(r"\([\d.,]+\s*cm[^)\s]{0,3}\)\t", head))


def read_mirada(source: Source, options: Options) -> list[DVH]:
    """Read an export of Mirada; the kind of table is told by its shape, a differential one holds volume per bin.

    Raises
    ------
    UnreadableFile : no line of titles, or a row that does not fit; the message names the line.
    """
    index = next((i for i, line in enumerate(source.lines) if _TITLE.match(line.text.partition("\t")[0])), None)
    if index is None:
        raise source.fail(source.lines[0], "a line with titles such as 'PTV (123.4cm³)'")
    fields = source.lines[0].text.split("\t")
    date = _DATE.fullmatch(fields[2].strip()) if len(fields) > 2 else None
    header = {
        "patName": fields[1].strip() if len(fields) > 1 else None,
        "date": f"{date['year']}-{int(date['month']):02d}-{int(date['day']):02d}" if date else None,
        "volumeUnit": "CC",
    }
    header |= told_header(options, None)
    titles = source.lines[index].text.rstrip().split("\t")
    rows = [line for line in source.lines[index + 1 :] if line.text.strip()]
    structures = [
        _structure(source, source.lines[index], titles, rows, start, header, options)
        for start in range(0, len(titles) - 1, 2)
    ]
    return finished(structures, source.path)


def _structure(
    source: Source, line: Line, titles: list[str], rows: list[Line], start: int, plan: dict, options: Options
) -> Section:
    title = _TITLE.fullmatch(titles[start])
    if not title:
        raise source.fail(line, "titles such as 'PTV (123.4cm³)' and '% of volume' in turn")
    kind = "volume_percent" if "%" in titles[start + 1] else "volume_cc"
    pairs = [_pair(source, row, start) for row in rows]
    table = np.array([pair for pair in pairs if pair], dtype=np.float64).reshape(-1, 2)
    header = plan | {"structure": title["name"]}
    warnings = () if header.get("doseUnit") else ("The file does not say in which unit its doses are.",)
    section = Section(header, columns_of(table, dose=0, **{kind: 1}), per_dose=False, warnings=warnings)
    return with_volume(section, told_volume(options, title["name"]) or _stated(source, title["volume"]))


def _stated(source: Source, text: str) -> float | None:
    value = source.number(text)
    return float(text.replace(",", ".")) if value is None and text.count(",") == 1 and "." not in text else value


def _pair(source: Source, line: Line, start: int) -> tuple[float, float] | None:
    """Return dose and volume of one structure in a row; None where its shorter table has ended."""
    fields = line.text.split("\t")[start : start + 2]
    if not any(field.strip() for field in fields):
        return None
    dose, volume = (source.number(field) for field in (*fields, "", "")[:2])
    if dose is None or volume is None:
        raise source.fail(line, "a dose and a volume for every structure, separated by tabs")
    return dose, volume
