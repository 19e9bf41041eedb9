"""The whole chain on a small study: what it computes from, what it writes, and what it says when something lacks."""

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813

import builders
from chain_study import CT, DOSE, PROFILE, RADIUS_MM, hounsfield, portal_image, write_profile, write_study
from intrepid_cli.main import run
from intrepid_cli.verification import VerificationSettings, verify_study
from intrepid_cli.verification.planned_portal import planned_portal_dose
from intrepid_cli.verification.results import as_results, file_stems
from intrepid_cli.verification.verify import _wanted_lattice
from intrepid_epid.machine_profile import Validity, save_profile
from intrepid_rt.dicom_dose import read_dose_object
from intrepid_rt.errors import MissingObject, UnsupportedGeometry, UnusableInput
from intrepid_rt.grids import Grid, affine_from_axes


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One reconstruction of the small study: the folders of the study and of the results."""
    base = tmp_path_factory.mktemp("chain")
    write_study(base / "study")
    profile = write_profile(base / "profile.json")
    constraints = base / "constraints.csv"
    constraints.write_text("structure;constraint\nTARGET;D95% > 0.01Gy\nNOWHERE;DMAX < 5Gy\n")
    arguments = ["reconstruct", str(base / "study"), "--out", str(base / "out"), "--machine", str(profile)]
    code = run([*arguments, "--constraints", str(constraints), "--json"])
    return base, code, json.loads((base / "out" / "results.json").read_text())


def test_all_outputs_are_there(finished):
    base, code, _ = finished
    assert code in (0, 1)
    assert sorted(path.name for path in (base / "out").iterdir()) == sorted(
        ["RTDOSE_AP.dcm", "RTDOSE_LAT.dcm", "RTDOSE_total.dcm", "report.html", "results.json", "scene.mrb"]
        + [f"{name}_portal_dose.{kind}" for name in ("AP", "LAT") for kind in ("nrrd", "dcm")]
    )
    assert (base / "out" / "scene.mrb").stat().st_size > 10_000
    assert "LINAC1" in (base / "out" / "report.html").read_text()


def test_results_have_the_keys_others_script_against(finished):
    _, _, results = finished
    assert {"beams", "gamma_3d", "dvh", "constraints", "warnings", "seconds"} <= set(results)
    assert [(beam["number"], beam["name"]) for beam in results["beams"]] == [(1, "AP"), (2, "LAT")]
    assert [beam["portal_dose"] for beam in results["beams"]] == ["AP_portal_dose.nrrd", "LAT_portal_dose.nrrd"]
    asked = {"dose_percent", "distance_mm", "pass_rate_percent", "n_points", "n_missing"}
    assert all(asked <= set(gamma) for gamma in results["gamma_3d"])
    assert [(g["dose_percent"], g["distance_mm"]) for g in results["gamma_3d"]] == [(3, 3), (3, 2), (2, 2)]
    assert all(gamma["n_points"] > 0 for gamma in results["gamma_3d"])
    assert {"TARGET", "BODY"} == {structure["name"] for structure in results["dvh"]}
    assert results["dose_unit"] == "Gy"
    assert any("NOWHERE" in warning for warning in results["warnings"])
    assert {"read", "reconstruct", "compare"} <= set(results["seconds"])


def test_results_enter_the_cohort_beside_their_plan(finished, tmp_path, capsys):
    base, _, results = finished
    database = ["--database", str(tmp_path / "c.db")]
    rules = tmp_path / "rules.json"
    rules.write_text('{"name": "thorax", "plans": {"choose_by": ["first"]}}')
    assert run(["cohort", "init", database[1]]) == 0
    assert run(["cohort", "import", str(base / "study"), *database, "--processes", "1"]) == 0
    assert (
        run(["cohort", "epid", str(base / "out" / "results.json"), *database, "--course", "C1", "--fraction", "3"]) == 0
    )
    assert run(["cohort", "curate", str(rules), *database, "--apply"]) == 0
    capsys.readouterr()
    assert run(["cohort", "check", "thorax", *database, "--crosscheck", "2", "--json"]) == 0
    checked = json.loads(capsys.readouterr().out)
    # BODY reaches out of the dose grid, so that only TARGET can be computed anew.
    assert [one["roi_name"] for one in checked["crosscheck"]] == ["TARGET"]
    assert abs(checked["crosscheck"][0]["mean_difference_gy"]) < 0.05
    with sqlite3.connect(database[1]) as connection:
        rows = connection.execute(
            "select e.beam_number, e.gamma_dose_percent, e.gamma_distance_mm, e.gamma_pass_rate_percent, e.course, "
            "e.fraction_number from epid_results e join plans p on p.sop_instance_uid = e.plan_uid order by e.id"
        ).fetchall()
    connection.close()
    beams = [(beam["number"], gamma) for beam in results["beams"] for gamma in beam.get("gamma_2d", [])]
    assert rows == [
        (number, gamma["dose_percent"], gamma["distance_mm"], gamma["pass_rate_percent"], "C1", 3)
        for number, gamma in [*((-1, gamma) for gamma in results["gamma_3d"]), *beams]
    ]


def test_doses_refer_to_plan_and_beams_and_add_up(finished):
    base, _, results = finished
    plan = pydicom.dcmread(base / "study" / "RTPLAN.dcm")
    total = read_dose_object(base / "out" / "RTDOSE_total.dcm")
    beams = [read_dose_object(base / "out" / f"RTDOSE_{name}.dcm") for name in ("AP", "LAT")]
    assert (total.summation_type, total.beam_number) == ("PLAN", None)
    assert [(one.summation_type, one.beam_number) for one in beams] == [("BEAM", 1), ("BEAM", 2)]
    for one in (total, *beams):
        assert one.plan_uid == plan.SOPInstanceUID
        assert one.grid.frame_of_reference_uid == plan.FrameOfReferenceUID
        assert one.grid.shape == DOSE.shape
        np.testing.assert_allclose(one.grid.origin_lps_mm, DOSE.position)
    summed = beams[0].grid.values + beams[1].grid.values
    np.testing.assert_allclose(total.grid.values, summed, atol=2e-6 * summed.max())
    assert len({total.sop_instance_uid, *(one.sop_instance_uid for one in beams)}) == 3
    assert results["beams"][0]["dose_max"] == pytest.approx(beams[0].grid.values.max(), rel=1e-4)


def test_portal_doses_have_the_layout_of_the_converter(finished):
    base, _, results = finished
    image = sitk.ReadImage(str(base / "out" / "AP_portal_dose.nrrd"))
    assert image.GetDimension() == 2
    assert image.GetSize() == (64, 64)
    assert image.GetSpacing() == pytest.approx((6.4, 6.4))
    assert image.GetOrigin() == pytest.approx((-31.5 * 6.4, -31.5 * 6.4))
    values = sitk.GetArrayFromImage(image)
    assert values.max() == pytest.approx(results["beams"][0]["portal_dose_max"], rel=1e-5)
    # 0.4 Gy per signal of 0.5, less what is scatter: the middle of the field is bright, the corner is dark.
    assert 0.15 < values[32, 32] < 0.21
    assert abs(values[0, 0]) < 0.01


def verified(study, **settings):
    """Reconstruct without writing anything."""
    return verify_study(VerificationSettings(study, study / "unused", **settings)).result


@pytest.fixture(scope="module")
def usual(finished):
    return verified(finished[0] / "study", machine=finished[0] / "profile.json")


def test_what_is_written_is_what_was_computed(finished, usual):
    for beam in usual.beams:
        written = read_dose_object(finished[0] / "out" / f"RTDOSE_{beam.name}.dcm").grid
        np.testing.assert_allclose(written.values, beam.dose.values, atol=1e-6 * beam.dose.values.max())


def test_a_beam_is_strongest_where_it_enters(usual):
    """Gantry 0 enters from anterior (-y), gantry 90 from the left (+x)."""
    ap, lat = (beam.dose for beam in usual.beams)
    assert ap.sample((0, -45, 0)) > 1.5 * ap.sample((0, 45, 0))
    assert lat.sample((45, 0, 0)) > 1.5 * lat.sample((-45, 0, 0))
    assert ap.sample((0, 0, 0)) == pytest.approx(float(lat.sample((0, 0, 0))), rel=0.03)  # a cylinder seen twice
    assert ap.sample((40, 0, 0)) < 0.1 * ap.sample((0, 0, 0))


def test_a_prone_patient_is_hit_from_behind(finished, tmp_path):
    """The same images: gantry 0 now enters from posterior, gantry 90 from the right."""
    write_study(tmp_path, position="HFP")
    ap, lat = (beam.dose for beam in verified(tmp_path, machine=finished[0] / "profile.json").beams)
    assert ap.sample((0, 45, 0)) > 1.5 * ap.sample((0, -45, 0))
    assert lat.sample((-45, 0, 0)) > 1.5 * lat.sample((45, 0, 0))


def test_the_planned_dose_is_never_computed_with(finished, usual, tmp_path):
    """All its pixels zero: the same dose, bit for bit, and a comparison that is absent with its reason."""
    base, _, _ = finished
    shutil.copytree(base / "study", tmp_path / "study")
    dose = pydicom.dcmread(tmp_path / "study" / "RTDOSE.dcm")
    dose.PixelData = bytes(len(dose.PixelData))
    dose.save_as(tmp_path / "study" / "RTDOSE.dcm")
    result = verified(tmp_path / "study", machine=base / "profile.json")
    for one, other in zip(result.beams, usual.beams, strict=True):
        np.testing.assert_array_equal(one.dose.values, other.dose.values)
        np.testing.assert_array_equal(one.portal_dose.values, other.portal_dose.values)
    np.testing.assert_array_equal(result.reconstructed.values, usual.reconstructed.values)
    assert all(gamma.pass_rate_percent is None and gamma.reason for gamma in result.gamma_3d)
    assert result.verdict.status == "not judged"


def test_without_planned_dose_the_grid_is_asked_for(finished, usual, tmp_path):
    base, _, _ = finished
    shutil.copytree(base / "study", tmp_path / "study")
    (tmp_path / "study" / "RTDOSE.dcm").unlink()
    result = verified(tmp_path / "study", machine=base / "profile.json", grid_mm=8.0)
    assert "no RTDOSE" in result.planned_reason
    assert result.planned is None
    assert result.verdict.status == "not judged"
    assert "no RTDOSE" in result.verdict.reasons[0]
    assert all("no RTDOSE" in gamma.reason for gamma in result.gamma_3d)
    assert result.reconstructed.spacing_mm == pytest.approx((8, 8, 8))
    before = float(usual.reconstructed.sample((0, 0, 0)))
    assert result.reconstructed.sample((0, 0, 0)) == pytest.approx(before, rel=0.03)


def test_without_profile_the_result_is_relative(finished, tmp_path, capsys):
    base, _, _ = finished
    assert run(["reconstruct", str(base / "study"), "--out", str(tmp_path / "out"), "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["dose_unit"] == "relative"
    assert results["verdict"]["status"] == "not judged"
    assert not list((tmp_path / "out").glob("RTDOSE*"))
    assert any("relative" in warning and "planned dose" in warning for warning in results["warnings"])
    point = results["points"][0]
    assert point["reconstructed_gy"] == pytest.approx(point["planned_gy"], rel=1e-4)


def test_twice_the_signal_is_twice_the_dose_and_names_may_coincide(finished, usual, tmp_path):
    write_study(tmp_path, names=("A/P", "a_p"), level=1.0)
    result = verified(tmp_path, machine=finished[0] / "profile.json")
    for twice, once in zip(result.beams, usual.beams, strict=True):
        np.testing.assert_allclose(twice.dose.values, 2 * once.dose.values, rtol=3e-3, atol=2e-4)
    assert file_stems(result.beams) == ["A_P_1", "a_p_2"]
    assert [beam["portal_dose"] for beam in as_results(result)["beams"]] == [
        "A_P_1_portal_dose.nrrd",
        "a_p_2_portal_dose.nrrd",
    ]


def test_grid_of_its_own_covers_the_patient_whichever_way_the_ct_points(tmp_path):
    """A CT whose axes are turned by 30 degrees: the axial dose grid reaches every corner of what it shows."""
    turned = np.array([[0.866, 0.5, 0], [-0.5, 0.866, 0], [0, 0, 1.0]])
    density = Grid(np.ones((5, 20, 40), np.float32), affine_from_axes((10, 20, 30), (3.0, 3.0, 5.0), turned))
    inputs = SimpleNamespace(planned=None, density_g_cc=density)
    lattice = _wanted_lattice(inputs, VerificationSettings(tmp_path, tmp_path, grid_mm=4.0))
    index = lattice.position_to_index(density.positions())
    assert (index > -1e-6).all()
    assert (index < np.array(lattice.shape[::-1]) - 1 + 1e-6).all()
    empty = SimpleNamespace(planned=None, density_g_cc=density.with_values(0 * density.values))
    with pytest.raises(MissingObject, match="denser than air"):
        _wanted_lattice(empty, VerificationSettings(tmp_path, tmp_path))


def test_notes_tell_what_lies_beyond_the_profile(finished, tmp_path):
    valid = Validity((1500.0, 1500.0), (1.0, 2.0), (1.0, 2.0), 5.0)
    save_profile(msgspec.structs.replace(PROFILE, valid_for=valid, machine="LINAC9"), tmp_path / "profile.json")
    notes = " ".join(verified(finished[0] / "study", machine=tmp_path / "profile.json").beams[0].notes)
    for said in (
        "machine LINAC1",
        "1600 mm",
        "100 MU are far",
        "cm2; the profile was made with 1 to 2 cm2",
        "off the axis",
    ):
        assert said in notes


def _edit(name, **elements):
    def damage(folder, _ids):
        dataset = pydicom.dcmread(folder / name)
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        dataset.save_as(folder / name, enforce_file_format=True)

    return damage


def _edit_plan(change):
    def damage(folder, _ids):
        plan = pydicom.dcmread(folder / "RTPLAN.dcm")
        change(plan)
        plan.save_as(folder / "RTPLAN.dcm", enforce_file_format=True)

    return damage


def _first_point(**elements):
    def change(plan):
        for keyword, value in elements.items():
            setattr(plan.BeamSequence[0].ControlPointSequence[0], keyword, value)

    return _edit_plan(change)


def _arc(plan):
    plan.BeamSequence[0].ControlPointSequence[0].GantryRotationDirection = "CW"
    plan.BeamSequence[0].ControlPointSequence[1].GantryAngle = "90"


def _second_patient(folder, _ids):
    write_study(folder / "other")
    for path in (folder / "other").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PatientID = "TEST-2"
        dataset.save_as(path, enforce_file_format=True)


def _second_image(folder, ids):
    builders.save(portal_image(ids, 1, 0.0, acquired="20260105101500"), folder / "RTIMAGE_again.dcm")


def _dark_image(folder, ids):
    builders.save(portal_image(ids, 1, 0.0, level=0.0), folder / "RTIMAGE_1.dcm")


def _no_factor(folder, ids):
    image = portal_image(ids, 1, 0.0, elekta_factor=None)
    image.Manufacturer = "ELEKTA"
    builders.save(image, folder / "RTIMAGE_1.dcm")


def _no_meterset(plan):
    del plan.FractionGroupSequence[0].ReferencedBeamSequence[0].BeamMeterset


def _electrons(plan):
    plan.BeamSequence[0].RadiationType = "ELECTRON"


REFUSED = {
    "image missing": (lambda folder, ids: (folder / "RTIMAGE_2.dcm").unlink(), "LAT"),
    "two images": (_second_image, "RTIMAGE_1.dcm and RTIMAGE_again.dcm"),
    "two patients": (_second_patient, "2 patients"),
    "other frame of reference": (_edit("RTDOSE.dcm", FrameOfReferenceUID="1.2.3.99"), "1.2.3.99"),
    "arc": (_edit_plan(_arc), "AP is an arc"),
    "no MU": (_edit_plan(_no_meterset), "no monitor units for beam AP"),
    "dark image": (_dark_image, "RTIMAGE_1.dcm shows no signal"),
    "relative signal": (_no_factor, "RTIMAGE_1.dcm holds relative signal"),
    "electrons": (_edit_plan(_electrons), "ELECTRON"),
    "other energy": (_first_point(NominalBeamEnergy="15"), "15 MV"),
    "tilted couch": (_first_point(TableTopPitchAngle=358.0), "2 degrees"),
    "pitched gantry": (_first_point(GantryPitchAngle=3.0), "pitches the gantry"),
    "unknown position": (_edit_plan(lambda p: setattr(p.PatientSetupSequence[0], "PatientPosition", "SIT")), "SIT"),
}


@pytest.mark.parametrize(("damage", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_reconstructed_is_refused_in_one_line(tmp_path, capsys, damage, message):
    ids = write_study(tmp_path / "study")
    damage(tmp_path / "study", ids)
    out = tmp_path / "new" / "out"
    profile = write_profile(tmp_path / "profile.json")
    code = run(["reconstruct", str(tmp_path / "study"), "--out", str(out), "--machine", str(profile), "--json"])
    printed = capsys.readouterr()
    assert code == 2, printed.err
    assert printed.out == ""
    line = printed.err.strip().splitlines()[-1]
    assert line.startswith("intrepid: ")
    assert message in line
    assert "Secret" not in printed.err
    assert "Traceback" not in printed.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--model", "magic"), "there are physics"),
        (("--grid-mm", "0.1"), "between 0.5 and 20"),
        (("--criteria", "3-3"), "3/3,2/2"),
        (("--machine", "nowhere.json"), "nowhere.json"),
        (("--anatomy", "cbct"), "cbct is no folder"),
        (("--device", "abacus"), "choose cpu, cuda or mps"),
        (("--device", "cuda:99"), "Use --device cpu"),
        (("--constraints", "nowhere.csv"), "nowhere.csv"),
        (("--ct-curve", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_settings_are_checked(tmp_path, capsys, monkeypatch, option, message):
    monkeypatch.chdir(tmp_path)
    write_study(Path("study"))
    assert run(["reconstruct", "study", "--out", "out", *option]) == 2
    printed = capsys.readouterr()
    assert message in printed.err.strip().splitlines()[-1]
    assert printed.out == ""
    assert not Path("out").exists()


def test_no_such_folder(tmp_path, capsys):
    assert run(["reconstruct", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_first_order_model_runs(finished, usual):
    result = verified(finished[0] / "study", machine=finished[0] / "profile.json", model="first-order")
    assert result.provenance.model == "first-order"
    # Scatter in the patient is not part of the first order: less dose, but not another dose.
    ratio = result.reconstructed.sample((0, 0, 0)) / usual.reconstructed.sample((0, 0, 0))
    assert 0.7 < ratio < 1.0


def test_planned_portal_doses_are_compared_and_must_be_doses(finished, tmp_path):
    base, _, _ = finished
    settings = {"machine": base / "profile.json"}
    again = verified(base / "study", planned_portal_dir=base / "out", **settings)  # its own portal doses
    for beam in again.beams:
        assert [gamma.pass_rate_percent for gamma in beam.gamma_2d] == [100.0, 100.0, 100.0]
        assert beam.gamma_2d[0].max_gamma == pytest.approx(0, abs=1e-3)
    beam = again.beams[0]
    with pytest.raises(UnusableInput, match="not Gy"):  # measured images are no planned doses
        planned_portal_dose(base / "study", beam, "AP")
    for name in ("AP", "LAT"):
        shutil.copy(base / "out" / f"{name}_portal_dose.dcm", tmp_path)
    found = planned_portal_dose(tmp_path, beam, "AP")
    np.testing.assert_allclose(found.values, np.clip(beam.portal_dose.values, 0, None), atol=1e-4)
    near = replace(beam, portal_dose=replace(beam.portal_dose, source_to_image_mm=1500.0))
    with pytest.raises(UnsupportedGeometry, match=r"1600 mm .* 1500 mm"):
        planned_portal_dose(tmp_path, near, "AP")
    with pytest.raises(MissingObject, match=r"expected AP_portal_dose\.nrrd"):
        planned_portal_dose(base, replace(beam, number=7), "AP")


def test_study_is_what_it_says():
    """The phantom itself: water inside the outline, air outside."""
    x, y = CT.pixel_positions()[0, ..., 0], CT.pixel_positions()[0, ..., 1]
    assert (hounsfield()[0][np.hypot(x, y) < RADIUS_MM - 7] == 0).all()
    assert (hounsfield()[0][np.hypot(x, y) > RADIUS_MM + 7] == -1000).all()
