"""Studies of Slicer's DICOM database as folders: files are linked, or copied where links are not possible."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intrepid_rt.errors import MissingObject

MODALITY, STUDY, DESCRIPTION, REFERENCED = "0008,0060", "0020,000d", "0008,1030", "0008,1155"
NEEDED = ("RTPLAN", "RTIMAGE")


@dataclass(frozen=True)
class DatabaseStudy:
    """One study of the database; ``modalities`` are those it holds. The patient is not named: lists are on screens."""

    uid: str
    patient: str
    title: str
    modalities: frozenset[str]


def studies_in(database: Any) -> list[DatabaseStudy]:
    """List the studies with an RTPLAN or RTIMAGE of an open ``ctkDICOMDatabase``, in its order."""
    if database is None or not database.isOpen:
        return []
    found = []
    for patient in database.patients():
        for study in database.studiesForPatient(patient):
            files = [database.filesForSeries(series) for series in database.seriesForStudy(study)]
            firsts = [own[0] for own in files if own]
            modalities = frozenset(database.fileValue(file, MODALITY) for file in firsts)
            if modalities & set(NEEDED):
                title = database.fileValue(firsts[0], DESCRIPTION) or study
                found.append(DatabaseStudy(study, patient, title, modalities))
    return found


def stage_patient(database: Any, patient: str, folder: Path) -> Path:
    """Link every file of a patient below ``folder``: portal images of a treatment often lie in a study of their own.

    Raises
    ------
    MissingObject
        The database has no files of this patient.
    """
    files = [
        file
        for study in database.studiesForPatient(patient)
        for series in database.seriesForStudy(study)
        for file in database.filesForSeries(series)
    ]
    return stage(files, folder)


def stage(files: Iterable[str], folder: Path) -> Path:
    """Link files into a folder that is emptied first, one name each; returns the folder.

    Raises
    ------
    MissingObject
        None of the files is there.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    present = [Path(file) for file in files if Path(file).is_file()]
    for number, file in enumerate(sorted(present)):
        link(file, folder / f"{number:05d}_{file.name}")
    if not present:
        raise MissingObject("The DICOM database has no files of this patient any more. Import them again.")
    return folder


def link(source: Path, target: Path) -> None:
    """Make ``target`` the same file as ``source``; a copy on another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def patient_of_node(scene: Any, database: Any, node: Any) -> str:
    """Return the database's patient of a node that SlicerRT or Slicer loaded from DICOM (plan, dose, CT, structures).

    Raises
    ------
    MissingObject
        The node was not loaded from the open database.
    """
    tree = scene.GetSubjectHierarchyNode()
    item = tree.GetItemByDataNode(node) if tree and node else 0
    uids = (tree.GetItemUID(item, "DICOMInstanceUID") or "").split() if item else []
    file = database.fileForInstance(uids[0]) if uids and database is not None and database.isOpen else ""
    if not file:
        name = node.GetName() if node else "No node"
        raise MissingObject(
            f"{name} was not loaded from the open DICOM database, so its files are not known. Choose the study folder."
        )
    study = database.fileValue(file, STUDY)
    for patient in database.patients():
        if study in database.studiesForPatient(patient):
            return patient
    raise MissingObject(f"The study of {node.GetName()} is no longer in the DICOM database. Import it again.")
