"""Frames that were lost or stored twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.delivery.frames import DeliveryFrame

_GAP = 1.5  # an interval this much longer than the usual one holds a lost frame
_SAME_DEG = 0.01
_BEAM_ON = 0.02  # of the brightest frame; what is darker was taken with the beam off


@dataclass(frozen=True)
class Doubles:
    """Which frames of a series count (indices), how many were stored twice, and what to say about it."""

    kept: tuple[int, ...]
    count: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Gaps:
    """How many frames of a series are missing, and what to say about it."""

    count: int
    notes: tuple[str, ...]


def find_doubles(pixels: Sequence[NDArray], facts: Sequence[DeliveryFrame]) -> Doubles:
    """Find frames that are copies of the one before, by their pixels as stored.

    One that repeats number, time or (while the gantry moves) angle as well is left out. One that has a slot of its own
    stands in for a lost frame: it counts, because without it its share of the dose would be lost, and is named.
    """
    kept, copies, stand_ins = [0], [], []
    moves = _moves(facts)
    for number in range(1, len(facts)):
        same_pixels = np.array_equal(pixels[number], pixels[kept[-1]])
        if same_pixels and _same_slot(facts[kept[-1]], facts[number], moves):
            copies.append(facts[number])
            continue
        if same_pixels and _is_noisy(pixels[number]):
            stand_ins.append(facts[number])
        kept.append(number)
    notes = []
    if copies:
        notes.append(f"{len(copies)} frame(s) were stored twice and count once: {_names(copies)}.")
    if stand_ins:
        notes.append(
            f"{len(stand_ins)} frame(s) repeat the pixels of the one before, as if a frame was lost and its neighbour "
            f"stored again; they were counted: {_names(stand_ins)}."
        )
    return Doubles(tuple(kept), len(copies) + len(stand_ins), tuple(notes))


def find_gaps(frames: Sequence[DeliveryFrame]) -> Gaps:
    """Find missing frames by running numbers, else by times, else, while the gantry moves, by its angles."""
    numbers = [frame.number for frame in frames if frame.number is not None]
    if len(numbers) == len(frames) and np.ptp(numbers) > len(frames) - 1:
        return _missing_numbers(frames, numbers)
    times = [frame.time_s for frame in frames if frame.time_s is not None]
    if len(times) == len(frames) > 2:
        return _long_intervals(frames, np.array(times), "s", "time")
    if len(frames) > 2 and _moves(frames):
        angles = np.array([frame.gantry_angle_deg for frame in frames], float)
        return _long_intervals(frames, np.unwrap(angles, period=360.0), "degrees", "gantry angle")
    return Gaps(0, ())


def _moves(frames: Sequence[DeliveryFrame]) -> bool:
    angles = [frame.gantry_angle_deg for frame in frames]
    return None not in angles and bool(np.ptp(np.unwrap(np.array(angles, float), period=360.0)) > 1.0)


def _same_slot(one: DeliveryFrame, other: DeliveryFrame, moves: bool) -> bool:
    pairs = [(one.number, other.number), (one.time_s, other.time_s)]
    if any(a is not None and a == b for a, b in pairs):
        return True
    if not moves or one.gantry_angle_deg is None or other.gantry_angle_deg is None:
        return False
    return abs((other.gantry_angle_deg - one.gantry_angle_deg + 180) % 360 - 180) < _SAME_DEG


def _is_noisy(pixels: NDArray) -> bool:
    """Whether two different frames could not be equal by chance; computed images without noise could."""
    return bool(np.mean(np.diff(pixels.astype(np.int64), axis=1) != 0) > 0.5)


def _missing_numbers(frames: Sequence[DeliveryFrame], numbers: Sequence[int]) -> Gaps:
    missing = sorted(set(range(min(numbers), max(numbers) + 1)) - set(numbers))
    shown = ", ".join(str(n) for n in missing[:8]) + (", ..." if len(missing) > 8 else "")
    share = len(missing) / (len(frames) + len(missing))
    note = f"{len(missing)} frame(s) are missing (number {shown}): about {_percent(share)} of the beam."
    return Gaps(len(missing), (note,))


def _long_intervals(frames: Sequence[DeliveryFrame], at: np.ndarray, unit: str, what: str) -> Gaps:
    steps = np.abs(np.diff(at))
    usual = float(np.median(steps))
    if usual <= 0:
        return Gaps(0, ())
    # A pause of the beam is no loss: frames on either side of it are dark.
    lost = [
        (one.name, round(float(step) / usual) - 1)
        for (one, other), step in zip(pairwise(frames), steps, strict=True)
        if step > _GAP * usual and not (_is_dark(one, frames) and _is_dark(other, frames))
    ]
    count = sum(n for _, n in lost)
    notes = [f"By {what}, {n} frame(s) are missing after {name}." for name, n in lost]
    if lost:
        share = _percent(count / (len(frames) + count))
        notes.append(f"Usual step {usual:.3g} {unit}; about {share} of the beam was not imaged.")
    return Gaps(count, tuple(notes))


def _is_dark(frame: DeliveryFrame, frames: Sequence[DeliveryFrame]) -> bool:
    return frame.total_signal < _BEAM_ON * max(other.total_signal for other in frames)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _names(frames: Sequence[DeliveryFrame]) -> str:
    shown = ", ".join(frame.name for frame in frames[:5])
    return shown + (", ..." if len(frames) > 5 else "")
