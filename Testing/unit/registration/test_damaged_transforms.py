"""Transform files that were cut short or damaged are refused: ITK takes some of them for no motion at all."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the name its documentation uses

from intrepid_rt.errors import UnreadableFile, UnusableInput
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.registration.rigid_transform import rigid_about
from intrepid_rt.registration.transform_file import read_transform, write_transform

PLANNING = Grid(np.zeros((4, 5, 6)), affine_from_axes((-50.0, -40.0, -30.0), (20.0, 18.0, 25.0)))
MOTION = rigid_about((5.0, -3.0, 8.0), shift_mm=(4.0, -5.0, 6.0), rotation_deg=(1.0, -2.0, 3.0))


@pytest.mark.parametrize("kept", [0.5, 0.7, 0.85])
def test_a_text_that_ends_early(tmp_path, kept):
    path = tmp_path / "rigid.tfm"
    write_transform(path, MOTION, None)
    np.testing.assert_allclose(read_transform(path, PLANNING)[0].matrix, MOTION.matrix, atol=1e-6)
    text = path.read_text()
    path.write_text(text[: int(kept * len(text))])
    with pytest.raises(UnreadableFile, match="damaged"):
        read_transform(path, PLANNING)


@pytest.mark.parametrize("shift_mm", [1e30, np.nan])
def test_a_shift_out_of_any_room(tmp_path, shift_mm):
    path = tmp_path / "far.h5"
    sitk.WriteTransform(sitk.TranslationTransform(3, (shift_mm, 0.0, 0.0)), str(path))
    with pytest.raises(UnusableInput, match="100000 mm"):
        read_transform(path, PLANNING)


@pytest.mark.parametrize("u_mm", [1e300, np.nan])
def test_a_field_out_of_any_room(tmp_path, u_mm):
    path, values = tmp_path / "far.h5", np.zeros((4, 4, 4, 3))
    values[1, 2, 1, 0] = u_mm
    image = sitk.GetImageFromArray(values, isVector=True)
    image.SetOrigin((-50.0, -40.0, -30.0))
    image.SetSpacing((40.0, 30.0, 30.0))
    sitk.WriteTransform(sitk.DisplacementFieldTransform(image), str(path))
    with pytest.raises(UnusableInput, match="100000 mm"):
        read_transform(path, PLANNING)
