"""An arc cut into parts of few degrees, each a beam of its own with its share of the monitor units."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.delivery.assignment import gantry_path_deg
from intrepid_rt.plan import Beam, ControlPoint, MultileafCollimator


def arc_parts(beam: Beam, sector_deg: float, within: tuple[float, float] | None = None) -> Iterator[tuple[Beam, float]]:
    """Yield parts of an arc of at most ``sector_deg`` each, and the gantry angle in their middle (by meterset).

    Apertures at the cuts are interpolated linearly over the meterset, as the machine moves between control points; the
    monitor units of the parts add up to the beam's. Parts without monitor units are left out. ``within`` are the
    cumulative meterset weights between which parts are wanted; all of the beam without it.
    """
    path = gantry_path_deg(beam)
    weights = np.array([point.cumulative_meterset_weight for point in beam.control_points])
    travelled = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(path)))])
    first, last = within or (float(weights[0]), float(weights[-1]))
    start, end = (travelled[0], travelled[-1]) if within is None else np.interp(within, weights, travelled)
    count = max(1, int(np.ceil((end - start) / sector_deg - 1e-9)))
    cuts = np.interp(np.linspace(start, end, count + 1), travelled, weights)
    cuts[0], cuts[-1] = first, last
    for begin, end in pairwise(cuts):
        if end > begin:
            middle = float(np.interp((begin + end) / 2, weights, path)) % 360.0
            yield _part(beam, weights, begin, end), middle


def _part(beam: Beam, weights: NDArray, begin: float, end: float) -> Beam:
    within = [point for point, weight in zip(beam.control_points, weights, strict=True) if begin < weight < end]
    # Where the aperture changes between beams (step and shoot), a cut takes what was open on its own side.
    first = int(np.searchsorted(weights, begin, side="right")) - 1
    last = int(np.searchsorted(weights, end, side="left"))
    points = (_between(beam, weights, first, begin), *within, _between(beam, weights, last - 1, end))
    share = (end - begin) / (weights[-1] - weights[0])
    meterset = None if beam.meterset_mu is None else beam.meterset_mu * share
    return replace(beam, control_points=points, meterset_mu=meterset)


def _between(beam: Beam, weights: NDArray, index: int, weight: float) -> ControlPoint:
    """State of the machine at a cumulative weight between control points ``index`` and the next."""
    before, after = beam.control_points[index], beam.control_points[index + 1]
    part = (weight - weights[index]) / (weights[index + 1] - weights[index])
    return replace(
        before,
        cumulative_meterset_weight=weight,
        jaw_x_mm=_mixed(before.jaw_x_mm, after.jaw_x_mm, part),
        jaw_y_mm=_mixed(before.jaw_y_mm, after.jaw_y_mm, part),
        mlc=tuple(_leaves(one, other, part) for one, other in zip(before.mlc, after.mlc, strict=True)),
    )


def _mixed(
    one: tuple[float, float] | None, other: tuple[float, float] | None, part: float
) -> tuple[float, float] | None:
    if one is None or other is None:
        return one
    return (1 - part) * one[0] + part * other[0], (1 - part) * one[1] + part * other[1]


def _leaves(one: MultileafCollimator, other: MultileafCollimator, part: float) -> MultileafCollimator:
    banks = [(1 - part) * a + part * b for a, b in ((one.bank_1_mm, other.bank_1_mm), (one.bank_2_mm, other.bank_2_mm))]
    return replace(one, bank_1_mm=banks[0], bank_2_mm=banks[1])
