"""The dose on the anatomy of the day: moved anatomy with moved beams is the unmoved dose; what must be is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import builders
from builders import Ids
from chain_study import write_profile
from day_study import ISOCENTRE, PLANNING, day_lattice, rois, write_day, write_plan
from intrepid_cli.main import run
from intrepid_cli.verification import VerificationSettings, verify_study
from intrepid_gamma.gamma import gamma_indices
from intrepid_gamma.settings import GammaSettings
from intrepid_rt.errors import UnusableInput
from intrepid_rt.registration.rigid_transform import rigid_about
from intrepid_rt.registration.transform_file import write_transform
from intrepid_rt.structure_mask import structure_mask

MOTION = rigid_about(ISOCENTRE, shift_mm=(7.0, -5.0, 9.0), rotation_deg=(1.5, -2.0, 2.5))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Folder with the plan and its dose on the planning CT."""
    folder = tmp_path_factory.mktemp("day")
    ids = write_plan(folder / "study", Ids())
    write_profile(folder / "profile.json")
    return folder, ids


def verified(base: Path, study: str = "study", **settings):
    settings = {"machine": base / "profile.json", "criteria": ((50.0, 10.0),), **settings}
    return verify_study(VerificationSettings(base / study, base / "unused", **settings)).result


@pytest.fixture(scope="module")
def planned(base):
    return verified(base[0])


def assert_same_dose(one, other):
    """Doses agree inside the patient: in gamma, and to 3 % of the maximum half a centimetre below the skin."""
    external = one.structure_set.external
    inside = structure_mask(external, one.reconstructed)
    outcome = gamma_indices(one.reconstructed, other.reconstructed, [GammaSettings(2, 2)], mask=inside)[0]
    assert outcome.pass_rate_percent > 98.0
    deep = ndimage.binary_erosion(inside)
    off = np.abs(other.reconstructed.values - one.reconstructed.values)[deep] / one.reconstructed.values.max()
    assert np.percentile(off, 99) < 0.03
    assert off.mean() < 0.004


def test_moved_anatomy_and_moved_beams_give_the_unmoved_dose(base, planned):
    """The image has its own frame of reference and a turned, anisotropic lattice; the couch was corrected in 6D."""
    write_day(base[0] / "moved", Ids(), motion=MOTION)
    day = verified(base[0], anatomy=base[0] / "moved", setup="matched-6d")
    np.testing.assert_allclose(day.day.quality.shift_mm, (7.0, -5.0, 9.0), atol=0.3)
    np.testing.assert_allclose(day.day.quality.rotation_deg, (1.5, -2.0, 2.5), atol=0.2)
    assert_same_dose(planned, day)
    [body] = day.day.quality.structures
    assert body.carried > 0.96
    assert day.day.quality.repeat_shift_mm < 0.3
    for before, after in zip(planned.beams, day.beams, strict=True):
        one, other = before.forward_check.predicted.values, after.forward_check.predicted.values
        assert np.percentile(np.abs(other - one), 99) < 0.02 * one.max()  # the forward check sees the day's anatomy


def test_a_patient_who_moved_is_hit_elsewhere(base):
    """Treated as imaged, 8 mm off: the same as a plan whose isocentre lies 8 mm to the other side in the anatomy."""
    motion = rigid_about(ISOCENTRE, shift_mm=(8.0, 0.0, 0.0))
    write_day(base[0] / "shifted", base[1], motion=motion, lattice=day_lattice(turned_deg=(0, 0, 0)))
    day = verified(base[0], anatomy=base[0] / "shifted")  # one frame of reference: treated as imaged
    np.testing.assert_allclose(day.day.quality.setup_shift_mm, (-8.0, 0.0, 0.0), atol=0.3)
    x, y, z = ISOCENTRE
    write_plan(base[0] / "elsewhere", Ids(frame=base[1].frame), isocentre=(x - 8.0, y, z))
    elsewhere = verified(base[0], "elsewhere", grid_mm=None)
    # Both grids are the planned dose's, which does not move with the isocentre.
    assert_same_dose(elsewhere, day)
    # and not the dose of the patient who did not move
    ratio = day.reconstructed.sample(ISOCENTRE) / elsewhere.reconstructed.sample(ISOCENTRE)
    assert ratio == pytest.approx(1.0, abs=0.02)


