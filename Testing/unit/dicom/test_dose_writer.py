"""Grid to RTDOSE and back: the same Gy in the same place, with references that lead somewhere."""

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders
from builders import ORIENTATIONS, Ids
from intrepid_rt.dicom_dose import DoseReferences, read_dose_object, write_dose
from intrepid_rt.errors import InvalidSetting, OutputNotWritable, UnsupportedGeometry
from intrepid_rt.grids import DoseGrid, affine_from_axes

PLAN_UID = "1.2.3.4"


def grid_of(values: np.ndarray, orientation=builders.AXIAL, *, left_handed: bool = False) -> DoseGrid:
    along_row, along_column = np.array(orientation, float).reshape(2, 3)
    normal = np.cross(along_row, along_column) * (-1 if left_handed else 1)
    affine = affine_from_axes((-10.0, 20.5, 1 / 3), (1.7, 2.3, 3.1), [along_row, along_column, normal])
    return DoseGrid(values, affine, "1.2.3.9")


def values(shape=(4, 5, 6), seed=3) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32) * 70


def written(tmp_path, grid, **options):
    template = builders.rtplan([builders.BeamSpec()], Ids())
    options = {"references": DoseReferences(PLAN_UID), **options}
    path = tmp_path / "dose.dcm"
    uid = write_dose(path, grid, template=template, **options)
    return path, uid, template


@pytest.mark.parametrize("left_handed", [False, True])
@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_round_trip_in_any_orientation(tmp_path, orientation, left_handed):
    grid = grid_of(values(), orientation, left_handed=left_handed)
    path, *_ = written(tmp_path, grid)
    read = read_dose_object(path)
    at = grid.positions()
    np.testing.assert_allclose(read.grid.sample(at), grid.values, atol=70 * 1e-7)
    assert read.grid.frame_of_reference_uid == "1.2.3.9"
    assert read.notes == ()


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 1000))
def test_error_stays_below_a_millionth_of_the_maximum(tmp_path_factory, scale, seed):
    grid = grid_of(values(seed=seed) * np.float32(scale))
    path, *_ = written(tmp_path_factory.mktemp("dose"), grid)
    read = read_dose_object(path).grid
    error = abs(read.values.astype(float) - grid.values).max() / grid.values.max()
    assert error < 1e-6
    dataset = pydicom.dcmread(path)
    # In double precision the error is half of a 32 bit step.
    exact = dataset.pixel_array * float(dataset.DoseGridScaling)
    assert abs(exact - grid.values).max() <= 0.5001 * float(dataset.DoseGridScaling)
    assert dataset.BitsAllocated == 32


def test_dose_of_zero_stays_zero(tmp_path):
    path, *_ = written(tmp_path, grid_of(np.zeros((2, 3, 4), np.float32)))
    assert not read_dose_object(path).grid.values.any()


def test_identity_of_patient_and_study_is_copied_and_uids_are_new(tmp_path):
    path, uid, template = written(tmp_path, grid_of(values()))
    dataset = pydicom.dcmread(path)
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "SpecificCharacterSet"):
        assert dataset[keyword].value == template[keyword].value
    assert dataset.SOPInstanceUID == uid == dataset.file_meta.MediaStorageSOPInstanceUID
    assert dataset.SOPInstanceUID != template.SOPInstanceUID
    assert dataset.SeriesInstanceUID != template.SeriesInstanceUID


def test_beam_dose_names_plan_and_beam(tmp_path):
    references = DoseReferences(PLAN_UID, structure_set_uid="1.2.3.5", beam_number=4)
    path, *_ = written(tmp_path, grid_of(values()), references=references, summation_type="BEAM", comment="first order")
    read = read_dose_object(path)
    assert (read.plan_uid, read.beam_number, read.structure_set_uid) == (PLAN_UID, 4, "1.2.3.5")
    assert (read.summation_type, read.comment) == ("BEAM", "first order")


def test_two_writings_differ_in_uid(tmp_path):
    first = written(tmp_path, grid_of(values()))[1]
    second = written(tmp_path, grid_of(values()))[1]
    assert first != second


@pytest.mark.parametrize(
    ("references", "summation_type"),
    [
        (DoseReferences(PLAN_UID), "BEAM"),
        (DoseReferences(PLAN_UID, beam_number=1), "PLAN"),
        (DoseReferences(""), "PLAN"),
    ],
)
def test_references_must_fit_the_summation(tmp_path, references, summation_type):
    with pytest.raises(InvalidSetting, match="plan UID"):
        written(tmp_path, grid_of(values()), references=references, summation_type=summation_type)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_dose_that_is_none_is_refused(tmp_path, bad):
    dose = values()
    dose[1, 2, 3] = bad
    with pytest.raises(InvalidSetting, match="finite and not negative"):
        written(tmp_path, grid_of(dose))
    assert list(tmp_path.iterdir()) == []


def test_sheared_grid_is_refused(tmp_path):
    affine = affine_from_axes((0, 0, 0), (1, 1, 1), [(1, 0, 0), (0, 1, 0), (0.3, 0, np.sqrt(0.91))])
    with pytest.raises(UnsupportedGeometry, match="sheared"):
        written(tmp_path, DoseGrid(values(), affine))


def test_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputNotWritable, match="could not be written"):
        written(tmp_path / "file", grid_of(values()))
