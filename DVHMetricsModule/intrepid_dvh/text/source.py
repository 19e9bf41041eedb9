"""A text file with its line numbers, its decimal mark, and errors that name the line."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from intrepid_dvh.text.decoding import Options, decoded
from intrepid_rt.errors import UnreadableFile

_DECIMAL_POINT = re.compile(r"\d\.\d")
_TABLE_LINE = re.compile(r"\s*[-+\d.,eE]+([\s;]+[-+\d.,eE]+)+\s*")


@dataclass(frozen=True)
class Line:
    """One line of a file: its number, from 1, and its text without line end."""

    number: int
    text: str


@dataclass(frozen=True)
class Source:
    """A decoded export file.

    Parameters
    ----------
    decimal_comma : numbers are written ``0,5``: tables hold commas and no point, so a comma cannot mean thousands.
    """

    path: Path
    lines: tuple[Line, ...]
    decimal_comma: bool

    @classmethod
    def read(cls, path: Path, options: Options) -> "Source":
        """Read and decode a file."""
        return cls.of_text(path, decoded(path, options))

    @classmethod
    def of_text(cls, path: Path, text: str) -> "Source":
        """Take text that was already decoded."""
        lines = tuple(Line(n, t) for n, t in enumerate(text.split("\n"), start=1))
        table = [line.text for line in lines if _TABLE_LINE.fullmatch(line.text)]
        comma = any("," in text for text in table) and not any(_DECIMAL_POINT.search(text) for text in table)
        return cls(path, lines, comma)

    def fail(self, line: Line, expected: str) -> UnreadableFile:
        """Return the error that a line is not what it must be."""
        return UnreadableFile(
            f"{self.path}, line {line.number}: found '{line.text.strip()[:60]}'; expected {expected}."
        )

    def number(self, text: str) -> float | None:
        """Return a number written with the file's decimal mark, None if the text is none."""
        text = text.strip()
        if self.decimal_comma:
            text = text.replace(",", ".")
        try:
            return float(text) if text and text[0] in "+-.0123456789" else None
        except ValueError:
            return None

    def table(self, lines: list[Line], *, columns: int, separator: str | None = None) -> np.ndarray:
        """Return rows of numbers (n, columns); an empty list gives (0, columns).

        Raises
        ------
        UnreadableFile : a line does not hold ``columns`` numbers.
        """
        rows = [self._row(line, columns, separator) for line in lines]
        return np.array(rows, dtype=np.float64).reshape(len(rows), columns)

    def _row(self, line: Line, columns: int, separator: str | None) -> list[float]:
        fields = line.text.strip().split(separator)
        values = [self.number(field) for field in fields]
        if len(values) != columns or any(value is None for value in values):
            raise self.fail(line, f"{columns} numbers")
        return [value for value in values if value is not None]


def value_after_colon(text: str) -> str:
    """Return what follows the first colon, with runs of blanks collapsed."""
    return " ".join(text.partition(":")[2].split())


def field(lines: list[Line], pattern: str) -> Line | None:
    """Return the first line whose start matches, None if there is none."""
    matcher = re.compile(pattern, re.IGNORECASE)
    return next((line for line in lines if matcher.match(line.text)), None)


def text_field(lines: list[Line], pattern: str) -> str | None:
    """Return the value of the first line whose start matches, None if there is none or it is empty."""
    line = field(lines, pattern)
    return (value_after_colon(line.text) or None) if line else None


def sections(lines: list[Line], start: str) -> tuple[list[Line], list[list[Line]]]:
    """Split at lines whose start matches: what comes before the first, and each section with its first line."""
    matcher = re.compile(start)
    starts = [index for index, line in enumerate(lines) if matcher.match(line.text)]
    if not starts:
        return lines, []
    return lines[: starts[0]], [lines[a:b] for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]
