"""A known motion is found again: anisotropic, off-centre, turned grids, noise, other HU."""

import numpy as np
import pytest

from day_study import ISOCENTRE, day_grid, planning_grid
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.errors import UnsupportedGeometry, UnusableInput
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.registration.rigid import register_rigid
from intrepid_rt.registration.rigid_transform import RigidTransform, moved_frame, moved_grid, rigid_about

PLANNING = planning_grid()
INSIDE = PLANNING.values > -900


@pytest.mark.parametrize(
    ("shift_mm", "rotation_deg"),
    [
        ((6.0, -11.0, 8.0), (1.5, -2.0, 3.0)),
        ((0.4, -0.3, 0.6), (0.3, 0.2, -0.4)),
        ((22.0, 17.0, -14.0), (0.0, 0.0, 0.0)),
    ],
)
def test_a_known_motion_is_recovered(shift_mm, rotation_deg):
    motion = rigid_about(ISOCENTRE, shift_mm=shift_mm, rotation_deg=rotation_deg)
    image = day_grid(motion)
    image = image.with_values((0.8 * image.values + 40.0).astype(np.float32))  # another scanner
    found = register_rigid(PLANNING, image, centre_lps_mm=ISOCENTRE, region=INSIDE)
    off_mm = np.abs(found.shift_at(ISOCENTRE) - np.array(shift_mm))
    assert (off_mm[:2] < 0.1).all()
    # Across slices of 4 mm: 0.07 mm at worst in 20 random motions (docs/anatomy.md).
    assert off_mm[2] < 0.15
    assert found.after(motion.inverse).angle_deg < 0.1
    np.testing.assert_allclose(found.rotation_deg, rotation_deg, atol=0.1)


def test_images_without_overlap_are_refused():
    far = Grid(np.full((20, 20, 20), 30.0, np.float32), affine_from_axes((5000.0, 0.0, 0.0), (3.0, 3.0, 3.0)))
    start = RigidTransform(np.eye(4))
    with pytest.raises(UnusableInput, match="--registration FILE"):
        register_rigid(PLANNING, far, centre_lps_mm=ISOCENTRE, start=start)


def test_an_image_of_air_is_refused():
    air = PLANNING.with_values(np.full(PLANNING.shape, -1000.0, np.float32))
    with pytest.raises(UnusableInput, match="nothing but air"):
        register_rigid(PLANNING, air, centre_lps_mm=ISOCENTRE)


def test_a_mirror_is_no_motion():
    with pytest.raises(UnsupportedGeometry, match="mirrors"):
        RigidTransform(np.diag([-1.0, 1.0, 1.0, 1.0]))


def test_grids_and_beams_move_with_their_points():
    motion = rigid_about((1.0, 2.0, 3.0), shift_mm=(5.0, -4.0, 2.0), rotation_deg=(10.0, 20.0, -30.0))
    grid = Grid(np.arange(24.0).reshape(2, 3, 4), affine_from_axes((1.0, 2.0, 3.0), (1.0, 2.0, 3.0)))
    moved = moved_grid(grid, motion)
    np.testing.assert_allclose(moved.index_to_position([3, 1, 1]), motion.apply(grid.index_to_position([3, 1, 1])))
    frame = beam_frame(35.0, (4.0, 5.0, 6.0), couch_angle_deg=12.0)
    turned = moved_frame(frame, motion)
    np.testing.assert_allclose(turned.source_lps_mm, motion.apply(frame.source_lps_mm))
    np.testing.assert_allclose(turned.to_gantry(motion.apply((7.0, 8.0, 9.0))), frame.to_gantry((7.0, 8.0, 9.0)))
