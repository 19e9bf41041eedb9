"""Arcs as an imager might see them, sector by sector, with errors put in on purpose.

Frames come from ``simulated_portal_images``, which differs from the prediction in aperture sampling, source size,
flatness, output, scatter, CT grid and noise. Besides, the monitor units of a frame scatter by 1 %, and the gantry is
0.3 degrees (standard deviation) away from where its frame says.
"""

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from intrepid_epid.delivery.arc_stretches import predicted_stretches
from intrepid_epid.forward_evidence import Evidence, Sector, arc_evidence
from intrepid_epid.forward_portal_dose import ForwardPortalDose
from intrepid_epid.image_grid import binned
from intrepid_rt.plan import Beam
from intrepid_rt.verification import PortalPart
from simulated_portal_images import IMAGER, METERSET, PROFILE, Opening, Patient, measured, random_patient, way

PANEL = binned(IMAGER, largest_pixel_at_isocentre_mm=2.1)
TRAVEL_DEG, SECTOR_DEG, FRAME_DEG = 180.0, 20.0, 10.0  # a control point at every border of two sectors
GANTRY_SCATTER_DEG, METERSET_SCATTER = 0.3, 0.01


@dataclass(frozen=True, eq=False)
class ArcPlan:
    """Openings at control points ``SECTOR_DEG`` apart, clockwise from ``start_deg``, monitor units even by angle."""

    start_deg: float
    openings: tuple[Opening, ...]

    def at(self, travelled_deg: float) -> Opening:
        """What is open after so many degrees."""
        number = int(np.clip(travelled_deg // SECTOR_DEG, 0, len(self.openings) - 2))
        return self.openings[number].towards(self.openings[number + 1], travelled_deg / SECTOR_DEG - number)

    @cached_property
    def beam(self) -> Beam:
        """The plan's side of it."""
        jaws = min(min(o.low_mm) for o in self.openings), max(max(o.high_mm) for o in self.openings)
        points = tuple(
            replace(
                opening.beam((self.start_deg + SECTOR_DEG * n) % 360).control_points[0],
                index=n,
                cumulative_meterset_weight=float(n),
                gantry_rotation="CW",
                jaw_x_mm=jaws,
            )
            for n, opening in enumerate(self.openings)
        )
        whole = float(len(points) - 1)
        return replace(
            self.openings[0].beam(0.0), name="ARC", control_points=points, final_cumulative_meterset_weight=whole
        )

    def with_stuck_pair(self, rng: np.random.Generator) -> "ArcPlan":
        """One leaf pair closed, or narrow at one place, all the way."""
        pair = int(rng.integers(len(self.openings[0].low_mm)))
        low = self.openings[0].low_mm[pair]
        ends = [(-0.5, 0.5), (low, low + 10.0)][rng.integers(2)]
        return replace(self, openings=tuple(opening.with_leaf(pair, *ends) for opening in self.openings))


def random_arc(rng: np.random.Generator, start_deg: float | None = None) -> ArcPlan:
    """Six to eight leaf pairs of which every end wanders by centimetres while the gantry turns."""
    pairs, points = int(rng.integers(6, 9)), int(TRAVEL_DEG / SECTOR_DEG) + 1

    def wandering(begin_mm: float) -> np.ndarray:
        return begin_mm + rng.normal(0, 5, pairs) + np.cumsum(rng.normal(0, 5, (points, pairs)), axis=0)

    low, high = np.clip(wandering(-35.0), -50, -5).round(1), np.clip(wandering(35.0), 5, 50).round(1)
    openings = [
        Opening(-10.0 * (pairs // 2), tuple(a), tuple(b)) for a, b in zip(low.tolist(), high.tolist(), strict=True)
    ]
    return ArcPlan(float(rng.uniform(0, 360)) if start_deg is None else start_deg, tuple(openings))


@dataclass(frozen=True, eq=False)
class ArcSetting:
    """One arc on one patient, and what is predicted for it."""

    patient: Patient
    plan: ArcPlan
    whole: ForwardPortalDose
    sectors: tuple[Sector, ...]

    def evidence(self, parts: tuple[PortalPart, ...]) -> Evidence:
        """Compare an arc as delivered with the prediction."""
        total = PANEL.with_values(np.sum([part.portal_dose.values for part in parts], axis=0))
        sectors = [replace(one, measured=part.portal_dose) for one, part in zip(self.sectors, parts, strict=True)]
        return arc_evidence(Sector(self.whole, total, sectors[0].primary_beam), sectors, self.plan.beam)


@cache
def arc_setting(seed: int) -> ArcSetting:
    """One arc on one patient at random."""
    rng = np.random.default_rng(seed)
    patient, plan = random_patient(rng), random_arc(rng)
    density = patient.density(4.0)
    borders = range(len(plan.openings) - 1)
    empty = [PortalPart(float(n), float(n + 1), PANEL) for n in borders]
    return ArcSetting(patient, plan, *predicted_stretches(plan.beam, empty, PROFILE, lambda angle: way(density, angle)))


def delivered(
    plan: ArcPlan,
    patient: Patient,
    rng: np.random.Generator,
    *,
    output: float = 1.0,
    shift_lps_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> tuple[PortalPart, ...]:
    """Portal dose of every sector of the arc as delivered; the patient is known better than by the CT of the plan."""
    density, made = patient.density(3.2), []
    for number in range(len(plan.openings) - 1):
        total = np.zeros(PANEL.values.shape)
        for begin in SECTOR_DEG * number + np.arange(0.0, SECTOR_DEG, FRAME_DEG):
            at = begin + rng.normal(0, GANTRY_SCATTER_DEG)
            beam = way(density, plan.start_deg + at + FRAME_DEG / 2, shift_lps_mm)
            meterset = METERSET * FRAME_DEG / TRAVEL_DEG * rng.normal(1.0, METERSET_SCATTER)
            total += measured(
                plan.at(at), beam, rng, output=output, meterset_mu=meterset, imager=PANEL, until=plan.at(at + FRAME_DEG)
            ).values
        made.append(PortalPart(float(number), float(number + 1), PANEL.with_values(total)))
    return tuple(made)
