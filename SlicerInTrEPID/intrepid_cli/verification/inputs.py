"""Reading what was selected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_cli.verification.selection import Selection
from intrepid_cli.verification.settings import VerificationSettings
from intrepid_cli.verification.suitability import refuse_unsuitable
from intrepid_epid.delivery.frames import FrameSeries
from intrepid_epid.delivery.reading import read_frames
from intrepid_epid.image_corrections import corrected
from intrepid_epid.machine_profile import MachineProfile, load_profile
from intrepid_epid.portal_reader import PortalFrame, read_portal_image
from intrepid_rt.beam_frame import BeamFrame
from intrepid_rt.ct_curve import CTCurve, default_ct_curve, read_ct_curve
from intrepid_rt.day_anatomy import DayAnatomy
from intrepid_rt.dicom_ct import CTSeries, read_ct_series
from intrepid_rt.dicom_dose import read_dose_object
from intrepid_rt.dicom_plan import beams_with_meterset
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.errors import UnsupportedGeometry, UnusableInput
from intrepid_rt.grids import DoseGrid, Grid
from intrepid_rt.plan import Beam, Plan
from intrepid_rt.registration.rigid_transform import moved_frame
from intrepid_rt.structure_mask import structure_mask
from intrepid_rt.structures import StructureSet
from intrepid_rt.study import DoseFile

AIR_G_CC = 0.0012


@dataclass(frozen=True, eq=False)
class Inputs:
    """Everything a verification computes with. ``planned`` is the dose of one fraction.

    ``beams`` holds one integrated image each, ``frames`` by beam number the frames of those that came in parts.
    With an anatomy of the day, ``density_g_cc`` is that of the day, in the planning frame.
    """

    selection: Selection
    plan: Plan
    ct: CTSeries
    curve: CTCurve
    density_g_cc: Grid
    structure_set: StructureSet | None
    beams: tuple[tuple[Beam, PortalFrame], ...]
    planned: DoseGrid | None
    profile: MachineProfile | None
    notes: tuple[str, ...]
    day: DayAnatomy | None = None
    frames: Mapping[int, FrameSeries] = field(default_factory=dict)

    def patient_on(self, grid: Grid) -> NDArray[np.bool_] | None:
        """Voxels inside the irradiated patient, (nz, ny, nx); None without an outline."""
        if self.day is not None:
            return self.day.patient.resampled_to(grid, outside=0.0) > 0.0
        return patient_mask(self.structure_set, grid)

    def frame_of(self, planned: BeamFrame) -> BeamFrame:
        """Where a beam hit the irradiated anatomy, of the frame that the plan gives it."""
        return planned if self.day is None else moved_frame(planned, self.day.setup)


def read_inputs(selection: Selection, settings: VerificationSettings) -> Inputs:
    """Read CT, structures, plan, doses and images of a selection.

    Raises
    ------
    UnusableInput
        Whatever cannot be read or lacks what is needed, by name.
    """
    plan = selection.plan.plan
    beams_with_meterset(plan)
    profile = load_profile(settings.machine) if settings.machine else None
    ct = read_ct_series(selection.ct.paths)
    structures = read_structure_set(selection.structure_set.path) if selection.structure_set else None
    curve, curve_note = curve_of(settings.ct_curve, profile)
    density, density_notes = density_of(ct.grid, curve, structures)
    frames = {
        number: read_frames([file.path for file in files])
        for number, files in selection.frames.items()
        if len(files) > 1 or files[0].header.n_frames > 1
    }
    beams = tuple(
        (beam, frames[beam.number].integrated if beam.number in frames else read_portal_image(image.path))
        for beam, image in selection.beams
    )
    for (beam, frame), (_, image) in zip(beams, selection.beams, strict=True):
        refuse_unsuitable(beam, frame, image.path.name, profile)
    if profile is not None:
        # Frames of an arc were taken at many angles: what their sum would need is no one correction.
        beams = tuple(
            (beam, frame if beam.is_arc else corrected(frame, profile, meterset_mu=beam.meterset_mu))
            for beam, frame in beams
        )
    planned, dose_notes = planned_fraction(selection.doses, plan)
    if ct.patient_position and ct.patient_position != plan.patient_position:
        dose_notes += (f"The CT was taken {ct.patient_position}, the plan treats {plan.patient_position}.",)
    notes = (*selection.notes, *plan.notes, *ct.notes, *curve_note, *density_notes, *dose_notes)
    return Inputs(selection, plan, ct, curve, density, structures, beams, planned, profile, notes, frames=frames)


def curve_of(ct_curve: Path | None, profile: MachineProfile | None) -> tuple[CTCurve, tuple[str, ...]]:
    """Return the CT curve that was given, else that of the profile, else the generic one with a note."""
    if ct_curve:
        return read_ct_curve(ct_curve), ()
    if profile is not None and profile.ct_curve:
        points = [(p.hu, p.density_g_cc, p.relative_electron_density) for p in profile.ct_curve]
        hu, density, electrons = np.array(points).T
        return CTCurve("machine profile", hu, density, electrons, source=profile.ct_curve_source), ()
    return default_ct_curve(), ("No CT curve was given: the generic one is used. Give the scanner's with --ct-curve.",)


def density_of(ct: Grid, curve: CTCurve, structures: StructureSet | None) -> tuple[Grid, tuple[str, ...]]:
    """Mass density of the CT; what lies outside the patient outline (couch of the scanner, mask) counts as air."""
    density = curve.density(ct.values).astype(np.float32)
    notes = []
    beyond = curve.fraction_beyond(ct.values)
    if beyond > 0:
        notes.append(f"{100 * beyond:.2g} % of the CT lies above the last point of the CT curve ({curve.hu[-1]:g} HU).")
    patient = patient_mask(structures, ct)
    if patient is None:
        notes.append("No patient outline (EXTERNAL or BODY) was found: everything in the CT counts as patient.")
    else:
        density[~patient] = AIR_G_CC
    return Grid(density, ct.index_to_lps, ct.frame_of_reference_uid), tuple(notes)


def patient_mask(structures: StructureSet | None, grid: Grid) -> NDArray[np.bool_] | None:
    """Voxels that the patient outline holds or cuts, (nz, ny, nx); None without an outline."""
    external = structures.external if structures else None
    if external is None or external.is_empty:
        return None
    # Voxels that the outline cuts belong to it: the mask of centres grows by one voxel within its planes.
    return ndimage.binary_dilation(structure_mask(external, grid), ndimage.generate_binary_structure(2, 1)[None])


def planned_fraction(doses: Sequence[DoseFile], plan: Plan) -> tuple[DoseGrid | None, tuple[str, ...]]:
    """Planned dose of one fraction, from the total or the beam doses of a plan, and notes; None if there are none.

    Raises
    ------
    UnusableInput
        A biologically weighted dose, or beam doses on different grids.
    """
    if not doses:
        return None, ()
    objects = [read_dose_object(file.path) for file in doses]
    notes = [note for one in objects for note in one.notes]
    for one in objects:
        if one.dose_type not in ("PHYSICAL", ""):
            raise UnusableInput(
                f"RTDOSE {one.sop_instance_uid} has dose type {one.dose_type}; PHYSICAL is expected, because images "
                "measure physical dose. Export that or leave the file out."
            )
    grids = [one.grid for one in objects]
    if not all(grid.same_lattice(grids[0]) for grid in grids):
        raise UnsupportedGeometry("The planned beam doses lie on different grids. Export the plan's total dose.")
    total = reduce(lambda a, b: a.with_values(a.values + b.values), grids)
    fractions = plan.fractions_planned
    if fractions is None:
        notes.append("The plan states no number of fractions: the planned dose is taken as that of one fraction.")
    elif fractions > 1:
        notes.append(f"The planned dose of {fractions} fractions was divided by {fractions}: images show one fraction.")
        total = total * (1.0 / fractions)
    return total, tuple(notes)
