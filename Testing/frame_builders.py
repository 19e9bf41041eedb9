"""Image frames of beams made by code: multi-frame RTIMAGE, series of single ones, raw panel files."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path

from numpy.typing import NDArray
from pydicom.dataset import Dataset

import builders
from builders import Ids, item

FACTOR = 30000.0


def cine(
    frames: NDArray,
    ids: Ids,
    *,
    gantry_deg: Sequence[float] | None = None,
    meterset_mu: Sequence[float] | None = None,
    frame_time_ms: float | None = None,
    **options: object,
) -> Dataset:
    """Multi-frame RTIMAGE of signal (frames, rows, columns), Elekta's way; exposures state angle and MU per frame."""
    made = builders.rtimage(
        builders.elekta_pixels(frames, FACTOR), ids, elekta_factor=FACTOR, gantry_deg=None, **options
    )
    made.NumberOfFrames = len(frames)
    if frame_time_ms is not None:
        made.FrameTime, made.FrameIncrementPointer = str(frame_time_ms), 0x00181063
    if gantry_deg is not None or meterset_mu is not None:
        made.ExposureSequence = [item(ReferencedFrameNumber=n + 1) for n in range(len(frames))]
        for n, exposure in enumerate(made.ExposureSequence):
            if gantry_deg is not None:
                exposure.GantryAngle = f"{gantry_deg[n]:.3f}"
            if meterset_mu is not None:
                exposure.MetersetExposure = f"{meterset_mu[n]:.6g}"
    return made


def series(frames: NDArray, ids: Ids, *, gantry_deg: Sequence[float], seconds: float = 0.4, **options: object):  # type: ignore[no-untyped-def]
    """Single-frame RTIMAGEs of one series, numbered and timed."""
    made = []
    uid = builders.generate_uid()
    for n, (frame, angle) in enumerate(zip(frames, gantry_deg, strict=True)):
        pixels = builders.elekta_pixels(frame, FACTOR)
        acquired = f"2026010508{30 + int(n * seconds) // 60:02d}{n * seconds % 60:09.6f}"
        one = builders.rtimage(pixels, ids, gantry_deg=angle, elekta_factor=FACTOR, acquired=acquired, **options)
        one.SeriesInstanceUID, one.InstanceNumber = uid, n + 1
        made.append(one)
    return made


def his_bytes(pixels: NDArray, *, image_header: int = 32, magic: int = 0x7000, kind: int = 4) -> bytes:
    """A raw file of 16 bit frames (rows, columns) or (frames, rows, columns), behind a header of 68 bytes."""
    frames = pixels.reshape(-1, *pixels.shape[-2:]).astype("<u2")
    count, rows, columns = frames.shape
    head = struct.pack("<HHHIH", magic, 68, 100, 0, image_header)
    head += struct.pack("<HHHHHHdH", 0, 0, columns - 1, rows - 1, count, 0, 432000.0, kind)
    return head.ljust(68, b"\0") + b"\0" * image_header + frames.tobytes()


def write_raw(
    folder: Path,
    frames: NDArray,
    ids: Ids,
    *,
    gantry_deg: Sequence[float],
    panel_width_mm: float,
    with_xml: bool = False,
    beam_number: int = 1,
) -> Path:
    """Raw frames of signal (frames, rows, columns) with ``frames.json``, and with ``_Frames.xml`` if asked for."""
    folder.mkdir(parents=True)
    rows = []
    for n, (frame, angle) in enumerate(zip(frames, gantry_deg, strict=True), 1):
        name = f"{n:05d}.raw.his"
        (folder / name).write_bytes(his_bytes(builders.elekta_pixels(frame, FACTOR)))
        rows.append({"file": name, "gantry_angle_deg": angle, "time_s": 0.4 * n, "pixel_factor": FACTOR})
    table = {
        "schema": "intrepid-frames-1",
        "plan_uid": ids.plan,
        "beam_number": beam_number,
        "machine": "LINAC1",
        "source_to_image_mm": 1600.0,
        "first_row": "gantry",
        "panel_width_mm": panel_width_mm,
        "acquired": "2026-01-05T08:30:00",
        "frames": [] if with_xml else rows,
    }
    (folder / "frames.json").write_text(json.dumps(table))
    if with_xml:
        (folder / "_Frames.xml").write_text(_frames_xml(gantry_deg))
    return folder / "frames.json"


def _frames_xml(gantry_deg: Sequence[float]) -> str:
    frames = "".join(
        f"<Frame><Seq>{n}</Seq><DeltaMs>{400 * n}</DeltaMs><HasPixelFactor>True</HasPixelFactor>"
        f"<PixelFactor>{FACTOR}</PixelFactor><GantryAngle>{(angle + 180) % 360 - 180:.6f}</GantryAngle>"
        "<Exposed>True</Exposed><MVOn>True</MVOn><UCentre>0</UCentre><VCentre>0</VCentre>"
        "<Inactive>False</Inactive></Frame>"
        for n, angle in enumerate(gantry_deg, 1)
    )
    return f"<?xml version='1.0'?><ProjectionSet><Frames>{frames}</Frames></ProjectionSet>"
