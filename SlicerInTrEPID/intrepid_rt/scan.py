"""A folder tree of DICOM files to studies, linked by UID; what cannot be used is listed with its reason."""

import filecmp
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from pydicom.dataset import Dataset

from intrepid_rt.dicom_file import collecting, integer, items, read_dataset, referenced_uid, text, texts
from intrepid_rt.dicom_image import portal_header
from intrepid_rt.dicom_plan import read_plan
from intrepid_rt.dicom_structures import frame_of_reference_uid, referenced_ct_series_uid
from intrepid_rt.errors import MissingObject, UnusableInput
from intrepid_rt.frame_table import FRAME_TABLE, raw_header
from intrepid_rt.portal_matching import match_portal_images
from intrepid_rt.small_files import entries_below
from intrepid_rt.study import CTFiles, DoseFile, PlanFile, PortalFile, StructureSetFile, Study

# Third value of ImageType for images that were measured; DRR, SIMULATOR and FLUENCE images are computed.
_MEASURED_KINDS = ("", "PORTAL", "RADIOGRAPH")


@dataclass
class _Found:
    """What has been found of one patient so far."""

    study_uids: set[str] = field(default_factory=set)
    slices: dict[tuple[str, str], list[Path]] = field(default_factory=lambda: defaultdict(list))
    structure_sets: list[StructureSetFile] = field(default_factory=list)
    plans: list[PlanFile] = field(default_factory=list)
    doses: list[DoseFile] = field(default_factory=list)
    images: list[PortalFile] = field(default_factory=list)
    portal_doses: list[PortalFile] = field(default_factory=list)
    unused: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    by_uid: dict[str, Path] = field(default_factory=dict)


def scan(folder: str | Path) -> list[Study]:
    """Read the headers of all files below a folder once and link them into studies, one per patient identifier.

    Returns
    -------
    list of Study
        In order of first appearance. Files that belong to no patient (not DICOM, unreadable) are listed as unused in
        every study.

    Raises
    ------
    MissingObject
        The folder does not exist or holds no file, or no DICOM object.
    """
    folder = Path(folder)
    paths = entries_below(folder)
    if not paths:
        what = "is empty" if folder.is_dir() else "is no folder"
        raise MissingObject(f"{folder} {what}; expected DICOM files of a treatment. Check the path.")
    return scan_files(paths, place=str(folder))


def scan_files(paths: list[Path], *, place: str) -> list[Study]:
    """Link these files as :func:`scan` does; of two copies of one object the first is taken.

    Raises
    ------
    MissingObject
        None is a DICOM object; the message names ``place``.
    """
    patients: dict[str, _Found] = defaultdict(_Found)
    raw, paths = _raw_frames(paths)
    strangers: list[tuple[Path, str]] = []
    for path in paths:
        try:
            notes: list[str] = []
            with collecting(notes):
                dataset = read_dataset(path, pixels=False)
                found = patients[text(dataset, "PatientID")]
                _take(path, dataset, found)
            found.notes.extend(f"{path.name}: {note}" for note in notes)
        except UnusableInput as error:
            strangers.append((path, str(error)))
    strangers += _give_to_their_plan(raw, patients)
    studies = [_study(patient_id, found, strangers) for patient_id, found in patients.items()]
    if not studies:
        example = f", for example {strangers[0][1]}" if strangers else "."
        raise MissingObject(f"{place} holds no DICOM object: {len(paths)} file(s){example}")
    return studies


