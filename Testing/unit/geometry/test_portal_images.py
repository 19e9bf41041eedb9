"""Images in the plane of the imager: where pixels lie in the patient, sampling, binning, other grids."""

import numpy as np
import pytest

from intrepid_epid.image_grid import binned, on_grid_of
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.portal_image import PortalImage


def image(values, *, pixel=(1.62, 1.62), sid=1600.0, centre=(0.0, 0.0), sad=1000.0):
    rows, columns = values.shape
    first = (centre[0] - (columns - 1) / 2 * pixel[1], centre[1] + (rows - 1) / 2 * pixel[0])
    return PortalImage(values, first, pixel, sid, sad)


@pytest.mark.parametrize("gantry_deg", [0.0, 90.0, 180.0, 270.0, 33.0])
def test_pixels_lie_where_the_reference_cases_say(gantry_deg):
    """X_bld = (cos G, sin G, 0), Y_bld = (0, 0, 1), source at (sin G, -cos G, 0) m; columns along X, rows along -Y."""
    isocentre = np.array([80.0, 15.0, 10.0])
    panel = image(np.zeros((256, 256)))
    positions = PrimaryBeam(None, None, beam_frame(gantry_deg, isocentre)).pixel_positions_lps_mm(panel)
    sine, cosine = np.sin(np.deg2rad(gantry_deg)), np.cos(np.deg2rad(gantry_deg))
    x_bld, y_bld, to_source = np.array([cosine, sine, 0]), np.array([0, 0, 1.0]), np.array([sine, -cosine, 0])
    for row, column in ((0, 0), (10, 200), (255, 31)):
        x, y = (column - 127.5) * 1.62, (127.5 - row) * 1.62
        expected = isocentre + x * x_bld + y * y_bld - 600 * to_source
        np.testing.assert_allclose(positions[row, column], expected, atol=1e-9)


def test_couch_turns_the_patient_clockwise_under_the_beam():
    """Couch 90 (table counter-clockwise from above): the head of a supine patient points to IEC -X_f, so at gantry 0
    the panel's +X_g side sees the feet and its +Y_g side the patient's left."""
    frame = beam_frame(0.0, (0, 0, 0), couch_angle_deg=90.0)
    np.testing.assert_allclose(frame.x_axis, (0, 0, -1), atol=1e-12)
    np.testing.assert_allclose(frame.y_axis, (1, 0, 0), atol=1e-12)


@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS", "FFP", "HFDR", "HFDL", "FFDR", "FFDL"])
@pytest.mark.parametrize("couch_deg", [0.0, 90.0, 340.0])
def test_frames_are_right_handed_and_reversible(position, couch_deg):
    frame = beam_frame(
        217.0, (12, -5, 100), couch_angle_deg=couch_deg, patient_position=position, source_to_axis_mm=990.0
    )
    axes = np.stack([frame.x_axis, frame.y_axis, frame.towards_source])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)
    points = np.array([[1.0, 2.0, 3.0], [-40.0, 70.0, 250.0]])
    np.testing.assert_allclose(frame.to_gantry(frame.to_lps(points)), points, atol=1e-9)
    np.testing.assert_allclose(frame.to_gantry(frame.source_lps_mm), (0, 0, 990), atol=1e-9)


def test_patient_positions_are_turns_about_the_couch():
    """On the left side the source above is at the patient's right, where gantry 270 is for the supine patient."""
    for first, second, back_deg in (("HFS", "HFP", 180), ("HFS", "HFDL", -90), ("HFS", "HFDR", 90)):
        one = beam_frame(25.0, (0, 0, 0), patient_position=second)
        other = beam_frame(25.0 + back_deg, (0, 0, 0), patient_position=first)
        np.testing.assert_allclose(one.source_lps_mm, other.source_lps_mm, atol=1e-9)
        np.testing.assert_allclose(one.x_axis, other.x_axis, atol=1e-12)
    # Feet first is head first with the couch turned round.
    feet = beam_frame(25.0, (0, 0, 0), patient_position="FFS")
    round_ = beam_frame(25.0, (0, 0, 0), couch_angle_deg=180.0)
    np.testing.assert_allclose(feet.source_lps_mm, round_.source_lps_mm, atol=1e-9)
    np.testing.assert_allclose(feet.x_axis, round_.x_axis, atol=1e-12)


