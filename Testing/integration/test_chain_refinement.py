"""``intrepid reconstruct --refinement``: what it changes, what it writes, and when the physics answers."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from chain_study import write_profile, write_study
from device_cases import Recorder
from intrepid_cli.main import run
from intrepid_cli.verification.batch import is_finished
from intrepid_cli.verification.settings import VerificationSettings
from intrepid_epid.dose_engine.collapsed_cone import STRIPS
from intrepid_epid.networks.card import TrainingRange
from intrepid_epid.patient_scatter import PIXELS
from intrepid_epid.ray_tracing import RAYS
from intrepid_epid.terma import LINES
from intrepid_rt.dicom_dose import read_dose
from toy_refinement import write_toy_refinement


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    base = tmp_path_factory.mktemp("refined")
    write_study(base / "study")
    write_profile(base / "profile.json")
    write_toy_refinement(base / "toy")
    write_toy_refinement(base / "elsewhere", domain=[TrainingRange("depth_g_cm2", 0.0, 1.0)])
    reconstruct(base, "plain")
    return base


def reconstruct(base, out, *options):
    arguments = ["reconstruct", str(base / "study"), "--out", str(base / out), "--machine", str(base / "profile.json")]
    code = run([*arguments, *options, "--criteria", "3/3"])
    return code, json.loads((base / out / "results.json").read_text()) if code in (0, 1) else None


def test_a_refined_dose_with_its_band(study):
    plain = json.loads((study / "plain" / "results.json").read_text())
    code, results = reconstruct(study, "out", "--refinement", str(study / "toy"), "--device", "cpu")
    assert code in (0, 1)
    assert plain["dose_uncertainty"] is None
    assert not (study / "plain" / "dose_uncertainty.nrrd").exists()
    dose, physics = (read_dose(study / out / "RTDOSE_total.dcm") for out in ("out", "plain"))
    highest = physics.values.max()
    assert 1e-3 * highest < np.abs(dose.values - physics.values).max() < 0.2 * highest
    image = sitk.ReadImage(str(study / "out" / "dose_uncertainty.nrrd"))
    band = sitk.GetArrayFromImage(image)
    assert band.shape == dose.shape
    np.testing.assert_allclose(image.GetOrigin(), dose.origin_lps_mm)
    stated = results["dose_uncertainty"]
    assert stated["file"] == "dose_uncertainty.nrrd"
    high = dose.values > 0.8 * dose.values.max()
    assert stated["high_dose_percent"] == pytest.approx(100 * band[high].mean() / dose.values.max(), rel=0.01)
    assert results["provenance"]["settings"]["refinement"].startswith("toy (weights SHA-256 ")
    assert "dose_uncertainty.nrrd" in (study / "out" / "report.html").read_text()
    assert "dose_uncertainty.nrrd" in results["integrity"]["files"]
    with zipfile.ZipFile(study / "out" / "scene.mrb") as scene:
        assert any("Dose uncertainty" in name for name in scene.namelist())


def test_the_physics_goes_to_its_device(study, monkeypatch):
    """A recording CPU stands in the place of the CUDA device."""
    device = Recorder()
    for module in ("device", "verify"):
        monkeypatch.setattr(f"intrepid_cli.verification.{module}.physics_device", lambda name: device)
    assert reconstruct(study, "on-device", "--device", "cuda")[0] in (0, 1)
    assert {loop for loop, _, _ in device.kernels} == {RAYS, PIXELS, LINES, STRIPS}
    on_device, on_cpu = (read_dose(study / out / "RTDOSE_total.dcm").values for out in ("on-device", "plain"))
    np.testing.assert_allclose(on_device, on_cpu, atol=2e-6 * on_cpu.max())


def test_outside_its_domain_the_dose_is_that_of_the_physics(study):
    code, results = reconstruct(study, "fallback", "--refinement", str(study / "elsewhere"))
    assert code in (0, 1)
    assert results["dose_uncertainty"] is None
    assert all("was not applied" in " ".join(beam["notes"]) for beam in results["beams"])
    refined, physics = (read_dose(study / out / "RTDOSE_total.dcm") for out in ("fallback", "plain"))
    np.testing.assert_array_equal(refined.values, physics.values)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--refinement", "better"], "No refinement is called"),
        (["--refinement", "simulated-6mv", "--device", "cuda:99"], "offers no cuda:99. Use --device cpu"),
        (["--refinement", "better", "--model", "first-order"], "corrects the dose of the physics"),
    ],
)
def test_a_refinement_that_cannot_be_is_refused_in_one_line(study, capsys, options, said):
    assert reconstruct(study, "refused", *options)[0] == 2
    assert said in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (study / "refused").exists()


def test_batch_knows_a_result_with_another_refinement_from_its_own(study):
    settings = VerificationSettings(
        study / "study", study / "plain", machine=study / "profile.json", criteria=((3.0, 3.0),)
    )
    assert is_finished(settings)
    assert not is_finished(replace(settings, refinement="toy"))
