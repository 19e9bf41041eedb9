"""What a user may tell about a file, and its bytes as text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intrepid_rt.errors import InvalidSetting, UnreadableFile
from intrepid_rt.small_files import read_small_bytes


@dataclass(frozen=True)
class Options:
    """How to read exports.

    Parameters
    ----------
    encoding : name of the encoding; by default a byte-order mark decides, then UTF-8, then Windows-1252.
    prescription_from_plan : take the prescription from the plan's name (``..._50.4Gy_...``).
    course_as_id : make the course a part of the patient ID (Eclipse).
    uncertainty : accept uncertainty plans (Eclipse) as structures of their own.
    volume_from_dvh : take the largest volume of the table for the structure's volume if the file does not state it.
    info : what the file does not hold: ``patName``, ``patID``, ``date`` (yyyy-mm-dd), ``doseRx`` (``50.4Gy``),
        ``structVol`` (by structure, cm3), ``volumeUnit``.
    """

    encoding: str | None = None
    prescription_from_plan: bool = False
    course_as_id: bool = False
    uncertainty: bool = False
    volume_from_dvh: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)


_ALIASES = {"utf-8-bom": "utf-8-sig", "latin1": "cp1252", "iso-8859-1": "cp1252", "": None}


def decoded(path: Path, options: Options) -> str:
    """Return the text of a file, its lines ended by a line feed only.

    Raises
    ------
    UnreadableFile : no file, or the bytes are no text in the given encoding.
    InvalidSetting : the encoding's name is unknown.
    """
    return decoded_bytes(read_small_bytes(path), path, options)


def decoded_bytes(raw: bytes, path: Path, options: Options) -> str:
    """Return bytes as text, as :func:`decoded`; ``path`` names them in messages.

    Raises
    ------
    InvalidSetting : the encoding asked for does not exist.
    UnreadableFile : the bytes are not in that encoding; the message names the line.
    """
    wanted = (options.encoding or "").lower()
    encoding = _ALIASES.get(wanted, wanted) or _guessed(raw)
    if raw.startswith(b"\xef\xbb\xbf"):
        encoding = "utf-8-sig"
    try:
        text = raw.decode(encoding) if encoding != "cp1252" else _windows_text(raw)
    except LookupError:
        raise InvalidSetting(f"Encoding '{options.encoding}' is unknown; for example UTF-8 or latin1.") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(f"{path}, line {line}: not valid {encoding}; try --encoding latin1 or UTF-8.") from None
    if "\0" in text:
        raise UnreadableFile(f"{path} holds binary data; expected a text export of dose-volume histograms.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _windows_text(raw: bytes) -> str:
    """Decode Windows-1252, with the five bytes that it leaves open as in ISO 8859-1."""
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _guessed(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"
