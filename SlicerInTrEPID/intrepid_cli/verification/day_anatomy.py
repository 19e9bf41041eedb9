"""The anatomy of the day: read, registered to the planning CT, turned into density, judged."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from intrepid_cli.verification.day_density import DayDensity, day_density
from intrepid_cli.verification.day_files import DayFiles, read_day_files, stated_motion
from intrepid_cli.verification.day_quality import doubts_about, overlaps, repeatability, setup_warnings
from intrepid_cli.verification.day_setup import Setup, beam_setup, setup_way
from intrepid_cli.verification.inputs import Inputs
from intrepid_cli.verification.settings import VerificationSettings
from intrepid_rt.ct_curve import CTCurve
from intrepid_rt.day_anatomy import AnatomyQuality, DayAnatomy, TissueHounsfield
from intrepid_rt.dicom_file import items, number, read_dataset, text
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.grids import CTGrid, DoseGrid, Grid
from intrepid_rt.plan import Plan
from intrepid_rt.registration.body import patient_in
from intrepid_rt.registration.coarse import coarsened_grid
from intrepid_rt.registration.deformable import coarse_lattice, register_deformable
from intrepid_rt.registration.displacement import Displacement, carried
from intrepid_rt.registration.hounsfield import deviations_hu
from intrepid_rt.registration.quality import residual_hu
from intrepid_rt.registration.rigid import register_rigid
from intrepid_rt.registration.rigid_transform import IDENTITY, RigidTransform, moved_grid
from intrepid_rt.registration.transform_file import read_transform
from intrepid_rt.structure_mask import structure_mask
from intrepid_rt.structures import StructureSet

WORKING_MM = 2.0  # voxels need not be finer to register, and the dose is computed on coarser ones
QUALITY_MM = 3.0


@dataclass(frozen=True, eq=False)
class Planned:
    """What the plan knows of the patient."""

    plan: Plan
    patient_id: str
    ct: CTGrid
    density_g_cc: Grid
    structures: StructureSet | None
    curve: CTCurve
    setup_displacement_mm: NDArray | None

    @property
    def isocentre_lps_mm(self) -> NDArray:
        """Isocentre of the first treatment beam."""
        beam = next(beam for beam in self.plan.beams if beam.delivers_treatment)
        return beam.control_points[0].isocentre_lps_mm


def on_day(inputs: Inputs, settings: VerificationSettings, progress: Callable[[str], None]) -> Inputs:
    """Return inputs whose density is that of the day; the plan, its structures and its dose stay as they are."""
    header = read_dataset(inputs.selection.plan.path, pixels=False)
    planned = Planned(
        plan=inputs.plan,
        patient_id=text(header, "PatientID"),
        ct=inputs.ct.grid,
        density_g_cc=inputs.density_g_cc,
        structures=inputs.structure_set,
        curve=inputs.curve,
        setup_displacement_mm=setup_displacement_mm(header),
    )
    day = day_anatomy(planned, settings, progress)
    notes = tuple(f"Anatomy of the day: {warning}" for warning in day.quality.warnings)
    return replace(inputs, density_g_cc=day.density_g_cc, day=day, notes=(*inputs.notes, *notes))


def setup_displacement_mm(plan: Dataset) -> NDArray | None:
    """Lateral, longitudinal and vertical displacement of the table that a plan states; None if it states none."""
    names = ("TableTopLateralSetupDisplacement", "TableTopLongitudinalSetupDisplacement",
             "TableTopVerticalSetupDisplacement")  # fmt: skip
    for setup in items(plan, "PatientSetupSequence"):
        values = [number(setup, name) for name in names]
        if any(value is not None for value in values):
            return np.array([value or 0.0 for value in values])
    return None


def day_anatomy(planned: Planned, settings: VerificationSettings, progress: Callable[[str], None]) -> DayAnatomy:
    """Read and register the image of the day and prepare what the dose is computed on.

    Raises
    ------
    UnusableInput
        The image, the registration or the settings do not allow a trustworthy dose; the message says what to do.
    """
    assert settings.anatomy is not None
    progress("reading the image of the day")
    files = read_day_files(settings.anatomy, patient_id=planned.patient_id)
    same_frame = _same_frame(planned, files)
    setup_way(settings, same_frame=same_frame)
    planning, outline = _planning(planned)
    own = coarsened_grid(files.series.grid, WORKING_MM)
    progress("registering the image of the day")
    motion, displacement = _registered(planning, own, outline, planned, settings, files)
    image = moved_grid(own, motion.inverse)
    patient = patient_in(image, outline)
    lattice = coarse_lattice(planning, QUALITY_MM)
    region = outline.resampled_to(lattice, outside=0.0) > 0.5
    planning_hu = planning.resampled_to(lattice)
    day_hu = carried(image, lattice, displacement).values
    deviations = deviations_hu(planning_hu, day_hu, region)
    density = day_density(
        image, patient, settings, curve=planned.curve, deviations=deviations, is_cone_beam=files.is_cone_beam,
        outline=outline, planning_density=coarsened_grid(planned.density_g_cc, WORKING_MM),
    )  # fmt: skip
    setup = beam_setup(
        settings, planned.plan, planned.isocentre_lps_mm, motion, same_frame=same_frame,
        position=files.series.patient_position, displacement_mm=planned.setup_displacement_mm,
    )  # fmt: skip
    before = own.resampled_to(lattice) if same_frame else None
    base = lattice.with_values(planning_hu)
    residual = (None if before is None else residual_hu(base, before, region), residual_hu(base, day_hu, region))
    progress("judging the registration")
    found = DayAnatomy(
        ct=moved_grid(files.series.grid, motion.inverse),
        density_g_cc=replace(density.density_g_cc, frame_of_reference_uid=planned.ct.frame_of_reference_uid),
        patient=density.patient,
        to_day=motion,
        displacement=displacement,
        setup=setup.motion,
        completed=density.completed,
        quality=_facts(planned, settings, files, motion, displacement, setup, density, region, lattice),
        series_uid=files.series.series_uid,
        acquired=files.acquired,
        paths=files.paths,
        structures=files.structures,
    )
    repeat = repeatability(planning, own, motion, planned.isocentre_lps_mm, outline.values > 0.5)
    quality = replace(
        found.quality,
        residual_hu=residual,
        repeat_shift_mm=repeat[0],
        repeat_rotation_deg=repeat[1],
        hounsfield=tuple(TissueHounsfield(tissue, *values) for tissue, values in deviations.items()),
        structures=overlaps(planned.structures, files.structures, found, lattice, density, same_frame=same_frame),
    )
    doubts = doubts_about(quality)
    warnings = (*files.notes, *density.warnings, *doubts, *setup_warnings(quality))
    return replace(found, quality=replace(quality, warnings=warnings, doubts=doubts))


def _same_frame(planned: Planned, files: DayFiles) -> bool:
    uid = planned.ct.frame_of_reference_uid
    return bool(uid) and files.series.grid.frame_of_reference_uid == uid


def _planning(planned: Planned) -> tuple[Grid, Grid]:
    """Return planning CT and planned patient outline on voxels that are no finer than needed."""
    planning = coarsened_grid(planned.ct, WORKING_MM)
    external = planned.structures.external if planned.structures else None
    if external is None or external.is_empty:
        return planning, planning.with_values((planning.values > -400).astype(np.float32))
    return planning, planning.with_values(structure_mask(external, planning).astype(np.float32))


def _registered(
    planning: Grid, day: Grid, outline: Grid, planned: Planned, settings: VerificationSettings, files: DayFiles
) -> tuple[RigidTransform, Displacement | None]:
    region = outline.values > 0.5
    if settings.registration == "dicom":
        return stated_motion(files, planned.ct.frame_of_reference_uid), None
    if settings.registration not in ("rigid", "deformable"):
        if not Path(settings.registration).is_file():
            raise InvalidSetting(
                f"--registration {settings.registration}: expected rigid, deformable, dicom, or a transform file "
                "that exists."
            )
        return read_transform(settings.registration, planning)
    start = IDENTITY if _same_frame(planned, files) else None
    motion = register_rigid(planning, day, centre_lps_mm=planned.isocentre_lps_mm, start=start, region=region)
    if settings.registration == "rigid":
        return motion, None
    return motion, register_deformable(planning, moved_grid(day, motion.inverse), region=region)


def _facts(
    planned: Planned,
    settings: VerificationSettings,
    files: DayFiles,
    motion: RigidTransform,
    displacement: Displacement | None,
    setup: Setup,
    density: DayDensity,
    region: NDArray[np.bool_],
    lattice: Grid,
) -> AnatomyQuality:
    isocentre = planned.isocentre_lps_mm
    deformation = change = None
    if displacement is not None:
        inside = region[:: max(1, lattice.shape[0] // 30)]
        at = lattice.positions()[:: max(1, lattice.shape[0] // 30)][inside]
        length = np.linalg.norm(displacement.at(at), axis=-1)
        factors = displacement.volume_change
        deformation, change = (float(length.mean()), float(length.max())), (float(factors.min()), float(factors.max()))
    registration = settings.registration
    return AnatomyQuality(
        image="cone-beam CT" if files.is_cone_beam else "CT",
        registration=registration if registration in ("rigid", "deformable", "dicom") else Path(registration).name,
        shift_mm=_three(motion.shift_at(isocentre)),
        rotation_deg=_three(motion.rotation_deg),
        setup=setup.how,
        setup_shift_mm=_three(setup.motion.shift_at(isocentre)),
        setup_rotation_deg=_three(setup.motion.rotation_deg),
        deformation_mm=deformation,
        volume_change=change,
        curve=density.curve,
        outside_cc=density.truncation.outside_cc,
        completed_cc=0.0 if density.completed is None
        else float(density.completed.values.sum() * density.completed.voxel_volume_cc),
    )  # fmt: skip


def _three(values: NDArray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def carried_dose(dose: DoseGrid, day: DayAnatomy | None) -> DoseGrid:
    """Bring a dose on the anatomy of the day to the planning CT, on its own lattice."""
    if day is None or day.displacement is None:
        return dose
    return carried(dose, dose, day.displacement, outside=0.0)
