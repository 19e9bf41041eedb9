"""A folder tree to studies: everything linked by UID, everything else listed with its reason."""

import shutil

import numpy as np
import pytest

import builders
from builders import BeamSpec, Ids, Lattice, write_treatment
from intrepid_rt.errors import MissingObject
from intrepid_rt.scan import scan


def reasons(study) -> dict[str, str]:
    return {path.name: reason for path, reason in study.unused}


def test_a_treatment_is_linked(tmp_path):
    ids = write_treatment(tmp_path / "deep" / "folder")
    (study,) = scan(tmp_path)
    assert study.patient_id == "TEST-1"
    assert study.study_instance_uids == (ids.study,)
    (ct,) = study.ct_series
    assert (ct.series_uid, ct.frame_of_reference_uid, len(ct.paths)) == (ids.ct_series, ids.frame, 8)
    (structure_set,) = study.structure_sets
    assert (structure_set.sop_instance_uid, structure_set.ct_series_uid) == (ids.structure_set, ids.ct_series)
    assert structure_set.frame_of_reference_uid == ids.frame
    (plan,) = study.plans
    assert plan is study.plan_with_uid(ids.plan)
    assert plan.plan.referenced_structure_set_uid == ids.structure_set
    doses = {(dose.summation_type, dose.beam_number, dose.plan_uid) for dose in study.doses}
    assert doses == {("PLAN", None, ids.plan), ("BEAM", 1, ids.plan), ("BEAM", 2, ids.plan)}
    assert [(i.beam_number, i.plan_uid, i.link) for i in study.portal_images] == [
        (1, ids.plan, "stated"),
        (2, ids.plan, "stated"),
    ]
    assert (study.unused, study.notes) == ((), ())


def test_several_plans_doses_and_structure_sets_are_normal(tmp_path):
    first = write_treatment(tmp_path / "a")
    second = Ids(study=first.study, frame=first.frame)
    write_treatment(tmp_path / "b", second)
    (study,) = scan(tmp_path)
    assert len(study.plans) == len(study.structure_sets) == len(study.ct_series) == 2
    assert [image.plan_uid for image in study.portal_images] == [first.plan] * 2 + [second.plan] * 2


def test_patients_are_kept_apart(tmp_path):
    write_treatment(tmp_path / "a")
    other = write_treatment(tmp_path / "b", Ids(patient="TEST-2"))
    studies = scan(tmp_path)
    assert [study.patient_id for study in studies] == ["TEST-1", "TEST-2"]
    assert all(image.plan_uid == other.plan for image in studies[1].portal_images)


def test_an_image_of_another_patient_is_not_linked_by_its_reference(tmp_path):
    ids = write_treatment(tmp_path)
    stranger = Ids(patient="SOMEBODY", plan=ids.plan)
    pixels = builders.elekta_pixels(builders.field_signal(), 3e4)
    builders.save(builders.rtimage(pixels, stranger, elekta_factor=3e4), tmp_path / "stranger.dcm")
    mine, strange = scan(tmp_path)
    assert len(mine.portal_images) == 2
    assert strange.portal_images[0].link == ""
    assert "no RTPLAN of the same patient" in reasons(strange)["stranger.dcm"]


def test_everything_else_is_listed_with_its_reason(tmp_path):
    ids = write_treatment(tmp_path)
    (tmp_path / "notes.txt").write_text("shopping list")
    (tmp_path / "empty").write_bytes(b"")
    cut = tmp_path / "cut.dcm"
    cut.write_bytes((tmp_path / "RTSTRUCT.dcm").read_bytes()[:900])
    shutil.copy(tmp_path / "RTPLAN.dcm", tmp_path / "RTPLAN_copy.dcm")
    changed = builders.rtplan([BeamSpec("other")], ids)
    builders.save(changed, tmp_path / "RTPLAN_same_uid.dcm")
    magnetic = builders.new_dataset("CT", ids)
    magnetic.Modality = "MR"
    builders.save(magnetic, tmp_path / "mr.dcm")
    drr = builders.rtimage(np.zeros((4, 4)), ids)
    drr.ImageType = ["DERIVED", "SECONDARY", "DRR"]
    builders.save(drr, tmp_path / "drr.dcm")
    scout = builders.ct_slices(np.zeros((1, 4, 4)), Lattice((1, 4, 4)), ids)[0]
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    builders.save(scout, tmp_path / "scout.dcm")
    builders.save(builders.rtplan([], Ids()), tmp_path / "empty_plan.dcm")
    (study,) = scan(tmp_path)
    found = reasons(study)
    assert set(found) == {
        "notes.txt", "empty", "cut.dcm", "RTPLAN_copy.dcm", "RTPLAN_same_uid.dcm", "mr.dcm", "drr.dcm", "scout.dcm",
        "empty_plan.dcm",
    }  # fmt: skip
    assert "not a DICOM object" in found["notes.txt"]
    assert "not a DICOM object" in found["empty"]
    assert "cut short" in found["cut.dcm"]
    assert found["RTPLAN_copy.dcm"] == "a copy of RTPLAN.dcm"
    assert found["RTPLAN_same_uid.dcm"] == "has the SOP Instance UID of RTPLAN.dcm"
    assert found["mr.dcm"] == "MR is not used"
    assert "kind DRR" in found["drr.dcm"]
    assert "localizer" in found["scout.dcm"]
    assert "holds no beam" in found["empty_plan.dcm"]
    assert any("differ but have one SOP Instance UID" in note for note in study.notes)


def test_dose_of_an_absent_plan_is_noted(tmp_path):
    write_treatment(tmp_path)
    (tmp_path / "RTPLAN.dcm").unlink()
    (study,) = scan(tmp_path)
    assert "RTDOSE_PLAN.dcm references no plan of this folder." in study.notes
    assert "no RTPLAN of the same patient" in reasons(study)["RTIMAGE_1.dcm"]


def test_empty_missing_and_useless_folders(tmp_path):
    with pytest.raises(MissingObject, match="is empty"):
        scan(tmp_path)
    with pytest.raises(MissingObject, match="is no folder"):
        scan(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("shopping list")
    with pytest.raises(MissingObject, match=r"no DICOM object: 1 file\(s\)"):
        scan(tmp_path)
