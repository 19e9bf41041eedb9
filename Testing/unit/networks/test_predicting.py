"""A trained network in ``intrepid predict`` and ``intrepid reconstruct``: dose, band, the way back to the physics."""

import json
import shutil

import numpy as np
import pytest

import builders
import chain_study
from builders import Ids
from chain_phantoms import soft_field
from intrepid_cli.main import run
from intrepid_epid.machine_profile import load_profile, save_profile
from intrepid_epid.portal_dose_file import read_portal_dose

pytest.importorskip("torch")
PIXEL_MM, N = 3.2, 128
WHERE = {"source_to_image_mm": 1600.0, "source_to_axis_mm": 1000.0}


@pytest.fixture
def model(trained):
    return str(trained / "model")


@pytest.fixture
def profile(tmp_path):
    return str(chain_study.write_profile(tmp_path / "profile.json"))


def write_image(path, *, level=0.4, half=(45.0, 35.0), factor=40000.0, sid=1600.0, pixel_mm=PIXEL_MM, vendor="ELEKTA"):
    signal = level * soft_field(*half, n=N, pixel=PIXEL_MM, edge_mm=4.0).values
    image = builders.rtimage(
        builders.elekta_pixels(signal, factor),
        Ids(),
        pixel_mm=(pixel_mm, pixel_mm),
        elekta_factor=factor,
        source_to_image_mm=sid,
        refer_to_plan=False,
        beam_number=None,
    )
    if vendor != "ELEKTA":
        image = builders.rtimage(
            np.rint(signal * factor), Ids(), pixel_mm=(pixel_mm, pixel_mm), refer_to_plan=False, beam_number=None
        )
        image.Manufacturer, image.RescaleType, image.RescaleSlope, image.RescaleIntercept = vendor, "CU", 1e-4, 0
    builders.save(image, path)
    return str(path)


