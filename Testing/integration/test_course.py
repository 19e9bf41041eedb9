"""``intrepid course``: fractions add up, missing ones are told, and what does not belong together is refused."""

import json
import shutil

import numpy as np
import pydicom
import pytest

import builders
from chain_study import portal_image, write_profile, write_study
from intrepid_cli.main import run
from intrepid_cli.verification.seal import changed_files
from intrepid_rt.dicom_dose import read_dose, read_dose_object
from intrepid_rt.image_files import read_image

LEVELS = {1: 0.5, 2: 0.55, 4: 0.45}
PLANNED = 5


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Three fractions of a plan of five, and one of another plan of the same patient."""
    folder = tmp_path_factory.mktemp("course")
    profile = write_profile(folder / "profile.json")
    ids = write_study(folder / "first", names=("AP",), gantry_deg=(0.0,))
    plan = pydicom.dcmread(folder / "first" / "RTPLAN.dcm")
    plan.FractionGroupSequence[0].NumberOfFractionsPlanned = PLANNED
    builders.save(plan, folder / "first" / "RTPLAN.dcm")
    for number, level in LEVELS.items():
        study = folder / f"study{number}"
        shutil.copytree(folder / "first", study)
        image = portal_image(ids, 1, 0.0, level=level)
        image.FractionNumber = number
        builders.save(image, study / "RTIMAGE_1.dcm")
        reconstructed(study, folder / f"fx{number}", profile)
    write_study(folder / "other", names=("AP",), gantry_deg=(0.0,))
    reconstructed(folder / "other", folder / "fx_other", profile)
    return folder


def reconstructed(study, out, profile):
    assert run(["reconstruct", str(study), "--out", str(out), "--machine", str(profile)]) in (0, 1)


def summed(course, out, *more, numbers=tuple(LEVELS)):
    return run(["course", *(str(course / f"fx{n}") for n in numbers), "--out", str(out), "--json", *more])


def test_fractions_add_up_and_missing_ones_are_told(course, tmp_path, capsys):
    limits = tmp_path / "limits.csv"
    limits.write_text("Structure,Constraint\nTARGET,D95% > 0.1Gy\n")
    code = summed(course, tmp_path / "out", "--constraints", str(limits))
    results = json.loads(capsys.readouterr().out)
    assert code == 1  # the planned dose is no truth
    expected = sum(read_dose(course / f"fx{n}" / "RTDOSE_total.dcm").values.astype(float) for n in LEVELS)
    found = read_dose_object(tmp_path / "out" / "RTDOSE_course.dcm")
    np.testing.assert_allclose(found.grid.values, expected, atol=1e-5)
    np.testing.assert_allclose(read_image(tmp_path / "out" / "course_dose.nrrd").values, expected, atol=1e-5)
    assert results["composition"] == "Sum of 3 of 5 fractions; the 2 not imaged (3, 5) are left out."
    assert found.comment.startswith(results["composition"])
    assert (results["fractions_missing"], results["compared_fractions"]) == ([3, 5], 3)
    assert [one["fraction"] for one in results["fractions"]] == ["fraction 1", "fraction 2", "fraction 4"]
    # Against three fifths of the plan's total.
    planned = read_dose(course / "study1" / "RTDOSE.dcm").values.max() * 3 / PLANNED
    assert results["gamma_3d"][0]["norm_gy"] == pytest.approx(planned, rel=1e-4)
    assert "part of it" in results["constraints"][0]["reason"]
    assert results["constraints"][0]["compliance"] is None
    assert changed_files(tmp_path / "out") == []


def test_missing_fractions_are_filled_only_as_asked(course, tmp_path, capsys):
    imaged = sum(read_dose(course / f"fx{n}" / "RTDOSE_total.dcm").values.astype(float) for n in LEVELS)
    planned = read_dose(course / "study1" / "RTDOSE.dcm").values / PLANNED
    for how, expected in (("as-imaged", imaged * 5 / 3), ("as-planned", imaged + 2 * planned)):
        summed(course, tmp_path / how, "--missing", how)
        results = json.loads(capsys.readouterr().out)
        found = read_dose_object(tmp_path / how / "RTDOSE_course.dcm")
        np.testing.assert_allclose(found.grid.values, expected, atol=1e-5)
        assert results["compared_fractions"] == 5
        assert ("mean of the imaged" if how == "as-imaged" else "from the plan") in found.comment
        assert results["verdict"]["status"] != "pass"


def test_what_does_not_belong_together_is_refused(course, tmp_path, capsys):
    out = tmp_path / "out"

    def refusal(*numbers):
        assert summed(course, out, numbers=numbers) == 2
        assert not out.exists()
        return capsys.readouterr().err

    assert "different plans" in refusal(1, "_other")
    assert "both show fraction 1" in refusal(1, 2, 1)
    assert "lacks results.json" in refusal(1, "_none")
    for name, change, message in CHANGES:
        shutil.copytree(course / "fx2", course / f"fx_{name}", dirs_exist_ok=True)
        change(course / f"fx_{name}")
        assert message in refusal(1, f"_{name}")


def _resealed(folder, **changes):
    """Change results as an honest program would: with a new seal."""
    from intrepid_cli.verification.seal import RESULTS, sealed

    results = json.loads((folder / RESULTS).read_text()) | changes
    (folder / RESULTS).write_text(json.dumps(sealed(results, folder)))


def _moved_frame(folder):
    dose = pydicom.dcmread(folder / "RTDOSE_total.dcm")
    dose.FrameOfReferenceUID = "1.2.3"
    dose.save_as(folder / "RTDOSE_total.dcm")
    _resealed(folder)


def _damaged(folder):
    path = folder / "RTDOSE_total.dcm"
    path.write_bytes(path.read_bytes()[:-2] + b"\xff\xff")


CHANGES = (
    ("patient", lambda folder: _resealed(folder, patient_id="SOMEONE ELSE"), "different patients"),
    ("frame", _moved_frame, "different frames of reference"),
    ("relative", lambda folder: _resealed(folder, dose_unit="relative"), "relative result"),
    ("damaged", _damaged, "RTDOSE_total.dcm changed"),
)
