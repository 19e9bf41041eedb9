"""MetaImage files looked at before the library reads them, which does not come back from damaged compression."""

import re
import zlib
from pathlib import Path

from intrepid_rt.errors import UnreadableFile

_HEADER_BYTES = 65536
_NEEDED = {"NDims": r"\d+", "DimSize": r"\d+( +\d+)*", "ElementType": r"MET_\w+", "ElementDataFile": r"\S.*"}
_CHUNK_BYTES = 1 << 20


def require_whole_metaimage(path: Path) -> None:
    """Refuse a MetaImage whose header lacks what is needed, or whose compressed samples do not unpack to their end.

    Raises
    ------
    UnreadableFile
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    lines, start = _header(head)
    for name, form in _NEEDED.items():
        if not re.fullmatch(form, lines.get(name, "")):
            raise UnreadableFile(f"{path} states no usable {name}: it is no MetaImage or damaged. Export it again.")
    if lines.get("CompressedData", "").lower() != "true":
        return
    is_local = lines["ElementDataFile"].upper() == "LOCAL"
    samples = path if is_local else path.parent / lines["ElementDataFile"]
    if not samples.is_file():
        raise UnreadableFile(f"{path} refers to {samples.name}, which is not there. Copy both files.")
    _require_unpackable(samples, start if is_local else 0)


def _header(head: bytes) -> tuple[dict[str, str], int]:
    """Return the fields of a header, and where it ends: its last line names the file of the samples."""
    lines: dict[str, str] = {}
    start = 0
    for line in head.splitlines(keepends=True):
        start += len(line)
        name, _, value = line.decode("latin-1").partition("=")
        lines[name.strip()] = value.strip()
        if name.strip() == "ElementDataFile":
            break
    return lines, start


def _require_unpackable(path: Path, start: int) -> None:
    unpacker = zlib.decompressobj()
    with path.open("rb") as file:
        file.seek(start)
        try:
            while (chunk := file.read(_CHUNK_BYTES)) and not unpacker.eof:
                # Bounded steps: a few bytes may unpack to gigabytes.
                while chunk and not unpacker.eof:
                    unpacker.decompress(chunk, _CHUNK_BYTES)
                    chunk = unpacker.unconsumed_tail
        except zlib.error as error:
            raise UnreadableFile(f"{path} holds damaged samples ({error}). Export it again.") from error
    if not unpacker.eof:
        raise UnreadableFile(f"{path} ends before its samples do: it is cut short. Export it again.")