def test_a_stated_transform_and_structures_of_the_day(base, planned, tmp_path):
    """A transform file replaces the search; structures drawn on the image of the day are compared by name."""
    motion = rigid_about(ISOCENTRE, shift_mm=(4.0, -3.0, 0.0))
    lattice = PLANNING
    ids = Ids(frame=base[1].frame)
    write_day(base[0] / "drawn", ids, lattice, motion=motion)
    drawn = rois(lattice.position[2] + lattice.offsets, lambda points: points + np.array([4.0, -3.0, 0.0]))
    builders.save(builders.rtstruct(drawn, ids), base[0] / "drawn" / "RTSTRUCT.dcm")
    write_transform(tmp_path / "known.tfm", motion, None)
    day = verified(base[0], anatomy=base[0] / "drawn", registration=str(tmp_path / "known.tfm"), setup="matched")
    assert day.day.quality.registration == "known.tfm"
    tumour = next(s for s in day.day.quality.structures if s.name == "TUMOUR")
    assert tumour.before < 0.85
    assert tumour.carried > 0.93
    assert_same_dose(planned, day)
    roles = [item.role for item in day.provenance.inputs]
    assert "CT of the day" in roles
    assert "transform" in roles


def test_the_registration_object_of_image_guidance_is_used(base, planned):
    """The couch was corrected by what the REG object beside the image states; its frame is the image's own."""
    folder, day_ids = base[0] / "guided", Ids()
    write_day(folder, day_ids, motion=MOTION)
    with pytest.raises(UnusableInput, match="none of 0 spatial registration"):
        verified(base[0], anatomy=folder, registration="dicom", setup="matched-6d")
    made = builders.new_dataset("CT", Ids(frame=base[1].frame))
    made.Modality, made.SOPClassUID = "REG", "1.2.840.10008.5.1.4.1.1.66.1"
    made.RegistrationSequence = []
    for uid, matrix in ((base[1].frame, np.eye(4)), (day_ids.frame, MOTION.inverse.matrix)):
        one = builders.item(FrameOfReferenceTransformationMatrix=[f"{v:.10g}" for v in matrix.ravel()])
        one.FrameOfReferenceTransformationMatrixType = "RIGID"
        step = builders.item(MatrixSequence=[one])
        made.RegistrationSequence.append(builders.item(FrameOfReferenceUID=uid, MatrixRegistrationSequence=[step]))
    builders.save(made, folder / "REG.dcm")
    day = verified(base[0], anatomy=folder, registration="dicom", setup="matched-6d")
    np.testing.assert_allclose(day.day.to_day.matrix, MOTION.matrix, atol=1e-6)
    assert_same_dose(planned, day)


def test_a_truncated_image_is_refused_or_completed(base, planned):
    ids = Ids(frame=base[1].frame)
    write_day(base[0] / "cut", ids, day_lattice(turned_deg=(0, 0, 0), n=36), round_mm=96.0, description="CBCT")
    with pytest.raises(UnusableInput, match=r"does not show the whole patient.*--truncated complete"):
        verified(base[0], anatomy=base[0] / "cut")
    day = verified(base[0], anatomy=base[0] / "cut", truncated="complete")
    assert day.day.quality.completed_cc > 100
    assert any("taken from the planning CT" in warning for warning in day.warnings)
    assert any("cone-beam" in warning for warning in day.warnings)
    assert day.day.quality.image == "cone-beam CT"
    assert_same_dose(planned, day)


def test_wrong_hounsfield_numbers_are_refused_or_matched(base, planned):
    write_day(base[0] / "hu", Ids(frame=base[1].frame), scale=0.85, offset_hu=70.0, description="CBCT")
    with pytest.raises(UnusableInput, match=r"soft tissue \+6\d HU.*--anatomy-curve"):
        verified(base[0], anatomy=base[0] / "hu")
    day = verified(base[0], anatomy=base[0] / "hu", anatomy_curve="matched")
    assert "matching the HU" in day.day.quality.curve
    assert_same_dose(planned, day)


def test_another_patient_is_refused(base):
    write_day(base[0] / "stranger", Ids(patient="OTHER"))
    with pytest.raises(UnusableInput, match="another patient ID"):
        verified(base[0], anatomy=base[0] / "stranger")


def test_the_command_line_writes_it_down(base):
    """Deformable, with results, scene and report; without a way to know the isocentre one line says what to do."""
    folder = base[0]
    write_day(folder / "own", Ids(), motion=MOTION)
    arguments = ["reconstruct", str(folder / "study"), "--machine", str(folder / "profile.json")]
    arguments += ["--criteria", "50/10", "--anatomy", str(folder / "own"), "--out", str(folder / "out")]
    assert run(arguments) == 2
    assert not (folder / "out").exists()
    code = run([*arguments, "--registration", "deformable", "--setup", "matched-6d", "--json"])
    assert code in (0, 1)
    results = json.loads((folder / "out" / "results.json").read_text())
    anatomy = results["anatomy"]
    assert anatomy["deformation_mm"][0] < 1.5  # nothing deformed
    assert anatomy["volume_change"][0] > 0.5
    assert len(anatomy["to_day"]) == 4
    assert {one["tissue"] for one in anatomy["hounsfield"]} >= {"soft tissue", "lung"}
    report = (folder / "out" / "report.html").read_text()
    assert "Anatomy of the day" in report
