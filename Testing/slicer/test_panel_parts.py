"""What the panel asks its library: the table of images, the DICOM database, what is missing, BRAINSFit."""

import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builders import write_treatment
from intrepid_rt.errors import MissingObject, UnusableInput
from intrepid_rt.grids import Grid, affine_from_axes
from SlicerInTrEPIDLib.command import (
    DayJob,
    Job,
    command_line,
    predict_line,
    reasons_not_ready,
    reasons_not_to_predict,
    refinement_names,
    summarise,
)
from SlicerInTrEPIDLib.database import patient_of_node, stage_patient, studies_in
from SlicerInTrEPIDLib.missing_parts import missing_parts, sentence
from SlicerInTrEPIDLib.study_table import ImageRow, StudyContents, images_of, overrides, study_contents

REQUIREMENTS = Path(__file__).parents[2] / "SlicerInTrEPID" / "Resources" / "requirements.txt"


@pytest.fixture(scope="module")
def treatment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("treatment")
    return folder, write_treatment(folder)


def test_the_table_shows_images_and_beams(treatment):
    contents = study_contents(treatment[0])
    assert [(row.file, row.beam, row.gantry) for row in contents.images] == [
        ("RTIMAGE_1.dcm", 1, "0.0°"), ("RTIMAGE_2.dcm", 2, "90.0°"),
    ]  # fmt: skip
    assert contents.beams == ((1, "B1"), (2, "B2"))
    assert contents.lines[0].startswith("1 CT series, 1 RTPLAN, 1 RTSTRUCT, 3 RTDOSE, 2 RTIMAGE.")
    assert overrides(contents, {"RTIMAGE_1.dcm": 1}) == ()
    assert overrides(contents, {"RTIMAGE_1.dcm": 2, "RTIMAGE_2.dcm": 1}) == ((2, "RTIMAGE_1.dcm"), (1, "RTIMAGE_2.dcm"))
    assert [path.name for path in images_of(contents, {"RTIMAGE_1.dcm": None})] == ["RTIMAGE_2.dcm"]


def test_a_folder_without_plan_says_what_is_missing(treatment, tmp_path):
    (tmp_path / "image.dcm").write_bytes((treatment[0] / "RTIMAGE_1.dcm").read_bytes())
    with pytest.raises(MissingObject, match="no RTPLAN"):
        study_contents(tmp_path)


class Database:
    """One patient whose files lie in a folder, with the methods of ctkDICOMDatabase that are called."""

    isOpen = True

    def __init__(self, folder):
        import pydicom

        self.headers = {str(f): pydicom.dcmread(f, stop_before_pixels=True) for f in sorted(folder.glob("*.dcm"))}

    def patients(self):
        return ["1"]

    def studiesForPatient(self, patient):
        return sorted({h.StudyInstanceUID for h in self.headers.values()})

    def seriesForStudy(self, study):
        return sorted({h.SeriesInstanceUID for h in self.headers.values() if h.StudyInstanceUID == study})

    def filesForSeries(self, series):
        return [file for file, h in self.headers.items() if h.SeriesInstanceUID == series]

    def fileValue(self, file, tag):
        group, element = (int(part, 16) for part in tag.split(","))
        found = self.headers[file].get((group, element))
        return "" if found is None else str(found.value)

    def fileForInstance(self, uid):
        return next((file for file, h in self.headers.items() if h.SOPInstanceUID == uid), "")


def test_a_study_of_the_database_becomes_a_folder(treatment, tmp_path):
    database = Database(treatment[0])
    [study] = studies_in(database)
    assert {"CT", "RTPLAN", "RTIMAGE"} <= study.modalities
    folder = stage_patient(database, study.patient, tmp_path / "gathered")
    assert len(list(folder.iterdir())) == len(database.headers)
    assert len(study_contents(folder).images) == 2
    stage_patient(database, study.patient, folder)  # once more into the same place
    assert len(list(folder.iterdir())) == len(database.headers)
    assert studies_in(None) == []
    database.headers = {"gone.dcm": next(iter(database.headers.values()))}
    with pytest.raises(MissingObject, match="Import them again"):
        stage_patient(database, study.patient, folder)


