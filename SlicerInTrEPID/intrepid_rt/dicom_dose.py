"""RTDOSE to dose grid: scaling, units and frame positions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from intrepid_rt.dicom_dose_writer import DoseReferences, write_dose
from intrepid_rt.dicom_file import (
    Source,
    collecting,
    decimals,
    integer,
    items,
    label,
    number,
    read_dataset,
    referenced_uid,
    text,
)
from intrepid_rt.dicom_pixels import stored_pixels
from intrepid_rt.errors import MissingObject, UnsupportedGeometry, UnusableInput
from intrepid_rt.grids import DoseGrid
from intrepid_rt.image_stack import POSITION_TOLERANCE_MM, Plane, plane_of, uniform_step_mm

__all__ = ["DoseObject", "DoseReferences", "read_dose", "read_dose_object", "write_dose"]


@dataclass(frozen=True, eq=False)
class DoseObject:
    """One RTDOSE object: the grid in Gy and what the object says about it.

    ``dose_type`` is PHYSICAL, EFFECTIVE or ERROR; ``summation_type`` e.g. PLAN, BEAM, FRACTION. UIDs are empty and
    ``beam_number`` None where the object states none. ``notes`` say what was repaired or is unusual.
    """

    grid: DoseGrid
    dose_type: str
    summation_type: str
    sop_instance_uid: str
    plan_uid: str
    beam_number: int | None
    fraction_group_number: int | None
    structure_set_uid: str
    units: str = "GY"
    comment: str = ""
    notes: tuple[str, ...] = ()


def read_dose(source: Source) -> DoseGrid:
    """Read the dose grid (Gy) of an RTDOSE file or data set; see `read_dose_object` for errors and all else."""
    return read_dose_object(source).grid


def read_dose_object(source: Source) -> DoseObject:
    """Read an RTDOSE file or data set.

    The grid's k axis runs along the normal of the image planes, whatever order the frames are stored in; frames on an
    uneven but commensurable lattice (2, 2, 4 mm) are interpolated linearly onto the finest step, with a note.

    Raises
    ------
    UnreadableFile, MissingObject
        Not an RTDOSE, cut short, or without pixels, scaling or geometry.
    UnsupportedGeometry
        Frame positions that form no lattice.
    UnusableInput
        Dose units other than Gy.

    References
    ----------
    DICOM PS3.3 C.8.8.3 (RT Dose module), C.8.8.3.2 (Grid Frame Offset Vector).
    """
    notes: list[str] = []
    with collecting(notes):
        dataset = read_dataset(source, modality="RTDOSE")
        scaling = _scaling(dataset)
        stored = stored_pixels(dataset)
        plane = plane_of(dataset)
        dose_gy = np.empty(stored.shape, np.float32)
        for frame, dose in zip(stored, dose_gy, strict=True):
            # Plane by plane in double precision: 32 bit integers do not fit into float32.
            dose[:] = frame * scaling
        dose_gy, affine = _stacked(dataset, plane, dose_gy, notes)
        plan = next(iter(items(dataset, "ReferencedRTPlanSequence")), Dataset())
        group = next(iter(items(plan, "ReferencedFractionGroupSequence")), Dataset())
        beam = next(iter(items(group, "ReferencedBeamSequence")), Dataset())
        dose_type = text(dataset, "DoseType").upper()
        if dose_type != "PHYSICAL":
            notes.append(f"{label(dataset)}: DoseType is {dose_type or 'not stated'}, not PHYSICAL.")
        return DoseObject(
            grid=DoseGrid(dose_gy, affine, text(dataset, "FrameOfReferenceUID")),
            dose_type=dose_type,
            summation_type=text(dataset, "DoseSummationType").upper(),
            sop_instance_uid=text(dataset, "SOPInstanceUID"),
            plan_uid=text(plan, "ReferencedSOPInstanceUID"),
            beam_number=integer(beam, "ReferencedBeamNumber"),
            fraction_group_number=integer(group, "ReferencedFractionGroupNumber"),
            structure_set_uid=referenced_uid(dataset, "ReferencedStructureSetSequence"),
            comment=text(dataset, "DoseComment"),
            notes=tuple(notes),
        )


def _scaling(dataset: Dataset) -> float:
    units = text(dataset, "DoseUnits").upper()
    if units != "GY":
        raise UnusableInput(
            f"{label(dataset)} has dose units {units or '(none)'}; expected GY. Export the dose as absolute dose in Gy."
        )
    scaling = number(dataset, "DoseGridScaling")
    if scaling is None or scaling <= 0:
        raise MissingObject(f"{label(dataset)} has no positive DoseGridScaling, so its pixels are not Gy.")
    return scaling


def _stacked(dataset: Dataset, plane: Plane, dose_gy: NDArray, notes: list[str]) -> tuple[NDArray, NDArray]:
    """Bring frames into ascending order along the normal on an even lattice; return them with index_to_lps."""
    if len(dose_gy) == 1:
        thickness = number(dataset, "SliceThickness") or 1.0
        notes.append(f"{label(dataset)} is one plane; its thickness is taken as {thickness:g} mm.")
        return dose_gy, plane.affine(plane.origin_lps_mm, plane.normal * thickness)
    positions = _frame_positions_mm(dataset, plane, len(dose_gy))
    order = np.argsort(positions, kind="stable")
    if not (np.array_equal(order, np.arange(len(order))) or np.array_equal(order, np.arange(len(order))[::-1])):
        notes.append(f"{label(dataset)}: frames are stored in no order of position; sorted.")
    positions, dose_gy = positions[order], dose_gy[order]
    if np.diff(positions).min() <= POSITION_TOLERANCE_MM:
        raise UnsupportedGeometry(f"{label(dataset)}: two frames of GridFrameOffsetVector lie at the same position.")
    first = plane.origin_lps_mm + plane.normal * positions[0]
    step = uniform_step_mm(positions)
    if step is None:
        step = _finest_common_step_mm(dataset, positions)
        notes.append(f"{label(dataset)}: frames are unevenly spaced; interpolated linearly onto {step:g} mm.")
        dose_gy = _interpolated(dose_gy, positions, step)
    return np.ascontiguousarray(dose_gy), plane.affine(first, plane.normal * step)


def _frame_positions_mm(dataset: Dataset, plane: Plane, frames: int) -> NDArray:
    """Position of each frame along the normal, relative to ImagePositionPatient."""
    offsets = decimals(dataset, "GridFrameOffsetVector")
    if len(offsets) != frames:
        raise MissingObject(
            f"{label(dataset)}: GridFrameOffsetVector has {len(offsets)} numbers for {frames} frames. Export it again."
        )
    if offsets[0] == 0:
        # PS3.3 C.8.8.3.2 (a): a vector whose first offset is 0 is relative to ImagePositionPatient, along the normal.
        return offsets
    # (b): otherwise it holds patient z, which is meant for transverse planes only.
    z = plane.origin_lps_mm[2]
    if abs(abs(plane.normal[2]) - 1) > 1e-4 or abs(offsets[0] - z) > POSITION_TOLERANCE_MM:
        raise UnsupportedGeometry(
            f"{label(dataset)}: GridFrameOffsetVector starts at {offsets[0]:g}; expected 0, or for transverse planes "
            f"the z of ImagePositionPatient ({z:g}). Where the frames lie cannot be told; export it again."
        )
    return (offsets - z) * np.sign(plane.normal[2])


def _finest_common_step_mm(dataset: Dataset, positions: NDArray) -> float:
    gaps = np.diff(positions)
    multiples = np.rint(gaps / gaps.min())
    step = float((positions[-1] - positions[0]) / multiples.sum())
    lattice = positions[0] + step * np.concatenate([[0], np.cumsum(multiples)])
    if abs(positions - lattice).max() > POSITION_TOLERANCE_MM:
        raise UnsupportedGeometry(
            f"{label(dataset)}: frames are unevenly spaced ({gaps.min():g} to {gaps.max():g} mm) and fit no common "
            "step. Export the dose on an even grid."
        )
    return step


def _interpolated(dose_gy: NDArray, positions: NDArray, step: float) -> NDArray:
    count = round((positions[-1] - positions[0]) / step) + 1
    # In units of source frames; a lattice point that is a stored frame keeps its values exactly.
    at = np.interp(positions[0] + step * np.arange(count), positions, np.arange(len(positions)))
    below = np.minimum(at.astype(int), len(positions) - 2)
    fraction = np.round(at - below, 6).astype(np.float32)[:, None, None]
    return dose_gy[below] * (1 - fraction) + dose_gy[below + 1] * fraction
