"""Raw frames of the Heimann and PerkinElmer panels (``.his``), as iView and XVI store them.

A header of 68 bytes, little endian, is followed by an image header whose length it states, and by the frames. Facts of
the format: Reconstruction Toolkit (RTK), ``rtkHisImageIO.cxx``; that high numbers mean little radiation: its
``rtkElektaSynergyRawLookupTableImageFilter.hxx``.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.errors import UnreadableFile, UnsupportedGeometry
from intrepid_rt.small_files import read_small_bytes

HEADER_BYTES = 68
_MAGIC = 0x7000
_UNSIGNED_16_BIT = 4
_LARGEST_SIDE = 8192


@dataclass(frozen=True)
class HisHeader:
    """What the header of a raw frame file states; ``integration_time`` in the unit of the writer."""

    image_header_bytes: int
    rows: int
    columns: int
    n_frames: int
    correction: int  # sum of 1 (offset), 2 (gain), 4 (defective pixels)
    integration_time: float


def read_his(path: str | Path) -> tuple[HisHeader, NDArray]:
    """Read the frames of one file.

    Returns
    -------
    header : HisHeader
    stored : ndarray of uint16, (frames, rows, columns)

    Raises
    ------
    UnreadableFile
        No such file, another format, other numbers than unsigned 16 bit, or cut short.
    UnsupportedGeometry
        A frame that is not square: which side is the longer one is stated differently by different readers.
    """
    path = Path(path)
    data = read_small_bytes(path)
    header = parse_his_header(data, path.name)
    start, count = HEADER_BYTES + header.image_header_bytes, header.n_frames * header.rows * header.columns
    if len(data) < start + 2 * count:
        raise UnreadableFile(
            f"{path.name} claims {header.n_frames} x {header.rows} x {header.columns} pixels, {2 * count} bytes, but "
            f"holds {max(0, len(data) - start)}: it is cut short. Copy it again."
        )
    stored = np.frombuffer(data, "<u2", count, start)
    return header, stored.reshape(header.n_frames, header.rows, header.columns)


def parse_his_header(data: bytes, name: str) -> HisHeader:
    """Read the header at the begin of a file; ``name`` is for messages."""
    if len(data) < HEADER_BYTES or struct.unpack_from("<HH", data) != (_MAGIC, HEADER_BYTES):
        raise UnreadableFile(f"{name} is no raw panel frame: it does not begin like a Heimann HIS file of version 100.")
    image_header, left, top, right, bottom, frames, correction = struct.unpack_from("<7H", data, 10)
    (integration_time,) = struct.unpack_from("<d", data, 24)
    (kind,) = struct.unpack_from("<H", data, 32)
    if kind != _UNSIGNED_16_BIT:
        raise UnreadableFile(f"{name} holds numbers of type {kind}; expected {_UNSIGNED_16_BIT} (unsigned 16 bit).")
    rows, columns = bottom - top + 1, right - left + 1
    if not (0 < rows <= _LARGEST_SIDE and 0 < columns <= _LARGEST_SIDE and frames > 0):
        raise UnreadableFile(f"{name} claims {frames} frames of {rows} x {columns} pixels: damaged.")
    if rows != columns:
        raise UnsupportedGeometry(f"{name} holds frames of {rows} x {columns} pixels; only square ones are supported.")
    return HisHeader(image_header, rows, columns, frames, correction, float(integration_time))
