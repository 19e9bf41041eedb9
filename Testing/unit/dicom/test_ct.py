"""CT slices to a volume: sorted, in HU, and refused by name when they are no lattice."""

import numpy as np
import pytest

import builders
from builders import ORIENTATIONS, Ids, Lattice
from intrepid_rt.dicom_ct import read_ct, read_ct_series
from intrepid_rt.errors import AmbiguousInput, FrameOfReferenceMismatch, MissingObject, UnsupportedGeometry

SHAPE = (6, 4, 5)


def hounsfield_at(lattice: Lattice) -> np.ndarray:
    """HU that tell every voxel's place apart: 400 + 7 x - 3 y + 5 z, rounded."""
    return np.round(400 + lattice.pixel_positions() @ np.array([7.0, -3.0, 5.0]))


def slices_of(lattice: Lattice, ids: Ids | None = None, **options):
    return builders.ct_slices(hounsfield_at(lattice), lattice, ids or Ids(), **options)


def saved(folder, slices, order=None):
    """Save in an order that has nothing to do with position."""
    order = order if order is not None else np.random.default_rng(1).permutation(len(slices))
    return [builders.save(slices[i], folder / f"slice{n}.dcm") for n, i in enumerate(order)]


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_any_orientation_and_file_order(tmp_path, orientation):
    lattice = Lattice(SHAPE, orientation=orientation)
    grid = read_ct(saved(tmp_path, slices_of(lattice)))
    assert grid.values.dtype == np.int16
    np.testing.assert_allclose(grid.hounsfield, 400 + grid.positions() @ np.array([7.0, -3.0, 5.0]), atol=0.51)


def test_series_says_what_it_is(tmp_path):
    ids = Ids()
    slices = slices_of(Lattice(SHAPE), ids, patient_position="FFP")
    series = read_ct_series(saved(tmp_path, slices))
    assert (series.series_uid, series.patient_position, series.notes) == (ids.ct_series, "FFP", ())
    assert series.grid.frame_of_reference_uid == ids.frame
    assert series.slice_uids == tuple(one.SOPInstanceUID for one in slices)


def test_rescale_differs_from_slice_to_slice(tmp_path):
    lattice = Lattice(SHAPE)
    slices = slices_of(lattice)
    slices[2].RescaleSlope, slices[2].RescaleIntercept = "0.5", "-512.5"
    grid = read_ct(saved(tmp_path, slices))
    # Stored is HU + 1024 by the builder; this slice now means half of it less 512.5.
    np.testing.assert_allclose(grid.values[2], (hounsfield_at(lattice)[2] + 1024) / 2 - 512.5)
    np.testing.assert_allclose(grid.values[3], hounsfield_at(lattice)[3])


def test_values_beyond_16_bit_are_kept(tmp_path):
    slices = slices_of(Lattice(SHAPE), intercept=-1024)
    slices[0].RescaleIntercept = "40000"
    assert read_ct(saved(tmp_path, slices)).values.max() > 40000


def test_missing_slice_is_named(tmp_path):
    lattice = Lattice(SHAPE)
    slices = slices_of(lattice)
    paths = saved(tmp_path, slices, order=[0, 1, 2, 4, 5])
    with pytest.raises(UnsupportedGeometry, match=r"missing slice: 5 mm between slice2\.dcm and slice3\.dcm .*2\.5 mm"):
        read_ct(paths)


def test_mixed_spacing_is_named(tmp_path):
    lattice = Lattice(SHAPE, offsets_mm=(0.0, 2.0, 4.0, 6.0, 9.0, 12.0))
    with pytest.raises(UnsupportedGeometry, match="mixed slice spacing"):
        read_ct(saved(tmp_path, slices_of(lattice)))


def test_tilt_is_named(tmp_path):
    slices = slices_of(Lattice(SHAPE))
    for number, one in enumerate(slices):
        x, y, z = one.ImagePositionPatient
        one.ImagePositionPatient = [x, y + 2.5 * number * np.tan(np.deg2rad(12.0)), z]
    with pytest.raises(UnsupportedGeometry, match=r"gantry tilt of 12\.0 degrees"):
        read_ct(saved(tmp_path, slices))


