"""Which planning system wrote an object, and what is known to be special about its exports.

Habits are told only with a public source: Refsgaard et al., doi 10.1016/j.phro.2023.100485 (archives of Eclipse,
Oncentra and Pinnacle); DVH Analytics, doi 10.1002/acm2.12401, ``db/dicom_parser.py`` (Pinnacle keeps prescriptions
outside RTPLAN); issue 74 of rexcardan/Evil-DICOM (Eclipse 15.6 exports no plan without beams); ``FileName.java`` of an
uploader after RSNA's (second frame of reference in structure sets of Oncentra); issue 1954 of pymedphys ("Pinnacle^3").
"""

from pydicom.dataset import Dataset

from intrepid_cohort.schema import Plan
from intrepid_rt.dicom_file import items, text

# System: (words of its makers, words of its model names); one of each must occur.
_SYSTEMS = {
    "Eclipse": (("varian",), ("eclipse", "aria radonc")),
    "Oncentra": (("nucletron", "elekta"), ("oncentra",)),
    "Pinnacle": (("philips", "adac"), ("pinnacle",)),
}
# Left by Eclipse and ARIA in what they export; tells the system where maker and model were emptied.
_VARIAN_CREATOR = "Varian Medical Systems VISION"
# Comment on the second frame of reference that Oncentra writes, for a point and not for images.
_ONCENTRA_POINT = "treatment planning reference point"


def planning_system(dataset: Dataset) -> str | None:
    """Return Eclipse, Oncentra or Pinnacle if maker and model say so, or maker's private elements where both are empty.

    None for any other system, and where maker and model contradict each other: a relabelled object has the habits of
    the program that wrote it last.
    """
    maker, model = text(dataset, "Manufacturer").lower(), text(dataset, "ManufacturerModelName").lower()
    if not maker and not model:
        creators = [str(element.value) for element in dataset if element.tag.is_private_creator]
        return "Eclipse" if any(creator.startswith(_VARIAN_CREATOR) for creator in creators) else None
    return next(
        (
            system
            for system, (makers, models) in _SYSTEMS.items()
            if any(word in maker for word in makers) and any(word in model for word in models)
        ),
        None,
    )


def plan_habits(system: str | None, plan: Plan) -> list[str]:
    """Return what to mind about a plan of a system."""
    if system == "Oncentra":
        return [
            "Archives of Oncentra hold no delivered fractions: give them as a list, or choose the first plan by rule."
        ]
    if system == "Pinnacle" and not plan.prescriptions:
        return ["RTPLAN states no prescription: Pinnacle keeps it outside."]
    return []


def structure_set_habits(system: str | None, dataset: Dataset) -> list[str]:
    """Return what to mind about a structure set of a system."""
    frames = items(dataset, "ReferencedFrameOfReferenceSequence")
    if system == "Oncentra" and len(frames) > 1 and any(_is_of_a_point(frame) for frame in frames):
        return [
            f"It names {len(frames)} frames of reference, one of them for a point of Oncentra; "
            "that of its ROIs is used."
        ]
    return []


def _is_of_a_point(frame: Dataset) -> bool:
    relations = items(frame, "FrameOfReferenceRelationshipSequence")
    return any(text(one, "FrameOfReferenceTransformationComment").lower() == _ONCENTRA_POINT for one in relations)


def missing_plan(system: str | None) -> str:
    """Return the note on a dose whose plan was not imported."""
    hint = " Eclipse exports no plan that has no beams." if system == "Eclipse" else ""
    return f"The plan it references was not imported.{hint}"