def test_a_node_leads_to_its_patient(treatment):
    pytest.importorskip("slicer")
    from SlicerInTrEPIDLib.headless import headless_scene

    folder, ids = treatment
    database = Database(folder)
    with headless_scene() as scene:
        tree = scene.GetSubjectHierarchyNode()
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Dose")
        item = tree.CreateItem(tree.GetSceneItemID(), node)
        with pytest.raises(MissingObject, match="not loaded from the open DICOM database"):
            patient_of_node(scene, database, node)
        tree.SetItemUID(item, "DICOMInstanceUID", ids.plan)
        assert patient_of_node(scene, database, node) == "1"


def test_what_is_missing_is_told_with_what_it_is_for():
    def parts(model, modules=(), packages=(), **chosen):
        return missing_parts(
            REQUIREMENTS, model=model, **chosen, has_module=lambda n: n in modules, has_package=lambda n: n in packages
        )

    assert [part.name for part in parts("physics")] == ["SlicerRT"]
    assert [part.name for part in parts("unet", ("dicomrtimportexport",))] == ["PyTorch"]
    assert parts("unet", ("dicomrtimportexport",), ("torch",)) == []
    assert "physics works without" in sentence(parts("unet")[0])
    [torch] = parts("physics", ("dicomrtimportexport",), refinement="fine")
    assert sentence(torch) == "PyTorch is not installed; needed for the refinement fine; physics works without."
    assert "useful" in sentence(parts("physics")[0])


def test_the_anatomy_of_the_day_becomes_options(tmp_path):
    day = DayJob(folder=tmp_path, registration="deformable", setup="matched", couch_shift="1, 2,3", complete=True)
    line = command_line(Job(tmp_path, tmp_path / "out", day=day, assigned=((2, "a b.dcm"),)))
    text = " ".join(line[3:])
    assert f"--anatomy {tmp_path} --registration deformable --setup matched --couch-shift 1,2,3" in text
    assert "--truncated complete --assign 2=a b.dcm --json" in text
    assert "--registration" not in command_line(Job(tmp_path, tmp_path / "out"))
    wrong = DayJob(
        folder=tmp_path / "no", registration="transform file", setup="matched", isocentre="0,0,0", couch_shift="x"
    )
    assert len(wrong.reasons_not_ready()) == 4


def test_portal_doses_are_predicted_beside_the_output(tmp_path):
    study, out, machine, curve, image = (tmp_path / name for name in ("study", "out", "m.json", "c.csv", "a.dcm"))
    job = Job(study, out, machine=machine, model="unet", ct_curve=curve)
    stated = {"--study": study, "--out": f"{out}_portal_dose", "--machine": machine, "--model": "unet"}
    options = [str(part) for pair in (stated | {"--ct-curve": curve}).items() for part in pair]
    assert predict_line(job, [image])[3:] == ["predict", str(image), *options, "--json"]
    assert reasons_not_to_predict(job, [tmp_path / "a.dcm"]) == []
    assert len(reasons_not_to_predict(Job(None, None), [])) == 4
    by_hand = replace(job, assigned=((1, "a.dcm"),))
    assert reasons_not_to_predict(by_hand, [image]) == []
    assert predict_line(by_hand, [image])[-3:] == ["--assign", "1=a.dcm", "--json"]


def test_an_image_whose_beam_was_given_to_another_is_not_predicted():
    def row(file, beam):
        return ImageRow(file, Path("/study") / file, "", "", beam, "")

    contents = StudyContents((row("a.dcm", 1), row("b.dcm", 2)), ((1, "AP"), (2, "LAT")), ())
    assert [path.name for path in images_of(contents, {})] == ["a.dcm", "b.dcm"]
    assert [path.name for path in images_of(contents, {"a.dcm": 2})] == ["a.dcm"]
    assert [path.name for path in images_of(contents, {"a.dcm": 2, "b.dcm": 1})] == ["a.dcm", "b.dcm"]
    assert [path.name for path in images_of(contents, {"a.dcm": None})] == ["b.dcm"]


