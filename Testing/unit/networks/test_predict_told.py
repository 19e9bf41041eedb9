"""``intrepid predict`` with what lies beside an image: monitor units from the plan, the patient from the CT.

Truth is the sample study (EGSnrc): two beams through a thorax with lung, spine and a lesion.
"""

import json
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest

import builders
import chain_study
from intrepid_cli.main import run
from intrepid_cli.verification.comparison import at_isocentre
from intrepid_epid.portal_dose_file import read_portal_dose
from intrepid_gamma import gamma_index
from intrepid_rt.resources import resource_folder
from toy_dataset import write_toy_dataset

WHERE = {"source_to_image_mm": 1600.0, "source_to_axis_mm": 1000.0}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    with zipfile.ZipFile(resource_folder("SampleData") / "thorax_two_beams.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def predicted(tmp_path, capsys):
    def predict(profile, *arguments):
        capsys.readouterr()
        assert run(["predict", *map(str, arguments), "--machine", str(profile), "--out", str(tmp_path / "out"),
                    "--json"]) == 0, capsys.readouterr().err  # fmt: skip
        return json.loads(capsys.readouterr().out)["images"]

    return predict


def compared(sample, said):
    """Error of the mean above 90 % of the maximum in percent, and pass rate of 2 %/2 mm, of every image."""
    for one in said:
        beam = Path(one["file"]).stem.removeprefix("RTIMAGE_")
        truth = at_isocentre(read_portal_dose(sample / "planned_portal" / f"{beam}_portal_dose.nrrd", **WHERE))
        dose = at_isocentre(read_portal_dose(one["portal_dose"], **WHERE))
        high = truth.values > 0.9 * truth.values.max()
        at = dose.sample(*np.meshgrid(truth.x_mm, truth.y_mm))
        rate = gamma_index(truth, dose, dose_percent=2, distance_mm=2).pass_rate_percent
        yield 100 * (at[high].mean() / truth.values[high].mean() - 1), rate


PROFILE = "MC6MV.profile.json"


def test_a_study_folder_tells_monitor_units_and_patient(sample, predicted):
    said = predicted(resource_folder("SampleData") / PROFILE, sample / "study")
    assert [(one["meterset_mu"], one["meterset_from"], one["ct"]) for one in said] == [
        (100.0, "from the plan", "known")
    ] * 2
    for error, rate in compared(sample, said):
        assert abs(error) < 0.5
        assert rate > 99.5


def test_images_assigned_by_hand_show_those_beams(sample, predicted):
    """Exchanged by hand: each image goes with the other's beam, and says so."""
    images = sorted((sample / "study").glob("RTIMAGE*.dcm"))
    profile = resource_folder("SampleData") / PROFILE
    own = [one["beam"] for one in predicted(profile, *images, "--study", sample / "study")]
    exchange = [
        text for number, image in zip((2, 1), images, strict=True) for text in ("--assign", f"{number}={image.name}")
    ]
    said = predicted(profile, *images, "--study", sample / "study", *exchange)
    assert [one["beam"] for one in said] == own[::-1]
    for one in said:
        assert f"assigned to beam {one['beam']} by hand" in " ".join(one["warnings"])


def test_an_assignment_without_a_plan_is_refused(sample, tmp_path, capsys):
    image = next((sample / "study").glob("RTIMAGE*.dcm"))
    profile = resource_folder("SampleData") / PROFILE
    arguments = [str(image), "--machine", str(profile), "--out", str(tmp_path / "out"), "--assign", f"1={image.name}"]
    assert run(["predict", *arguments]) == 2
    assert "give it with --study or --plan" in capsys.readouterr().err


def test_the_plan_alone_makes_the_patient_water(sample, predicted):
    images = sorted((sample / "study").glob("RTIMAGE*.dcm"))
    profile = resource_folder("SampleData") / PROFILE
    told = predicted(profile, *images, "--plan", sample / "study" / "RTPLAN.dcm")
    assert [(one["meterset_from"], one["ct"]) for one in told] == [("from the plan", "unknown")] * 2
    assert all("taken as the water" in " ".join(one["warnings"]) for one in told)
    for error, rate in compared(sample, told):
        assert abs(error) < 1.0
        assert rate > 99


def test_the_image_alone_is_called_unreliable_and_is(sample, predicted):
    images = sorted((sample / "study").glob("RTIMAGE*.dcm"))
    said = predicted(resource_folder("SampleData") / PROFILE, *images, "--alone")
    assert [(one["meterset_mu"], one["meterset_from"], one["ct"]) for one in said] == [(None, "unknown", "unknown")] * 2
    assert all(any(warning.startswith("UNRELIABLE") for warning in one["warnings"]) for one in said)
    assert all(error < -1.0 for error, _ in compared(sample, said))


def test_an_image_is_told_by_the_plan_it_names_if_that_lies_beside_it(sample, predicted):
    profile = resource_folder("SampleData") / PROFILE
    images = sorted((sample / "study").glob("RTIMAGE*.dcm"))
    told, by_study = predicted(profile, *images), predicted(profile, sample / "study")
    assert [(one["meterset_mu"], one["meterset_from"], one["ct"]) for one in told] == [
        (100.0, "from the plan that the image names", "known")
    ] * 2
    assert all(any("lies beside it and was used; see --alone" in warning for warning in one["warnings"])
               for one in told)  # fmt: skip
    assert [one["max_gy"] for one in told] == [one["max_gy"] for one in by_study]


@pytest.fixture
def toy(tmp_path):
    """A small study whose image states the monitor units given, and its profile."""

    def write(*, image_mu=None):
        ids = chain_study.write_study(tmp_path / "study", names=("AP",), gantry_deg=(0.0,))
        made = chain_study.portal_image(ids, 1, 0.0, level=0.3)
        if image_mu:
            made.ExposureSequence = [builders.item(MetersetExposure=str(image_mu))]
        builders.save(made, tmp_path / "study" / "RTIMAGE_1.dcm")
        chain_study.write_profile(tmp_path / "profile.json")
        return tmp_path / "study"

    return write


def refused(capsys, tmp_path, *arguments):
    out, profile = tmp_path / "out", tmp_path / "profile.json"
    capsys.readouterr()
    assert run(["predict", *map(str, arguments), "--machine", str(profile), "--out", str(out)]) == 2
    printed = capsys.readouterr().err.strip()
    assert len(printed.splitlines()) == 1
    assert not out.exists()
    return printed


def test_monitor_units_that_contradict_each_other(toy, tmp_path, capsys, predicted):
    study = toy(image_mu=80)
    planned = float(
        pydicom.dcmread(study / "RTPLAN.dcm").FractionGroupSequence[0].ReferencedBeamSequence[0].BeamMeterset
    )
    said = refused(capsys, tmp_path, study)
    assert "states 80 MU" in said
    assert f"{planned:g} MU" in said
    by_hand = predicted(tmp_path / "profile.json", study, "--meterset-mu", "100")[0]
    assert (by_hand["meterset_mu"], by_hand["meterset_from"]) == (100.0, "by hand")


def test_monitor_units_that_no_patient_explains(toy, tmp_path, capsys):
    image = toy() / "RTIMAGE_1.dcm"
    assert "which no patient explains" in refused(capsys, tmp_path, image, "--alone", "--meterset-mu", "20")
    assert "which no patient explains" in refused(capsys, tmp_path, image, "--alone", "--meterset-mu", "90000")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ReferencedBeamNumber": 7}, "references beam 7"),
        ({"GantryAngle": "40"}, "was taken at 40 degrees"),
        ({"PatientID": "SOMEONE-ELSE"}, "no RTPLAN of the same patient"),
    ],
)
def test_an_image_that_is_not_of_the_plan(toy, tmp_path, capsys, changed, message):
    study = toy()
    stranger = pydicom.dcmread(study / "RTIMAGE_1.dcm")
    stranger.SOPInstanceUID = f"{stranger.SOPInstanceUID[:-3]}.9"
    for keyword, value in changed.items():
        setattr(stranger, keyword, value)
    path = tmp_path / "stranger.dcm"
    stranger.save_as(path)
    assert message in refused(capsys, tmp_path, path, "--study", study)
    assert message in refused(capsys, tmp_path, path, "--plan", study / "RTPLAN.dcm")


