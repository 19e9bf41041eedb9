"""Planning systems of synthetic centres: what their exports are known for, see `intrepid_cohort.planning_systems`."""

from pydicom.dataset import Dataset

from intrepid_rt.dicom_new_object import decimal, item

# The system of centre 1, 2, ... in turn.
SYSTEMS = ("Synthetic", "Eclipse", "Oncentra", "Pinnacle")

_MAKERS = {
    "Eclipse": ("Varian Medical Systems", "ARIA RadOnc"),
    "Oncentra": ("Nucletron", "Oncentra"),
    "Pinnacle": ("Philips Medical Systems", "Pinnacle^3"),
}


def sign(made: Dataset, system: str, language: str) -> None:
    """Write maker and model."""
    made.Manufacturer, made.ManufacturerModelName = _MAKERS.get(system, ("Synthetic", f"Planner {language}"))


def keep_prescription_outside(plan: Dataset) -> None:
    """Leave the prescription out of RTPLAN, as Pinnacle does."""
    del plan.DoseReferenceSequence


def prescription_point(label: str, dose_gy: float, fractions: int) -> str:
    """Name of the point into which the scripts of DVH Analytics write a prescription of Pinnacle."""
    return f"rx 1: {label}: {decimal(round(100 * dose_gy / fractions, 6))} cGy x {fractions} to 100%: point: PTV"


def add_frame_of_a_point(structure_set: Dataset, frame_uid: str, images_frame_uid: str) -> None:
    """Name a second frame of reference before that of the images, as Oncentra does."""
    relation = item(
        RelatedFrameOfReferenceUID=images_frame_uid,
        FrameOfReferenceTransformationComment="Treatment planning reference point",
    )
    point = item(FrameOfReferenceUID=frame_uid, FrameOfReferenceRelationshipSequence=[relation])
    structure_set.ReferencedFrameOfReferenceSequence.insert(0, point)


def of_all_plans(dose: Dataset, plan_items: list[Dataset]) -> None:
    """Turn the dose of a plan into the export of a plan sum."""
    dose.DoseSummationType, dose.ReferencedRTPlanSequence = "MULTI_PLAN", plan_items
