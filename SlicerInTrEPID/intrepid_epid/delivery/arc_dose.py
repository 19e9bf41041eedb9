"""Dose of a beam whose gantry moves: every frame is brought back along its own direction.

Attenuation, fluence and released energy are those of every frame. The two scatter steps, single scatter to the imager
and superposition in the patient, are shared by frames within a sector of gantry angle: over ten degrees they change by
less than 0.5 % of the dose (``Testing/unit/delivery/test_arc_dose.py``), and they take most of the time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.dose_reconstruction import DoseModel
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.refinement.sector_sum import Refine, SectorSum
from intrepid_epid.superposition import fluence_of, superposed, superposition_dose
from intrepid_epid.terma import DARK, ReleasedEnergy, add_released_energy
from intrepid_epid.transit import PrimaryBeam
from intrepid_epid.transit_portal_dose import transit_portal_doses
from intrepid_rt.beam_frame import BeamFrame
from intrepid_rt.portal_image import PortalImage

SECTOR_DEG = 10.0
# The lines of one superposition are rounded to voxels; over fewer sectors than these that shows in the sum.
LEAST_SECTORS = 36


@dataclass(frozen=True, eq=False)
class ArcSector:
    """Portal dose in Gy of the frames ``first`` to ``last`` (their numbers in the arc), which follow each other."""

    first: int
    last: int
    portal_gy: PortalImage


@dataclass(frozen=True, eq=False)
class ArcDose:
    """Dose of an arc: in the patient (nz, ny, nx) in Gy, and in the turning imager's plane, summed over the frames.

    The portal dose of the ``sectors`` adds up to that of the arc. ``half_width_gy`` is that of the 95 % band of a
    refined dose, None for the physics; ``notes`` say why a refinement that was asked for was not applied.
    """

    dose_gy: NDArray
    portal_gy: PortalImage
    sectors: tuple[ArcSector, ...]
    half_width_gy: NDArray | None = None
    notes: tuple[str, ...] = ()


def arc_dose(
    signals: Sequence[PortalImage],
    beams: Sequence[PrimaryBeam],
    profile: MachineProfile,
    model: DoseModel,
    *,
    sector_deg: float = SECTOR_DEG,
    refine: Refine | None = None,
    progress: Callable[[float], None] = lambda part: None,
) -> ArcDose:
    """Reconstruct an arc from its frames.

    Parameters
    ----------
    signals : sequence of PortalImage, (n,)
        Signal of every frame alone, all on one lattice of the imager.
    beams : sequence of PrimaryBeam, (n,)
        Direction of every frame, through one anatomy.
    model : DoseModel
        Superposition shares its scatter step within a sector; any other model is applied frame by frame.
    sector_deg : float
        Frames within this angle share the scatter steps, within less if the arc is short; 0 computes every frame by
        itself.
    refine : callable or None
        Corrects the dose of every sector along its middle direction.

    Returns
    -------
    ArcDose
    """
    total = SectorSum(beams[0].anatomy.density.shape, refine)
    seen: list[ArcSector] = []
    done = 0
    frames = [beam.frame for beam in beams]
    turned_deg = sum(_apart_deg(one, other) for one, other in pairwise(frames))
    for members in sectors(frames, min(sector_deg, turned_deg / LEAST_SECTORS)):
        parts, ways = [signals[n] for n in members], [beams[n] for n in members]
        middle = _middle(ways, [max(0.0, float(part.values.sum())) for part in parts])
        portals = transit_portal_doses(parts, profile, ways, middle)
        portal = np.sum([one.total_gy.values for one in portals], axis=0)
        seen.append(ArcSector(members[0], members[-1], signals[0].with_values(portal, unit="Gy")))
        if model is superposition_dose:
            fluences = [fluence_of(one, way) for one, way in zip(portals, ways, strict=True)]
            total.add(_sector_dose(fluences, ways, middle), middle)
        else:
            total.add(np.sum([model(one, way) for one, way in zip(portals, ways, strict=True)], axis=0), middle)
        done += len(members)
        progress(done / len(signals))
    portal, made = np.sum([one.portal_gy.values for one in seen], axis=0), total.total()
    whole = signals[0].with_values(portal, unit="Gy")
    return ArcDose(made.dose_gy, whole, tuple(seen), made.half_width_gy, made.notes)


def _sector_dose(fluences: Sequence[PortalImage], beams: Sequence[PrimaryBeam], middle: PrimaryBeam) -> NDArray:
    released = np.zeros((2, *middle.anatomy.density.shape), np.float32)
    brightest = max(float(fluence.values.max()) for fluence in fluences)
    for fluence, beam in zip(fluences, beams, strict=True):
        add_released_energy(released, beam, fluence, dark=DARK * brightest)
    return superposed(ReleasedEnergy(released[0], released[1]), middle)


def sectors(frames: Sequence[BeamFrame], sector_deg: float) -> Iterator[list[int]]:
    """Yield the indices of frames that follow each other and whose directions all lie within an angle."""
    members: list[int] = []
    for number, frame in enumerate(frames):
        if members and _apart_deg(frames[members[0]], frame) > sector_deg - 1e-6:
            yield members
            members = []
        members.append(number)
    if members:
        yield members


def _apart_deg(one: BeamFrame, other: BeamFrame) -> float:
    return float(np.degrees(np.arccos(np.clip(one.towards_source @ other.towards_source, -1.0, 1.0))))


def _middle(beams: Sequence[PrimaryBeam], weights: Sequence[float]) -> PrimaryBeam:
    """Beam along the mean direction, weighted by signal."""
    if len(beams) == 1:
        return beams[0]
    weight = np.array(weights) if sum(weights) > 0 else np.ones(len(beams))
    towards = np.average([beam.frame.towards_source for beam in beams], axis=0, weights=weight)
    towards /= np.linalg.norm(towards)
    y_axis = np.mean([beam.frame.y_axis for beam in beams], axis=0)
    y_axis -= (y_axis @ towards) * towards
    y_axis /= np.linalg.norm(y_axis)
    first = beams[0].frame
    frame = BeamFrame(first.isocentre_lps_mm, np.cross(y_axis, towards), y_axis, towards, first.source_to_axis_mm)
    return PrimaryBeam(beams[0].anatomy, beams[0].spectrum, frame)
