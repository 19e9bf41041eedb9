"""What an import needs to know of a file before it knows what it belongs to: read once, whatever the file is."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from intrepid_rt.dicom_file import collecting, decimals, label, read_dataset, text, texts
from intrepid_rt.errors import MissingObject, UnusableInput

USED_MODALITIES = ("CT", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD")

_LARGEST_SLICE_BYTES = 20_000_000

_TEXTS = (
    "StudyDate",
    "StudyDescription",
    "PatientBirthDate",
    "PatientSex",
    "FrameOfReferenceUID",
    "AcquisitionDate",
    "SeriesDate",
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "InstitutionName",
    "KVP",
    "SliceThickness",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PatientPosition",
)

_SEVERAL = ("SoftwareVersions", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient")


@dataclass(frozen=True)
class Header:
    """One file as found; ``reason`` says why it cannot be used and is empty if it can."""

    path: str
    size_bytes: int
    modified_ns: int
    sha256: str = ""
    patient_id: str = ""
    modality: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


def read_header(path: Path) -> Header:
    """Hash a file and read its header; what cannot be read or used comes back with its reason, never as an error."""
    size_bytes = modified_ns = 0
    sha256 = ""
    try:
        state = path.stat()
        size_bytes, modified_ns = state.st_size, state.st_mtime_ns
        sha256 = file_sha256(path)
        with collecting([]):
            return _described(path, size_bytes, modified_ns, sha256)
    except UnusableInput as error:
        reason = str(error)
    except OSError as error:
        reason = f"{path} cannot be opened: {error.strerror}."
    return Header(str(path), size_bytes, modified_ns, sha256, reason=reason)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _described(path: Path, size_bytes: int, modified_ns: int, sha256: str) -> Header:
    # A slice that is cut short shows only when its pixels are read; large doses are read whole later on.
    dataset = read_dataset(path, pixels=size_bytes <= _LARGEST_SLICE_BYTES)
    known: dict[str, Any] = {
        "patient_id": _one_line(dataset, "PatientID"),
        "modality": _one_line(dataset, "Modality"),
        "sop_class_uid": _one_line(dataset, "SOPClassUID"),
        "sop_instance_uid": _one_line(dataset, "SOPInstanceUID"),
        "study_instance_uid": _one_line(dataset, "StudyInstanceUID"),
        "series_instance_uid": _one_line(dataset, "SeriesInstanceUID"),
        "values": {keyword: value for keyword in _TEXTS if (value := _one_line(dataset, keyword))},
    }
    try:
        _require_usable(dataset, known)
        reason = ""
    except UnusableInput as error:
        reason = str(error)
    return Header(str(path), size_bytes, modified_ns, sha256, reason=reason, **known)


def _one_line(dataset: Dataset, keyword: str) -> str:
    value = "\\".join(texts(dataset, keyword)) if keyword in _SEVERAL else text(dataset, keyword)
    return value.replace("\0", "")  # which PostgreSQL cannot store


def _require_usable(dataset: Dataset, known: dict[str, Any]) -> None:
    modality = known["modality"]
    if modality not in USED_MODALITIES:
        raise UnusableInput(f"{modality or 'An object without Modality'} is not used by this version.")
    for keyword in ("patient_id", "sop_instance_uid", "study_instance_uid"):
        if not known[keyword]:
            raise MissingObject(f"{label(dataset)} has no {keyword}, so it cannot be told whose it is.")
    if "LOCALIZER" in texts(dataset, "ImageType"):
        raise UnusableInput("A localizer image is not used.")
    if modality == "CT":
        for keyword in ("KVP", "SliceThickness", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"):
            decimals(dataset, keyword)  # refuses what is no number
