"""Which part of a beam a frame shows: by gantry angle, cumulative monitor units or time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.delivery.frames import DeliveryFrame
from intrepid_rt.errors import AmbiguousInput, MissingObject
from intrepid_rt.plan import Beam

# Read-outs lag behind by up to a frame; a frame further off the arc than this shows something else.
_OFF_THE_ARC_DEG = 5.0


@dataclass(frozen=True, eq=False)
class AssignedFrame:
    """A frame and where in its beam it lies.

    ``meterset_weight`` is the cumulative weight in the middle of its interval, ``control_point`` the index of the last
    control point before it.
    """

    frame: DeliveryFrame
    gantry_angle_deg: float
    meterset_weight: float
    control_point: int


@dataclass(frozen=True, eq=False)
class Assignment:
    """All frames of a beam with their places; ``by`` names what they were found with."""

    frames: tuple[AssignedFrame, ...]
    by: str
    notes: tuple[str, ...] = ()


def assign_frames(frames: Sequence[DeliveryFrame], beam: Beam) -> Assignment:
    """Find the place of every frame in its beam.

    An arc is followed by the gantry angles of the frames. Where none are stated, or the gantry stands, cumulative
    monitor units tell the place, and at last the time, which takes the dose rate as constant.

    Raises
    ------
    MissingObject
        The frames state neither angle, monitor units nor time.
    AmbiguousInput
        A frame was taken at an angle that the arc does not pass.
    """
    path = gantry_path_deg(beam)
    weights = np.array([point.cumulative_meterset_weight for point in beam.control_points])
    angles = [frame.gantry_angle_deg for frame in frames]
    turns_one_way = bool((np.diff(path) >= 0).all() or (np.diff(path) <= 0).all())
    if beam.is_arc and turns_one_way and None not in angles:
        on_path = _along_arc(np.array(angles, float), path, frames, beam)
        order = 1 if path[-1] >= path[0] else -1
        at = np.interp(order * on_path, order * path, weights)
        return _assigned(frames, on_path % 360.0, at, weights, "gantry angle")
    parts, by, notes = _delivered_part(frames, beam)
    silent = angles.count(None)
    if beam.is_arc and 0 < silent < len(angles):
        notes += (f"{silent} of {len(angles)} frames state no gantry angle: all were placed by {by}.",)
    at = weights[0] + parts * (weights[-1] - weights[0])
    stated = [angle if angle is not None else np.nan for angle in angles]
    planned = np.interp(at, weights, path) % 360.0
    return _assigned(frames, np.where(np.isfinite(stated), stated, planned), at, weights, by, notes)


def gantry_path_deg(beam: Beam) -> NDArray:
    """Gantry angle of every control point without jumps at 360, growing clockwise (n,)."""
    path = [beam.control_points[0].gantry_angle_deg]
    for point, following in zip(beam.control_points[:-1], beam.control_points[1:], strict=True):
        step = following.gantry_angle_deg - point.gantry_angle_deg
        if point.gantry_rotation == "CW":
            step %= 360.0
        elif point.gantry_rotation == "CC":
            step = -(-step % 360.0)
        else:
            step = (step + 180.0) % 360.0 - 180.0
        path.append(path[-1] + step)
    # A full turn that is stated by its two ends alone would stand still.
    if len(path) == 2 and path[0] == path[1] and beam.control_points[0].gantry_rotation in ("CW", "CC"):
        path[1] += 360.0 if beam.control_points[0].gantry_rotation == "CW" else -360.0
    return np.array(path)


def _along_arc(angles: NDArray, path: NDArray, frames: Sequence[DeliveryFrame], beam: Beam) -> NDArray:
    """Angles of the frames on the path of the arc, without jumps."""
    low, high = path.min(), path.max()
    found, last = [], path[0]
    for angle, frame in zip(angles, frames, strict=True):
        turns = angle + 360.0 * np.arange(np.floor((low - angle) / 360.0), np.ceil((high - angle) / 360.0) + 1)
        off = np.maximum(0.0, np.maximum(low - turns, turns - high))
        if off.min() > _OFF_THE_ARC_DEG:
            raise AmbiguousInput(
                f"{frame.name} was taken at {angle:g} degrees, but beam {beam.name} turns from {path[0] % 360:g} to "
                f"{path[-1] % 360:g} degrees. Check which beam the frames belong to."
            )
        # Where a full turn passes an angle twice, frames follow each other.
        fitting = turns[off <= _OFF_THE_ARC_DEG]
        last = float(fitting[np.abs(fitting - last).argmin()])
        found.append(last)
    return np.clip(found, low, high)


def _delivered_part(frames: Sequence[DeliveryFrame], beam: Beam) -> tuple[NDArray, str, tuple[str, ...]]:
    """Part of the meterset delivered by the middle of every frame, what told so, and notes."""
    final = beam.final_cumulative_meterset_weight or beam.control_points[-1].cumulative_meterset_weight
    stated = [frame.meterset_weights for frame in frames]
    known = [pair for pair in stated if pair is not None]
    if len(known) == len(frames) and final > 0:
        return np.clip([(start + end) / 2 / final for start, end in known], 0, 1), "cumulative meterset weight", ()
    units = [frame.meterset_mu for frame in frames if frame.meterset_mu is not None]
    if len(units) == len(frames) and sum(units) > 0:
        total = max(beam.meterset_mu or 0.0, sum(units))
        return (np.cumsum(units) - np.array(units) / 2) / total, "monitor units", ()
    times = [frame.time_s for frame in frames if frame.time_s is not None]
    if len(times) == len(frames) > 1 and max(times) > min(times):
        step = float(np.median(np.diff(times)))
        note = "Frames were placed by time, as if the dose rate had been constant."
        return (np.array(times) - times[0] + step / 2) / (times[-1] - times[0] + step), "time", (note,)
    raise MissingObject(
        f"The frames of beam {beam.name} state neither gantry angle nor monitor units nor time, so that none can be "
        "placed. Export them with one of these."
    )


def _assigned(
    frames: Sequence[DeliveryFrame],
    angles: NDArray,
    at: NDArray,
    weights: NDArray,
    by: str,
    notes: tuple[str, ...] = (),
) -> Assignment:
    index = np.clip(np.searchsorted(weights, at, side="right") - 1, 0, len(weights) - 1)
    placed = tuple(
        AssignedFrame(frame, float(angle), float(weight), int(point))
        for frame, angle, weight, point in zip(frames, angles, at, index, strict=True)
    )
    return Assignment(placed, by, notes)
