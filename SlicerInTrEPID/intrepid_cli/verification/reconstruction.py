"""From each beam's portal image to its dose in the patient."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from intrepid_cli.verification.inputs import Inputs
from intrepid_epid.beam_model import BeamModel
from intrepid_epid.calculation_grid import CalculationGrid
from intrepid_epid.dose_reconstruction import DoseModel
from intrepid_epid.image_grid import binned
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.portal_reader import PortalFrame
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_epid.transit_portal_dose import transit_portal_dose
from intrepid_rt.beam_frame import BeamFrame, beam_frame
from intrepid_rt.errors import UnsupportedGeometry
from intrepid_rt.grids import DoseGrid, Grid
from intrepid_rt.plan import Beam
from intrepid_rt.verification import BeamResult

Progress = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class ReconstructionTools:
    """What every beam of one verification shares."""

    grid: CalculationGrid
    wanted: Grid
    profile: MachineProfile
    model: BeamModel
    dose_model: DoseModel


def reconstruct_beams(inputs: Inputs, tools: ReconstructionTools, progress: Progress) -> Iterator[BeamResult]:
    """Reconstruct beam after beam; ``progress`` is told the part done and the step that begins."""
    anatomy = anatomy_of(tools.grid.density_g_cc)
    for number, ((beam, frame), (_, file)) in enumerate(zip(inputs.beams, inputs.selection.beams, strict=True)):
        geometry = static_frame(beam, inputs.plan.patient_position)
        primary_beam = PrimaryBeam(anatomy, tools.model.spectrum, geometry)
        signal = binned(frame.repaired)
        progress(number / len(inputs.beams), f"{beam.name}: portal dose")
        portal = transit_portal_dose(signal, tools.profile, primary_beam)
        progress((number + 0.4) / len(inputs.beams), f"{beam.name}: dose in the patient")
        dose = tools.dose_model(portal, primary_beam)
        point = beam.control_points[0]
        yield BeamResult(
            number=beam.number,
            name=beam.name,
            gantry_angle_deg=point.gantry_angle_deg,
            meterset_mu=beam.meterset_mu,
            frame=geometry,
            portal_dose=portal.total_gy,
            dose=DoseGrid(tools.grid.cropped(dose), tools.wanted.index_to_lps, tools.wanted.frame_of_reference_uid),
            epid=signal,
            portal_image_file=file.path.name,
            portal_image_sop_uid=frame.sop_instance_uid,
            collimator_angle_deg=point.collimator_angle_deg,
            couch_angle_deg=point.couch_angle_deg,
            machine=frame.machine or beam.machine,
            notes=_notes(beam, frame, file.how if file.link == "matched" else "", signal.values, tools.profile),
        )


def static_frame(beam: Beam, patient_position: str) -> BeamFrame:
    """Gantry frame of a beam that stands still.

    Raises
    ------
    UnsupportedGeometry
        An arc, a couch that moves or a pitched gantry: one integrated image does not tell which part came from where.
    """
    first = beam.control_points[0]
    if beam.is_arc:
        raise UnsupportedGeometry(
            f"Beam {beam.name} is an arc. One integrated image cannot be brought back along many directions; "
            "reconstruction needs a series of frames, which is not supported yet."
        )
    if np.ptp([p.couch_angle_deg for p in beam.control_points]) > 0.1 or abs(first.gantry_pitch_deg) > 0.1:
        raise UnsupportedGeometry(f"Beam {beam.name} moves the couch or pitches the gantry, which is not supported.")
    return beam_frame(
        first.gantry_angle_deg,
        first.isocentre_lps_mm,
        couch_angle_deg=first.couch_angle_deg,
        patient_position=patient_position,
        source_to_axis_mm=beam.source_to_axis_mm,
    )


def _notes(
    beam: Beam, frame: PortalFrame, concluded: str, signal: np.ndarray, profile: MachineProfile
) -> tuple[str, ...]:
    notes = list(frame.warnings)
    if concluded:
        notes.append(f"The image does not name its beam; it was matched to {beam.name}: {concluded}.")
    if frame.machine and frame.machine != profile.machine:
        notes.append(f"The image is from machine {frame.machine}, the profile from {profile.machine}.")
    if frame.meterset_mu is not None and beam.meterset_mu and abs(frame.meterset_mu / beam.meterset_mu - 1) > 0.02:
        notes.append(f"The image states {frame.meterset_mu:g} MU, the plan {beam.meterset_mu:g} MU.")
    if profile.fields:
        notes += _validity(beam, frame, profile)
    if not (signal > 0).any():
        notes.append("The image shows no signal.")
    return tuple(notes)


def _validity(beam: Beam, frame: PortalFrame, profile: MachineProfile) -> list[str]:
    valid, notes = profile.valid_for, []
    low, high = valid.source_to_image_mm
    if not low - 10 <= frame.image.source_to_image_mm <= high + 10:
        notes.append(
            f"Imaged at {frame.image.source_to_image_mm:g} mm; the profile was made at {low:g} to {high:g} mm."
        )
    low, high = valid.meterset_mu
    if beam.meterset_mu and not low / 20 <= beam.meterset_mu <= high * 20:
        notes.append(f"{beam.meterset_mu:g} MU are far from the {low:g} to {high:g} MU the profile was made with.")
    return notes
