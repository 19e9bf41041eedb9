"""``intrepid commission`` and ``intrepid predict`` on files as a clinic exports them."""

import json

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813

import builders
from builders import Ids
from chain_phantoms import soft_field
from intrepid_cli.main import run
from intrepid_epid.machine_profile import load_profile
from intrepid_epid.point_spread import spread
from intrepid_epid.portal_dose_file import read_portal_dose, write_portal_dose

FACTOR, PIXEL_MM = 20000.0, 3.2
GY_PER_SIGNAL = (0.30, 0.08)
HEADER = "name,mu,x1_mm,x2_mm,y1_mm,y2_mm"
SPECTRUM = "e_low_mev,e_high_mev,weight\n0.0,1.0,0.5\n1.0,3.0,0.4\n3.0,6.0,0.1\n"
CURVE = "hu,density_g_cc,relative_electron_density\n-1000,0.001,0.001\n0,1,1\n1000,1.6,1.5\n"


def write_field(folder, name, half_x, half_y, *, machine="LINAC1", sid=1600.0, centre=(0.0, 0.0), **more):
    folder.mkdir(exist_ok=True)
    signal = soft_field(half_x, half_y, n=128, pixel=PIXEL_MM, edge_mm=3.0, sid=sid, centre=centre)
    options = {"elekta_factor": FACTOR, **more}
    image = builders.rtimage(
        builders.elekta_pixels(signal.values, FACTOR),
        Ids(),
        pixel_mm=(PIXEL_MM, PIXEL_MM),
        machine=machine,
        source_to_image_mm=sid,
        refer_to_plan=False,
        beam_number=None,
        **options,
    )
    image.Manufacturer = "ELEKTA"
    builders.save(image, folder / f"{name}_open.dcm")
    dose = spread(signal.values, signal.pixel_spacing_mm, [0.0, 8.0], GY_PER_SIGNAL)
    write_portal_dose(signal.with_values(dose), folder / f"{name}_open.nrrd")
    table = folder / "fields.csv"
    lines = table.read_text() if table.exists() else HEADER + "\n"
    x, y = centre
    table.write_text(f"{lines}{name},100,{x - half_x},{x + half_x},{y - half_y},{y + half_y}\n")


@pytest.fixture
def clinic(tmp_path):
    for name, half_x, half_y, centre in (
        ("a", 50, 50, (0, 0)),
        ("b", 20, 30, (0, 0)),
        ("c", 15, 15, (40.0, -25.0)),
    ):
        write_field(tmp_path / name, name, half_x, half_y, centre=centre)
    (tmp_path / "spectrum.csv").write_text(SPECTRUM)
    (tmp_path / "curve.csv").write_text(CURVE)
    return tmp_path