def _raw_frames(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """Part the tables of raw panel frames, with what they speak for, from all other files."""
    tables = [path for path in paths if path.name == FRAME_TABLE]
    folders = {path.parent for path in tables}
    spoken_for = (".his", ".xml")
    others = [
        p for p in paths if not (p.parent in folders and p.suffix.lower() in spoken_for) and p.name != FRAME_TABLE
    ]
    return tables, others


def _give_to_their_plan(tables: list[Path], patients: dict[str, _Found]) -> list[tuple[Path, str]]:
    """Add raw frames to the patient whose plan they name; returns those that name none, with the reason."""
    strangers = []
    for path in tables:
        try:
            header = raw_header(path)
        except UnusableInput as error:
            strangers.append((path, str(error)))
            continue
        owners = [f for f in patients.values() if any(p.sop_instance_uid == header.plan_uid for p in f.plans)]
        if owners:
            owners[0].images.append(PortalFile(path, header))
        else:
            strangers.append((path, f"{path.parent.name}: no RTPLAN {header.plan_uid} is in the folder"))
    return strangers


def _take(path: Path, dataset: Dataset, found: _Found) -> None:
    modality, uid = text(dataset, "Modality"), text(dataset, "SOPInstanceUID")
    taker = _TAKERS.get(modality)
    if taker is None:
        found.unused.append((path, f"{modality or 'an object without Modality'} is not used"))
        return
    twin = found.by_uid.setdefault(uid, path)
    if twin is not path:
        same = filecmp.cmp(path, twin, shallow=False)
        found.unused.append((path, f"{'a copy of' if same else 'has the SOP Instance UID of'} {twin.name}"))
        if not same:
            found.notes.append(f"{path.name} and {twin.name} differ but have one SOP Instance UID; the first is used.")
        return
    try:
        taker(path, dataset, found)
    except UnusableInput as error:
        found.unused.append((path, str(error)))
    else:
        found.study_uids.add(text(dataset, "StudyInstanceUID"))


def _take_slice(path: Path, dataset: Dataset, found: _Found) -> None:
    if "LOCALIZER" in texts(dataset, "ImageType"):
        found.unused.append((path, "a localizer image is not used"))
        return
    found.slices[text(dataset, "SeriesInstanceUID"), text(dataset, "FrameOfReferenceUID")].append(path)


def _take_structure_set(path: Path, dataset: Dataset, found: _Found) -> None:
    found.structure_sets.append(
        StructureSetFile(
            path=path,
            sop_instance_uid=text(dataset, "SOPInstanceUID"),
            frame_of_reference_uid=frame_of_reference_uid(dataset),
            ct_series_uid=referenced_ct_series_uid(dataset),
            label=text(dataset, "StructureSetLabel"),
        )
    )


def _take_plan(path: Path, dataset: Dataset, found: _Found) -> None:
    plan = read_plan(dataset)
    found.plans.append(PlanFile(path, plan, _date(text(dataset, "RTPlanDate"))))
    found.notes.extend(f"{path.name}: {note}" for note in plan.notes)


def _date(value: str) -> date | None:
    try:
        return datetime.strptime(value, "%Y%m%d").date()
    except ValueError:
        return None


def _take_dose(path: Path, dataset: Dataset, found: _Found) -> None:
    plan = next(iter(items(dataset, "ReferencedRTPlanSequence")), Dataset())
    group = next(iter(items(plan, "ReferencedFractionGroupSequence")), Dataset())
    beam = next(iter(items(group, "ReferencedBeamSequence")), Dataset())
    found.doses.append(
        DoseFile(
            path=path,
            sop_instance_uid=text(dataset, "SOPInstanceUID"),
            frame_of_reference_uid=text(dataset, "FrameOfReferenceUID"),
            plan_uid=referenced_uid(dataset, "ReferencedRTPlanSequence"),
            beam_number=integer(beam, "ReferencedBeamNumber"),
            summation_type=text(dataset, "DoseSummationType").upper(),
        )
    )


def _take_image(path: Path, dataset: Dataset, found: _Found) -> None:
    header = portal_header(dataset)
    if header.is_dose:
        found.portal_doses.append(PortalFile(path, header))
    elif header.kind in _MEASURED_KINDS:
        found.images.append(PortalFile(path, header))
    else:
        found.unused.append((path, f"an RTIMAGE of kind {header.kind} is not a measured portal image"))


_TAKERS = {
    "CT": _take_slice,
    "RTSTRUCT": _take_structure_set,
    "RTPLAN": _take_plan,
    "RTDOSE": _take_dose,
    "RTIMAGE": _take_image,
}


def _study(patient_id: str, found: _Found, strangers: list[tuple[Path, str]]) -> Study:
    images = match_portal_images(found.images, found.plans)
    plan_uids = {file.sop_instance_uid for file in found.plans}
    notes = list(found.notes)
    notes += [f"{image.path.name}: matched to beam {image.beam_number}: {image.how}." for image in images
              if image.link == "matched"]  # fmt: skip
    notes += [f"{dose.path.name} references no plan of this folder." for dose in found.doses
              if dose.plan_uid not in plan_uids]  # fmt: skip
    unlinked = [(image.path, f"{image.path.name} {image.how}") for image in images if not image.link]
    return Study(
        patient_id=patient_id,
        study_instance_uids=tuple(sorted(found.study_uids)),
        ct_series=tuple(CTFiles(series, frame, tuple(paths)) for (series, frame), paths in found.slices.items()),
        structure_sets=tuple(found.structure_sets),
        plans=tuple(found.plans),
        doses=tuple(found.doses),
        portal_images=images,
        portal_doses=match_portal_images(found.portal_doses, found.plans),
        unused=tuple(found.unused + unlinked + strangers),
        notes=tuple(notes),
    )
