"""How modulated a beam is: outline of its apertures, edge metric and modulation complexity score.

References
----------
Edge metric: Younge et al., Med. Phys. 39 (2012) 7160, doi 10.1118/1.4762566, as leaf side edges over area.
Modulation complexity score: McNiven et al., Med. Phys. 37 (2010) 505, doi 10.1118/1.3276775; between control points, as
for arcs: Masi et al., Med. Phys. 40 (2013) 071718, doi 10.1118/1.4810969.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from intrepid_cohort.schema import Beam
from intrepid_rt.plan import ControlPoint


@dataclass(frozen=True, eq=False)
class Aperture:
    """The opening of each leaf pair within the jaws at the isocentre plane; closed pairs have ``high <= low``."""

    low_mm: NDArray
    high_mm: NDArray
    width_mm: NDArray

    @classmethod
    def of(cls, point: ControlPoint) -> "Aperture":
        """Return the aperture of a control point that has one multileaf collimator."""
        (mlc,) = point.mlc
        along, across = (point.jaw_x_mm, point.jaw_y_mm) if mlc.direction == "X" else (point.jaw_y_mm, point.jaw_x_mm)
        low, high, first, last = mlc.bank_1_mm, mlc.bank_2_mm, mlc.leaf_boundaries_mm[:-1], mlc.leaf_boundaries_mm[1:]
        if along is not None:
            low, high = np.maximum(low, along[0]), np.minimum(high, along[1])
        if across is not None:
            first, last = np.maximum(first, across[0]), np.minimum(last, across[1])
        return cls(np.asarray(low, float), np.asarray(high, float), np.maximum(0.0, last - first))

    @property
    def opening_mm(self) -> NDArray:
        """Open length (pairs,) of each leaf pair; 0 outside the jaws."""
        return np.where(self.width_mm > 0, np.maximum(0.0, self.high_mm - self.low_mm), 0.0)

    @property
    def area_mm2(self) -> float:
        """Open area."""
        return float(self.opening_mm @ self.width_mm)

    @property
    def side_mm(self) -> float:
        """Length of the outline along the leaves: where a pair is open and its neighbour is not."""
        opening = np.concatenate([[0.0], self.opening_mm, [0.0]])
        low, high = (np.concatenate([[0.0], bank, [0.0]]) for bank in (self.low_mm, self.high_mm))
        common = np.maximum(0.0, np.minimum(high[1:], high[:-1]) - np.maximum(low[1:], low[:-1]))
        common = np.where((opening[1:] > 0) & (opening[:-1] > 0), common, 0.0)
        return float((opening[1:] + opening[:-1] - 2.0 * common).sum())

    @property
    def perimeter_mm(self) -> float:
        """Length of the whole outline: leaf sides and leaf ends."""
        return self.side_mm + 2.0 * float(self.width_mm[self.opening_mm > 0].sum())

    @property
    def leaf_sequence_variability(self) -> float:
        """1 where neighbouring leaves of each bank stand alike, less the more they differ."""
        is_open = self.opening_mm > 0
        return _bank_variability(self.low_mm[is_open]) * _bank_variability(self.high_mm[is_open])


def _bank_variability(position_mm: NDArray) -> float:
    if len(position_mm) < 2 or np.ptp(position_mm) == 0:
        return 1.0
    reach = np.ptp(position_mm)
    return float((reach - np.abs(np.diff(position_mm))).sum() / ((len(position_mm) - 1) * reach))


def add_complexity(row: Beam, points: Sequence[ControlPoint] | None) -> None:
    """Fill in perimeter, edge metric and modulation complexity score of a beam, or why there are none."""
    row.complexity_reason = _why_not(row, points)
    if row.complexity_reason is not None or points is None:
        return
    apertures = [Aperture.of(point) for point in points]
    for made, aperture in zip(row.control_points, apertures, strict=True):
        made.mlc_perimeter_mm = aperture.perimeter_mm
        made.edge_metric_per_mm = aperture.side_mm / aperture.area_mm2 if aperture.area_mm2 else None
    weights = np.array([made.meterset_mu for made in row.control_points[:-1]], float)
    row.mlc_perimeter_mean_mm = _weighted(weights, [aperture.perimeter_mm for aperture in apertures])
    row.edge_metric_per_mm = _edge_metric(weights, apertures)
    row.modulation_complexity_score = _score(weights, apertures)


def _why_not(row: Beam, points: Sequence[ControlPoint] | None) -> str | None:
    if points is None:
        return "Its apertures could not be read."
    if any(len(point.mlc) != 1 for point in points):
        return "It has no multileaf collimator, or two layers of leaves."
    if any(made.meterset_mu is None for made in row.control_points) or not row.beam_meterset_mu:
        return "Its meterset is not known."
    if not any(Aperture.of(point).area_mm2 for point in points):
        return "It is closed at all control points."
    return None


def _weighted(weights: NDArray, values: Sequence[float]) -> float:
    """Mean by meterset, each segment's value being the mean of those at its two ends."""
    between = np.array([(here + following) / 2.0 for here, following in pairwise(values)])
    return float(weights @ between / weights.sum())


def _edge_metric(weights: NDArray, apertures: Sequence[Aperture]) -> float | None:
    """Mean by meterset over the segments that are open."""
    total = share = 0.0
    for weight, (here, following) in zip(weights, pairwise(apertures), strict=True):
        area = here.area_mm2 + following.area_mm2
        if area:
            total += weight * (here.side_mm + following.side_mm) / area
            share += weight
    return total / share if share else None


def _score(weights: NDArray, apertures: Sequence[Aperture]) -> float:
    widest = np.max([aperture.opening_mm for aperture in apertures], axis=0).sum()
    area_share = [aperture.opening_mm.sum() / widest for aperture in apertures]
    sequence = [aperture.leaf_sequence_variability for aperture in apertures]
    between = [
        (a + b) / 2.0 * (s + t) / 2.0 for (a, b), (s, t) in zip(pairwise(area_share), pairwise(sequence), strict=True)
    ]
    return float(weights @ np.array(between) / weights.sum())
