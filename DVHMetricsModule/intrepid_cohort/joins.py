"""How the tables hang together around a DVH: the same for queries, endpoints and the views of the database."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select
from sqlalchemy.orm import aliased

from intrepid_cohort.schema import (
    Dose,
    DoseVolumeHistogram,
    Patient,
    Plan,
    Structure,
    StructureName,
    StructureSet,
    Study,
    TargetGeometry,
    Treatment,
)

# What percents of dose refer to: for a curated treatment the prescriptions of all its plans.
PRESCRIPTION_GY: ColumnElement[float] = func.coalesce(Treatment.prescription_dose_gy, Plan.prescription_dose_gy)

_MAPPED = case((StructureName.status.in_(("confirmed", "confident")), StructureName.standard_name))

# The name after TG-263 where the mapping is sure, else as written.
NAME: ColumnElement[str] = func.coalesce(_MAPPED, Structure.institutional_category, Structure.roi_name)

ORDER = (Patient.pseudonym, Dose.sop_instance_uid, Structure.roi_number)


def joined(*columns: Any) -> Select:
    """Return a query with one row per DVH, and what belongs to it: nothing of this can double a row."""
    plan_study = aliased(Study)
    # A plan of another patient may carry the same UID, after careless de-identification for example.
    of_same_patient = and_(
        Plan.sop_instance_uid == Dose.referenced_plan_uid,
        Plan.study_id.in_(select(plan_study.id).where(plan_study.patient_id == Study.patient_id)),
    )
    mapped = and_(StructureName.centre == Patient.centre, StructureName.roi_name == Structure.roi_name)
    return (
        select(*columns)
        .select_from(DoseVolumeHistogram)
        .join(Dose, DoseVolumeHistogram.dose_id == Dose.id)
        .join(Study, Dose.study_id == Study.id)
        .join(Patient, Study.patient_id == Patient.id)
        .join(Structure, DoseVolumeHistogram.structure_id == Structure.id)
        .join(StructureSet, Structure.structure_set_id == StructureSet.id)
        .outerjoin(TargetGeometry, TargetGeometry.structure_id == Structure.id)
        .outerjoin(Plan, of_same_patient)
        .outerjoin(Treatment, Treatment.dose_id == Dose.id)
        .outerjoin(StructureName, mapped)
    )
