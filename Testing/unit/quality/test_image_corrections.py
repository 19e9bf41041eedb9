"""Ghosting and sag that commissioning measured, taken out of an image."""

import json

import msgspec
import numpy as np
import pydicom
import pytest

import chain_study
from intrepid_cli.main import run
from intrepid_epid.image_corrections import corrected
from intrepid_epid.machine_profile import save_profile
from intrepid_epid.portal_dose_file import read_portal_dose
from intrepid_epid.portal_reader import read_portal_image
from intrepid_epid.quality.records import Ghosting, QualityBaseline, SagPoint, Uniformity

GHOSTING = Ghosting(0.05, 20.0)
SAG = (SagPoint(0.0, 0.0, 0.0), SagPoint(90.0, 0.4, -1.2), SagPoint(180.0, 0.1, -2.0))


def profile_with(*, ghosting=None, sag=()):
    quality = QualityBaseline(
        linearity=None,
        ghosting=ghosting,
        reproducibility=None,
        field_size=(),
        uniformity=Uniformity("f", 0.5, 0.5, 0.5),
        gantry_sag=sag,
        centres=(),
    )
    return msgspec.structs.replace(chain_study.PROFILE, quality=quality)


@pytest.fixture
def frame(tmp_path):
    chain_study.write_study(tmp_path / "study")
    return read_portal_image(tmp_path / "study" / "RTIMAGE_2.dcm")  # gantry 90 degrees


def centroid_mm(image):
    x, y = np.meshgrid(image.x_mm, image.y_mm)
    return np.array([(image.values * axis).sum() / image.values.sum() for axis in (x, y)])


def test_sag_is_taken_back(frame):
    found = corrected(frame, profile_with(sag=SAG), meterset_mu=100.0)
    for before, after in ((frame.image, found.image), (frame.repaired, found.repaired)):
        assert centroid_mm(after) - centroid_mm(before) == pytest.approx([-0.4, 1.2], abs=1e-6)
        np.testing.assert_array_equal(after.values, before.values)
    assert "image moved by (-0.40, +1.20) mm" in found.warnings[-1]


def test_a_short_exposure_gets_its_lost_signal_back(frame):
    for meterset_mu in (5.0, 100.0):
        found = corrected(frame, profile_with(ghosting=GHOSTING), meterset_mu=meterset_mu)
        shares = [1 - 0.05 * np.exp(-mu / 20.0) for mu in (100.0, meterset_mu)]
        np.testing.assert_allclose(found.repaired.values, frame.repaired.values * shares[0] / shares[1])
        assert any("Ghosting" in w for w in found.warnings) == (meterset_mu == 5.0)


def test_what_cannot_be_corrected_is_said_and_nothing_else_changes(frame):
    found = corrected(frame, profile_with(ghosting=GHOSTING), meterset_mu=None)
    assert found.repaired.values is not None
    np.testing.assert_array_equal(found.repaired.values, frame.repaired.values)
    assert "not corrected" in found.warnings[-1]
    assert corrected(frame, chain_study.PROFILE, meterset_mu=None) is frame


def test_predict_and_reconstruct_apply_them(tmp_path, capsys):
    study = tmp_path / "study"
    chain_study.write_study(study, names=("LAT",), gantry_deg=(90.0,), level=0.3)
    planned = pydicom.dcmread(study / "RTPLAN.dcm").FractionGroupSequence[0].ReferencedBeamSequence[0].BeamMeterset
    places, levels = [], []
    for name, quality in (("plain", {}), ("sagging", {"ghosting": GHOSTING, "sag": SAG})):
        path, out = tmp_path / f"{name}.json", tmp_path / name
        save_profile(profile_with(**quality) if quality else chain_study.PROFILE, path)
        capsys.readouterr()
        assert run(["predict", str(study), "--machine", str(path), "--out", str(out / "p"), "--json"]) == 0
        said = json.loads(capsys.readouterr().out)["images"][0]
        dose = read_portal_dose(said["portal_dose"], source_to_image_mm=1600.0, source_to_axis_mm=1000.0)
        arguments = ["reconstruct", str(study), "--machine", str(path), "--out", str(out / "r"), "--grid-mm", "8"]
        assert run([*arguments, "--json"]) in (0, 1)
        told = capsys.readouterr().out
        again = read_portal_dose(out / "r" / "LAT_portal_dose.nrrd", source_to_image_mm=1600, source_to_axis_mm=1000)
        places.append([centroid_mm(dose), centroid_mm(again)])
        levels.append([dose.values.sum(), again.values.sum()])
        assert ("Gantry sag" in told) == bool(quality)
    for moved in np.subtract(places[1], places[0]):
        assert moved == pytest.approx([-0.4, 1.2], abs=0.05)
    factor = (1 - 0.05 * np.exp(-5.0)) / (1 - 0.05 * np.exp(-float(planned) / 20.0))
    np.testing.assert_allclose(np.divide(levels[1], levels[0]), factor, rtol=0.002)
