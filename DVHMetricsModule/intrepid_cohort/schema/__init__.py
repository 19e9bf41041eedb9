"""Tables of the cohort database: names follow DICOM keywords, units ride on names, comments are the data dictionary."""

from intrepid_cohort.schema.anatomy import Structure, StructureContours, StructureSet, TargetGeometry
from intrepid_cohort.schema.asking import Endpoint, SavedQuery
from intrepid_cohort.schema.base import Base
from intrepid_cohort.schema.curation import (
    Collection,
    DeliveredFractions,
    Edit,
    Finding,
    Treatment,
    TreatmentPlan,
    TreatmentStructureSet,
)
from intrepid_cohort.schema.delivery import EpidResult, TreatmentRecord
from intrepid_cohort.schema.dose import Dose, DoseVolumeHistogram
from intrepid_cohort.schema.identity import File, Job, Patient, Series, Setting, Study
from intrepid_cohort.schema.names import StructureName
from intrepid_cohort.schema.planning import Beam, ControlPoint, FractionGroup, Plan, Prescription

__all__ = [
    "Base",
    "Beam",
    "Collection",
    "ControlPoint",
    "DeliveredFractions",
    "Dose",
    "DoseVolumeHistogram",
    "Edit",
    "Endpoint",
    "EpidResult",
    "File",
    "Finding",
    "FractionGroup",
    "Job",
    "Patient",
    "Plan",
    "Prescription",
    "SavedQuery",
    "Series",
    "Setting",
    "Structure",
    "StructureContours",
    "StructureName",
    "StructureSet",
    "Study",
    "TargetGeometry",
    "Treatment",
    "TreatmentPlan",
    "TreatmentRecord",
    "TreatmentStructureSet",
]
