"""``intrepid gamma`` from the outside: formats, keys, exit codes."""

import json

import numpy as np
import pydicom
import pytest

from builders import BeamSpec, Ids, Lattice, Roi, ring, rtdose, rtplan, rtstruct, save
from intrepid_cli.main import run
from intrepid_gamma import gamma_index
from intrepid_rt.grids import Grid
from intrepid_rt.image_files import read_dose_file, read_image, write_image
from unit.gamma.gamma_grids import centred

CRITERIA = ["--dose-percent", "3", "--distance-mm", "3"]
SHAPE = (8, 9, 10)


@pytest.fixture
def doses():
    rng = np.random.default_rng(0)
    reference = Grid((40 + rng.normal(size=SHAPE)).astype(np.float32), centred(SHAPE, (2.0, 2.5, 3.0)))
    return reference, reference.with_values((reference.values + 2 * rng.normal(size=SHAPE)).astype(np.float32))


def written(folder, doses, suffix=".nrrd"):
    paths = [folder / f"{name}{suffix}" for name in ("reference", "evaluated")]
    for path, dose in zip(paths, doses, strict=True):
        write_image(path, dose.values, dose)
    return [str(path) for path in paths]


def answer(capsys, arguments):
    code = run(["gamma", *arguments, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else None, err


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_the_numbers_are_those_of_the_library(tmp_path, capsys, doses, suffix):
    expected = gamma_index(*doses, dose_percent=3, distance_mm=3)
    out = tmp_path / "gamma.nii.gz"
    code, result, _ = answer(capsys, [*written(tmp_path, doses, suffix), *CRITERIA, "--out", str(out)])
    assert code == 0
    for key in ("n_points", "n_passed", "n_missing"):
        assert result[key] == getattr(expected, key)
    for key in ("pass_rate_percent", "mean_gamma", "max_gamma"):
        assert result[key] == pytest.approx(getattr(expected, key), abs=2e-5)  # NIfTI's positions are float32
    assert result["seconds"] > 0
    np.testing.assert_allclose(read_image(out).values, expected.gamma, atol=2e-5)


def test_options_reach_the_library(tmp_path, capsys, doses):
    options = ["--norm", "50", "--cutoff-percent", "80", "--cutoff-on", "either", "--max-gamma", "0.5"]
    expected = gamma_index(
        *doses, dose_percent=2, distance_mm=1, norm_gy=50, cutoff_percent=80, cutoff_on="either", max_gamma=0.5
    )
    paths = written(tmp_path, doses)
    code, result, _ = answer(capsys, [*paths, "--dose-percent", "2", "--distance-mm", "1", *options])
    assert (code, result["n_points"]) == (0, expected.n_points)
    assert result["mean_gamma"] == pytest.approx(expected.mean_gamma, abs=1e-6)
    _, centres, _ = answer(capsys, [*paths, *CRITERIA, "--interp", "none"])
    _, local, _ = answer(capsys, [*paths, *CRITERIA, "--local"])
    for found, change in ((centres, {"interpolate": False}), (local, {"local": True})):
        assert found["mean_gamma"] == pytest.approx(
            gamma_index(*doses, dose_percent=3, distance_mm=3, **change).mean_gamma, abs=1e-6
        )


def treatment(folder):
    """RTDOSE pair, RTPLAN and RTSTRUCT in one folder; the evaluated dose is 2 % lower."""
    ids, lattice = Ids(), Lattice(shape=(7, 20, 15))
    dose_gy = np.random.default_rng(0).uniform(1.8, 2.2, lattice.shape)
    save(rtdose(dose_gy, lattice, ids), folder / "plan_dose.dcm")
    save(rtdose(0.98 * dose_gy, lattice, ids), folder / "delivered.dcm")
    return ids, [str(folder / "plan_dose.dcm"), str(folder / "delivered.dcm")]


def test_dicom_doses_and_a_structure(tmp_path, capsys):
    ids, paths = treatment(tmp_path)
    grid = read_dose_file(paths[0])
    middle = grid.index_to_position((np.array(grid.shape[::-1]) - 1) / 2)
    rings = [ring(tuple(middle[:2]), 6.0, z) for z in middle[2] + np.arange(-5, 6, 2.5)]
    save(rtstruct([Roi("PTV", rings)], ids), tmp_path / "structures.dcm")
    code, result, _ = answer(
        capsys, [*paths, *CRITERIA, "--structures", str(tmp_path / "structures.dcm"), "--roi", "ptv"]
    )
    inside = np.linalg.norm((grid.positions() - middle)[..., :2], axis=-1) < 5.9
    inside &= np.abs(grid.positions() - middle)[..., 2] < 6.2
    assert code == 0
    assert result["n_points"] == pytest.approx(inside.sum(), rel=0.05)
    assert result["pass_rate_percent"] == 100.0


def test_gamma_of_a_dicom_reference_can_be_kept_as_rtdose(tmp_path, capsys, doses):
    _, paths = treatment(tmp_path)
    out = tmp_path / "gamma.dcm"
    reference, evaluated = (read_dose_file(path) for path in paths)
    expected = np.nan_to_num(gamma_index(reference, evaluated, dose_percent=1, distance_mm=1).gamma)
    code, _, _ = answer(capsys, [*paths, "--dose-percent", "1", "--distance-mm", "1", "--out", str(out)])
    written_object = pydicom.dcmread(out)
    stored = written_object.pixel_array * float(written_object.DoseGridScaling)
    assert code == 0
    assert written_object.DoseUnits == "RELATIVE"
    np.testing.assert_allclose(stored, expected, atol=1e-6)
    # No planning system, nor we, take it for a dose.
    assert answer(capsys, [paths[0], str(out), *CRITERIA])[0] == 2
    folder = tmp_path / "images"
    folder.mkdir()
    assert answer(capsys, [*written(folder, doses), *CRITERIA, "--out", str(out)])[0] == 2


def test_the_norm_is_the_prescription_of_the_plan_beside_the_dose(tmp_path, capsys):
    ids, paths = treatment(tmp_path)
    save(rtplan([BeamSpec()], ids), tmp_path / "plan.dcm")  # prescribes 50 Gy
    code, _, err = answer(capsys, [*paths, *CRITERIA, "--norm", "prescription"])
    assert (code, "reaches the cut-off of 5 Gy" in err) == (2, True)
    code, result, _ = answer(capsys, [*paths, *CRITERIA, "--norm", "prescription", "--cutoff-percent", "1"])
    assert (code, result["norm_gy"]) == (0, 50.0)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--norm", "mean"], "expected max, prescription, or a dose in Gy"),
        (["--norm", "prescription"], "Give it by --plan"),
        (["--norm", "-2"], "norm_gy is -2"),
        (["--roi", "PTV"], "belong together"),
        (["--out", "gamma.dcm"], "Choose one of these"),
        (["--cutoff-percent", "-5"], "must be 0 or above"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, capsys, doses, extra, message):
    code, result, err = answer(capsys, [*written(tmp_path, doses), *CRITERIA, *extra])
    assert (code, result) == (2, None)
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_a_pass_rate_below_the_limit_is_exit_code_1(tmp_path, capsys, doses):
    paths = written(tmp_path, doses)
    tight = ["--dose-percent", "1", "--distance-mm", "0.5"]
    assert answer(capsys, [*paths, *tight, "--pass-limit-percent", "95"])[0] == 1
    assert answer(capsys, [*paths, *tight, "--pass-limit-percent", "1"])[0] == 0


def test_the_text_says_what_was_left_out(tmp_path, capsys, doses):
    reference, evaluated = doses
    moved = evaluated.index_to_lps.copy()
    moved[:3, 3] += moved[:3, 0]
    assert run(["gamma", *written(tmp_path, (reference, Grid(evaluated.values, moved))), *CRITERIA]) == 0
    text = capsys.readouterr().out
    assert "72 points have no evaluated dose at their position and count as failed" in text
    assert "reached beyond the evaluated grid" in text
