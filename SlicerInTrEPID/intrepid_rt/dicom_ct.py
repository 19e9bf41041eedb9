"""CT slices to one volume in Hounsfield units: sorted along their normal, and refused by name if not a lattice."""

import filecmp
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from intrepid_rt.dicom_file import SOP_CLASS_UID, collecting, element_value, integer, label, number, read_dataset, text
from intrepid_rt.dicom_pixels import stored_pixels
from intrepid_rt.errors import (
    AmbiguousInput,
    FrameOfReferenceMismatch,
    MissingObject,
    UnsupportedGeometry,
)
from intrepid_rt.grids import CTGrid
from intrepid_rt.image_stack import POSITION_TOLERANCE_MM, Plane, plane_of, uniform_step_mm


@dataclass(frozen=True, eq=False)
class CTSeries:
    """One CT series as a volume, with what its slices say."""

    grid: CTGrid
    series_uid: str
    patient_position: str
    slice_uids: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Slice:
    path: Path
    plane: Plane
    dataset: Dataset
    position_mm: float = 0.0  # along the normal of the series' first slice


def read_ct(paths: Iterable[str | Path]) -> CTGrid:
    """Read the volume (HU) of a CT series; see `read_ct_series` for errors and all else."""
    return read_ct_series(paths).grid


def read_ct_series(paths: Iterable[str | Path]) -> CTSeries:
    """Read the slices of one CT series, in any order, into one volume.

    Slices are sorted by position along their normal. ``values`` are int16 where the rescaled numbers fit, else
    float32.

    Raises
    ------
    MissingObject
        No slice, or one without pixels, geometry or rescale values.
    AmbiguousInput
        Slices of several series, or two different slices at one position.
    FrameOfReferenceMismatch
        Slices in two frames of reference.
    UnsupportedGeometry
        A missing slice, mixed spacing, gantry tilt (sheared stack), or slices of different size or direction.
    """
    notes: list[str] = []
    with collecting(notes):
        slices = [_read_slice(Path(path)) for path in paths]
        if not slices:
            raise MissingObject("No CT slice was found; expected the planning CT. Add its files to the folder.")
        _check_common(slices)
        slices = _without_copies(_sorted(slices), notes)
        affine = _stack(slices, notes)
        first = slices[0].dataset
        return CTSeries(
            grid=CTGrid(_hounsfield(slices), affine, text(first, "FrameOfReferenceUID")),
            series_uid=text(first, "SeriesInstanceUID"),
            patient_position=text(first, "PatientPosition").upper(),
            slice_uids=tuple(text(one.dataset, "SOPInstanceUID") for one in slices),
            notes=tuple(notes),
        )


def _read_slice(path: Path) -> _Slice:
    dataset = read_dataset(path, modality="CT")
    if (integer(dataset, "NumberOfFrames") or 1) > 1 or text(dataset, "SOPClassUID") != SOP_CLASS_UID["CT"]:
        raise UnsupportedGeometry(f"{label(dataset)} is no plain CT slice. Convert it to one CT image per slice.")
    return _Slice(path, plane_of(dataset), dataset)


def _check_common(slices: list[_Slice]) -> None:
    first = slices[0]
    for one in slices[1:]:
        pair = f"{first.path.name} and {one.path.name}"
        if text(one.dataset, "FrameOfReferenceUID") != text(first.dataset, "FrameOfReferenceUID"):
            raise FrameOfReferenceMismatch(f"CT slices {pair} lie in two frames of reference. Keep one CT.")
        for keyword, meaning in (("SeriesInstanceUID", "series"), ("PatientPosition", "patient positions")):
            if text(one.dataset, keyword) != text(first.dataset, keyword):
                raise AmbiguousInput(f"CT slices {pair} are of two {meaning}. Read one CT series at a time.")
        same_size = all(integer(one.dataset, name) == integer(first.dataset, name) for name in ("Rows", "Columns"))
        if not same_size or not _same_plane(one.plane, first.plane):
            raise UnsupportedGeometry(
                f"CT slices {pair} differ in size, pixel spacing or orientation. Keep the slices of one scan only."
            )


def _same_plane(one: Plane, other: Plane) -> bool:
    return bool(
        np.allclose(one.along_row, other.along_row, atol=1e-4)
        and np.allclose(one.along_column, other.along_column, atol=1e-4)
        and np.isclose(one.row_spacing_mm, other.row_spacing_mm, rtol=1e-4)
        and np.isclose(one.column_spacing_mm, other.column_spacing_mm, rtol=1e-4)
    )


def _sorted(slices: list[_Slice]) -> list[_Slice]:
    # One normal for all: cosines that are rounded differently from slice to slice would shift positions far from 0.
    normal = slices[0].plane.normal
    placed = [replace(one, position_mm=float(one.plane.origin_lps_mm @ normal)) for one in slices]
    return sorted(placed, key=lambda one: one.position_mm)


