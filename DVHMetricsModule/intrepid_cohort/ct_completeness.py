"""Whether the planning CT is whole: gaps between slices, and images that a structure set names but nobody imported."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from intrepid_rt.dicom_file import items, text

_SAME_DIRECTION = 1e-3
_SAME_PLACE_MM = 0.01
# A slice is missing where the step is at least this many times the usual one.
_GAP = 1.5


def slice_positions_mm(headers: Iterable[Mapping[str, str]]) -> NDArray | None:
    """Positions (n,) of slices along their common normal, ascending, from header values; None if they have none."""
    headers = list(headers)
    places = [_numbers(values, "ImagePositionPatient", 3) for values in headers]
    turns = [_numbers(values, "ImageOrientationPatient", 6) for values in headers]
    if not places or any(one is None for one in (*places, *turns)):
        return None
    directions = np.array(turns)
    if np.abs(directions - directions[0]).max() > _SAME_DIRECTION:
        return None
    return np.sort(np.array(places) @ np.cross(directions[0, :3], directions[0, 3:]))


def missing_slices(positions_mm: NDArray) -> tuple[float, int] | None:
    """Return the usual distance between slices and how many seem to be missing; None for fewer than three slices.

    Gaps tell nothing of slices that are missing at an end, and a CT of two slice distances has gaps that are none.

    >>> missing_slices(np.array([0.0, 3.0, 6.0, 15.0, 18.0]))
    (3.0, 2)
    """
    steps = np.diff(positions_mm)
    steps = steps[steps > _SAME_PLACE_MM]
    if len(steps) < 2:
        return None
    usual = float(np.median(steps))
    wide = steps[steps > _GAP * usual]
    return round(usual, 3), int(np.rint(wide / usual - 1).sum())


def named_images(dataset: Dataset) -> set[str]:
    """SOP instance UIDs of the images that a structure set was drawn on, as it names them."""
    return {
        uid
        for frame in items(dataset, "ReferencedFrameOfReferenceSequence")
        for study in items(frame, "RTReferencedStudySequence")
        for series in items(study, "RTReferencedSeriesSequence")
        for image in items(series, "ContourImageSequence")
        if (uid := text(image, "ReferencedSOPInstanceUID"))
    }


def _numbers(values: Mapping[str, str], keyword: str, count: int) -> Sequence[float] | None:
    numbers = [float(part) for part in values.get(keyword, "").split("\\") if part]
    return numbers if len(numbers) == count else None
