"""How a structure lies to the target: distances, overlap-volume and distance-to-target histograms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from intrepid_cohort.geometry import PrismPile, overlap_cc
from intrepid_cohort.schema import TargetGeometry
from intrepid_dvh.structure_samples import StructureSamples
from intrepid_rt.structures import Structure

# Quartiles and histograms come from so many points: their ranks are then certain to half a percent.
_MOST_POINTS = 8_000
_FINEST_MM, _COARSEST_MM = 1.0, 3.0
_BIN_MM = 1.0


@dataclass(frozen=True, eq=False)
class Target:
    """The union of all PTVs of a structure set: their prisms, samples, and points on the union's surface."""

    piles: list[PrismPile]
    samples: list[StructureSamples]
    surface: cKDTree

    @classmethod
    def of(cls, structures: Sequence[Structure], piles: list[PrismPile], *, slice_spacing_mm: float | None) -> "Target":
        """Build the union of some structures whose piles are known."""
        samples = [
            _samples(structure, pile, slice_spacing_mm) for structure, pile in zip(structures, piles, strict=True)
        ]
        outer = []
        for one in samples:
            points = one.positions_lps_mm[one.volume_cc == 0]
            others = [other for other in samples if other is not one]
            # What lies within another part is not on the surface of the union.
            outer.append(points[~_inside(points, others)])
        return cls(piles, samples, cKDTree(np.concatenate(outer)))

    def signed_distance_mm(self, positions_lps_mm: NDArray) -> NDArray:
        """Distance (n,) of positions (n, 3) LPS mm to the surface of the union, negative inside."""
        distance, _ = self.surface.query(positions_lps_mm)
        return np.where(_inside(positions_lps_mm, self.samples), -distance, distance)

    @property
    def centroid_mm(self) -> NDArray:
        """Centre (3,) of gravity of the PTVs, LPS mm; what they have in common counts once per PTV."""
        return np.average([p.centroid_mm for p in self.piles], axis=0, weights=[p.volume_cc for p in self.piles])


def target_geometry(
    structure: Structure, pile: PrismPile, target: Target, *, slice_spacing_mm: float | None
) -> TargetGeometry:
    """Return overlap, distances and histograms of a structure relative to the total PTV.

    Distances go from evenly spaced points of the structure's surface to the nearest point of the PTV's surface and are
    negative where the point lies inside the PTV. The overlap-volume histogram takes points throughout the structure.

    References
    ----------
    Kazhdan et al., MICCAI 2009, LNCS 5762, 100-108 (overlap-volume histogram).
    """
    samples = _samples(structure, pile, slice_spacing_mm)
    surface = _some(np.flatnonzero(samples.volume_cc == 0))
    inner = _some(np.flatnonzero(samples.volume_cc > 0))
    surface_mm = target.signed_distance_mm(samples.positions_lps_mm[surface])
    volume_mm = target.signed_distance_mm(samples.positions_lps_mm[inner])
    low, q25, median, q75, high = np.percentile(surface_mm, (0, 25, 50, 75, 100)).tolist()
    return TargetGeometry(
        ptv_overlap_cc=overlap_cc(pile, target.piles),
        ptv_distance_min_mm=low,
        ptv_distance_q25_mm=q25,
        ptv_distance_median_mm=median,
        ptv_distance_mean_mm=float(surface_mm.mean()),
        ptv_distance_q75_mm=q75,
        ptv_distance_max_mm=high,
        ptv_centroid_distance_mm=float(np.linalg.norm(pile.centroid_mm - target.centroid_mm)),
        overlap_volume_histogram=_cumulative(volume_mm, samples.volume_cc[inner]),
        distance_to_target_histogram=_differential(surface_mm),
    )


def _samples(structure: Structure, pile: PrismPile, slice_spacing_mm: float | None) -> StructureSamples:
    cell_mm = float(np.clip(np.cbrt(1000.0 * pile.volume_cc / _MOST_POINTS), _FINEST_MM, _COARSEST_MM))
    return StructureSamples.of(structure, slice_spacing_mm=slice_spacing_mm, cell_mm=cell_mm)


def _inside(positions: NDArray, bodies: list[StructureSamples]) -> NDArray:
    inside = np.zeros(len(positions), bool)
    for body in bodies:
        inside |= body.encloses(positions)
    return inside


def _some(indices: NDArray) -> NDArray:
    """Return at most `_MOST_POINTS` of the indices: drawn, because every n-th would beat with the rows of samples."""
    if len(indices) <= _MOST_POINTS:
        return indices
    return np.random.default_rng(0).choice(indices, _MOST_POINTS, replace=False)


def _edges(distance_mm: NDArray) -> NDArray:
    return np.arange(np.floor(distance_mm.min() / _BIN_MM), np.ceil(distance_mm.max() / _BIN_MM) + 1) * _BIN_MM


def _cumulative(distance_mm: NDArray, weights: NDArray) -> list[list[float]]:
    edges, order = _edges(distance_mm), np.argsort(distance_mm, kind="stable")
    at_most = np.append(0.0, np.cumsum(weights[order]))
    share = at_most[np.searchsorted(distance_mm[order], edges, side="right")] / at_most[-1]
    return [[float(edge), round(float(percent), 4)] for edge, percent in zip(edges, 100 * share, strict=True)]


def _differential(distance_mm: NDArray) -> list[list[float]]:
    edges = _edges(distance_mm)
    edges = np.append(edges, edges[-1] + _BIN_MM)
    counts, _ = np.histogram(distance_mm, edges)
    percent = 100.0 * counts / counts.sum()
    return [[float(edge), round(float(p), 4)] for edge, p in zip(edges[:-1], percent, strict=True)]
