"""RTSTRUCT to structures: closed planar contours and points, as drawn."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from intrepid_rt.dicom_file import Source, collecting, decimals, integer, items, label, read_dataset, text
from intrepid_rt.errors import AmbiguousInput, FrameOfReferenceMismatch, UnreadableFile
from intrepid_rt.structures import Structure, StructureSet

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "")
_DEFAULT_COLOUR = (255, 255, 0)


def read_structure_set(source: Source) -> StructureSet:
    """Read an RTSTRUCT file or data set.

    Every ROI becomes a structure, also one without contours. Closed contours in one plane combine by exclusive or
    (PS3.3 C.8.8.6.3); a keyhole contour is left as drawn, because its bridge encloses no area.

    Returns
    -------
    StructureSet
        ``notes`` list lines that were left out because they enclose nothing, names that occur twice, and the like.

    Raises
    ------
    UnreadableFile
        Not an RTSTRUCT, cut short, or a contour whose numbers do not form points.
    AmbiguousInput
        Two ROIs or two sets of contours of one number: which belongs to which would be a guess.
    FrameOfReferenceMismatch
        Its ROIs lie in different frames of reference.
    """
    notes: list[str] = []
    with collecting(notes):
        dataset = read_dataset(source, modality="RTSTRUCT")
        rois, drawn = items(dataset, "StructureSetROISequence"), items(dataset, "ROIContourSequence")
        _refuse_repeats(dataset, [integer(roi, "ROINumber") for roi in rois])
        _refuse_repeats(dataset, [integer(item, "ReferencedROINumber") for item in drawn])
        contours = {integer(item, "ReferencedROINumber"): item for item in drawn}
        observations = {
            integer(item, "ReferencedROINumber"): item for item in items(dataset, "RTROIObservationsSequence")
        }
        structures = tuple(_structure(dataset, roi, contours, observations, notes) for roi in rois)
        _note_names(structures, notes)
        strays = set(contours) - {structure.number for structure in structures}
        if strays:
            notes.append(f"{len(strays)} set(s) of contours belong to no ROI of {label(dataset)} and were left out.")
        return StructureSet(
            label=text(dataset, "StructureSetLabel"),
            sop_instance_uid=text(dataset, "SOPInstanceUID"),
            frame_of_reference_uid=_common_frame(dataset, structures),
            structures=structures,
            referenced_ct_series_uid=referenced_ct_series_uid(dataset),
            notes=tuple(notes),
        )


def _refuse_repeats(dataset: Dataset, numbers: list[int | None]) -> None:
    twice = [number for number, count in Counter(numbers).items() if count > 1 and number is not None]
    if twice:
        raise AmbiguousInput(f"{label(dataset)} holds ROI number {twice[0]} twice. Export the structures again.")


def referenced_ct_series_uid(dataset: Dataset) -> str:
    """Series UID of the images on which an RTSTRUCT was drawn, empty if it names none."""
    return next(
        (
            text(series, "SeriesInstanceUID")
            for frame in items(dataset, "ReferencedFrameOfReferenceSequence")
            for study in items(frame, "RTReferencedStudySequence")
            for series in items(study, "RTReferencedSeriesSequence")
        ),
        "",
    )


def frame_of_reference_uid(dataset: Dataset) -> str:
    """Frame of reference that an RTSTRUCT states for itself, empty if none."""
    frames = items(dataset, "ReferencedFrameOfReferenceSequence")
    stated = [text(frame, "FrameOfReferenceUID") for frame in frames]
    rois = [text(roi, "ReferencedFrameOfReferenceUID") for roi in items(dataset, "StructureSetROISequence")]
    return next((uid for uid in [*rois, *stated, text(dataset, "FrameOfReferenceUID")] if uid), "")


def _structure(
    dataset: Dataset,
    roi: Dataset,
    contours: dict[int | None, Dataset],
    observations: dict[int | None, Dataset],
    notes: list[str],
) -> Structure:
    roi_number = integer(roi, "ROINumber")
    if roi_number is None:
        raise UnreadableFile(f"{label(dataset)} holds an ROI without number. Export it again.")
    name = text(roi, "ROIName") or f"ROI {roi_number}"
    contour_item = contours.get(roi_number, Dataset())
    closed, points, left_out = _drawn(dataset, name, contour_item)
    notes.extend(f"{name}: {count} contour(s) of type {kind} enclose no area and were left out."
                 for kind, count in sorted(left_out.items()))  # fmt: skip
    colour = decimals(contour_item, "ROIDisplayColor").astype(int)
    return Structure(
        name=name,
        number=roi_number,
        contours=tuple(closed),
        points=tuple(points),
        interpreted_type=text(observations.get(roi_number, Dataset()), "RTROIInterpretedType").upper(),
        colour_rgb=(int(colour[0]), int(colour[1]), int(colour[2])) if len(colour) == 3 else _DEFAULT_COLOUR,
        frame_of_reference_uid=text(roi, "ReferencedFrameOfReferenceUID"),
    )


def _drawn(dataset: Dataset, name: str, contour_item: Dataset) -> tuple[list[NDArray], list[NDArray], Counter[str]]:
    closed: list[NDArray] = []
    points: list[NDArray] = []
    left_out: Counter[str] = Counter()
    for item in items(contour_item, "ContourSequence"):
        kind = text(item, "ContourGeometricType").upper()
        vertices = _vertices(dataset, name, item)
        if kind == "POINT":
            points.extend(vertices)
        elif kind in _CLOSED and len(vertices) >= 3:
            closed.append(vertices)
        elif len(vertices):
            left_out[kind or "(not stated)"] += 1
    return closed, points, left_out


def _vertices(dataset: Dataset, name: str, item: Dataset) -> NDArray:
    """(n, 3) LPS mm, without a repetition of the first point at the end."""
    numbers = decimals(item, "ContourData")
    stated = integer(item, "NumberOfContourPoints")
    if len(numbers) % 3 or (stated is not None and stated * 3 != len(numbers)):
        raise UnreadableFile(
            f"{label(dataset)}: a contour of {name} holds {len(numbers)} numbers for "
            f"{'an unknown number of' if stated is None else stated} points. Export it again."
        )
    vertices = numbers.reshape(-1, 3)
    if len(vertices) > 1 and np.array_equal(vertices[0], vertices[-1]):
        vertices = vertices[:-1]
    vertices.flags.writeable = False
    return vertices


def _common_frame(dataset: Dataset, structures: tuple[Structure, ...]) -> str:
    frames = {structure.frame_of_reference_uid for structure in structures if structure.frame_of_reference_uid}
    if len(frames) > 1:
        raise FrameOfReferenceMismatch(
            f"{label(dataset)}: its ROIs lie in {len(frames)} frames of reference ({', '.join(sorted(frames))}). "
            "Export the structures of one image series."
        )
    return frame_of_reference_uid(dataset)


def _note_names(structures: tuple[Structure, ...], notes: list[str]) -> None:
    names = Counter(structure.name.strip().casefold() for structure in structures)
    notes.extend(f"{count} structures are named {name!r}." for name, count in names.items() if count > 1)
