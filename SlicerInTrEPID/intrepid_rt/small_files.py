"""Tables and settings that people hand over as files: regular, of a sane size, and text, or refused in one line."""

import csv
import io
import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from intrepid_rt.errors import UnreadableFile

T = TypeVar("T")

LARGEST_MB = 200.0  # a DVH export of a whole department stays below; reading needs about ten times as much memory


def read_small_bytes(path: str | Path, *, largest_mb: float = LARGEST_MB) -> bytes:
    """Read a regular file; a pipe, a device or a file of senseless size would be read for ever or fill the memory.

    Raises
    ------
    UnreadableFile
        No regular file, no permission, or too large.
    """
    try:
        size_mb = regular_file(path).stat().st_size / 1e6
        if size_mb > largest_mb:
            raise UnreadableFile(f"{path} holds {size_mb:.0f} MB; expected at most {largest_mb:g}. Is it another file?")
        return Path(path).read_bytes()
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}. Check the permissions.") from error


def entries_below(folder: str | Path) -> list[Path]:
    """Return files, pipes and links below a folder, sorted, so that none is passed over in silence.

    A link to a folder is an entry as well and is not followed: it may lead anywhere.
    """
    return sorted(path for path in Path(folder).rglob("*") if path.is_symlink() or not path.is_dir())


def regular_file(path: str | Path) -> Path:
    """Return the path of a file that ends: no pipe or device, which a library would read for ever.

    Raises
    ------
    UnreadableFile
        It is no regular file, or leads nowhere.
    """
    path = Path(path)
    try:
        if path.is_file():
            return path
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    raise UnreadableFile(f"{path} is no file. Check the path.")


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


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """Read a table with a header, separated by comma or, as spreadsheets of many countries write it, semicolon.

    Cells that a short line lacks are empty, those beyond the header are dropped.

    Raises
    ------
    UnreadableFile
        No such file, no text, or no table.
    """
    text = read_small_text(path)
    head = text.partition("\n")[0]
    separator = ";" if head.count(";") > head.count(",") else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restval="")
    try:
        return [{name: cell for name, cell in row.items() if name is not None} for row in reader]
    except csv.Error as error:
        raise UnreadableFile(f"{path} is no table: {error}. Save it as CSV in UTF-8.") from error


def read_struct(path: str | Path, kind: type[T], *, complaint: str, advice: str) -> T:
    """Read JSON that must have the form of a ``msgspec.Struct``.

    Parameters
    ----------
    complaint, advice : str
        What the message says the file is if it is not that ("no table of frames"), and what to do about it.

    Raises
    ------
    UnreadableFile
        No such file, no JSON, or of another form; the message names the first wrong entry.
    """
    try:
        content = read_small_bytes(path)
    except UnreadableFile as error:
        raise UnreadableFile(f"{error} {advice}") from error
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableFile(f"{path} is {complaint}: {error}. {advice}") from error


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
