"""The dose of a treatment: summed from its files, stored as a row of its own with DVHs and their provenance."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom.uid import generate_uid
from sqlalchemy import select
from sqlalchemy.orm import Session

from intrepid_cohort.curation.decision import TreatmentDecision
from intrepid_cohort.curation.rules import Rules
from intrepid_cohort.curation.summing import common_type, sum_doses
from intrepid_cohort.dose_facts import ENGINE_SETTINGS, fill_dvh, software_version
from intrepid_cohort.endpoints import add_default_endpoints
from intrepid_cohort.schema import Dose, DoseVolumeHistogram, File, Patient, Plan, StructureSet, Study
from intrepid_dvh.compute import compute_dvh
from intrepid_dvh.slabs import common_slice_spacing_mm
from intrepid_rt.dicom_dose import DoseReferences, read_dose_object, write_dose
from intrepid_rt.dicom_file import read_dataset
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.errors import FrameOfReferenceMismatch, MissingObject, UnusableInput
from intrepid_rt.grids import DoseGrid


def add_treatment_dose(session: Session, patient: Patient, made: TreatmentDecision, rules: Rules) -> Dose:
    """Sum the doses of an included treatment, compute its DVHs and add them to the session.

    Raises
    ------
    UnusableInput
        A file is gone or cannot be read, or the doses cannot be summed.
    """
    components = _components(session, patient, made)
    read = [read_dose_object(path) for path, *_ in components]
    dose_type = common_type([one.dose_type for one in read])
    factors = [factor for _, _, factor, _ in components]
    grid, warnings = sum_doses([(one.grid, factor) for one, factor in zip(read, factors, strict=True)])
    made.warnings = [*made.warnings, *warnings]
    dose = _row(session, patient, made, grid, components, warnings)
    dose.dose_type = dose_type
    # Not before all DVHs are there: while they are computed, nothing may be written.
    with session.no_autoflush:
        dose.dvhs = [row for one in made.structure_sets for row in _dvhs(session, patient, one, grid, dose)]
        add_default_endpoints(dose, made.prescription_dose_gy)
    session.add(dose)
    session.flush()
    if rules.dose.save_folder is not None:
        _save(session, patient, made, grid, dose_type, rules)
    return dose


def _components(session: Session, patient: Patient, made: TreatmentDecision) -> list[tuple[Path, str, float, str]]:
    """Return file, UID, factor and SHA-256 of each dose; the main plan's come first: the sum lies on its grid."""
    plans = sorted(made.plans, key=lambda plan: plan.plan_uid != made.main_plan_uid)
    found = []
    for plan in plans:
        if plan.dose_factor is None:
            continue
        for uid in plan.dose_uids:
            file = _file(session, patient, uid)
            found.append((Path(file.path), uid, plan.dose_factor * (made.outside_factor or 1.0), file.sha256))
    return found


def _file(session: Session, patient: Patient, uid: str) -> File:
    file = session.scalar(
        select(File).where(File.patient_id == patient.id, File.sop_instance_uid == uid, File.status == "used")
    )
    if file is None:
        raise MissingObject(f"The file of {uid} is not in the database. Import it again.")
    return file


def _row(
    session: Session,
    patient: Patient,
    made: TreatmentDecision,
    grid: DoseGrid,
    components: Sequence[tuple[Path, str, float, str]],
    warnings: list[str],
) -> Dose:
    plan = session.scalars(
        select(Plan).join(Study).where(Study.patient_id == patient.id, Plan.sop_instance_uid == made.main_plan_uid)
    ).one()
    stated = [{"sop_instance_uid": uid, "sha256": sha, "factor": factor} for _, uid, factor, sha in components]
    content = hashlib.sha256(repr(stated).encode()).hexdigest()
    frames, rows, columns = grid.shape
    x_mm, y_mm, z_mm = grid.spacing_mm
    return Dose(
        study_id=plan.study_id,
        # From its content: the same sum has the same UID in every database.
        sop_instance_uid=str(generate_uid(entropy_srcs=[patient.pseudonym, content, made.content_digest])),
        file_sha256=content,
        referenced_plan_uid=made.main_plan_uid,
        referenced_structure_set_uid=plan.referenced_structure_set_uid,
        dose_summation_type="TREATMENT",
        components=stated,
        frame_of_reference_uid=grid.frame_of_reference_uid,
        grid_x_mm=x_mm,
        grid_y_mm=y_mm,
        grid_z_mm=z_mm,
        grid_columns=columns,
        grid_rows=rows,
        grid_frames=frames,
        max_gy=float(np.max(grid.dose_gy)),
        notes=list(warnings),
    )


def _dvhs(session: Session, patient: Patient, one: object, grid: DoseGrid, dose: Dose) -> list[DoseVolumeHistogram]:
    """DVHs of one structure set; one in another frame of reference is refused."""
    uid = one.structure_set_uid  # type: ignore[attr-defined]
    row = session.scalars(
        select(StructureSet).join(Study).where(Study.patient_id == patient.id, StructureSet.sop_instance_uid == uid)
    ).one()
    found = read_structure_set(read_dataset(_file(session, patient, uid).path))
    frame = found.frame_of_reference_uid or row.frame_of_reference_uid
    if frame and frame != grid.frame_of_reference_uid:
        raise FrameOfReferenceMismatch(
            f"The dose is in frame of reference {grid.frame_of_reference_uid}, structure set {uid} in {frame}. "
            "Leave it out, or export it in the frame of the plan."
        )
    spacing_mm = common_slice_spacing_mm(found.structures)
    by_number = {structure.roi_number: structure for structure in row.structures}
    made = []
    for structure in found.structures:
        dvh = DoseVolumeHistogram(
            structure=by_number[structure.number],
            engine=f"intrepid_dvh {software_version()}",
            engine_settings=ENGINE_SETTINGS,
            dose_sha256=dose.file_sha256,
            structure_set_sha256=row.file_sha256,
            warnings=[],
        )
        try:
            fill_dvh(dvh, compute_dvh(grid, structure, slice_spacing_mm=spacing_mm))
        except UnusableInput as error:
            dvh.reason = str(error)
        made.append(dvh)
    return made


def _save(
    session: Session, patient: Patient, made: TreatmentDecision, grid: DoseGrid, dose_type: str, rules: Rules
) -> None:
    """Write the sum as RTDOSE into the folder of the rules, for whoever wants to look at it."""
    folder = Path(rules.dose.save_folder or "")
    folder.mkdir(parents=True, exist_ok=True)
    template = read_dataset(_file(session, patient, made.main_plan_uid or "").path)
    write_dose(
        folder / f"RD_{patient.pseudonym}_{rules.name}.dcm",
        grid,
        references=DoseReferences(plan_uid=made.main_plan_uid or ""),
        template=template,
        comment=f"Sum of curated treatment, collection {rules.name}"[:1024],
        series_description=f"{rules.name} treatment",
        created=datetime.now(),
        dose_type=dose_type,
    )