def test_samples_of_a_plane_are_exact():
    shape = (7, 9)
    made = image(np.zeros(shape), pixel=(1.5, 2.5), centre=(3.0, -4.0))
    made = made.with_values(2 + 0.3 * made.x_mm[None, :] - 0.7 * made.y_mm[:, None])
    assert made.sample(4.1, -2.2) == pytest.approx(2 + 0.3 * 4.1 + 0.7 * 2.2)
    assert made.sample(made.x_mm[0], made.y_mm[-1]) == pytest.approx(made.values[-1, 0])
    assert np.isnan(made.sample(made.x_mm[-1] + 0.01, 0.0))
    assert made.sample(0.0, made.y_mm[0] + 0.01, outside=0.0) == 0.0
    grid = made.sample(np.array([[0.0, 1.0]]), np.array([[-4.0], [-5.0]]))
    np.testing.assert_allclose(grid, [[4.8, 5.1], [5.5, 5.8]])


def test_sampling_takes_the_type_of_any_image():
    made = image(np.arange(4, dtype=np.uint16).reshape(2, 2), pixel=(1.0, 1.0))
    assert made.sample(0.0, 0.0) == 1.5


@pytest.mark.parametrize("shape", [(64, 64), (65, 67), (61, 66)])
def test_binning_keeps_centre_and_mean(shape):
    fine = image(np.zeros(shape), pixel=(0.4, 0.55), centre=(12.0, -7.0))
    fine = fine.with_values(5 + 0.1 * fine.x_mm[None, :] - 0.2 * fine.y_mm[:, None])
    coarse = binned(fine)
    assert all(s <= 1.05 * 1.6 for s in coarse.pixel_spacing_mm)
    assert coarse.pixel_spacing_mm == pytest.approx((1.6, 1.65))
    np.testing.assert_allclose(coarse.values, 5 + 0.1 * coarse.x_mm[None, :] - 0.2 * coarse.y_mm[:, None], atol=1e-9)
    centre = np.array([coarse.x_mm.mean(), coarse.y_mm.mean()])
    assert (np.abs(centre - (12.0, -7.0)) <= (0.55 / 2 + 1e-9, 0.4 / 2 + 1e-9)).all()


def test_binning_leaves_coarse_images_alone():
    coarse = image(np.random.default_rng(1).random((6, 5)), pixel=(1.0, 2.0), sid=1000.0)
    assert binned(coarse).values.shape == (6, 5)
    np.testing.assert_array_equal(binned(coarse).values, coarse.values)


def test_images_of_two_distances_meet_along_rays():
    near = image(np.zeros((81, 81)), pixel=(2.0, 2.0), sid=1500.0)
    near = near.with_values(1 + 0.01 * near.x_mm[None, :] + 0.02 * near.y_mm[:, None])
    far = image(np.zeros((9, 11)), pixel=(3.0, 2.5), sid=1800.0, centre=(20.0, 10.0))
    moved = on_grid_of(near, far)
    x, y = far.x_mm[None, :] * 1500 / 1800, far.y_mm[:, None] * 1500 / 1800
    np.testing.assert_allclose(moved.values, 1 + 0.01 * x + 0.02 * y, atol=1e-12)
    assert moved.source_to_image_mm == 1800.0
    beyond = image(np.zeros((2, 2)), pixel=(200.0, 200.0), sid=1800.0)
    assert np.isnan(on_grid_of(near, beyond).values).all()
