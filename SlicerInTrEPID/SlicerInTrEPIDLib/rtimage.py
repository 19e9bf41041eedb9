"""Portal images as Slicer volumes, placed by our own geometry: also those that SlicerRT's reader refuses."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.portal_reader import PortalFrame, read_portal_image
from intrepid_rt.beam_frame import BeamFrame, beam_frame
from intrepid_rt.dicom_file import decimals, number, read_dataset, referenced_uid, text
from intrepid_rt.dicom_plan import read_plan
from intrepid_rt.errors import UnusableInput
from intrepid_rt.plan import Beam, Plan
from SlicerInTrEPIDLib.hierarchy import INSTANCE_UID, RT, UID
from SlicerInTrEPIDLib.portal import add_portal_volume
from SlicerInTrEPIDLib.volumes import show

OURS = "InTrEPID."


@dataclass(frozen=True, eq=False)
class PlacedImage:
    """A portal image, where it stood, and what was assumed to know that."""

    frame: PortalFrame
    geometry: BeamFrame
    couch_angle_deg: float
    collimator_angle_deg: float | None
    notes: tuple[str, ...]


def place(path: str | Path, plan_path: str | Path | None) -> PlacedImage:
    """Read a portal image and place it in the patient.

    Isocentre, couch and patient position come from the plan's beam, else from the image, else the isocentre is taken as
    the origin and the patient as lying head first, supine; then a note says so. Gantry and distances are the image's.

    Raises
    ------
    UnusableInput
        The image cannot be read, or its plane is not perpendicular to the beam.
    """
    frame = read_portal_image(path)
    header = read_dataset(path, pixels=False)
    plan, beam, notes = _planned(plan_path, frame)
    isocentre = _isocentre(beam, decimals(header, "IsocenterPosition"))
    if isocentre is None:
        notes.append("Neither plan nor image states the isocentre: it is taken as the origin of the patient system.")
        isocentre = np.zeros(3)
    position = plan.patient_position if plan is not None else text(header, "PatientPosition").upper()
    if not position:
        notes.append("No patient position is known: head first, supine is taken.")
    gantry = frame.image.gantry_angle_deg
    if gantry is None and beam is not None:
        gantry = beam.control_points[0].gantry_angle_deg
        notes.append("The image states no gantry angle: that of the plan is taken.")
    if gantry is None:
        gantry = 0.0
        notes.append("No gantry angle is known: 0 is taken.")
    couch = beam.control_points[0].couch_angle_deg if beam is not None else number(header, "PatientSupportAngle") or 0.0
    collimator = number(header, "BeamLimitingDeviceAngle")
    geometry = beam_frame(
        gantry, isocentre, couch_angle_deg=couch, patient_position=position or "HFS",
        source_to_axis_mm=frame.image.source_to_axis_mm,
    )  # fmt: skip
    return PlacedImage(frame, geometry, couch, collimator, (*frame.warnings, *notes))


def _planned(plan_path: str | Path | None, frame: PortalFrame) -> tuple[Plan | None, Beam | None, list[str]]:
    if plan_path is None:
        return None, None, []
    try:
        plan = read_plan(read_dataset(plan_path, pixels=False))
    except UnusableInput as error:
        return None, None, [f"The plan was not used: {error}"]
    beam = plan.beam_numbered(frame.beam_number) if frame.beam_number is not None else None
    return plan, beam or _only_isocentre(plan), []


def _only_isocentre(plan: Plan) -> Beam | None:
    """Any beam stands for the isocentre if all share it and the couch angle."""
    beams = [beam for beam in plan.beams if beam.delivers_treatment]
    places = {(*beam.control_points[0].isocentre_lps_mm, beam.control_points[0].couch_angle_deg) for beam in beams}
    return beams[0] if len(places) == 1 else None


def _isocentre(beam: Beam | None, stated: NDArray) -> NDArray | None:
    if beam is not None:
        return beam.control_points[0].isocentre_lps_mm
    return stated if len(stated) == 3 else None


def title(path: str | Path) -> str:
    """Return the name of an image in lists: what it shows, without the patient."""
    header = read_dataset(path, pixels=False)
    series, label = text(header, "SeriesNumber"), text(header, "RTImageLabel") or text(header, "SeriesDescription")
    angle = number(header, "GantryAngle")
    words = [label or "portal image", *([f"gantry {angle:g}"] if angle is not None else [])]
    return f"{series or 'RT'}: RTIMAGE {' '.join(words)}"


def plan_uid_of(path: str | Path) -> str:
    """SOP Instance UID of the plan that an image refers to; empty if it refers to none."""
    return referenced_uid(read_dataset(path, pixels=False), "ReferencedRTPlanSequence")


def reasons_of_slicerrt(path: str | Path) -> list[str]:
    """Return why SlicerRT's reader refuses or misplaces an image; none if it loads it.

    After its sources of June 2026 (vtkSlicerDicomRtReader, LoadRTImage).
    """
    header = read_dataset(path, pixels=False)
    reasons = []
    if len(decimals(header, "RTImagePosition")) != 2:
        reasons.append("no RTImagePosition")
    if np.any(decimals(header, "XRayImageReceptorTranslation")):
        reasons.append("receptor translation")
    for keyword, words in (("XRayImageReceptorAngle", "receptor angle"), ("GantryPitchAngle", "gantry pitch")):
        if number(header, keyword):
            reasons.append(words)
    if text(header, "RTImagePlane") != "NORMAL":
        reasons.append("plane not stated as normal")
    if not text(header, "RTImageLabel"):
        reasons.append("no label")
    if not referenced_uid(header, "ReferencedRTPlanSequence"):
        reasons.append("no plan")
    return reasons


def add_image(scene: Any, path: str | Path, name: str, plan_path: str | Path | None = None) -> Any:
    """Add a portal image as a one-slice volume with SlicerRT's attributes; notes are in its attribute InTrEPID.Notes.

    Raises
    ------
    UnusableInput
        As `place`.
    """
    placed = place(path, plan_path)
    image = placed.frame.image
    node = add_portal_volume(scene, image, placed.geometry, name)
    show(node, window=(0.0, float(np.nanmax(image.values)) or 1.0))
    node.SetAttribute("DICOM.instanceUIDs", placed.frame.sop_instance_uid)
    node.SetAttribute(OURS + "Unit", image.unit)
    node.SetAttribute(OURS + "Notes", "\n".join(placed.notes))
    return node


def describe(scene: Any, node: Any, path: str | Path) -> None:
    """Give the subject hierarchy item of a loaded image the attributes that SlicerRT writes."""
    header = read_dataset(path, pixels=False)
    tree = scene.GetSubjectHierarchyNode()
    item = tree.GetItemByDataNode(node) or tree.CreateItem(tree.GetSceneItemID(), node)
    placed = place(path, None).frame
    x_mm, y_mm = placed.image.first_pixel_mm
    stated = {
        "RtImage": "1",
        "BeamNumber": str(placed.beam_number if placed.beam_number is not None else -1),
        "RtImageSid": f"{placed.image.source_to_image_mm:g}",
        "SourceAxisDistance": f"{placed.image.source_to_axis_mm:g}",
        "RtImagePosition": f"{x_mm:.10g} {y_mm:.10g}",
        "GantryAngle": text(header, "GantryAngle"),
        "CouchAngle": text(header, "PatientSupportAngle"),
        "CollimatorAngle": text(header, "BeamLimitingDeviceAngle"),
    }
    for key, value in stated.items():
        if value:
            tree.SetItemAttribute(item, RT + key, value)
    tree.SetItemAttribute(item, "DICOM.Modality", "RTIMAGE")
    if placed.plan_uid:
        tree.SetItemAttribute(item, "DICOM.ReferencedInstanceUIDs", placed.plan_uid)
    tree.SetItemUID(item, UID, text(header, "SeriesInstanceUID"))
    tree.SetItemUID(item, INSTANCE_UID, placed.sop_instance_uid)
