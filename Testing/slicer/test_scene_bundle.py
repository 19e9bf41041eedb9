"""The scene bundle, opened again by another process, holds the same numbers in the same places of the patient."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from intrepid_rt.errors import MissingObject, OutputNotWritable, UnsupportedGeometry
from intrepid_rt.grids import CTGrid
from SlicerInTrEPIDLib.scene import write_scene
from synthetic_verification import ELLIPSOIDS, ISOCENTRE_MM, synthetic_result, without_plan

pytest.importorskip("slicer")


def reopened(result, folder: Path) -> SimpleNamespace:
    """Write a scene, then read it in a process of its own."""
    left_out = write_scene(result, folder / "scene.mrb")
    script = Path(__file__).with_name("dump_scene.py")
    subprocess.run([sys.executable, script, folder / "scene.mrb", folder / "dump"], check=True, capture_output=True)
    facts = json.loads((folder / "dump.json").read_text(encoding="utf-8"))
    return SimpleNamespace(**facts, arrays=np.load(folder / "dump.npz"), left_out=left_out)


@pytest.fixture(scope="module")
def result():
    # Slices stored from head to foot make the CT's lattice left-handed.
    return synthetic_result(reversed_slices=True)


@pytest.fixture(scope="module")
def scene(result, tmp_path_factory):
    return reopened(result, tmp_path_factory.mktemp("scene"))


def sampled(scene, name, positions_lps_mm):
    grid = CTGrid(scene.arrays[name], scene.arrays[name + "/index_to_lps"])
    return grid.sample(positions_lps_mm)


def test_doses_keep_their_values_bit_for_bit_and_their_places(scene, result):
    for name, dose in (
        ("Dose planned", result.planned),
        ("Dose reconstructed", result.reconstructed),
        ("Dose AP", result.beams[0].dose),
    ):
        np.testing.assert_array_equal(scene.arrays[name], dose.dose_gy)
        np.testing.assert_allclose(scene.arrays[name + "/index_to_lps"], dose.index_to_lps, atol=1e-9)
        assert scene.volumes[name]["attributes"]["DicomRtImport.DoseVolume"] == "1"


def test_a_left_handed_ct_becomes_right_handed_and_every_voxel_stays_where_it_was(scene, result):
    assert (
        np.linalg.det(result.anatomy.index_to_lps[:3, :3]) < 0 < np.linalg.det(scene.arrays["CT/index_to_lps"][:3, :3])
    )
    rng = np.random.default_rng(1)
    index = rng.integers(0, result.anatomy.shape[::-1], size=(200, 3))
    positions = result.anatomy.index_to_position(index)
    np.testing.assert_allclose(sampled(scene, "CT", positions), result.anatomy.sample(positions), atol=1e-6)
    assert scene.arrays["CT"].dtype == np.int16


def test_gamma_volume_is_one_for_slicerrt(scene, result):
    gamma = scene.volumes["Gamma 3 percent 3 mm"]
    outcome = result.gamma_3d[0]
    np.testing.assert_array_equal(scene.arrays["Gamma 3 percent 3 mm"], np.nan_to_num(outcome.gamma).astype(np.float32))
    assert gamma["attributes"]["DoseComparison.GammaVolume"] == "1"
    assert gamma["references"] == {
        "referenceDoseVolumeRef": "Dose planned",
        "compareDoseVolumeRef": "Dose reconstructed",
    }
    assert gamma["colours"] == "Gamma_ColorTable"
    assert gamma["window"] == pytest.approx([0.0, 2.0])
    assert float(gamma["attributes"]["InTrEPID.PassRatePercent"]) == outcome.pass_rate_percent
    assert int(gamma["attributes"]["InTrEPID.Points"]) == outcome.n_points


def test_structures_keep_name_colour_number_and_volume(scene, result):
    assert set(scene.segments) == {name for name, *_ in ELLIPSOIDS}
    ptv = scene.segments["PTV"]
    assert ptv["roi"] == "16"
    assert ptv["colour"] == pytest.approx([230 / 255, 30 / 255, 30 / 255])
    # Contours stand for slabs of 4 mm: the sum of their areas, as the structure set itself says.
    structure = result.structure_set.named("PTV")
    x, y = (np.stack([c[:, axis] for c in structure.contours]) for axis in (0, 1))
    areas_mm2 = 0.5 * np.abs((x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(axis=1))
    assert ptv["volume_cc"] == pytest.approx(areas_mm2.sum() * 4.0 / 1000.0, rel=0.01)
    assert scene.left_out == ["Structure Couch is not in the scene: it has no closed contour."]


def test_structures_lie_where_their_contours_are(scene, result):
    points = np.concatenate(result.structure_set.named("Heart").contours)
    low, high = points.min(axis=0), points.max(axis=0)
    # RAS bounds: x and y change sign; in z the slab of the first and last contour reaches 2 mm further.
    expected = [-high[0], -low[0], -high[1], -low[1], low[2] - 2.0, high[2] + 2.0]
    np.testing.assert_allclose(scene.segments["Heart"]["bounds"], expected, atol=0.3)


@pytest.mark.parametrize(("beam", "gantry_deg"), [("AP", 0.0), ("Lat _270_", 270.0)])
def test_portal_images_stand_on_the_imager_plane(scene, result, beam, gantry_deg):
    """SlicerRT places pixel (i, j) at I + Rz(g) . (-(px + sx i), SAD - SID, py - sy j) in RAS, couch at 0."""
    image = next(b for b in result.beams if b.gantry_angle_deg == gantry_deg).portal_dose
    i, j = 100, 7
    g = np.deg2rad(gantry_deg)
    about_s = np.array([[np.cos(g), -np.sin(g), 0], [np.sin(g), np.cos(g), 0], [0, 0, 1]])
    px, py = image.first_pixel_mm
    in_beam = (-(px + 2.5 * i), 1000.0 - 1500.0, py - 2.6 * j)
    expected_ras = ISOCENTRE_MM * (-1, -1, 1) + about_s @ in_beam
    for title in ("EPID", "Portal dose", "Portal dose planned"):
        affine = scene.arrays[f"{title} {beam}/index_to_lps"]
        np.testing.assert_allclose((affine @ (i, j, 0, 1))[:3] * (-1, -1, 1), expected_ras, atol=1e-4)
        assert "DicomRtImport.DoseVolume" not in scene.volumes[f"{title} {beam}"]["attributes"]
    np.testing.assert_array_equal(scene.arrays[f"Portal dose {beam}"][0], image.values)
    centre_ras = np.array(scene.models[f"Imager {beam}"]).reshape(3, 2).mean(axis=1)
    middle = ((np.array(image.values.shape[::-1]) - 1) / 2).tolist()
    affine = scene.arrays[f"EPID {beam}/index_to_lps"]
    np.testing.assert_allclose(centre_ras, (affine @ (*middle, 0, 1))[:3] * (-1, -1, 1), atol=0.1)


def test_dvh_tables_are_in_slicerrts_layout(scene, result):
    structure = next(s for s in result.structures if s.name == "PTV")
    table = scene.tables["PTV_DvhTable"]
    assert list(table["columns"]) == ["Dose", "Volume"]
    np.testing.assert_allclose(np.array(table["columns"]["Dose"], float), structure.reconstructed.dose_gy, atol=1e-5)
    np.testing.assert_allclose(
        np.array(table["columns"]["Volume"], float), structure.reconstructed.volume_percent, atol=1e-3
    )
    assert table["attributes"]["DoseVolumeHistogram.DVH"] == "1"
    assert table["attributes"]["DoseVolumeHistogram.SegmentID"] == "PTV"
    assert float(table["attributes"]["DoseVolumeHistogram.Volume (cc)"]) == structure.reconstructed.volume_cc[0]
    assert table["references"] == {
        "doseVolumeRef": "Dose reconstructed",
        "segmentationRef": "SYNTHETIC",
        "dvhMetricsTableRef": "DvhMetrics",
    }
    row = int(table["attributes"]["DoseVolumeHistogram.TableRow"])
    metrics = scene.tables["DvhMetrics"]["columns"]
    assert list(metrics)[:4] == ["Show", "Structure", "Volume name", "Volume (cc)"]
    assert (metrics["Structure"][row], metrics["Volume name"][row]) == ("PTV", "Dose reconstructed")
    assert float(metrics["Mean dose (GY)"][row]) == pytest.approx(structure.reconstructed.mean_gy, rel=1e-5)


def test_the_chart_shows_planned_dashed_and_reconstructed_solid(scene):
    assert ["PTV", "PTV_DvhTable", "solid"] in scene.chart
    assert ["PTV (planned)", "PTV_DvhTable_planned", "dash"] in scene.chart
    assert len(scene.chart) == 12


def test_subject_hierarchy_names_patient_study_and_dose_unit(scene, result):
    study = scene.items["Synthetic study"]
    assert scene.items["Synthetic^Thorax"]["DICOM.PatientID"] == "SYN-0001"
    assert (study["Level"], study["parent"], study["uid"]) == (
        "Study", "Synthetic^Thorax", result.plan.study_instance_uid,
    )  # fmt: skip
    assert study["DicomRtImport.DoseUnitName"] == "GY"
    assert scene.items["Dose planned"]["parent"] == "Synthetic study"
    assert scene.items["Dose planned"]["DICOM.ReferencedInstanceUIDs"] == result.plan.sop_instance_uid
    epid = scene.items["EPID Lat _270_"]
    assert epid["parent"] == "2: Lat <270>"
    assert epid["DicomRtImport.RtImage"] == "1"
    assert (epid["DicomRtImport.GantryAngle"], epid["DicomRtImport.RtImageSid"]) == ("270", "1500")
    assert epid["DicomRtImport.RtImagePosition"] == "-140 128"
    assert epid["instance_uid"] == result.beams[1].portal_image_sop_uid


def test_the_views_open_at_the_isocentre(scene):
    assert {name: view[0] for name, view in scene.slices.items()} == {
        "Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal",
    }  # fmt: skip
    assert scene.slices["Red"][1][2] == pytest.approx(ISOCENTRE_MM[2])


def test_the_verdict_and_the_pass_rates_are_in_the_scene(scene, result):
    assert scene.texts["Verdict"].startswith("FAIL\n3D gamma 3 % / 3 mm in BODY")
    rates = scene.tables["Gamma pass rates"]["columns"]
    assert rates["Comparison"] == ["3D"] * 3 + ["AP"] * 3 + ["Lat <270>"] * 3
    assert float(rates["Pass rate percent"][0]) == pytest.approx(result.gamma_3d[0].pass_rate_percent, abs=1e-3)


def test_without_a_plan_and_relative_the_scene_holds_what_there_is(result, tmp_path):
    bare = replace(without_plan(result), is_relative=True, structure_set=None, structures=())
    scene = reopened(bare, tmp_path)
    assert "Dose planned" not in scene.volumes
    assert not any("GammaVolume" in str(v["attributes"]) for v in scene.volumes.values())
    assert scene.items["Synthetic study"]["DicomRtImport.DoseUnitName"] == "RELATIVE"
    assert scene.tables["Gamma pass rates"]["columns"]["Reason"] == [bare.gamma_3d[0].reason]
    assert scene.left_out == ["The study has no structure set: no segmentation and no DVH in the scene."]


def test_structures_of_one_name_are_all_drawn_but_their_dvhs_are_left_out(result, tmp_path):
    twins = tuple(replace(s, name="PTV") if s.name == "Heart" else s for s in result.structure_set.structures)
    doubled = replace(
        result,
        structure_set=replace(result.structure_set, structures=twins),
        structures=tuple(replace(s, name="PTV") if s.name == "Heart" else s for s in result.structures),
    )
    scene = reopened(doubled, tmp_path)
    assert "PTV_DvhTable" not in scene.tables
    assert "BODY_DvhTable" in scene.tables
    assert scene.left_out.count("The DVH of PTV is not in the scene: several structures have this name.") == 2


def test_a_scene_in_an_impossible_place_leaves_nothing_behind(result, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputNotWritable, match=r"scene\.mrb could not be written"):
        write_scene(result, tmp_path / "file" / "scene.mrb")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_relative_path_is_taken_from_here(result, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_scene(result, "out.mrb")
    assert [p.name for p in tmp_path.iterdir()] == ["out.mrb"]


def test_a_tilted_ct_is_refused_by_name(result, tmp_path):
    tilted = result.anatomy.index_to_lps.copy()
    tilted[1, 2] += 0.8
    with pytest.raises(UnsupportedGeometry, match="CT: the grid's axes are not perpendicular"):
        write_scene(replace(result, anatomy=CTGrid(result.anatomy.values, tilted)), tmp_path / "scene.mrb")
    assert not list(tmp_path.iterdir())


def test_without_slicer_core_one_line_says_what_to_install(result, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer", None)
    with pytest.raises(MissingObject, match=r"pip install 'slicer-intrepid\[mrml\]'"):
        write_scene(result, tmp_path / "scene.mrb")
