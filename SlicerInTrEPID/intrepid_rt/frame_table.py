"""``frames.json``: which beam the raw panel frames of a folder show, and where the panel stood.

Raw frames (``.his``) state neither machine, beam nor geometry; this table beside them does.
"""

from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from intrepid_rt.dicom_image import PortalHeader
from intrepid_rt.errors import UnreadableFile
from intrepid_rt.small_files import read_struct

FRAME_TABLE = "frames.json"
FRAMES_XML = "_Frames.xml"
SCHEMA = "intrepid-frames-1"


class FrameRow(msgspec.Struct, frozen=True):
    """One frame: its file and what is known about it."""

    file: str
    gantry_angle_deg: float | None = None
    time_s: float | None = None
    meterset_mu: float | None = None
    pixel_factor: float | None = None


class FrameTable(msgspec.Struct, frozen=True, kw_only=True):
    """``frames.json``: which beam the raw frames of a folder show, and where the panel stood.

    ``first_row`` says which side the first stored row lies on: "gantry" (as in iView's DICOM images) or "couch".
    ``frames`` may be empty if ``_Frames.xml`` lies beside.
    """

    schema: str
    plan_uid: str
    beam_number: int
    machine: str
    source_to_image_mm: float
    first_row: str
    source_to_axis_mm: float = 1000.0
    panel_width_mm: float = 409.6
    fraction_number: int | None = None
    acquired: str = ""
    frames: tuple[FrameRow, ...] = ()


def read_frame_table(path: Path) -> FrameTable:
    """Read ``frames.json``.

    Raises
    ------
    UnreadableFile
        Not such a file; the message names the first wrong entry.
    """
    table = read_struct(
        path, FrameTable, complaint="no table of frames", advice="See docs/deliveries.md for its entries."
    )
    problem = _problem(table)
    if problem:
        raise UnreadableFile(f"{path} {problem}. See docs/deliveries.md for its entries.")
    return table


def _problem(table: FrameTable) -> str:
    lengths = np.array([table.source_to_image_mm, table.source_to_axis_mm, table.panel_width_mm])
    numbers = [v for row in table.frames for v in (row.gantry_angle_deg, row.time_s, row.meterset_mu) if v is not None]
    factors = [row.pixel_factor for row in table.frames if row.pixel_factor is not None]
    if table.schema != SCHEMA:
        return f"is of schema {table.schema!r}, {SCHEMA!r} is expected"
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        return "states a distance that is not positive"
    if table.first_row not in ("gantry", "couch"):
        return f"says first_row {table.first_row!r}; expected 'gantry' or 'couch'"
    if not np.isfinite([*numbers, *factors]).all() or any(factor <= 0 for factor in factors):
        return "holds a number that is not finite, or a pixel factor that is not positive"
    if any(Path(row.file).name != row.file for row in table.frames):
        return "names a file in another folder"
    return ""


def raw_header(path: Path) -> PortalHeader:
    """Read what links the raw frames of a folder to a plan, in the form of an image header."""
    table = read_frame_table(path)
    return PortalHeader(
        sop_instance_uid="",
        kind="PORTAL",
        is_dose=False,
        machine=table.machine,
        plan_uid=table.plan_uid,
        beam_number=table.beam_number,
        fraction_number=table.fraction_number,
        gantry_angle_deg=None,
        acquired=_acquired(table, path),
        meterset_mu=None,
        frame_of_reference_uid="",
        series_uid=str(path.parent),
        n_frames=max(2, len(raw_files(path))),
    )


def _acquired(table: FrameTable, path: Path) -> datetime | None:
    if not table.acquired:
        return None
    try:
        return datetime.fromisoformat(table.acquired).replace(tzinfo=None)
    except ValueError as error:
        raise UnreadableFile(
            f"{path}: acquired {table.acquired!r} is no date and time like 2026-01-05T08:30."
        ) from error


def raw_files(path: Path) -> tuple[Path, ...]:
    """Raw frames beside a frame table, by name."""
    return tuple(sorted(file for file in path.parent.iterdir() if file.suffix.lower() == ".his"))