@pytest.mark.parametrize("stated", ["plan", "beam", "neither"])
def test_a_plan_that_the_image_does_not_name_is_not_taken(toy, tmp_path, predicted, stated):
    """File names, angles and times tell nothing unless the user asks for it."""
    image = toy() / "RTIMAGE_1.dcm"
    changed = pydicom.dcmread(image)
    if stated != "plan":
        changed.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = "1.2.3.4"
    if stated != "beam":
        del changed.ReferencedBeamNumber
    changed.save_as(image)
    said = predicted(tmp_path / "profile.json", image)[0]
    assert (said["meterset_mu"], said["meterset_from"], said["ct"]) == (None, "unknown", "unknown")
    assert any("lies beside it and is not used" in warning for warning in said["warnings"]) == (stated == "plan")


def test_the_plan_of_another_folder_is_not_looked_for(toy, tmp_path, predicted):
    image = toy() / "RTIMAGE_1.dcm"
    (tmp_path / "elsewhere").mkdir()
    moved = image.rename(tmp_path / "elsewhere" / image.name)
    assert predicted(tmp_path / "profile.json", moved)[0]["meterset_from"] == "unknown"


def test_a_folder_that_changes_is_read_anew(toy, tmp_path, predicted):
    image = toy() / "RTIMAGE_1.dcm"
    assert predicted(tmp_path / "profile.json", image)[0]["meterset_from"] == "from the plan that the image names"
    (image.parent / "RTPLAN.dcm").unlink()
    assert predicted(tmp_path / "profile.json", image)[0]["meterset_from"] == "unknown"