def test_positions_rounded_to_a_tenth_are_even(tmp_path):
    lattice = Lattice(SHAPE, offsets_mm=(0.0, 1.2, 2.5, 3.8, 5.0, 6.2))
    assert read_ct(saved(tmp_path, slices_of(lattice))).spacing_mm[2] == pytest.approx(1.24)


def test_copies_are_left_out_with_a_note(tmp_path):
    slices = slices_of(Lattice(SHAPE))
    paths = [*saved(tmp_path, slices), builders.save(slices[3], tmp_path / "again.dcm")]
    series = read_ct_series(paths)
    assert series.grid.shape == SHAPE
    assert "is a copy of" in series.notes[0]


def test_different_slices_at_one_position_are_named(tmp_path):
    slices = slices_of(Lattice(SHAPE))
    other = slices_of(Lattice(SHAPE))[3]
    other.SeriesInstanceUID, other.FrameOfReferenceUID = slices[0].SeriesInstanceUID, slices[0].FrameOfReferenceUID
    other.RescaleIntercept = "-1000"
    paths = [*saved(tmp_path, slices), builders.save(other, tmp_path / "other.dcm")]
    with pytest.raises(AmbiguousInput, match=r"other\.dcm lie at the same position|other\.dcm and .* lie at the same"):
        read_ct(paths)


def test_two_frames_of_reference_are_named(tmp_path):
    slices = slices_of(Lattice(SHAPE))
    slices[3].FrameOfReferenceUID = "1.2.3"
    with pytest.raises(FrameOfReferenceMismatch, match="two frames of reference"):
        read_ct(saved(tmp_path, slices))


@pytest.mark.parametrize(("keyword", "value"), [("SeriesInstanceUID", "1.2.3"), ("PatientPosition", "HFP")])
def test_slices_of_two_series_are_named(tmp_path, keyword, value):
    slices = slices_of(Lattice(SHAPE))
    setattr(slices[3], keyword, value)
    with pytest.raises(AmbiguousInput, match="are of two"):
        read_ct(saved(tmp_path, slices))


def test_other_pixel_spacing_is_named(tmp_path):
    slices = slices_of(Lattice(SHAPE))
    slices[3].PixelSpacing = [2.0, 2.0]
    with pytest.raises(UnsupportedGeometry, match="pixel spacing"):
        read_ct(saved(tmp_path, slices))


@pytest.mark.parametrize("keyword", ["RescaleSlope", "ImagePositionPatient", "PixelSpacing", "PixelData"])
def test_what_is_missing_is_named(tmp_path, keyword):
    slices = slices_of(Lattice(SHAPE))
    delattr(slices[3], keyword)
    with pytest.raises(MissingObject, match=keyword):
        read_ct(saved(tmp_path, slices))


def test_a_multi_frame_ct_is_refused(tmp_path):
    slices = slices_of(Lattice(SHAPE))
    slices[0].SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    with pytest.raises(UnsupportedGeometry, match="no plain CT slice"):
        read_ct(saved(tmp_path, slices))


def test_no_slice_at_all():
    with pytest.raises(MissingObject, match="No CT slice"):
        read_ct([])


def test_one_slice_says_its_thickness(tmp_path):
    series = read_ct_series(saved(tmp_path, slices_of(Lattice((1, 4, 5)))))
    assert series.grid.spacing_mm[2] == 2.5
    assert "one slice" in series.notes[0]


def test_spacing_that_drifts_is_refused_by_name(tmp_path):
    """Each gap is within the tolerance of the usual one, their sum is not."""
    offsets = tuple(np.concatenate([2.5 * np.arange(11), 25.0 + 2.55 * np.arange(1, 11)]))
    lattice = Lattice((21, 4, 5), offsets_mm=offsets)
    with pytest.raises(UnsupportedGeometry, match=r"drifts from 2\.5 to 2\.55 mm"):
        read_ct(saved(tmp_path, slices_of(lattice)))
