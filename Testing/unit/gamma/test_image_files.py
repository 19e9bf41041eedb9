"""Positions survive each file format, in LPS."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from builders import Ids, Lattice, rtdose, save
from intrepid_rt.errors import InvalidSetting, UnreadableFile, UnsupportedGeometry
from intrepid_rt.grids import Grid
from intrepid_rt.image_files import dimensions_of, read_dose_file, read_image, write_image
from unit.gamma.gamma_grids import OBLIQUE, centred

SHAPE = (4, 5, 6)


def grid(shape=SHAPE, rotation=OBLIQUE):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Grid(values, centred(shape, (1.5, 2.0, 3.5), rotation=rotation))


@pytest.mark.parametrize("suffix", [".nrrd", ".nii", ".nii.gz", ".mha"])
def test_what_was_written_is_read_back(tmp_path, suffix):
    path = tmp_path / f"dose{suffix}"
    write_image(path, grid().values, grid())
    back = read_image(path)
    np.testing.assert_array_equal(back.values, grid().values)
    np.testing.assert_allclose(back.index_to_lps, grid().index_to_lps, atol=1e-4)  # NIfTI holds float32
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_nifti_stores_ras_and_is_read_as_lps(tmp_path):
    """The header's rows, read without any library: x and y change sign."""
    path = tmp_path / "dose.nii"
    write_image(path, grid().values, grid())
    rows = np.frombuffer(path.read_bytes()[280:328], "<f4").reshape(3, 4)
    np.testing.assert_allclose(np.diag([-1, -1, 1]) @ rows, grid().index_to_lps[:3], atol=1e-4)


def test_an_image_of_two_dimensions_stays_one(tmp_path):
    image = sitk.GetImageFromArray(np.arange(20.0, dtype=np.float32).reshape(4, 5))
    image.SetSpacing((0.5, 2.0))
    image.SetOrigin((-1.0, 7.0))
    sitk.WriteImage(image, str(tmp_path / "flat.nrrd"))
    read = read_image(tmp_path / "flat.nrrd")
    assert read.shape == (1, 4, 5)
    np.testing.assert_allclose(read.index_to_position([4, 3, 0]), (1.0, 13.0, 0.0))
    write_image(tmp_path / "again.mha", read.values, read, planar=True)
    assert dimensions_of(tmp_path / "again.mha") == 2
    np.testing.assert_allclose(read_image(tmp_path / "again.mha").index_to_lps, read.index_to_lps)


def test_a_dose_is_read_from_dicom_as_well(tmp_path):
    lattice = Lattice()
    dose_gy = np.random.default_rng(0).uniform(0, 60, lattice.shape)
    path = save(rtdose(dose_gy, lattice, Ids()), tmp_path / "dose.dcm")
    np.testing.assert_allclose(read_dose_file(path).dose_gy.sum(), dose_gy.sum(), rtol=1e-6)


def test_files_that_are_no_scalar_image_are_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="is no file"):
        read_image(tmp_path / "absent.nrrd")
    (tmp_path / "text.nrrd").write_text("nothing of the kind")
    with pytest.raises(UnreadableFile, match=r"Expected RTDOSE or one of \.nrrd"):
        read_image(tmp_path / "text.nrrd")
    vectors = sitk.GetImageFromArray(np.zeros((3, 4, 5, 2), np.float32), isVector=True)
    sitk.WriteImage(vectors, str(tmp_path / "vectors.nrrd"))
    with pytest.raises(UnsupportedGeometry, match=r"2 value\(s\) per sample"):
        read_image(tmp_path / "vectors.nrrd")


def test_a_result_is_not_written_where_it_could_be_halved(tmp_path):
    with pytest.raises(InvalidSetting, match=r"Choose one of these"):
        write_image(tmp_path / "gamma.dcm", grid().values, grid())
    sheared = grid().index_to_lps.copy()
    sheared[0, 1] += 0.5
    with pytest.raises(UnsupportedGeometry, match="right angles"):
        write_image(tmp_path / "gamma.nrrd", grid().values, Grid(grid().values, sheared))
    assert not list(tmp_path.iterdir())