@pytest.fixture
def predicted(profile, tmp_path, capsys):
    """Predict one image and return what was printed."""

    def predict(image, model, *options):
        capsys.readouterr()
        arguments = ["predict", image, "--machine", profile, "--out", str(tmp_path / "out"), "--model", model]
        assert run([*arguments, *options, "--json"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)["images"][0]

    return predict


def test_dose_and_band_of_an_image_inside_the_domain(model, predicted, tmp_path):
    image = write_image(tmp_path / "a.dcm")
    by_network = predicted(image, model, "--meterset-mu", "100")
    dose = read_portal_dose(by_network["portal_dose"], **WHERE)
    half = read_portal_dose(by_network["half_width"], **WHERE)
    by_physics = predicted(image, "physics")
    physics = read_portal_dose(by_physics["portal_dose"], **WHERE)
    assert (by_network["model"], by_physics["model"]) == ("toy", "physics")
    assert "half_width" not in by_physics
    assert dose.values.shape == physics.values.shape == half.values.shape
    assert half.values.min() > 0
    inside = dose.values > 0.1 * dose.values.max()
    stated = 100 * half.values[inside].mean() / dose.values.max()
    assert by_network["uncertainty_percent"] == pytest.approx(stated, rel=1e-4)
    ratio = (dose.values / physics.values)[physics.values > 0.9 * physics.values.max()].mean()
    assert 1.0 < ratio < 1.15  # the rule of the toys: hardening up to 12 %
    assert any("No CT is known" in warning for warning in by_network["warnings"])


def test_twice_the_signal_for_twice_the_meterset_is_twice_the_dose(model, predicted, tmp_path):
    doses = [
        read_portal_dose(
            predicted(
                write_image(tmp_path / f"{n}.dcm", level=0.4 * n, factor=40000), model, "--meterset-mu", str(n * 100)
            )["portal_dose"],
            **WHERE,
        ).values
        for n in (1, 2)
    ]
    np.testing.assert_allclose(doses[1], 2 * doses[0], rtol=2e-3, atol=1e-4)


def test_without_the_meterset_it_says_so(model, predicted, tmp_path):
    image = write_image(tmp_path / "a.dcm")
    without, with_meterset = predicted(image, model), predicted(image, model, "--meterset-mu", "100")
    assert (without["model"], with_meterset["model"]) == ("toy", "toy")
    said = [any("meterset is not known" in warning for warning in one["warnings"]) for one in (without, with_meterset)]
    assert said == [True, False]


@pytest.mark.parametrize(
    ("image", "options", "reason"),
    [
        ({"half": (9.0, 9.0)}, (), "field area"),
        ({"half": (110.0, 110.0)}, (), "field area"),
        ({"sid": 1500.0}, (), "source-to-image distance 1500 mm"),
        ({}, ("--meterset-mu", "900"), "transmission"),
    ],
)
def test_outside_the_domain_the_physics_answers_and_says_why(model, predicted, tmp_path, image, options, reason):
    path = write_image(tmp_path / "a.dcm", **image)
    by_network, by_physics = predicted(path, model, *options), predicted(path, "physics", *options)
    assert by_network["model"] == "physics"
    said = next(warning for warning in by_network["warnings"] if warning.startswith("Outside what toy was trained on"))
    assert reason in said
    assert by_network["max_gy"] == by_physics["max_gy"]
    assert by_network["uncertainty_percent"] == by_physics["uncertainty_percent"]


@pytest.mark.parametrize(
    ("image", "energy", "message"),
    [
        ({}, "10 MV", "is for 6 MV, the machine profile for 10 MV"),
        ({"vendor": "Varian Medical Systems"}, "6 MV", "this image is of Varian"),
        ({"pixel_mm": 2.5}, "6 MV", "320 x 320 mm"),
    ],
)
def test_another_energy_or_panel_is_refused(model, profile, tmp_path, capsys, image, energy, message):
    import msgspec

    save_profile(msgspec.structs.replace(load_profile(profile), energy=energy), profile)
    path = write_image(tmp_path / "a.dcm", **image)
    capsys.readouterr()
    assert run(["predict", path, "--machine", profile, "--out", str(tmp_path / "out"), "--model", model]) == 2
    printed = capsys.readouterr().err.strip()
    assert len(printed.splitlines()) == 1
    assert message in printed
    assert not (tmp_path / "out").exists()


def test_a_network_without_its_packages_is_one_line(model, profile, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("intrepid_cli.needed.find_spec", lambda name: None)
    path = write_image(tmp_path / "a.dcm")
    assert run(["predict", path, "--machine", profile, "--out", str(tmp_path / "out"), "--model", model]) == 2
    assert "pip install 'slicer-intrepid[nn]'" in capsys.readouterr().err


def test_reconstruction_by_a_network(model, profile, tmp_path, capsys):
    chain_study.write_study(tmp_path / "study", names=("AP",), gantry_deg=(0.0,))
    results = {}
    for name in ("physics", model):
        out = tmp_path / str(len(results))
        arguments = ["reconstruct", str(tmp_path / "study"), "--out", str(out), "--machine", profile, "--model", name]
        assert run([*arguments, "--grid-mm", "8", "--json"]) in (0, 1), capsys.readouterr().err
        results[name] = json.loads(capsys.readouterr().out)
    doses = [read_portal_dose(tmp_path / n / "AP_portal_dose.nrrd", **WHERE).values for n in "01"]
    assert doses[0].shape == doses[1].shape
    notes = str(results[model])
    assert "Portal dose by toy, 95 % band" in notes
    assert 0.001 < abs(doses[1].max() / doses[0].max() - 1) < 0.3
    assert "Portal dose by" not in str(results["physics"])


def test_reconstruction_by_a_network_that_cannot_be(model, profile, tmp_path, capsys):
    chain_study.write_study(tmp_path / "study", names=("AP",), gantry_deg=(0.0,))
    broken = shutil.copytree(model, tmp_path / "broken")
    (broken / "weights.safetensors").write_bytes(b"\x80\x04N.")
    start = ["reconstruct", str(tmp_path / "study"), "--out", str(tmp_path / "out")]
    for options, message in (
        (["--model", "nobody", "--machine", profile], "'nobody'"),
        (["--model", model], "give the profile with --machine"),
        (["--model", str(broken), "--machine", profile], "never loaded"),
    ):
        capsys.readouterr()
        assert run([*start, *options]) == 2
        assert message in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "out").exists()
