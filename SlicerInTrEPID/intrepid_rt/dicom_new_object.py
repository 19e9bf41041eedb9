"""What every DICOM object that we write shares: patient and study of a template, own UIDs, who made it."""

from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

from intrepid_rt.atomic import replacing
from intrepid_rt.dicom_file import SOP_CLASS_UID, text

# What identifies patient and study: copied, so that archives file the object with the plan it belongs to.
_REQUIRED = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "PositionReferenceIndicator",
)
_OPTIONAL = ("SpecificCharacterSet", "StudyDescription", "IssuerOfPatientID")


def new_object(
    modality: str,
    template: Dataset,
    *,
    series_uid: str = "",
    series_description: str = "",
    instance_number: int = 1,
    created: datetime | None = None,
    uid: str = "",
) -> Dataset:
    """Return an object with its own SOP Instance UID in the patient and study of ``template``, in a new series.

    ``uid`` gives the SOP Instance UID where the same input must make the same file, as in simulations.
    """
    created = created or datetime.now()
    dataset = Dataset()
    for keyword in _REQUIRED + _OPTIONAL:
        value = template.get(keyword)
        if value is not None or keyword in _REQUIRED:
            setattr(dataset, keyword, "" if value is None else value)
    dataset.SOPClassUID, dataset.SOPInstanceUID = SOP_CLASS_UID[modality], uid or generate_uid()
    dataset.Modality = modality
    dataset.StudyInstanceUID = text(template, "StudyInstanceUID") or generate_uid()
    dataset.SeriesInstanceUID = series_uid or generate_uid()
    dataset.SeriesNumber, dataset.InstanceNumber = 1, instance_number
    dataset.SeriesDescription = series_description
    dataset.OperatorsName = ""
    dataset.Manufacturer, dataset.ManufacturerModelName = "InTrEPID", "InTrEPID for 3D Slicer"
    dataset.SoftwareVersions = _version()
    dataset.InstanceCreationDate = dataset.ContentDate = created.strftime("%Y%m%d")
    dataset.InstanceCreationTime = dataset.ContentTime = created.strftime("%H%M%S")
    return dataset


def _version() -> str:
    try:
        return version("slicer-intrepid")
    except PackageNotFoundError:  # loaded from a Slicer extension folder, where no wheel is installed
        return "unreleased"


def item(**elements: object) -> Dataset:
    """Return a sequence item made of these elements."""
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def reference(modality: str, sop_instance_uid: str) -> Dataset:
    """Return an item that refers to one object."""
    return item(ReferencedSOPClassUID=SOP_CLASS_UID[modality], ReferencedSOPInstanceUID=sop_instance_uid)


def decimal(value: float) -> str:
    """Return a decimal string of at most 16 characters; minus zero becomes zero.

    >>> decimal(-0.0), decimal(1 / 3)
    ('0.0', '0.33333333333333')
    """
    return format_number_as_ds(float(value) + 0.0)


def save_object(dataset: Dataset, path: str | Path) -> str:
    """Write the object as Explicit VR Little Endian, whole or not at all; return its SOP Instance UID.

    Raises
    ------
    OutputNotWritable
    """
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    with replacing(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
    return str(dataset.SOPInstanceUID)