def test_what_the_parser_complains_about_is_told_and_leaks_nowhere(toy, tmp_path, predicted):
    image = toy() / "RTIMAGE_1.dcm"
    stated = str(pydicom.dcmread(image).SpecificCharacterSet).encode()
    image.write_bytes(image.read_bytes().replace(stated, b"NONSENSE".ljust(len(stated)), 1))
    said = predicted(tmp_path / "profile.json", image)[0]
    assert any("Unknown encoding" in warning for warning in said["warnings"])
    assert said["meterset_from"] == "from the plan that the image names"  # a leaked warning is an error in tests


def test_monitor_units_of_image_and_plan_beside_it_must_agree(toy, tmp_path, capsys, predicted):
    image = toy(image_mu=80) / "RTIMAGE_1.dcm"
    assert "states 80 MU" in refused(capsys, tmp_path, image)
    assert predicted(tmp_path / "profile.json", image, "--alone")[0]["meterset_from"] == "from the image"


def test_alone_excludes_study_and_plan(toy, tmp_path, capsys):
    study = toy()
    assert "--alone takes image files only" in refused(capsys, tmp_path, study, "--alone")
    assert "--alone takes image files only" in refused(
        capsys, tmp_path, study / "RTIMAGE_1.dcm", "--alone", "--plan", study / "RTPLAN.dcm"
    )


def test_study_and_plan_exclude_each_other(toy, tmp_path, capsys):
    study = toy()
    assert "exclude each other" in refused(
        capsys, tmp_path, study / "RTIMAGE_1.dcm", "--study", study, "--plan", study / "RTPLAN.dcm"
    )
    assert "one study folder alone" in refused(capsys, tmp_path, study, "--plan", study / "RTPLAN.dcm")


@pytest.mark.parametrize(("kilovolts", "stated"), [("10000", "10 MV"), ("120", "120 kV")])
def test_an_image_of_another_energy(toy, tmp_path, capsys, kilovolts, stated):
    study = toy()
    image = pydicom.dcmread(study / "RTIMAGE_1.dcm")
    image.ExposureSequence = [builders.item(KVP=kilovolts)]
    image.save_as(study / "RTIMAGE_1.dcm")
    said = refused(capsys, tmp_path, study / "RTIMAGE_1.dcm")
    assert f"was taken with {stated}, the machine profile is for 6 MV" in said
    image.ExposureSequence = [builders.item(KVP="6000")]
    image.save_as(study / "RTIMAGE_1.dcm")
    command = ["predict", str(study / "RTIMAGE_1.dcm"), "--machine", str(tmp_path / "profile.json")]
    assert run([*command, "--out", str(tmp_path / "out")]) == 0


def test_a_network_trained_with_fields_is_told_that_of_the_plan(toy, tmp_path, predicted):
    pytest.importorskip("torch")
    write_toy_dataset(tmp_path / "toys", with_field=True, n_train=12)
    options = ["--out", str(tmp_path / "runs"), "--folds", "2", "--epochs", "3", "--inputs", "transmission,field"]
    assert run(["train", str(tmp_path / "toys"), *options, "--batch-sizes", "4", "--name", "fields"]) == 0
    image, model = toy() / "RTIMAGE_1.dcm", ["--model", tmp_path / "runs" / "model"]
    doses, unknown = [], []
    for told in (["--alone"], ["--plan", tmp_path / "study" / "RTPLAN.dcm"]):
        said = predicted(tmp_path / "profile.json", image, "--meterset-mu", "100", *told, *model)[0]
        assert said["model"] == "fields"
        doses.append(said["max_gy"])
        unknown.append(any("No plan is known to the network" in warning for warning in said["warnings"]))
    assert unknown == [True, False]
    assert doses[0] != doses[1]
