"""From each beam's portal image to its dose in the patient."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from intrepid_cli.verification.beam_geometry import ArcGeometry, arc_geometry, first_frame
from intrepid_cli.verification.inputs import Inputs
from intrepid_cli.verification.network_portal_dose import by_network
from intrepid_cli.verification.suitability import notes_on
from intrepid_epid.beam_model import BeamModel
from intrepid_epid.calculation_grid import CalculationGrid
from intrepid_epid.compute.device import CPU, Device
from intrepid_epid.delivery.arc_dose import arc_dose
from intrepid_epid.delivery.arc_stretches import portal_parts
from intrepid_epid.delivery.assignment import Assignment
from intrepid_epid.delivery.frames import FrameSeries
from intrepid_epid.dose_engine.dose_to_water import factors_of
from intrepid_epid.dose_reconstruction import DoseModel
from intrepid_epid.image_grid import binned
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.networks.portal_dose_model import PortalDoseModel
from intrepid_epid.portal_reader import PortalFrame
from intrepid_epid.ray_tracing import Anatomy
from intrepid_epid.refinement.refinement_model import RefinementModel
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_epid.transit_portal_dose import transit_portal_dose
from intrepid_rt.grids import DoseGrid, Grid
from intrepid_rt.plan import Beam
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.verification import BeamResult, DeliverySummary, PortalPart

Progress = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class ReconstructionTools:
    """What every beam of one verification shares."""

    grid: CalculationGrid
    wanted: Grid
    profile: MachineProfile
    model: BeamModel
    dose_model: DoseModel
    network: PortalDoseModel | None = None
    dose_to: str = "water"
    refinement: RefinementModel | None = None
    device: Device = CPU

    @cached_property
    def anatomy(self) -> Anatomy:
        """Tissues of the calculation grid, on the device."""
        return anatomy_of(self.grid.density_g_cc, self.device)


def reconstruct_beams(inputs: Inputs, tools: ReconstructionTools, progress: Progress) -> Iterator[BeamResult]:
    """Reconstruct beam after beam; ``progress`` is told the part done and the step that begins."""
    position = inputs.plan.patient_position
    # Every beam's geometry first: what cannot be taken is refused before minutes of work on the others.
    standing = [inputs.frame_of(first_frame(beam, position)) for beam, _ in inputs.beams]
    arcs = {
        beam.number: arc_geometry(beam, inputs.frames.get(beam.number), position)
        for beam, _ in inputs.beams
        if beam.is_arc
    }
    files = [file for _, file in inputs.selection.beams]
    as_asked = _as_asked(inputs, tools)
    for number, ((beam, frame), file, first) in enumerate(zip(inputs.beams, files, standing, strict=True)):

        def advance(part: float, step: str, begun: int = number, name: str = beam.name) -> None:
            progress((begun + part) / len(inputs.beams), f"{name}: {step}")

        arc = arcs.get(beam.number)
        if arc is not None:
            ways = [PrimaryBeam(tools.anatomy, tools.model.spectrum, inputs.frame_of(one)) for one in arc.frames]
            made = _turning(beam, arc.assignment, ways, tools, advance)
        else:
            made = _standing(beam, frame, PrimaryBeam(tools.anatomy, tools.model.spectrum, first), tools, advance)
        point, series = beam.control_points[0], inputs.frames.get(beam.number)
        signal = binned(frame.repaired)
        yield BeamResult(
            number=beam.number,
            name=beam.name,
            gantry_angle_deg=point.gantry_angle_deg,
            meterset_mu=beam.meterset_mu,
            frame=first,
            portal_dose=made.portal_gy,
            dose=as_asked(made.dose_gy),
            dose_uncertainty=None if made.half_width_gy is None else as_asked(made.half_width_gy),
            epid=signal,
            portal_image_file=file.path.name,
            portal_image_sop_uid=frame.sop_instance_uid,
            collimator_angle_deg=point.collimator_angle_deg,
            couch_angle_deg=point.couch_angle_deg,
            machine=frame.machine or beam.machine,
            notes=(
                *notes_on(beam, frame, file.how if file.link == "matched" else "", signal, tools.profile),
                *made.notes,
            ),
            delivery=_delivery(series, arc) if series is not None else None,
            portal_parts=made.parts,
        )


def _as_asked(inputs: Inputs, tools: ReconstructionTools) -> Callable[[NDArray], DoseGrid]:
    """Give what turns dose to water on the calculation grid into the dose that was asked for, on the wanted grid."""
    spectrum, patient = tools.model.spectrum, inputs.patient_on(tools.wanted)
    factors = factors_of(tools.dose_to, spectrum.energy_mev, spectrum.weight).astype(np.float32)

    def as_asked(values_gy: NDArray) -> DoseGrid:
        dose = tools.grid.cropped(values_gy * factors[tools.anatomy.material])
        # The beam's path through air is of no interest and would draw isodoses outside the patient.
        inside = dose if patient is None else np.where(patient, dose, np.float32(0))
        return DoseGrid(inside, tools.wanted.index_to_lps, tools.wanted.frame_of_reference_uid)

    return as_asked


@dataclass(frozen=True, eq=False)
class _Reconstructed:
    """Dose of one beam on the calculation grid, its portal dose, what to note, and the band of a refined dose.

    ``parts`` are those of the portal dose of an arc.
    """

    dose_gy: NDArray
    portal_gy: PortalImage
    notes: tuple[str, ...] = ()
    half_width_gy: NDArray | None = None
    parts: tuple[PortalPart, ...] = ()


def _standing(
    beam: Beam, frame: PortalFrame, primary_beam: PrimaryBeam, tools: ReconstructionTools, progress: Progress
) -> _Reconstructed:
    progress(0.0, "portal dose")
    portal = transit_portal_dose(binned(frame.repaired), tools.profile, primary_beam)
    said: tuple[str, ...] = ()
    if tools.network is not None:
        portal, said = by_network(tools.network, frame, tools.profile, beam.meterset_mu, primary_beam, portal)
    progress(0.4, "dose in the patient")
    dose = tools.dose_model(portal, primary_beam)
    if tools.refinement is None:
        return _Reconstructed(dose, portal.total_gy, said)
    progress(0.8, "refinement")
    refined = tools.refinement.refine(dose, primary_beam, energy=tools.profile.energy)
    return _Reconstructed(refined.dose_gy, portal.total_gy, (*said, *refined.notes), refined.half_width_gy)


def _turning(
    beam: Beam, assignment: Assignment, ways: Sequence[PrimaryBeam], tools: ReconstructionTools, progress: Progress
) -> _Reconstructed:
    notes = list(assignment.notes)
    if tools.network is not None:
        notes.append("Networks take a whole image of a standing beam: the frames of this arc went through the physics.")
    refine = None if tools.refinement is None else partial(tools.refinement.refine, energy=tools.profile.energy)
    made = arc_dose(
        [one.frame.image for one in assignment.frames],
        ways,
        tools.profile,
        tools.dose_model,
        refine=refine,
        progress=lambda part: progress(part, f"{len(ways)} frames"),
    )
    parts = portal_parts(made.sectors, assignment, beam)
    return _Reconstructed(made.dose_gy, made.portal_gy, (*notes, *made.notes), made.half_width_gy, parts=parts)


def _delivery(series: FrameSeries, arc: ArcGeometry | None) -> DeliverySummary:
    return DeliverySummary(len(series.frames), series.dropped, series.doubled, arc.assignment.by if arc else "")
