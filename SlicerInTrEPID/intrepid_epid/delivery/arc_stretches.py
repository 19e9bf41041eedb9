"""Stretches of an arc: what the imager saw between two places of the plan, and what the plan predicts there."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from intrepid_epid.delivery.arc_dose import ArcSector
from intrepid_epid.delivery.arc_prediction import arc_portal_dose, opens_field, summed
from intrepid_epid.delivery.assignment import Assignment, gantry_path_deg
from intrepid_epid.forward_evidence import Sector
from intrepid_epid.forward_portal_dose import ForwardPortalDose
from intrepid_epid.image_grid import binned
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.errors import MissingObject
from intrepid_rt.plan import Beam
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.verification import PortalPart

# Wide enough that a frame at its border matters little, narrow enough that the patient looks the same from all of it.
STRETCH_DEG = 20.0
# A stretch blurs more than a pixel of two millimetres at the isocentre; finer ones cost four times the time.
PIXEL_MM = 2.1


def portal_parts(sectors: Sequence[ArcSector], assignment: Assignment, beam: Beam) -> tuple[PortalPart, ...]:
    """Join the sectors of a reconstructed arc to stretches and say where in the plan each begins and ends.

    A stretch ends half way between its last frame and the next one; together they are the whole arc, on the pixels of
    `coarse`.
    """
    weights = np.array([point.cumulative_meterset_weight for point in beam.control_points])
    middles = [one.meterset_weight for one in assignment.frames]
    borders = [(middles[one.last] + middles[other.first]) / 2 for one, other in pairwise(sectors)]
    edges = [float(weights[0]), *borders, float(weights[-1])]
    travelled = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(gantry_path_deg(beam))))])
    made = []
    for first, last in _joined(np.interp(edges, weights, travelled)):
        images = [one.portal_gy for one in sectors[first:last]]
        total = coarse(images[0].with_values(np.sum([image.values for image in images], axis=0)))
        made.append(PortalPart(edges[first], edges[last], total.with_values(total.values.astype(np.float32))))
    return tuple(made)


def coarse(portal_gy: PortalImage) -> PortalImage:
    """Bring a portal dose of an arc onto the pixels on which arcs are predicted."""
    return binned(portal_gy, largest_pixel_at_isocentre_mm=PIXEL_MM)


def _joined(edges_deg: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield first and one past the last sector of every stretch."""
    first = 0
    for number in range(1, len(edges_deg)):
        is_last = number == len(edges_deg) - 1
        if is_last or edges_deg[number + 1] - edges_deg[first] > 1.25 * STRETCH_DEG:
            yield first, number
            first = number


def predicted_stretches(
    beam: Beam, parts: Sequence[PortalPart], profile: MachineProfile, way_at: Callable[[float], PrimaryBeam]
) -> tuple[ForwardPortalDose, tuple[Sector, ...]]:
    """Predict the portal dose of an arc stretch by stretch.

    Returns
    -------
    whole : the prediction of the integrated image.
    sectors : every stretch that opens a field, beside what was measured there.

    Raises
    ------
    MissingObject
        No stretch opens a field, or as `arc_portal_dose`.
    """
    weights = np.array([point.cumulative_meterset_weight for point in beam.control_points])
    path, made, metersets = gantry_path_deg(beam), [], []
    for part in parts:
        within = (part.begin_weight, part.end_weight)
        if opens_field(beam, within):
            angle = float(np.interp(sum(within) / 2, weights, path)) % 360.0
            predicted = arc_portal_dose(beam, part.portal_dose, profile, way_at, within=within)
            made.append(Sector(predicted, part.portal_dose, way_at(angle)))
            metersets.append(part.end_weight - part.begin_weight)
    if not made:
        raise MissingObject(f"Beam {beam.name} opens no field, so its portal dose cannot be predicted.")
    return summed(metersets, [one.predicted for one in made]), tuple(made)
