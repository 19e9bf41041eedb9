"""``intrepid reconstruct`` on arcs and on beams imaged in parts, from the files to the results."""

import json

import numpy as np
import pytest

import builders
import chain_arc
import frame_builders
from chain_study import write_profile, write_study
from intrepid_cli.main import run
from intrepid_cli.verification import VerificationSettings, verify_study
from intrepid_rt.dicom_dose import read_dose


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return write_profile(tmp_path_factory.mktemp("profile") / "profile.json")


def verified(folder, profile, tmp_path):
    return verify_study(VerificationSettings(folder, tmp_path / "unused", machine=profile)).result


@pytest.fixture(scope="module")
def usual(profile, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cine")
    chain_arc.write_arc(folder, "cine", chain_arc.frame_signal())
    return verified(folder, profile, folder)


def test_an_arc_is_reconstructed_frame_by_frame(usual):
    beam = usual.beams[0]
    assert (beam.delivery.frames, beam.delivery.dropped, beam.delivery.doubled) == (18, 0, 0)
    assert beam.delivery.placed_by == "gantry angle"
    dose = beam.dose
    position = dose.positions()
    radius = np.hypot(position[..., 0], position[..., 1])
    middle = np.abs(position[..., 2]) < 5
    # From all sides: the dose is highest in the middle and alike on the left, right, front and back.
    near, far = (dose.values[middle & (np.abs(radius - r) < 5)] for r in (5, 50))
    assert near.mean() > 1.5 * far.mean()
    sides = [dose.sample([x, y, 0.0]) for x, y in ((30, 0), (-30, 0), (0, 30), (0, -30))]
    assert np.ptp(sides) < 0.08 * np.mean(sides)
    assert not usual.is_relative


def test_the_integrated_image_of_an_arc_is_predicted(usual):
    beam, check = usual.beams[0], usual.beams[0].forward_check
    assert check.reason == ""
    assert check.predicted.values.shape == beam.portal_dose.values.shape
    assert [outcome.n_points > 0 for outcome in check.gamma] == [True] * 3
    assert beam.planned_portal_dose is check.predicted


def test_causes_of_an_arc_are_sought_from_all_sides(usual):
    """The plan opens 10 x 10 cm2, the frames show 5 x 4."""
    check, parts = usual.beams[0].forward_check, usual.beams[0].portal_parts
    assert check.causes_sought
    assert [cause.name for cause in check.causes] == ["wrong beam"]
    assert check.evidence["directions"] == len(parts) == 18
    total = sum(part.portal_dose.values for part in parts)
    np.testing.assert_allclose(total, usual.beams[0].portal_dose.values, atol=1e-5 * total.max())


@pytest.mark.parametrize("form", ["series", "raw"])
def test_any_form_of_the_frames_gives_the_same_dose(usual, profile, tmp_path, form):
    chain_arc.write_arc(tmp_path / "study", form, chain_arc.frame_signal())
    result = verified(tmp_path / "study", profile, tmp_path)
    expected = usual.reconstructed.values
    np.testing.assert_allclose(result.reconstructed.values, expected, atol=2e-3 * expected.max())
    assert result.beams[0].delivery == usual.beams[0].delivery
    named = [entry.role for entry in result.provenance.inputs].count("raw frame" if form == "raw" else "RTIMAGE")
    assert named == 18


def test_command_writes_an_arc_with_a_dropped_and_a_doubled_frame(usual, profile, tmp_path, capsys):
    study, signal = tmp_path / "study", chain_arc.frame_signal()
    ids = chain_arc.write_arc(study, "series", signal)
    (study / "RI_010.dcm").unlink()
    twin = frame_builders.series(signal, ids, gantry_deg=chain_arc.ANGLES, pixel_mm=(6.4, 6.4))[15]
    twin.SeriesInstanceUID = _series_uid(study)
    builders.save(twin, study / "RI_twin.dcm")
    code = run(["reconstruct", str(study), "--out", str(tmp_path / "out"), "--machine", str(profile), "--json"])
    results = json.loads(capsys.readouterr().out)
    assert code in (0, 1)
    beam = results["beams"][0]
    assert beam["delivery"] == {"frames": 17, "dropped": 1, "doubled": 1, "placed_by": "gantry angle"}
    assert beam["forward_check"]["causes_sought"] is False
    assert beam["forward_check"]["evidence"]["image_shift_mm"] is None
    assert any("1 of its frames" in note for note in beam["forward_check"]["notes"])
    notes = " ".join(beam["notes"])
    assert "number 11" in notes
    assert "stored twice" in notes
    dose = read_dose(tmp_path / "out" / "RTDOSE_total.dcm").values
    assert dose.sum() == pytest.approx(usual.reconstructed.values.sum() * 17 / 18, rel=0.01)


def _series_uid(study):
    import pydicom

    return pydicom.dcmread(study / "RI_000.dcm", stop_before_pixels=True).SeriesInstanceUID


def test_one_integrated_image_of_an_arc_is_refused(profile, tmp_path, capsys):
    chain_arc.write_arc(tmp_path / "study", "integrated", chain_arc.frame_signal())
    out = tmp_path / "out"
    assert run(["reconstruct", str(tmp_path / "study"), "--out", str(out), "--machine", str(profile)]) == 2
    assert "is an arc" in capsys.readouterr().err
    assert not out.exists()


def test_frames_of_a_standing_beam_add_up(profile, tmp_path):
    """Step and shoot: frames that state their monitor units give the dose of the integrated image."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    write_study(whole, names=("AP",), gantry_deg=(0.0,))
    ids = write_study(parts, names=("AP",), gantry_deg=(0.0,))
    (parts / "RTIMAGE_1.dcm").unlink()
    field = 0.5 * chain_arc.soft_field(25, 20).values
    shares = np.array([0.2, 0.5, 0.3])
    frames = frame_builders.series(
        shares[:, None, None] * field, ids, gantry_deg=[0.0] * 3, seconds=20, pixel_mm=(6.4, 6.4)
    )
    for one, share in zip(frames, shares, strict=True):
        one.ExposureSequence = [builders.item(MetersetExposure=f"{100 * share:g}")]
    for number, one in enumerate(frames):
        builders.save(one, parts / f"RI_{number}.dcm")
    expected, made = (verified(folder, profile, tmp_path) for folder in (whole, parts))
    scale = expected.reconstructed.values.max()
    np.testing.assert_allclose(made.reconstructed.values, expected.reconstructed.values, atol=2e-3 * scale)
    assert made.beams[0].delivery.frames == 3
    assert made.beams[0].forward_check.predicted is not None


def test_repeated_images_of_a_standing_beam_are_no_frames(profile, tmp_path, capsys):
    study = tmp_path / "study"
    ids = write_study(study, names=("AP",), gantry_deg=(0.0,))
    (study / "RTIMAGE_1.dcm").unlink()
    signal = np.stack([0.5 * chain_arc.soft_field(25, 20).values] * 2)
    for number, one in enumerate(frame_builders.series(signal, ids, gantry_deg=[0.0] * 2, pixel_mm=(6.4, 6.4))):
        builders.save(one, study / f"RI_{number}.dcm")
    assert run(["reconstruct", str(study), "--out", str(tmp_path / "out"), "--machine", str(profile)]) == 2
    assert "Beam 1 has 2 images of one fraction" in capsys.readouterr().err
