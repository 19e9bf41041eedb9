"""Dose grid to RTDOSE, so that planning systems, dcmtk and SlicerRT read back the same Gy in the same place."""

import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

from intrepid_rt.atomic import replacing
from intrepid_rt.dicom_file import SOP_CLASS_UID, collecting, text
from intrepid_rt.errors import InvalidSetting, UnsupportedGeometry
from intrepid_rt.grids import DoseGrid

_LARGEST_STORED = 2**32 - 1

# What identifies patient and study: copied, so that archives file the dose with the plan it belongs to.
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


@dataclass(frozen=True)
class DoseReferences:
    """What a dose belongs to. ``beam_number`` is needed for a dose of one beam (DoseSummationType BEAM)."""

    plan_uid: str
    structure_set_uid: str = ""
    beam_number: int | None = None
    fraction_group_number: int = 1


def write_dose(
    path: str | Path,
    grid: DoseGrid,
    *,
    references: DoseReferences,
    template: Dataset,
    summation_type: str = "PLAN",
    comment: str = "",
    series_description: str = "",
    series_uid: str = "",
    instance_number: int = 1,
    created: datetime | None = None,
) -> str:
    """Write an RTDOSE with 32 bit pixels and its own UIDs; half a scaling step is the largest error.

    Parameters
    ----------
    path : path
        File to write, whole or not at all.
    grid : DoseGrid
        Gy, any right-angled orientation; its frame of reference is kept.
    references : DoseReferences
        The plan and, for a beam dose, the beam.
    template : Dataset
        Header whose patient and study attributes are copied: the plan's, as a rule.
    summation_type : str
        "PLAN", "BEAM" or "FRACTION".
    comment : str
        DoseComment: the method that made this dose.
    series_uid : str
        Series to join; by default a new one.

    Returns
    -------
    str : the new SOP Instance UID.

    Raises
    ------
    InvalidSetting
        Negative or non-finite dose, or references that do not fit the summation type.
    UnsupportedGeometry
        Sheared axes, or a grid too large for the format.
    OutputNotWritable
    """
    dataset = Dataset()
    with collecting([]):
        _identify(dataset, template, series_uid, series_description, instance_number, created or datetime.now())
        _refer(dataset, references, summation_type)
        _place(dataset, grid)
        _fill(dataset, grid, comment)
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta = meta
        with replacing(path) as temporary:
            dataset.save_as(temporary, enforce_file_format=True)
    return str(dataset.SOPInstanceUID)


def _identify(
    dataset: Dataset, template: Dataset, series_uid: str, description: str, instance_number: int, created: datetime
) -> None:
    for keyword in _REQUIRED + _OPTIONAL:
        value = template.get(keyword)
        if value is not None or keyword in _REQUIRED:
            setattr(dataset, keyword, "" if value is None else value)
    dataset.SOPClassUID, dataset.SOPInstanceUID = SOP_CLASS_UID["RTDOSE"], generate_uid()
    dataset.Modality = "RTDOSE"
    dataset.StudyInstanceUID = text(template, "StudyInstanceUID") or generate_uid()
    dataset.SeriesInstanceUID = series_uid or generate_uid()
    dataset.SeriesNumber, dataset.InstanceNumber = 1, instance_number
    dataset.SeriesDescription = description
    dataset.OperatorsName = ""
    dataset.Manufacturer, dataset.ManufacturerModelName = "InTrEPID", "InTrEPID for 3D Slicer"
    dataset.SoftwareVersions = _version()
    dataset.InstanceCreationDate = dataset.ContentDate = created.strftime("%Y%m%d")
    dataset.InstanceCreationTime = dataset.ContentTime = created.strftime("%H%M%S")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("slicer-intrepid")
    except PackageNotFoundError:  # loaded from a Slicer extension folder, where no wheel is installed
        return "unreleased"


