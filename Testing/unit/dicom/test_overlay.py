"""CT and dose overlap by geometry alone: two pairs of grids from the slides on which the project was founded."""

import numpy as np
import pytest

import builders
from builders import Ids, Lattice, linear_field
from intrepid_rt.dicom_ct import read_ct
from intrepid_rt.dicom_dose import read_dose
from intrepid_rt.grids import CTGrid, DoseGrid, affine_from_axes

CASES = {
    "512 x 512 at 1.17 mm, dose at 2 mm": (
        CTGrid(np.zeros((40, 512, 512), np.int16), affine_from_axes((-300, -218, -675), (1.171875, 1.171875, 4.0))),
        DoseGrid(np.zeros((79, 145, 268), np.float32), affine_from_axes((-265.3, -41.9, -675), (2.0, 2.0, 2.0))),
        (29.611, 150.272, 0.0),
    ),
    "dose at 4 mm": (
        CTGrid(np.zeros((110, 512, 512), np.int16), affine_from_axes((-300, -207, -220), (1.171875, 1.171875, 4.0))),
        DoseGrid(np.zeros((107, 95, 135), np.float32), affine_from_axes((-268.6, -11.6, -219), (4.0, 4.0, 4.0))),
        (26.795, 166.741, 0.25),
    ),
}


@pytest.mark.parametrize(("ct", "dose", "first"), CASES.values(), ids=CASES)
def test_first_dose_voxel_on_the_ct(ct, dose, first):
    np.testing.assert_allclose(ct.position_to_index(dose.index_to_position((0, 0, 0))), first, atol=5e-4)


def test_last_dose_voxel_on_the_ct():
    ct, dose, _ = CASES["512 x 512 at 1.17 mm, dose at 2 mm"]
    # -265.3 + 267 * 2 = 268.7 and -41.9 + 144 * 2 = 246.1 mm, from -300 and -218 in steps of 1.171875 mm.
    np.testing.assert_allclose(
        ct.position_to_index(dose.index_to_position((267, 144, 78))), (485.291, 396.032, 39), atol=5e-4
    )


def test_frame_k_of_the_dose_lies_on_slice_2k_of_a_1_mm_ct(tmp_path):
    """Read from files: with 1 mm slices from z = -675, dose frame k at 2 mm lies on CT slice 2 k."""
    ids = Ids()
    ct_lattice = Lattice((9, 20, 20), (-300.0, -218.0, -675.0), row_spacing_mm=1.171875, column_spacing_mm=1.171875,
                         offsets_mm=tuple(range(9)))  # fmt: skip
    dose_lattice = Lattice((4, 6, 7), (-295.3, -211.9, -675.0), row_spacing_mm=2.0, column_spacing_mm=2.0,
                           offsets_mm=(0.0, 2.0, 4.0, 6.0))  # fmt: skip
    hounsfield = np.round(10 * linear_field(ct_lattice.pixel_positions()))
    slices = builders.ct_slices(hounsfield, ct_lattice, ids)
    paths = [builders.save(one, tmp_path / f"{n}.dcm") for n, one in enumerate(slices)]
    ct = read_ct(paths)
    dose = read_dose(builders.rtdose(100 + linear_field(dose_lattice.pixel_positions()), dose_lattice, ids))
    for k in range(4):
        assert ct.position_to_index(dose.index_to_position((3, 2, k)))[2] == pytest.approx(2 * k, abs=1e-9)
    # The same linear quantity read from either grid agrees wherever the two overlap.
    np.testing.assert_allclose(100 + ct.resampled_to(dose) / 10, dose.values, atol=0.06)
