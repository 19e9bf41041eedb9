"""Frames from DICOM: their sum, their facts, and what was lost or stored twice."""

import numpy as np
import pytest

import builders
import frame_builders
from builders import BeamSpec, Ids
from intrepid_epid.delivery.assignment import assign_frames, gantry_path_deg
from intrepid_epid.delivery.dicom_frames import read_dicom_frames
from intrepid_epid.portal_reader import read_portal_image
from intrepid_rt.dicom_plan import read_plan
from intrepid_rt.errors import AmbiguousInput, MissingObject

RNG = np.random.default_rng(7)
ANGLES = [340.0, 350.0, 0.0, 10.0, 20.0, 30.0]


def frames(count=6):
    """A field that moves from frame to frame, with noise."""
    made = np.full((count, 40, 60), 0.002)
    for n in range(count):
        made[n, 8:30, 10 + 2 * n : 30 + 2 * n] = 0.1 + 0.001 * np.arange(22)[:, None]
    return made + 0.001 * RNG.random(made.shape)


def saved(datasets, folder):
    return [builders.save(one, folder / f"RI_{n}.dcm") for n, one in enumerate(datasets)]


def arc(angles=(340.0, 30.0), **more):
    plan = read_plan(builders.rtplan([BeamSpec("ARC", angles, 60.0, **more)], Ids()))
    return plan.beams[0]


def test_cine_states_angle_time_and_meterset_per_frame(tmp_path):
    signal = frames()
    dataset = frame_builders.cine(signal, Ids(), gantry_deg=ANGLES, meterset_mu=[10.0] * 6, frame_time_ms=400)
    made = read_dicom_frames(saved([dataset], tmp_path))
    assert [frame.gantry_angle_deg for frame in made.frames] == ANGLES
    assert [frame.time_s for frame in made.frames] == pytest.approx([0.4 * n for n in range(6)])
    assert made.integrated.meterset_mu == pytest.approx(60.0)
    for frame, expected in zip(made.frames, signal, strict=True):
        np.testing.assert_allclose(frame.image.values.mean(), expected.mean(), rtol=0.05)
    np.testing.assert_allclose(made.integrated.image.values, signal.sum(axis=0), atol=2e-4)
    assert made.dropped == made.doubled == 0


def test_series_in_any_order_is_the_cine(tmp_path):
    signal = frames()
    cine = read_dicom_frames(saved([frame_builders.cine(signal, Ids(), gantry_deg=ANGLES)], tmp_path / "cine"))
    paths = saved(frame_builders.series(signal, Ids(), gantry_deg=ANGLES), tmp_path / "series")
    made = read_dicom_frames(paths[::-1])
    assert [frame.gantry_angle_deg for frame in made.frames] == ANGLES
    for one, other in zip(made.frames, cine.frames, strict=True):
        np.testing.assert_allclose(one.image.values, other.image.values, atol=1e-6)
    assert np.diff([frame.time_s for frame in made.frames]) == pytest.approx([0.4] * 5)


def test_sum_of_frames_is_the_integrated_image(tmp_path):
    """Step and shoot: the sum of its segments, pixel for pixel, is what one long exposure shows."""
    signal = np.round(frames(), 4)
    paths = saved(frame_builders.series(signal, Ids(), gantry_deg=[0.0] * 6), tmp_path)
    pixels = builders.elekta_pixels(signal.sum(axis=0), frame_builders.FACTOR)
    once = read_portal_image(builders.rtimage(pixels, Ids(), elekta_factor=frame_builders.FACTOR))
    np.testing.assert_allclose(read_dicom_frames(paths).integrated.image.values, once.image.values, atol=2e-4)


def test_a_defective_pixel_is_repaired_in_every_frame(tmp_path):
    signal = frames()
    signal[:, 15, 25] = 1.5
    made = read_dicom_frames(saved([frame_builders.cine(signal, Ids(), gantry_deg=ANGLES)], tmp_path))
    assert made.integrated.dead.sum() == 1
    assert max(frame.image.values.max() for frame in made.frames) < 0.2


def test_a_dropped_frame_is_found(tmp_path):
    signal, ids = frames(), Ids()
    all_frames = frame_builders.series(signal, ids, gantry_deg=ANGLES)
    made = read_dicom_frames(saved(all_frames[:3] + all_frames[4:], tmp_path / "numbers"))
    assert made.dropped == 1
    assert "number 4" in " ".join(made.integrated.warnings)
    for one in all_frames:
        del one.InstanceNumber
    made = read_dicom_frames(saved(all_frames[:3] + all_frames[4:], tmp_path / "times"))
    assert made.dropped == 1
    assert "By time, 1 frame(s) are missing after RI_2.dcm" in " ".join(made.integrated.warnings)
    for one in all_frames:
        one.AcquisitionTime = "083000"
    made = read_dicom_frames(saved(all_frames[:3] + all_frames[4:], tmp_path / "angles"))
    assert made.dropped == 1
    assert "By gantry angle" in " ".join(made.integrated.warnings)


