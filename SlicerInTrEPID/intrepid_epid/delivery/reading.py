"""Frames of one beam from whatever files hold them."""

from collections.abc import Sequence
from pathlib import Path

from intrepid_epid.delivery.dicom_frames import read_dicom_frames
from intrepid_epid.delivery.frames import FrameSeries
from intrepid_epid.delivery.raw_frames import read_raw_frames
from intrepid_rt.frame_table import FRAME_TABLE


def read_frames(paths: Sequence[Path]) -> FrameSeries:
    """Read a multi-frame RTIMAGE, a series of single ones, or the raw frames that a ``frames.json`` describes."""
    if len(paths) == 1 and paths[0].name == FRAME_TABLE:
        return read_raw_frames(paths[0])
    return read_dicom_frames(paths)