def _without_copies(slices: list[_Slice], notes: list[str]) -> list[_Slice]:
    kept = slices[:1]
    for one in slices[1:]:
        last = kept[-1]
        if one.position_mm - last.position_mm > POSITION_TOLERANCE_MM:
            kept.append(one)
        elif _is_copy(one, last):
            notes.append(f"{one.path.name} is a copy of {last.path.name} and was left out.")
        else:
            raise AmbiguousInput(
                f"CT slices {last.path.name} and {one.path.name} lie at the same position "
                f"({one.position_mm:g} mm) but differ. Keep one of them."
            )
    return kept


def _is_copy(one: _Slice, other: _Slice) -> bool:
    same_pixels = element_value(one.dataset, "PixelData") == element_value(other.dataset, "PixelData")
    same_object = text(one.dataset, "SOPInstanceUID") == text(other.dataset, "SOPInstanceUID")
    return filecmp.cmp(one.path, other.path, shallow=False) or (same_object and same_pixels)


def _stack(slices: list[_Slice], notes: list[str]) -> NDArray:
    """Return index_to_lps of the sorted slices, or refuse what is no even, upright stack."""
    plane = slices[0].plane
    if len(slices) == 1:
        thickness = number(slices[0].dataset, "SliceThickness") or 1.0
        notes.append(f"The CT is one slice; its thickness is taken as {thickness:g} mm.")
        return plane.affine(plane.origin_lps_mm, plane.normal * thickness)
    origins = np.array([one.plane.origin_lps_mm for one in slices])
    positions = np.array([one.position_mm for one in slices])
    _check_upright(origins, positions, plane)
    step = uniform_step_mm(positions)
    if step is None:
        raise _uneven(slices, positions)
    return plane.affine(origins[0], plane.normal * step)


def _check_upright(origins: NDArray, positions: NDArray, plane: Plane) -> None:
    moved = origins - origins[0]
    sideways = np.linalg.norm(moved - np.outer(positions - positions[0], plane.normal), axis=1)
    if sideways.max() > POSITION_TOLERANCE_MM:
        tilt_deg = np.degrees(np.arctan2(sideways[-1], positions[-1] - positions[0]))
        raise UnsupportedGeometry(
            f"The CT slices are shifted sideways by up to {sideways.max():.2f} mm: gantry tilt of {tilt_deg:.1f} "
            "degrees, or slices of two scans. Resample the CT onto an upright grid first."
        )


def _uneven(slices: list[_Slice], positions: NDArray) -> UnsupportedGeometry:
    gaps = np.diff(positions)
    usual = float(np.median(gaps))
    odd = np.flatnonzero(abs(gaps - usual) > POSITION_TOLERANCE_MM)
    if not odd.size:
        return UnsupportedGeometry(
            f"The CT slice spacing drifts from {gaps.min():g} to {gaps.max():g} mm: no even lattice. Export the "
            "complete series with even spacing."
        )
    worst = odd[np.argmax(abs(gaps[odd] - usual))]
    is_missing = all(abs(gaps[odd] / usual - np.rint(gaps[odd] / usual)) < 0.05) and gaps[odd].min() > usual
    what = "has a missing slice" if is_missing else "has mixed slice spacing"
    return UnsupportedGeometry(
        f"The CT {what}: {gaps[worst]:g} mm between {slices[worst].path.name} and {slices[worst + 1].path.name} "
        f"(positions {positions[worst]:g} and {positions[worst + 1]:g} mm), where {usual:g} mm is usual; "
        f"{len(odd)} such place(s). Export the complete series with even spacing."
    )


def _hounsfield(slices: list[_Slice]) -> NDArray:
    planes = [_rescaled(one.dataset) for one in slices]
    return np.stack(planes).astype(np.result_type(*planes), copy=False)


def _rescaled(dataset: Dataset) -> NDArray:
    """HU of one slice: int16 if whole numbers that fit, else float32."""
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    if slope is None or intercept is None:
        raise MissingObject(f"{label(dataset)} has no RescaleSlope or RescaleIntercept: HU unknown.")
    stored = stored_pixels(dataset)[0]
    lowest, highest = (float(v) * slope + intercept for v in (stored.min(), stored.max()))
    limits = np.iinfo(np.int16)
    whole = slope == int(slope) and intercept == int(intercept)
    if whole and limits.min <= min(lowest, highest) and max(lowest, highest) <= limits.max:
        return (stored.astype(np.int32) * int(slope) + int(intercept)).astype(np.int16)
    return (stored * slope + intercept).astype(np.float32)
