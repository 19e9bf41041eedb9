"""Doses in image files that are cut short or damaged are refused; the libraries behind would fill in or hang."""

import numpy as np
import pytest

from intrepid_rt.errors import UnreadableFile
from intrepid_rt.grids import DoseGrid, affine_from_axes
from intrepid_rt.image_files import read_dose_file, write_image

GRID = DoseGrid(
    np.linspace(0, 60, 4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6) ** 1.5,
    affine_from_axes((-9, 7, 3), (3, 2, 2.5), np.eye(3)),
)


@pytest.fixture(params=["nrrd", "mha", "nii.gz", "nii"])
def written(request, tmp_path):
    path = tmp_path / f"dose.{request.param}"
    write_image(path, GRID.values, GRID)
    return path


def test_a_file_cut_anywhere_is_refused_or_whole(written):
    content = written.read_bytes()
    for length in sorted({*range(0, len(content), 23), *range(len(content) - 12, len(content))}):
        written.write_bytes(content[:length])
        try:
            np.testing.assert_array_equal(read_dose_file(written).values, GRID.values)
        except UnreadableFile:
            continue


def test_a_compressed_metaimage_whose_sizes_lie_is_refused(tmp_path):
    path = tmp_path / "dose.mha"
    write_image(path, GRID.values, GRID)
    content = path.read_bytes()
    for old, new in ((b"DimSize = 6 5 4", b"DimSize = 6 5 9"), (b"CompressedDataSize = ", b"CompressedDataSize = 1")):
        path.write_bytes(content.replace(old, new))
        with pytest.raises(UnreadableFile, match="damaged"):
            read_dose_file(path)
    path.write_bytes(content[:-40] + bytes(20) + content[-20:])
    with pytest.raises(UnreadableFile, match="damaged"):
        read_dose_file(path)


def test_a_header_that_claims_terabytes_is_refused_at_once(tmp_path):
    path = tmp_path / "dose.nrrd"
    head = "NRRD0004\ntype: float\ndimension: 3\nsizes: 60000 60000 60000\nencoding: raw\nendian: little\n\n"
    path.write_bytes(head.encode() + bytes(100))
    with pytest.raises(UnreadableFile, match="claims"):
        read_dose_file(path)
