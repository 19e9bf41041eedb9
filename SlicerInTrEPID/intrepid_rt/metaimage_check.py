"""MetaImage files looked at before the library reads them, which does not come back from damaged compression."""

import math
import re
import zlib
from pathlib import Path

from intrepid_rt.errors import UnreadableFile

_HEADER_BYTES = 65536
_NEEDED = {"NDims": r"\d+", "DimSize": r"\d+( +\d+)*", "ElementType": r"MET_\w+", "ElementDataFile": r"\S.*"}
_BYTES = {"MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4, "MET_FLOAT": 4, "MET_DOUBLE": 8}
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
    packed_bytes, unpacked_bytes = _unpacked(samples, start if is_local else 0)
    claimed = math.prod(map(int, lines["DimSize"].split())) * _BYTES.get(lines["ElementType"], 1)
    # The library believes the stated size of the compressed samples, and leaves in place whatever memory held before.
    stated = lines.get("CompressedDataSize", str(packed_bytes))
    if stated != str(packed_bytes) or unpacked_bytes < claimed:
        raise UnreadableFile(
            f"{path} claims {stated} bytes that unpack to {claimed}, but holds {packed_bytes} that unpack to "
            f"{unpacked_bytes}: damaged. Export it again."
        )


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


def _unpacked(path: Path, start: int) -> tuple[int, int]:
    """Return how many bytes the compressed samples have, and how many they unpack to."""
    unpacker, packed, unpacked = zlib.decompressobj(), 0, 0
    with path.open("rb") as file:
        file.seek(start)
        try:
            while not unpacker.eof and (chunk := file.read(_CHUNK_BYTES)):
                packed += len(chunk)
                # Bounded steps: a few bytes may unpack to gigabytes.
                while chunk and not unpacker.eof:
                    unpacked += len(unpacker.decompress(chunk, _CHUNK_BYTES))
                    chunk = unpacker.unconsumed_tail
        except zlib.error as error:
            raise UnreadableFile(f"{path} holds damaged samples ({error}). Export it again.") from error
    if not unpacker.eof:
        raise UnreadableFile(f"{path} ends before its samples do: it is cut short. Export it again.")
    return packed - len(unpacker.unused_data), unpacked