def _item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _refer(dataset: Dataset, references: DoseReferences, summation_type: str) -> None:
    if summation_type not in ("PLAN", "BEAM", "FRACTION"):
        raise InvalidSetting(f"DoseSummationType {summation_type!r} is not written; use PLAN, BEAM or FRACTION.")
    if not references.plan_uid or (summation_type == "BEAM") != (references.beam_number is not None):
        raise InvalidSetting("A dose needs its plan UID, and a beam number exactly if it is the dose of one BEAM.")
    dataset.DoseSummationType = summation_type
    plan = _item(ReferencedSOPClassUID=SOP_CLASS_UID["RTPLAN"], ReferencedSOPInstanceUID=references.plan_uid)
    if summation_type in ("BEAM", "FRACTION"):
        group = _item(ReferencedFractionGroupNumber=references.fraction_group_number)
        if references.beam_number is not None:
            group.ReferencedBeamSequence = Sequence([_item(ReferencedBeamNumber=references.beam_number)])
        plan.ReferencedFractionGroupSequence = Sequence([group])
    dataset.ReferencedRTPlanSequence = Sequence([plan])
    if references.structure_set_uid:
        structure_set = _item(
            ReferencedSOPClassUID=SOP_CLASS_UID["RTSTRUCT"], ReferencedSOPInstanceUID=references.structure_set_uid
        )
        dataset.ReferencedStructureSetSequence = Sequence([structure_set])


def _decimal(value: float) -> str:
    """Decimal string of at most 16 characters; + 0.0 turns -0 into 0."""
    return format_number_as_ds(float(value) + 0.0)


def _place(dataset: Dataset, grid: DoseGrid) -> None:
    spacing = np.array(grid.spacing_mm)
    axes = grid.index_to_lps[:3, :3] / spacing
    along_k = float(np.cross(axes[:, 0], axes[:, 1]) @ axes[:, 2])
    if abs(abs(along_k) - 1) > 1e-4:
        raise UnsupportedGeometry("A dose grid with sheared axes cannot be written as RTDOSE. Resample it first.")
    frames, rows, columns = grid.shape
    if max(rows, columns) > 65535 or grid.values.size * 4 > _LARGEST_STORED:
        raise UnsupportedGeometry(f"A dose grid of shape {grid.shape} is too large for RTDOSE. Use a coarser grid.")
    # Frames ascend along the normal, as most readers expect: a left-handed grid is stored from its last plane on.
    first_plane = 0 if along_k > 0 else frames - 1
    dataset.FrameOfReferenceUID = grid.frame_of_reference_uid or generate_uid()
    dataset.ImagePositionPatient = [_decimal(v) for v in grid.index_to_position((0, 0, first_plane))]
    dataset.ImageOrientationPatient = [_decimal(v) for v in np.round(axes[:, :2].T.ravel(), 12)]
    dataset.PixelSpacing = [_decimal(spacing[1]), _decimal(spacing[0])]
    dataset.SliceThickness = _decimal(spacing[2])
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames, rows, columns
    dataset.FrameIncrementPointer = 0x3004000C
    dataset.GridFrameOffsetVector = [_decimal(round(k * spacing[2], 9)) for k in range(frames)]


def _fill(dataset: Dataset, grid: DoseGrid, comment: str) -> None:
    highest, lowest = float(grid.values.max()), float(grid.values.min())
    if not (math.isfinite(highest) and math.isfinite(lowest)) or lowest < 0:
        raise InvalidSetting("A dose to be written must be finite and not negative.")
    dataset.DoseUnits, dataset.DoseType = "GY", "PHYSICAL"
    dataset.DoseComment = comment
    dataset.DoseGridScaling = _scaling_text(highest)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 32, 32, 31, 0
    dataset.PixelData = _stored(grid, float(dataset.DoseGridScaling)).tobytes()


def _scaling_text(highest_gy: float) -> str:
    """Smallest ten-digit scaling with which the highest dose still fits; a dose of zero gets a harmless one."""
    scaling = highest_gy / _LARGEST_STORED if highest_gy > 0 else 1e-9
    written = f"{scaling:.9e}"
    return written if float(written) >= scaling else f"{scaling * (1 + 1e-9):.9e}"


def _stored(grid: DoseGrid, scaling: float) -> NDArray:
    """Pixel values computed from the scaling as written, after its rounding."""
    left_handed = np.linalg.det(grid.index_to_lps[:3, :3]) < 0
    stored = np.empty(grid.shape, "<u4")
    for plane, values in zip(stored, grid.values[::-1] if left_handed else grid.values, strict=True):
        plane[:] = np.minimum(np.rint(values / np.float64(scaling)), _LARGEST_STORED)
    return stored
