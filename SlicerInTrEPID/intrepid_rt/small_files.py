"""Tables and settings that people hand over as files: regular, of a sane size, and text, or refused in one line."""

import json
from pathlib import Path
from typing import Any

from intrepid_rt.errors import UnreadableFile

LARGEST_MB = 200.0  # a DVH export of a whole department stays below; reading needs about ten times as much memory


def read_small_bytes(path: str | Path, *, largest_mb: float = LARGEST_MB) -> bytes:
    """Read a regular file; a pipe, a device or a file of senseless size would be read for ever or fill the memory.

    Raises
    ------
    UnreadableFile
        No regular file, no permission, or too large.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise UnreadableFile(f"{path} is no file. Check the path.")
        size_mb = path.stat().st_size / 1e6
        if size_mb > largest_mb:
            raise UnreadableFile(f"{path} holds {size_mb:.0f} MB; expected at most {largest_mb:g}. Is it another file?")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}. Check the permissions.") from error


def read_small_text(path: str | Path, *, largest_mb: float = LARGEST_MB) -> str:
    """Read a text file in UTF-8, with or without byte-order mark.

    Raises
    ------
    UnreadableFile
        No such file, or no text.
    """
    try:
        return read_small_bytes(path, largest_mb=largest_mb).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{path} is no text in UTF-8 (byte {error.start}). Save it as UTF-8.") from error


def parse_json(text: str | bytes, place: str) -> Any:
    """Parse JSON; ``place`` names it in messages.

    >>> parse_json('{"a": [1, 2]}', "settings")
    {'a': [1, 2]}

    Raises
    ------
    UnreadableFile
        No JSON, nested deeper than the parser goes, or a number that JSON does not know (NaN, Infinity).
    """
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError as error:
        raise UnreadableFile(f"{place} is nested too deeply. Expected JSON as this program writes it.") from error
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, or an integer of thousands of digits
        raise UnreadableFile(f"{place} is no JSON: {error}.") from error


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
