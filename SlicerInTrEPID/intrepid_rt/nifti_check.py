"""NIfTI files looked at before the library reads them, which fills with zeros what a file that was cut short lacks."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

from intrepid_rt.errors import UnreadableFile

_HEADER_BYTES = 348  # NIfTI-1
_HEADER2_BYTES = 540  # NIfTI-2
_CHUNK_BYTES = 1 << 24


def require_whole_nifti(path: Path) -> None:
    """Refuse a NIfTI file that holds fewer samples than its header claims, or whose compression is damaged.

    Raises
    ------
    UnreadableFile
    """
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            head = file.read(_HEADER2_BYTES)
            held = len(head) + _length_of_rest(file)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFile(f"{path} is cut short or damaged ({error}). Export it again.") from error
    needed = _bytes_claimed(head)
    if needed is None or held < needed:
        claim = "has no NIfTI header" if needed is None else f"claims {needed} bytes, but holds {held}"
        raise UnreadableFile(f"{path} {claim}: it is cut short or damaged. Export it again.")


def _length_of_rest(file: Any) -> int:
    length = 0
    while chunk := file.read(_CHUNK_BYTES):
        length += len(chunk)
    return length


def _bytes_claimed(head: bytes) -> int | None:
    """Bytes up to the last sample by the header's dimensions, bits per sample and offset; None if it is no header."""
    for order in "<>":
        size = struct.unpack_from(f"{order}i", head)[0] if len(head) >= _HEADER_BYTES else 0
        if size == _HEADER_BYTES:
            count, *dimensions = struct.unpack_from(f"{order}8h", head, 40)
            bits, offset = struct.unpack_from(f"{order}h", head, 72)[0], struct.unpack_from(f"{order}f", head, 108)[0]
        elif size == _HEADER2_BYTES and len(head) >= _HEADER2_BYTES:
            count, *dimensions = struct.unpack_from(f"{order}8q", head, 16)
            bits, offset = struct.unpack_from(f"{order}h", head, 14)[0], struct.unpack_from(f"{order}q", head, 168)[0]
        else:
            continue
        if not 0 < count <= len(dimensions) or not math.isfinite(offset):
            return None
        return int(offset) + math.prod(max(n, 1) for n in dimensions[:count]) * max(bits, 0) // 8
    return None