def test_profile_of_three_folders(clinic, capsys):
    out = clinic / "new" / "profile.json"
    folders = [str(clinic / name) for name in "abc"]
    options = ["--beam-model", str(clinic / "spectrum.csv"), "--ct-curve", str(clinic / "curve.csv")]
    assert run(["commission", *folders, "--out", str(out), *options, "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert printed.out.count("\n") == 1
    assert (result["machine"], result["energy"], result["n_fields"]) == ("LINAC1", "6 MV", 3)
    assert result["valid_for"]["area_cm2"] == [9.0, 100.0]
    assert result["valid_for"]["source_to_image_mm"] == [1600.0, 1600.0]
    assert {field["name"] for field in result["residual_percent"]["fields"]} == {"a", "b", "c"}
    assert result["residual_percent"]["worst"] < 0.3
    profile = load_profile(out)
    assert profile.hash() == result["sha256"]
    assert sum(term.gy_per_signal for term in profile.spread) == pytest.approx(0.38, rel=0.01)
    assert [b.weight for b in profile.spectrum] == pytest.approx([0.5, 0.4, 0.1])
    assert [p.density_g_cc for p in profile.ct_curve] == [0.001, 1.0, 1.6]


def _edit(name, change):
    def damage(folder):
        path = folder / name
        path.write_text(change(path.read_text(errors="replace")))

    return damage


def _zero_dose(folder):
    image = sitk.ReadImage(str(folder / "a" / "a_open.nrrd"))
    sitk.WriteImage(image * 0, str(folder / "a" / "a_open.nrrd"))


REFUSED = {
    "no table": (lambda f: (f / "a" / "fields.csv").unlink(), "holds no fields.csv"),
    "no image": (lambda f: (f / "a" / "a_open.dcm").unlink(), "neither a_open.dcm nor a.dcm"),
    "no dose": (lambda f: (f / "a" / "a_open.nrrd").unlink(), "neither a_open.nrrd nor a.nrrd"),
    "column missing": (_edit("a/fields.csv", lambda t: t.replace("mu,", "mus,")), "problem with 'mu'"),
    "no number": (_edit("a/fields.csv", lambda t: t.replace(",100,", ",many,")), "many"),
    "no MU": (_edit("a/fields.csv", lambda t: t.replace(",100,", ",0,")), "0 MU"),
    "no line": (_edit("a/fields.csv", lambda t: HEADER), "lists no field"),
    "zero dose": (_zero_dose, "no dose over the image"),
    "dose that is no image": (_edit("a/a_open.nrrd", lambda t: "no image"), "cannot be read as an image"),
    "other machine": (lambda f: write_field(f / "b", "d", 20, 20, machine="LINAC2"), "LINAC1, LINAC2"),
    "other distance": (lambda f: write_field(f / "b", "d", 20, 20, sid=1500.0), "1500 mm"),
    "relative image": (lambda f: write_field(f / "b", "d", 20, 20, elekta_factor=None), "relative signal"),
    "bad spectrum": (_edit("spectrum.csv", lambda t: t.replace("0.5", "-0.5")), "weight of at least 0"),
    "bad curve": (_edit("curve.csv", lambda t: t.replace("hu,", "hounsfield,")), "CT curve"),
}


@pytest.mark.parametrize(("damage", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_commissioned_is_refused_in_one_line(clinic, capsys, damage, message):
    damage(clinic)
    out = clinic / "profile.json"
    options = ["--beam-model", str(clinic / "spectrum.csv"), "--ct-curve", str(clinic / "curve.csv")]
    code = run(["commission", str(clinic / "a"), str(clinic / "b"), "--out", str(out), *options, "--json"])
    printed = capsys.readouterr()
    assert code == 2, printed.err
    assert printed.out == ""
    line = printed.err.strip().splitlines()[-1]  # after progress bars
    assert line.startswith("intrepid: ")
    assert message in line
    assert not out.exists()


@pytest.fixture
def profile(clinic):
    run(["commission", *(str(clinic / name) for name in "abc"), "--out", str(clinic / "profile.json"), "--json"])
    return clinic / "profile.json"


def test_prediction_of_an_image_it_has_not_seen(clinic, profile, capsys):
    write_field(clinic / "new", "x", 35, 25)
    capsys.readouterr()
    arguments = ["predict", str(clinic / "new" / "x_open.dcm"), "--machine", str(profile), "--out", str(clinic / "out")]
    assert run([*arguments, "--json"]) == 0
    image = json.loads(capsys.readouterr().out)["images"][0]
    assert {"file", "max_gy", "uncertainty_percent", "warnings"} <= set(image)
    where = {"source_to_image_mm": 1600.0, "source_to_axis_mm": 1000.0}
    made = read_portal_dose(clinic / "out" / "x_open_portal_dose.nrrd", **where)
    truth = read_portal_dose(clinic / "new" / "x_open.nrrd", **where)
    expected = truth.sample(*np.meshgrid(made.x_mm, made.y_mm))
    inside = expected > 0.8 * expected.max()
    assert inside.sum() > 500
    np.testing.assert_allclose(made.values[inside], expected[inside], rtol=0.01)
    assert image["max_gy"] == pytest.approx(made.values.max(), rel=1e-5)


def test_predictions_that_would_be_guesses_are_refused(clinic, profile, capsys):
    write_field(clinic / "new", "x", 35, 25, elekta_factor=None)
    relative = str(clinic / "new" / "x_open.dcm")
    good = str(clinic / "a" / "a_open.dcm")
    dark = pydicom.dcmread(good)
    dark.PixelData = b"\xff" * len(dark.PixelData)
    builders.save(dark, clinic / "dark.dcm")
    ending = ["--machine", str(profile), "--out", str(clinic / "out")]
    for arguments, message in (
        ([good, relative, *ending], "relative signal"),
        ([good, good, *ending], "same file name"),
        ([good, *ending, "--model", "magic"], "magic"),
        ([good, str(clinic / "dark.dcm"), *ending], "dark.dcm shows no signal"),
    ):
        capsys.readouterr()
        assert run(["predict", *arguments]) == 2
        assert message in capsys.readouterr().err
        assert not (clinic / "out").exists()


def test_image_beyond_the_profile_is_said(clinic, profile, capsys):
    write_field(clinic / "far", "x", 80, 80, machine="LINAC7", sid=1500.0)
    path = clinic / "far" / "x_open.dcm"
    capsys.readouterr()
    assert run(["predict", str(path), "--machine", str(profile), "--out", str(clinic / "out"), "--json"]) == 0
    warnings = json.loads(capsys.readouterr().out)["images"][0]["warnings"]
    for said in ("LINAC7", "1500 mm", "with 9 to 100 cm2", "off the axis"):
        assert any(said in warning for warning in warnings)
