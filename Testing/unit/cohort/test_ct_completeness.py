"""CT slices that are missing: found by their gaps, and by what the structure set names; tilted and uneven series."""

import numpy as np
import pydicom
import pytest

from builders import item, save, write_treatment
from intrepid_cohort.ct_completeness import missing_slices, slice_positions_mm
from intrepid_cohort.headers import read_header
from intrepid_cohort.patient_record import patient_record


def record(folder):
    return patient_record(header for path in sorted(folder.rglob("*.dcm")) if not (header := read_header(path)).reason)


def ct_files(folder):
    """CT files, lowest slice first."""
    found = [(header, path) for path in folder.rglob("*.dcm") if (header := read_header(path)).modality == "CT"]
    return [path for _, path in sorted(found, key=lambda pair: slice_positions_mm([pair[0].values])[0])]


def test_a_whole_series_lacks_nothing(tmp_path):
    write_treatment(tmp_path)
    found = record(tmp_path)
    (series,) = found.studies[0].series
    assert (series.image_count, series.missing_image_count) == (8, 0)
    assert series.slice_spacing_mm > 0
    assert not any("gaps" in note for note in found.notes)


def test_slices_taken_away_are_counted(tmp_path):
    write_treatment(tmp_path)
    for path in (files := ct_files(tmp_path))[2:4]:
        path.unlink()
    files[0].unlink()  # an end, which leaves no gap
    found = record(tmp_path)
    (series,) = found.studies[0].series
    assert (series.image_count, series.missing_image_count) == (5, 2)
    assert any("2 slices would lie" in note for note in found.notes)


@pytest.mark.parametrize(
    ("positions", "found"),
    [
        ([0, 3, 6, 9], (3.0, 0)),
        ([0, 3, 6, 12, 15], (3.0, 1)),
        ([0, 2.99, 6.01, 9], (3.0, 0)),
        ([0, 0, 3, 3, 6, 6], (3.0, 0)),
        ([0, 3], None),
        ([0], None),
    ],
)
def test_gaps(positions, found):
    result = missing_slices(np.array(positions, float))
    assert result == (None if found is None else (pytest.approx(found[0], abs=0.02), found[1]))


def test_positions_follow_the_normal_of_a_tilted_series():
    turn = "\\".join(map(str, (1, 0, 0, 0, np.cos(0.3), np.sin(0.3))))
    normal = np.array([0, -np.sin(0.3), np.cos(0.3)])
    headers = [{"ImageOrientationPatient": turn, "ImagePositionPatient": "\\".join(map(str, 2.5 * n * normal))}
               for n in (2, 0, 1)]  # fmt: skip
    assert slice_positions_mm(headers) == pytest.approx([0, 2.5, 5.0])
    assert slice_positions_mm([*headers, headers[0] | {"ImageOrientationPatient": "1\\0\\0\\0\\1\\0"}]) is None
    assert slice_positions_mm([{}]) is None
    assert slice_positions_mm([]) is None


def test_images_that_a_structure_set_names_are_missed(tmp_path):
    ids = write_treatment(tmp_path)
    path = next(p for p in tmp_path.rglob("*.dcm") if read_header(p).modality == "RTSTRUCT")
    anatomy = pydicom.dcmread(path)
    named = [*(read_header(p).sop_instance_uid for p in ct_files(tmp_path)), "1.2.3.4"]
    series = anatomy.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    series.ContourImageSequence = [_image(uid) for uid in named]
    save(anatomy, path)
    (row,) = record(tmp_path).studies[0].structure_sets
    assert (row.sop_instance_uid, row.missing_image_count) == (ids.structure_set, 1)
    assert any("9 images, of which 1 were not imported" in note for note in row.notes)


def _image(uid):
    return item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=uid)
