"""The model that ships: sound files, an honest card, right on images of another simulation."""

import json
import zipfile

import numpy as np
import pytest

from intrepid_cli.main import run
from intrepid_cli.verification.comparison import at_isocentre
from intrepid_epid.networks.registry import find_model
from intrepid_epid.portal_dose_file import read_portal_dose
from intrepid_gamma import gamma_index
from intrepid_rt.resources import resource_folder

pytest.importorskip("torch")
NAME = "simulated-6mv"
WHERE = {"source_to_image_mm": 1600.0, "source_to_axis_mm": 1000.0}


def test_files_and_card(capsys):
    assert run(["models", "verify", NAME, "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["members"] == 5
    assert card["trained_on"].startswith("simulated, not measured")
    assert "not for clinical decisions" in card["intended_use"]
    assert sum(path.stat().st_size for path in find_model(NAME).iterdir()) < 20e6


def test_band_of_the_held_out_pairs():
    card = json.loads((find_model(NAME) / "card.json").read_text())
    for calibration in card["calibrations"]:
        assert 90 <= calibration["coverage_percent"] <= 98
        assert calibration["half_width_percent"] <= 3.0


def test_images_of_an_independent_monte_carlo(tmp_path, capsys):
    """The sample study (EGSnrc): two beams through a thorax with lung, spine and a lesion; image and MU are known."""
    samples = resource_folder("SampleData")
    with zipfile.ZipFile(samples / "thorax_two_beams.zip") as archive:
        archive.extractall(tmp_path / "study")
    images = sorted(str(path) for path in tmp_path.rglob("RTIMAGE*.dcm"))
    planned = sorted(tmp_path.rglob("*portal_dose.nrrd"))
    assert len(images) == len(planned) == 2
    start = ["predict", *images, "--machine", str(samples / "MC6MV.profile.json"), "--out", str(tmp_path / "out")]
    assert run([*start, "--alone", "--model", NAME, "--meterset-mu", "100", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["images"]
    for one, truth_path in zip(said, planned, strict=True):
        assert one["model"] == NAME
        truth = at_isocentre(read_portal_dose(truth_path, **WHERE))
        dose = at_isocentre(read_portal_dose(one["portal_dose"], **WHERE))
        assert gamma_index(truth, dose, dose_percent=2, distance_mm=2).pass_rate_percent > 99
        high = truth.values > 0.9 * truth.values.max()
        at = dose.sample(*np.meshgrid(truth.x_mm, truth.y_mm))
        assert at[high].mean() == pytest.approx(truth.values[high].mean(), rel=0.015)
