"""Where a beam comes from: one direction while the gantry stands, one per frame while it turns."""

from dataclasses import dataclass

import numpy as np

from intrepid_epid.delivery.assignment import Assignment, assign_frames
from intrepid_epid.delivery.frames import FrameSeries
from intrepid_rt.beam_frame import BeamFrame, beam_frame
from intrepid_rt.errors import UnsupportedGeometry
from intrepid_rt.plan import Beam


@dataclass(frozen=True, eq=False)
class ArcGeometry:
    """Frames of an arc with their places in it, and the gantry frame of every one."""

    assignment: Assignment
    frames: tuple[BeamFrame, ...]


def arc_geometry(beam: Beam, series: FrameSeries | None, patient_position: str) -> ArcGeometry:
    """Gantry frame of every frame of an arc.

    Raises
    ------
    UnsupportedGeometry
        One integrated image, or a couch that moves.
    UnusableInput
        Frames that cannot be placed in the arc.
    """
    if series is None:
        raise UnsupportedGeometry(
            f"Beam {beam.name} is an arc. One integrated image cannot be brought back along many directions; give its "
            "frames (docs/deliveries.md)."
        )
    first_frame(beam, patient_position)  # refuses what moves besides the gantry
    assignment = assign_frames(series.frames, beam)
    return ArcGeometry(
        assignment, tuple(frame_at(beam, one.gantry_angle_deg, patient_position) for one in assignment.frames)
    )


def first_frame(beam: Beam, patient_position: str) -> BeamFrame:
    """Gantry frame of a beam's first control point.

    Raises
    ------
    UnsupportedGeometry
        The couch moves, or gantry or table top are pitched.
    """
    first = beam.control_points[0]
    isocentres = np.array([point.isocentre_lps_mm for point in beam.control_points])
    turned = np.ptp(np.unwrap([p.couch_angle_deg for p in beam.control_points], period=360.0)) > 0.1
    if turned or np.ptp(isocentres, axis=0).max() > 0.1 or abs(first.gantry_pitch_deg) > 0.1:
        raise UnsupportedGeometry(f"Beam {beam.name} moves the couch or pitches the gantry, which is not supported.")
    if first.couch_tilt_deg > 0.1:
        raise UnsupportedGeometry(
            f"Beam {beam.name} has a table top pitched, rolled or turned eccentrically by {first.couch_tilt_deg:g} "
            "degrees, which is not supported: the beam would be brought back along a wrong direction."
        )
    return frame_at(beam, first.gantry_angle_deg, patient_position)


def frame_at(beam: Beam, gantry_angle_deg: float, patient_position: str) -> BeamFrame:
    """Gantry frame of a beam at an angle, everything else as at its first control point."""
    first = beam.control_points[0]
    return beam_frame(
        gantry_angle_deg,
        first.isocentre_lps_mm,
        couch_angle_deg=first.couch_angle_deg,
        patient_position=patient_position,
        source_to_axis_mm=beam.source_to_axis_mm,
    )