def test_a_refinement_is_passed_on_and_its_needs_are_said(tmp_path):
    (tmp_path / "m.json").write_text("{}")
    job = Job(tmp_path, tmp_path / "out", machine=tmp_path / "m.json", refinement="simulated-6mv")
    assert " ".join(command_line(job)[3:]).endswith("--refinement simulated-6mv --json")
    assert "--refinement" not in command_line(replace(job, refinement="none"))
    assert reasons_not_ready(job) == []
    [needs_gy] = reasons_not_ready(replace(job, machine=None))
    [needs_physics] = reasons_not_ready(replace(job, model="first-order"))
    assert "machine profile" in needs_gy
    assert "first-order" in needs_physics
    assert refinement_names() == ["none", "simulated-6mv"]


def test_the_band_of_a_refined_dose_is_told():
    band = {"file": "dose_uncertainty.nrrd", "high_dose_percent": 1.94}
    assert summarise({"dose_uncertainty": band}).uncertainty == "95 % band of the dose: ± 1.9 % where it is high"
    assert summarise({"dose_uncertainty": None}).uncertainty == ""


def volumes(scene):
    from SlicerInTrEPIDLib.volumes import add_grid

    tree = scene.GetSubjectHierarchyNode()
    made = []
    for name in ("CT", "CBCT"):
        node = add_grid(scene, Grid(np.zeros((10, 20, 30), np.float32), affine_from_axes((0, 0, 0), (3, 3, 5))), name)
        tree.SetItemAttribute(tree.CreateItem(tree.GetSceneItemID(), node), "DICOM.Modality", "CT")
        made.append(node)
    return made


def test_brainsfit_is_asked_for_fixed_planning_and_moving_day(tmp_path):
    pytest.importorskip("slicer")
    from intrepid_rt.registration.transform_file import read_transform
    from SlicerInTrEPIDLib.headless import headless_scene
    from SlicerInTrEPIDLib.registration import ct_pair, register, save_transform
    from SlicerInTrEPIDLib.volumes import to_vtk_matrix

    asked = {}

    def run_sync(module, node, parameters):
        asked.update(parameters)
        return types.SimpleNamespace(GetStatus=lambda: 0, ErrorsMask=1, GetErrorText=lambda: "")

    with headless_scene() as scene:
        planning, day = volumes(scene)
        assert ct_pair(scene) == (planning, day)
        modules, cli = types.SimpleNamespace(brainsfit=object()), types.SimpleNamespace(runSync=run_sync)
        with pytest.raises(MissingObject, match="no BRAINSFit"):
            register(scene, cli, object(), planning, day, deformable=False)
        transform = register(scene, cli, modules, planning, day, deformable=False)
        assert (asked["fixedVolume"], asked["movingVolume"]) == (planning.GetID(), day.GetID())
        assert (asked["useRigid"], asked["linearTransform"]) == (True, transform.GetID())
        # As BRAINSFit leaves it: the node carries the day (RAS) to the plan; the file holds plan to day (LPS).
        moved = np.eye(4)
        moved[:3, 3] = (-3.0, 4.0, 5.0)
        transform.SetMatrixTransformToParent(to_vtk_matrix(np.linalg.inv(moved)))
        path = save_transform(transform, tmp_path / "rigid.h5")
        rigid, field = read_transform(path, Grid(np.zeros((10, 20, 30), np.float32), np.eye(4)))
        assert field is None
        np.testing.assert_allclose(rigid.shift_at((0, 0, 0)), (3.0, -4.0, 5.0), atol=1e-6)
        register(scene, cli, modules, planning, day, deformable=True)
        assert asked["splineGridSize"] == "3,3,3"
        cli.runSync = lambda *_: types.SimpleNamespace(GetStatus=lambda: 1, ErrorsMask=1, GetErrorText=lambda: "broken")
        with pytest.raises(UnusableInput, match="broken"):
            register(scene, cli, modules, planning, day, deformable=False)