def test_a_doubled_frame_counts_once(tmp_path):
    signal, ids = frames(), Ids()
    all_frames = frame_builders.series(signal, ids, gantry_deg=ANGLES)
    copy = frame_builders.series(signal, ids, gantry_deg=ANGLES)[2]
    copy.SeriesInstanceUID = all_frames[0].SeriesInstanceUID
    made = read_dicom_frames(saved([*all_frames, copy], tmp_path))
    assert (made.doubled, len(made.frames)) == (1, 6)
    assert "stored twice" in " ".join(made.integrated.warnings)
    np.testing.assert_allclose(made.integrated.image.values, signal.sum(axis=0), atol=3e-4)


def test_a_frame_stored_again_in_place_of_a_lost_one_is_named_and_counts(tmp_path):
    signal = frames()
    signal[3] = signal[2]
    made = read_dicom_frames(saved(frame_builders.series(signal, Ids(), gantry_deg=ANGLES), tmp_path))
    assert (made.doubled, len(made.frames)) == (1, 6)
    assert "repeat the pixels" in " ".join(made.integrated.warnings)


def test_path_of_the_gantry():
    assert gantry_path_deg(arc((340.0, 30.0))) == pytest.approx([340.0, 390.0])
    assert np.ptp(gantry_path_deg(arc((181.0, 300.0, 60.0, 179.0)))) == pytest.approx(358.0)
    assert gantry_path_deg(arc((180.0, 180.0))) == pytest.approx([180.0, 540.0])


@pytest.mark.parametrize("by", ["gantry angle", "monitor units", "time"])
def test_frames_are_placed_in_the_arc(tmp_path, by):
    facts = {
        "gantry angle": {"gantry_deg": [345.0, 355.0, 5.0, 15.0, 25.0]},
        "monitor units": {"meterset_mu": [12.0] * 5},
        "time": {"frame_time_ms": 500.0},
    }[by]
    made = read_dicom_frames(saved([frame_builders.cine(frames(5), Ids(), **facts)], tmp_path))
    placed = assign_frames(made.frames, arc((340.0, 0.0, 30.0)))
    # Control points at 0, 1/2 and 1 of the meterset stand at 340, 0 and 30 degrees.
    expected = {"gantry angle": [0.125, 0.375, 0.5 + 5 / 60, 0.75, 0.5 + 25 / 60]}.get(by, [0.1, 0.3, 0.5, 0.7, 0.9])
    assert placed.by == by
    assert [one.meterset_weight for one in placed.frames] == pytest.approx(expected)
    assert [one.control_point for one in placed.frames] == [0, 0, 1, 1, 1]
    angles = {"gantry angle": [345.0, 355.0, 5.0, 15.0, 25.0]}.get(by, [344.0, 352.0, 0.0, 12.0, 24.0])
    assert [one.gantry_angle_deg for one in placed.frames] == pytest.approx(angles)


def test_one_frame_without_its_angle_is_said(tmp_path):
    """All frames are then placed by something else; that may not happen in silence."""
    facts = {"gantry_deg": [345.0, 355.0, 5.0, 15.0, 25.0], "meterset_mu": [12.0] * 5}
    cine = frame_builders.cine(frames(5), Ids(), **facts)
    del cine.ExposureSequence[2].GantryAngle
    made = read_dicom_frames(saved([cine], tmp_path))
    placed = assign_frames(made.frames, arc((340.0, 0.0, 30.0)))
    assert placed.by == "monitor units"
    assert placed.notes == ("1 of 5 frames state no gantry angle: all were placed by monitor units.",)


def test_a_full_turn_passes_its_ends_twice_but_frames_follow_each_other(tmp_path):
    angles = [182.0, 270.0, 0.0, 90.0, 178.0]
    made = read_dicom_frames(saved([frame_builders.cine(frames(5), Ids(), gantry_deg=angles)], tmp_path))
    at = [one.meterset_weight for one in assign_frames(made.frames, arc((180.0, 180.0))).frames]
    assert at == pytest.approx([2 / 360, 0.25, 0.5, 0.75, 358 / 360])


def test_frames_that_cannot_be_placed_are_refused(tmp_path):
    elsewhere = read_dicom_frames(
        saved([frame_builders.cine(frames(2), Ids(), gantry_deg=[350.0, 120.0])], tmp_path / "elsewhere")
    )
    with pytest.raises(AmbiguousInput, match="frame 2 was taken at 120 degrees"):
        assign_frames(elsewhere.frames, arc())
    silent = read_dicom_frames(saved([frame_builders.cine(frames(2), Ids())], tmp_path / "silent"))
    with pytest.raises(MissingObject, match="neither gantry angle"):
        assign_frames(silent.frames, arc())
