"""Fields of simulated plans: squares, rectangles, ellipses, irregular, off the axis, modulated."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intrepid_rt.plan import Beam, ControlPoint, MultileafCollimator

LEAF_MM = 5.0
REACH_MM = 200.0  # leaves are stacked from -REACH_MM to REACH_MM
NARROW_LEAF_MM = 2.5  # an ellipse is cut by finer leaves

Opening = tuple[NDArray, NDArray]  # left and right leaf ends


def rectangle(x_mm: tuple[float, float], y_mm: tuple[float, float], **beam: Any) -> Beam:
    """Field between jaws, limits at the isocentre plane."""
    return _beam([None], x_mm, y_mm, LEAF_MM, **beam)


def centred(size: str, **beam: Any) -> Beam:
    """Field centred on the axis by its name: ``"4x20"`` is 4 cm along X_bld and 20 cm along Y_bld.

    >>> centred("4x20", isocentre=(0, 0, 0)).control_points[0].jaw_y_mm
    (-100.0, 100.0)
    """
    half_x, half_y = (5.0 * float(side) for side in size.split("x"))
    return rectangle((-half_x, half_x), (-half_y, half_y), **beam)


def ellipse(semi_x_mm: float, semi_y_mm: float, *, centre: tuple[float, float] = (0.0, 0.0), **beam: Any) -> Beam:
    """Ellipse with axes along X_bld and Y_bld, cut by leaves of 2.5 mm."""
    middle = _middles(NARROW_LEAF_MM)
    inside = 1 - ((middle - centre[1]) / semi_y_mm) ** 2
    half = np.where(inside > 0, semi_x_mm * np.sqrt(np.clip(inside, 0, None)), 0.0)
    return shaped([(centre[0] - half, centre[0] + half)], leaf_mm=NARROW_LEAF_MM, **beam)


def irregular(rng: np.random.Generator, *, scale: float = 1.0, **beam: Any) -> Beam:
    """Return a field whose leaf ends wander, with a block of leaves closed or pulled in on one side."""
    middle, low, high = _wandering(rng, scale)
    if rng.random() < 0.6:  # an L or a notch
        cut = slice(*np.sort(rng.integers(0, len(middle), 2)))
        share = rng.uniform(0.3, 0.7)
        if rng.random() < 0.5:
            low[cut] += share * (high - low)[cut]
        else:
            high[cut] -= share * (high - low)[cut]
    return shaped([(low, high)], **beam)


def modulated(rng: np.random.Generator, *, scale: float = 1.0, segments: int = 7, **beam: Any) -> Beam:
    """Return a sliding window: leaves cross the field at uneven pace, so that the fluence has hills and valleys."""
    _, low, high = _wandering(rng, scale)
    steps = np.linspace(0, 1, segments)[:, None]
    width = (high - low)[None, :]
    gap = width * rng.uniform(0.25, 0.5, (segments, 1)) * rng.uniform(0.8, 1.2, (1, len(low)))
    start = low[None, :] + steps * np.clip(width - gap, 0, None)
    return shaped([(a, np.minimum(a + g, high)) for a, g in zip(start, gap, strict=True)], **beam)


def shaped(openings: Sequence[Opening], *, leaf_mm: float = LEAF_MM, **beam: Any) -> Beam:
    """Field of leaves along X_bld, a control point per opening; jaws stand round what ever opens."""
    low = np.min([np.where(b > a, a, np.inf) for a, b in openings], axis=0)
    high = np.max([np.where(b > a, b, -np.inf) for a, b in openings], axis=0)
    used = np.flatnonzero(high > low)
    boundary = _boundaries(leaf_mm)
    x = (float(low[used].min()), float(high[used].max()))
    y = (float(boundary[used[0]]), float(boundary[used[-1] + 1]))
    return _beam(list(openings), x, y, leaf_mm, **beam)


def _wandering(rng: np.random.Generator, scale: float) -> tuple[NDArray, NDArray, NDArray]:
    """Leaf middles and ends of a blob within about 9 cm of the axis at scale 1; closed leaves have both ends at 0."""
    middle = _middles(LEAF_MM)
    centre_x, centre_y = rng.uniform(-25, 25, 2)
    half_x, half_y = scale * rng.uniform(20, 60), scale * rng.uniform(20, 65)
    open_ = np.abs(middle - centre_y) < half_y
    wander = np.cumsum(rng.normal(0, 2.5, (2, len(middle))), axis=1)
    wander -= wander[:, open_].mean(axis=1, keepdims=True)
    low = np.where(open_, centre_x - half_x + wander[0].clip(-15, 15), 0.0)
    high = np.where(open_, centre_x + half_x + wander[1].clip(-15, 15), 0.0)
    return middle, low.round(1), np.maximum(high.round(1), low.round(1))


def _boundaries(leaf_mm: float) -> NDArray:
    return np.arange(-REACH_MM, REACH_MM + leaf_mm / 2, leaf_mm)


def _middles(leaf_mm: float) -> NDArray:
    boundary = _boundaries(leaf_mm)
    return (boundary[1:] + boundary[:-1]) / 2


def _beam(
    openings: list[Opening | None],
    jaw_x_mm: tuple[float, float],
    jaw_y_mm: tuple[float, float],
    leaf_mm: float,
    *,
    name: str = "BEAM",
    number: int = 1,
    gantry_deg: float = 0.0,
    collimator_deg: float = 0.0,
    meterset_mu: float = 100.0,
    isocentre: ArrayLike = (0.0, 0.0, 0.0),
    machine: str = "SIM6MV",
) -> Beam:
    boundary = _boundaries(leaf_mm)
    states = openings if len(openings) > 1 else [openings[0], openings[0]]
    points = [
        ControlPoint(
            index=index,
            cumulative_meterset_weight=index / (len(states) - 1),
            gantry_angle_deg=gantry_deg,
            collimator_angle_deg=collimator_deg,
            couch_angle_deg=0.0,
            gantry_pitch_deg=0.0,
            isocentre_lps_mm=np.asarray(isocentre, float),
            jaw_x_mm=jaw_x_mm,
            jaw_y_mm=jaw_y_mm,
            mlc=() if state is None else (MultileafCollimator("X", boundary, *state),),
            nominal_energy_mv=6.0,
        )
        for index, state in enumerate(states)
    ]
    return Beam(number, name, machine, "PHOTON", 1000.0, meterset_mu, 1.0, tuple(points))
