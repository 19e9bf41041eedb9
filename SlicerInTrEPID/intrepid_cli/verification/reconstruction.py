"""From each beam's portal image to its dose in the patient."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from intrepid_cli.verification.inputs import Inputs
from intrepid_cli.verification.network_portal_dose import by_network
from intrepid_cli.verification.suitability import notes_on
from intrepid_epid.beam_model import BeamModel
from intrepid_epid.calculation_grid import CalculationGrid
from intrepid_epid.dose_reconstruction import DoseModel
from intrepid_epid.image_grid import binned
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.networks.portal_dose_model import PortalDoseModel
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
    network: PortalDoseModel | None = None


def reconstruct_beams(inputs: Inputs, tools: ReconstructionTools, progress: Progress) -> Iterator[BeamResult]:
    """Reconstruct beam after beam; ``progress`` is told the part done and the step that begins."""
    anatomy = anatomy_of(tools.grid.density_g_cc)
    # Every beam's geometry first: what cannot be taken is refused before minutes of work on the others.
    geometries = [inputs.frame_of(static_frame(beam, inputs.plan.patient_position)) for beam, _ in inputs.beams]
    files = [file for _, file in inputs.selection.beams]
    patient = inputs.patient_on(tools.wanted)
    for number, ((beam, frame), file, geometry) in enumerate(zip(inputs.beams, files, geometries, strict=True)):
        primary_beam = PrimaryBeam(anatomy, tools.model.spectrum, geometry)
        signal = binned(frame.repaired)
        progress(number / len(inputs.beams), f"{beam.name}: portal dose")
        portal = transit_portal_dose(signal, tools.profile, primary_beam)
        said: tuple[str, ...] = ()
        if tools.network is not None:
            portal, said = by_network(tools.network, frame, tools.profile, beam.meterset_mu, primary_beam, portal)
        progress((number + 0.4) / len(inputs.beams), f"{beam.name}: dose in the patient")
        dose = tools.grid.cropped(tools.dose_model(portal, primary_beam))
        # The beam's path through air is of no interest and would draw isodoses outside the patient.
        inside = dose if patient is None else np.where(patient, dose, np.float32(0))
        point = beam.control_points[0]
        yield BeamResult(
            number=beam.number,
            name=beam.name,
            gantry_angle_deg=point.gantry_angle_deg,
            meterset_mu=beam.meterset_mu,
            frame=geometry,
            portal_dose=portal.total_gy,
            dose=DoseGrid(inside, tools.wanted.index_to_lps, tools.wanted.frame_of_reference_uid),
            epid=signal,
            portal_image_file=file.path.name,
            portal_image_sop_uid=frame.sop_instance_uid,
            collimator_angle_deg=point.collimator_angle_deg,
            couch_angle_deg=point.couch_angle_deg,
            machine=frame.machine or beam.machine,
            notes=(*notes_on(beam, frame, file.how if file.link == "matched" else "", signal, tools.profile), *said),
        )


def static_frame(beam: Beam, patient_position: str) -> BeamFrame:
    """Gantry frame of a beam that stands still.

    Raises
    ------
    UnsupportedGeometry
        An arc, a couch that moves or a pitched gantry: one integrated image does not tell which part came from where.
    """
    first = beam.control_points[0]
    isocentres = np.array([point.isocentre_lps_mm for point in beam.control_points])
    if beam.is_arc:
        raise UnsupportedGeometry(
            f"Beam {beam.name} is an arc. One integrated image cannot be brought back along many directions; "
            "reconstruction needs a series of frames, which is not supported yet."
        )
    turned = np.ptp(np.unwrap([p.couch_angle_deg for p in beam.control_points], period=360.0)) > 0.1
    if turned or np.ptp(isocentres, axis=0).max() > 0.1 or abs(first.gantry_pitch_deg) > 0.1:
        raise UnsupportedGeometry(f"Beam {beam.name} moves the couch or pitches the gantry, which is not supported.")
    if first.couch_tilt_deg > 0.1:
        raise UnsupportedGeometry(
            f"Beam {beam.name} has a table top pitched, rolled or turned eccentrically by {first.couch_tilt_deg:g} "
            "degrees, which is not supported: the beam would be brought back along a wrong direction."
        )
    return beam_frame(
        first.gantry_angle_deg,
        first.isocentre_lps_mm,
        couch_angle_deg=first.couch_angle_deg,
        patient_position=patient_position,
        source_to_axis_mm=beam.source_to_axis_mm,
    )
