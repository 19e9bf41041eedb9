"""Dose grid to RTDOSE, so that planning systems, dcmtk and SlicerRT read back the same Gy in the same place."""

import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from intrepid_rt.dicom_file import collecting
from intrepid_rt.dicom_new_object import decimal, item, new_object, reference, save_object
from intrepid_rt.errors import InvalidSetting, UnsupportedGeometry
from intrepid_rt.grids import DoseGrid

_LARGEST_STORED = 2**32 - 1


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
    units: str = "GY",
    dose_type: str = "PHYSICAL",
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
    units : str
        "GY", or "RELATIVE" for a quantity that is no absorbed dose, such as gamma.
    dose_type : str
        DoseType: "PHYSICAL", or "EFFECTIVE" for a dose weighted by its biological effect.

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
    with collecting([]):
        dataset = new_object(
            "RTDOSE",
            template,
            series_uid=series_uid,
            series_description=series_description,
            instance_number=instance_number,
            created=created,
        )
        _refer(dataset, references, summation_type)
        _place(dataset, grid)
        _fill(dataset, grid, comment, units)
        dataset.DoseType = dose_type
        return save_object(dataset, path)


def _refer(dataset: Dataset, references: DoseReferences, summation_type: str) -> None:
    if summation_type not in ("PLAN", "BEAM", "FRACTION"):
        raise InvalidSetting(f"DoseSummationType {summation_type!r} is not written; use PLAN, BEAM or FRACTION.")
    if not references.plan_uid or (summation_type == "BEAM") != (references.beam_number is not None):
        raise InvalidSetting("A dose needs its plan UID, and a beam number exactly if it is the dose of one BEAM.")
    dataset.DoseSummationType = summation_type
    plan = reference("RTPLAN", references.plan_uid)
    if summation_type in ("BEAM", "FRACTION"):
        group = item(ReferencedFractionGroupNumber=references.fraction_group_number)
        if references.beam_number is not None:
            group.ReferencedBeamSequence = [item(ReferencedBeamNumber=references.beam_number)]
        plan.ReferencedFractionGroupSequence = [group]
    dataset.ReferencedRTPlanSequence = [plan]
    if references.structure_set_uid:
        dataset.ReferencedStructureSetSequence = [reference("RTSTRUCT", references.structure_set_uid)]


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
    dataset.ImagePositionPatient = [decimal(v) for v in grid.index_to_position((0, 0, first_plane))]
    dataset.ImageOrientationPatient = [decimal(v) for v in np.round(axes[:, :2].T.ravel(), 12)]
    dataset.PixelSpacing = [decimal(spacing[1]), decimal(spacing[0])]
    dataset.SliceThickness = decimal(spacing[2])
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames, rows, columns
    dataset.FrameIncrementPointer = 0x3004000C
    dataset.GridFrameOffsetVector = [decimal(round(k * spacing[2], 9)) for k in range(frames)]


def _fill(dataset: Dataset, grid: DoseGrid, comment: str, units: str) -> None:
    highest, lowest = float(grid.values.max()), float(grid.values.min())
    if not (math.isfinite(highest) and math.isfinite(lowest)) or lowest < 0:
        raise InvalidSetting("A dose to be written must be finite and not negative.")
    dataset.DoseUnits = units
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
