"""Frames of one beam from DICOM: a multi-frame RTIMAGE (cine), or a series of single ones.

What a frame shows is its own interval, not the sum up to it; for multi-frame images the Exposure Sequence states gantry
angle and monitor units per frame (PS3.3 C.8.8.2, C.7.6.5 and C.7.6.6).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from intrepid_epid.delivery.assembling import StoredFrame, assembled
from intrepid_epid.delivery.frames import NO_IMAGE, DeliveryFrame, FrameSeries
from intrepid_epid.portal_reader.signal import signal_scale
from intrepid_rt.dicom_file import collecting, decimals, integer, items, number, read_dataset, text
from intrepid_rt.dicom_image import PortalHeader, portal_geometry, portal_header
from intrepid_rt.dicom_pixels import stored_pixels


def read_dicom_frames(paths: Sequence[Path]) -> FrameSeries:
    """Read all frames of the RTIMAGEs of one beam, in the order of acquisition.

    Raises
    ------
    UnusableInput
        What `read_portal_image` refuses, and frames that do not fit each other.
    """
    notes: list[str] = []
    with collecting(notes):
        read = [(Path(path), read_dataset(path, modality="RTIMAGE")) for path in paths]
        headers = [portal_header(dataset) for _, dataset in read]
        order = sorted(range(len(read)), key=lambda n: _place(headers[n], read[n][0]))
        frames = [frame for n in order for frame in _frames(*read[n], headers[n])]
        if len(read) > 1:
            frames = _timed_by_acquisition(frames, [headers[n] for n in order])
        numbers = [frame.facts.number for frame in frames]
        if len(set(numbers)) <= len(numbers) / 2:  # an exporter that numbers every image 1
            frames = [replace(frame, facts=replace(frame.facts, number=None)) for frame in frames]
        return assembled(frames, headers[order[0]], notes)


def _place(header: PortalHeader, path: Path) -> tuple[str, int, str]:
    """Sort by time of acquisition, then by number."""
    acquired = header.acquired.isoformat(timespec="microseconds") if header.acquired else ""
    return acquired, header.instance_number or 0, path.name


def _frames(path: Path, dataset: Dataset, header: PortalHeader) -> Iterator[StoredFrame]:
    stored = stored_pixels(dataset)
    geometry = portal_geometry(dataset)
    scale = signal_scale(dataset, stored[0] if len(stored) == 1 else stored.mean(axis=0))
    if len(stored) == 1:
        facts = DeliveryFrame(
            image=NO_IMAGE,
            name=path.name,
            number=header.instance_number,
            gantry_angle_deg=header.gantry_angle_deg,
            meterset_mu=header.meterset_mu,
            meterset_weights=header.meterset_weights,
        )
        yield StoredFrame(stored[0], scale, geometry, facts)
        return
    exposures = {integer(one, "ReferencedFrameNumber"): one for one in items(dataset, "ExposureSequence")}
    in_mu = text(dataset, "PrimaryDosimeterUnit").upper() in ("MU", "")
    times_s = _frame_times_s(dataset, len(stored))
    for index, values in enumerate(stored):
        exposure = exposures.get(index + 1, Dataset())
        facts = DeliveryFrame(
            image=NO_IMAGE,
            name=f"{path.name}, frame {index + 1}",
            number=index + 1,
            gantry_angle_deg=number(exposure, "GantryAngle"),
            time_s=times_s[index],
            meterset_mu=number(exposure, "MetersetExposure") if in_mu else None,
        )
        yield StoredFrame(values, scale, geometry, facts)


def _frame_times_s(dataset: Dataset, count: int) -> list[float | None]:
    """Begin of every frame since the first: FrameTimeVector holds increments in ms, FrameTime one for all."""
    vector, interval_ms = decimals(dataset, "FrameTimeVector"), number(dataset, "FrameTime")
    if len(vector) == count:
        return [float(v) for v in (np.cumsum(vector) - vector[0]) / 1000]
    if interval_ms:
        return [n * interval_ms / 1000 for n in range(count)]
    return [None] * count


def _timed_by_acquisition(frames: list[StoredFrame], headers: Sequence[PortalHeader]) -> list[StoredFrame]:
    times = [header.acquired for header in headers]
    known = [time for time in times if time is not None]
    # Clocks that tell whole seconds alone cannot time frames that follow each other faster.
    if len(known) < len(frames) or (all(time.microsecond == 0 for time in known) and len(set(known)) < len(known)):
        return frames
    return [
        replace(frame, facts=replace(frame.facts, time_s=(time - known[0]).total_seconds()))
        for frame, time in zip(frames, known, strict=True)
    ]
