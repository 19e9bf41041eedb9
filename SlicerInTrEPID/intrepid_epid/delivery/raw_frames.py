"""Frames of one beam from raw panel files (``.his``) and the table beside them.

A raw frame states neither machine nor beam nor calibration. ``frames.json`` in the same folder does; gantry angle,
time and pixel factor of every frame stand there as well, or in the ``_Frames.xml`` that iView and XVI write.
"""

import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from intrepid_epid.delivery.assembling import StoredFrame, assembled
from intrepid_epid.delivery.frames import NO_IMAGE, DeliveryFrame, FrameSeries
from intrepid_epid.portal_reader.his_file import read_his
from intrepid_epid.portal_reader.signal import SignalScale, sign_from_border
from intrepid_rt.dicom_image import PortalGeometry
from intrepid_rt.errors import AmbiguousInput, MissingObject, UnreadableFile
from intrepid_rt.frame_table import FRAMES_XML, FrameRow, FrameTable, raw_files, raw_header, read_frame_table
from intrepid_rt.small_files import read_small_bytes

_HIGHEST = 65535  # stands for no radiation


def read_raw_frames(path: Path) -> FrameSeries:
    """Read the raw frames that a ``frames.json`` describes.

    Raises
    ------
    UnreadableFile, MissingObject
        The table, ``_Frames.xml`` or a frame cannot be read or is missing.
    AmbiguousInput
        The border of the image shows more signal than its middle: another polarity than iView's.
    """
    table, files = read_frame_table(path), raw_files(path)
    rows = table.frames or _rows_of_xml(path.parent / FRAMES_XML, files)
    missing = [row.file for row in rows if not (path.parent / row.file).is_file()]
    if missing:
        raise MissingObject(
            f"{path.parent.name} lacks {len(missing)} raw frame(s), for example {missing[0]}. Copy all."
        )
    frames = [frame for number, row in enumerate(rows, 1) for frame in _stored(path.parent, row, number, table)]
    mean = np.mean([frame.stored for frame in frames], axis=0)
    if sign_from_border(mean, path.parent.name) > 0:
        raise AmbiguousInput(
            f"{path.parent.name}: outside the field the numbers are low, but raw frames are expected to be inverted "
            f"({_HIGHEST} without radiation). Export the beam as DICOM."
        )
    return assembled(frames, raw_header(path), ())


def _stored(folder: Path, row: FrameRow, number: int, table: FrameTable) -> list[StoredFrame]:
    header, stored = read_his(folder / row.file)
    factor = row.pixel_factor
    note = "Raw frames without pixel factor: the signal is relative."
    scale = SignalScale(
        slope=-1.0 / (factor or 1.0),
        intercept=_HIGHEST / (factor or 1.0),
        limit=0,
        unit="signal" if factor else "relative",
        vendor="Elekta",
        notes=() if factor else (note,),
    )
    facts = DeliveryFrame(
        image=NO_IMAGE,
        name=row.file,
        number=number,
        gantry_angle_deg=row.gantry_angle_deg,
        time_s=row.time_s,
        meterset_mu=row.meterset_mu,
    )
    if len(stored) != 1:
        raise UnreadableFile(f"{row.file} holds {len(stored)} frames; expected one per file.")
    return [StoredFrame(stored[0], scale, _geometry(table, header.rows), facts)]


def _geometry(table: FrameTable, n: int) -> PortalGeometry:
    pixel = table.panel_width_mm / n
    down = -1.0 if table.first_row == "gantry" else 1.0
    half = pixel * (n - 1) / 2
    return PortalGeometry(
        first_pixel_mm=np.array([-half, -down * half]),
        per_column_mm=np.array([pixel, 0.0]),
        per_row_mm=np.array([0.0, down * pixel]),
        source_to_image_mm=table.source_to_image_mm,
        source_to_axis_mm=table.source_to_axis_mm,
    )


def _rows_of_xml(path: Path, files: tuple[Path, ...]) -> tuple[FrameRow, ...]:
    """Frames with the beam on, from ``_Frames.xml``; a file belongs to the frame whose number begins its name."""
    if not path.exists():
        raise MissingObject(f"{path.parent.name}: neither frames.json lists frames, nor is there a {path.name}.")
    try:
        root = ElementTree.fromstring(read_small_bytes(path))
    except ElementTree.ParseError as error:
        raise UnreadableFile(f"{path} is no table of frames: {error}.") from error
    by_number = {_number(file): file.name for file in files}
    rows = []
    for element in root.iter("Frame"):
        if _said(element, "MVOn") == "false" or _said(element, "Inactive") == "true":
            continue
        number = int(_number_in(element, "Seq", path))
        if number not in by_number:
            raise MissingObject(f"{path.parent.name}: {path.name} lists frame {number}, which is not among the files.")
        factor = _number_in(element, "PixelFactor", path) if _said(element, "HasPixelFactor") == "true" else 0.0
        if factor < 0:
            raise UnreadableFile(
                f"{path}: the pixel factors are encrypted; iView needs its dosimetry licence to write them."
            )
        angle, time_ms = (_number_in(element, name, path) for name in ("GantryAngle", "DeltaMs"))
        rows.append(FrameRow(by_number[number], angle % 360.0, time_ms / 1000, None, factor or None))
    if not rows:
        raise MissingObject(f"{path} lists no frame with the treatment beam on.")
    return tuple(rows)


def _said(element: ElementTree.Element, name: str) -> str:
    return (element.findtext(name) or "").strip().casefold()


def _number_in(element: ElementTree.Element, name: str, path: Path) -> float:
    try:
        value = float(element.findtext(name) or "")
    except ValueError as error:
        raise UnreadableFile(f"{path}: a frame states no {name}.") from error
    if not math.isfinite(value):
        raise UnreadableFile(f"{path}: a frame states {name} {value}, which is no number.")
    return value


def _number(file: Path) -> int:
    leading = file.name.split(".")[0].split("_")[0]
    return int(leading) if leading.isdigit() else -1
