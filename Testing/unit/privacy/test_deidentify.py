"""De-identified folders: nothing left of whom it was, everything left of what was measured."""

import json
import stat
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest

import builders
import planted_patients as planted
from intrepid_cli.main import run
from intrepid_cli.verification.inputs import read_inputs
from intrepid_cli.verification.selection import select
from intrepid_cli.verification.settings import VerificationSettings
from intrepid_epid.portal_reader import read_portal_image
from intrepid_rt.deidentify import Options, SecretKey, deidentify_folder, key_from_file
from intrepid_rt.errors import InvalidSetting, MissingObject
from intrepid_rt.resources import resource_folder
from intrepid_rt.scan import scan
from SlicerInTrEPIDLib.sample import unpack_sample

KEY = SecretKey(bytes(range(32)))
PATIENTS, COMPLETE = 100, 10


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    people = [planted.write_patient(folder / "in", seed, is_complete=seed < COMPLETE)[0] for seed in range(PATIENTS)]
    return people, folder, deidentify_folder(folder / "in", folder / "out", KEY)


def without_pixels(path: Path) -> bytes:
    content = path.read_bytes()
    at = content.rfind(b"\xe0\x7f\x10\x00OW")
    return content if at < 0 else content[:at]


def test_no_identifier_of_a_hundred_patients_is_left(cohort):
    people, folder, result = cohort
    assert (len(result.patients), result.leaks, result.left_out, result.flagged) == (PATIENTS, [], [], [])
    assert len(result.written) == 3 * PATIENTS + 3 * COMPLETE
    # Each file is searched anew, for all of its own patient's identifiers and for some of everybody's.
    by_patient = {KEY.pseudonym(who.patient_id): who.all for who in people}
    others = [who.family for who in people] + [who.patient_id for who in people]
    for path in sorted((folder / "out").rglob("*.dcm")):
        name = str(path.relative_to(folder / "out"))
        wanted = by_patient[name.split("/")[0]] + others
        assert planted.bounded_hits(without_pixels(path) + b"/" + name.encode(), wanted) == []


def test_the_search_itself_finds_what_is_planted(cohort):
    people, folder, _ = cohort
    for path in list((folder / "in").rglob("*.dcm"))[:6]:
        found = planted.bounded_hits(without_pixels(path), [text for who in people for text in who.all])
        assert len(set(found)) >= 6


def test_objects_stay_linked_and_read_the_same(cohort):
    _, folder, _ = cohort
    studies = [study for patient in sorted((folder / "out").iterdir()) for study in scan(patient) if study.doses]
    assert len(studies) == COMPLETE
    for study in studies:
        plan, structures, image = study.plans[0], study.structure_sets[0], study.portal_images[0]
        assert study.doses[0].plan_uid == plan.sop_instance_uid
        assert plan.plan.referenced_structure_set_uid == structures.sop_instance_uid
        assert structures.ct_series_uid == study.ct_series[0].series_uid
        assert image.beam_number == 1
        frame = read_portal_image(image.path)
        assert frame.image.unit == "signal"
        assert frame.image.values.max() == pytest.approx(np.rint((1 + 0.21 + 0.074) * 3e4) / 31234.5, rel=1e-6)


def test_the_study_reference_of_a_structure_set_follows_the_study(cohort):
    _, folder, _ = cohort
    path = next((folder / "out").rglob("RTSTRUCT*"))
    dataset = pydicom.dcmread(path)
    study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    assert study.ReferencedSOPInstanceUID == dataset.StudyInstanceUID == path.parent.name
    assert KEY.made_uid(dataset.StudyInstanceUID)


def test_labels_keep_what_they_say_and_beams_their_different_names(cohort):
    _, folder, _ = cohort
    patient = next((folder / "out").iterdir())
    structures = pydicom.dcmread(next(patient.rglob("RTSTRUCT*")))
    names = [roi.ROIName for roi in structures.StructureSetROISequence]
    assert names[0].startswith("PTV_X")
    assert names[1] == "Lung_R"
    plan = pydicom.dcmread(next(patient.rglob("RTPLAN*")))
    first, second = (beam.BeamName for beam in plan.BeamSequence)
    assert (first[:4], second[:4]) == ("AP X", "PA X")
    assert "ReviewerName" not in plan or not plan.ReviewerName
    assert "DoseComment" not in pydicom.dcmread(next((folder / "out").rglob("RTDOSE*")))


def test_options_are_stated_and_private_elements_go_but_the_pixel_factor(cohort):
    _, folder, _ = cohort
    image = pydicom.dcmread(next((folder / "out").rglob("RTIMAGE*")))
    assert image.PatientIdentityRemoved == "YES"
    codes = [item.CodeValue for item in image.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113105", "113107", "113108", "113109", "113111"]
    private = [element.tag for element in image if element.tag.is_private]
    assert private == [(0x0021, 0x0010), (0x0021, 0x1002)]
    assert image.RTImageDescription == "Averaged Frames: 12"
    assert (image.PatientAge, image.PatientSex, image.PatientBirthDate) == ("090Y", "O", "")
    assert image.preamble == bytes(128)


def test_dates_move_by_whole_weeks_alike_for_a_patient(cohort):
    _, folder, _ = cohort
    shifts = set()
    for patient in (folder / "out").iterdir():
        image = pydicom.dcmread(next(patient.rglob("RTIMAGE*")))
        study, taken = (datetime.strptime(d, "%Y%m%d") for d in (image.StudyDate, image.AcquisitionDate))
        assert (taken - study).days == 3  # 2026-01-02 and 2026-01-05
        shift = (study - datetime(2026, 1, 2)).days
        assert shift % 7 == 0
        assert image.AcquisitionTime == "083000"
        shifts.add(shift)
    assert len(shifts) > 0.9 * PATIENTS


def test_twice_is_once_and_another_key_is_another_person(cohort, tmp_path):
    _, folder, result = cohort
    patient = min((folder / "out").iterdir())
    again = deidentify_folder(patient, tmp_path / "again", KEY)
    for name in again.written:
        assert (tmp_path / "again" / name).read_bytes() == (folder / "out" / name).read_bytes()
    assert set(again.written) <= set(result.written)
    other = deidentify_folder(patient, tmp_path / "other", SecretKey(b"\1" * 32))
    assert not set(other.patients) & set(result.patients)


def test_a_second_run_on_another_machine_gives_the_same_bytes(cohort, tmp_path):
    _, folder, _ = cohort
    twin = min((folder / "in").iterdir())
    first = deidentify_folder(twin, tmp_path / "a", KEY)
    second = deidentify_folder(twin, tmp_path / "b", KEY)
    assert first.written == second.written
    for name in first.written:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_sample_study_gives_the_chain_the_same_input(tmp_path):
    sample = resource_folder("SampleData")
    study = unpack_sample(sample, tmp_path / "in") / "study"
    result = deidentify_folder(study, tmp_path / "out", KEY)
    assert result.leaks == []
    settings = [VerificationSettings(folder, tmp_path / "none", machine=sample / "MC6MV.profile.json")
                for folder in (study, tmp_path / "out")]  # fmt: skip
    before, after = (read_inputs(select(scan(one.study_dir)), one) for one in settings)
    assert np.array_equal(before.density_g_cc.values, after.density_g_cc.values)
    assert np.array_equal(before.planned.values, after.planned.values)
    assert np.array_equal(before.ct.grid.index_to_lps, after.ct.grid.index_to_lps)
    for (beam, frame), (new_beam, new_frame) in zip(before.beams, after.beams, strict=True):
        assert np.array_equal(frame.image.values, new_frame.image.values)
        assert repr((beam.number, beam.control_points, beam.meterset_mu)) == repr(
            (new_beam.number, new_beam.control_points, new_beam.meterset_mu)
        )
    for old, new in zip(before.structure_set.structures, after.structure_set.structures, strict=True):
        assert len(old.contours) == len(new.contours)


def edited(folder: Path, pattern: str, **elements: object) -> None:
    for path in folder.rglob(pattern):
        dataset = pydicom.dcmread(path)
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path, enforce_file_format=True)


def test_pixels_that_may_show_text_are_flagged_and_left_out(tmp_path):
    builders.write_treatment(tmp_path / "in")
    edited(tmp_path / "in", "RTIMAGE_1*", BurnedInAnnotation="YES")
    result = deidentify_folder(tmp_path / "in", tmp_path / "out", KEY)
    assert result.flagged == [("RTIMAGE_1.dcm", "Burned In Annotation is YES")]
    assert not any("RTIMAGE" in name and "_1" in name for name in result.written)
    kept = deidentify_folder(tmp_path / "in", tmp_path / "out", KEY, keep_flagged=True)
    assert len(kept.written) == len(result.written) + 1


def test_an_identifier_in_a_number_stops_everything(tmp_path):
    builders.write_treatment(tmp_path / "in")
    path = tmp_path / "in" / "RTDOSE_1.dcm"
    dataset = pydicom.dcmread(path)
    dataset["DoseGridScaling"] = pydicom.dataelem.RawDataElement(
        pydicom.tag.Tag("DoseGridScaling"), "DS", 8, b"0.Secret", 0, False, True
    )
    dataset.save_as(path, enforce_file_format=True)
    result = deidentify_folder(tmp_path / "in", tmp_path / "out", KEY)
    assert result.leaks[0][0] == "RTDOSE_1.dcm"
    assert result.written == []
    assert not (tmp_path / "out").exists()


def test_names_in_other_scripts_and_without_accents(tmp_path):
    builders.write_treatment(tmp_path / "in")
    edited(
        tmp_path / "in",
        "*.dcm",
        PatientName="Müller-Weiß^José=山田^太郎",
        StudyDescription="mueller 山田 JOSE Weiß Prostata",
    )
    result = deidentify_folder(tmp_path / "in", tmp_path / "out", KEY)
    assert result.leaks == []
    text = pydicom.dcmread(tmp_path / "out" / result.written[0]).StudyDescription
    assert text.endswith("Prostata")
    assert not any(name in text.lower() for name in ("mueller", "山田", "jose", "weiß"))


def test_a_person_whose_name_is_a_term_of_dicom(tmp_path):
    builders.write_treatment(tmp_path / "in")
    edited(tmp_path / "in", "*.dcm", PatientName="Beam^Plan", PatientID="1000", StudyDescription="for Mr Beam")
    result = deidentify_folder(tmp_path / "in", tmp_path / "out", KEY)
    assert result.leaks == []
    doses = [pydicom.dcmread(tmp_path / "out" / name) for name in result.written if "RTDOSE" in name]
    assert {dose.DoseSummationType for dose in doses} == {"PLAN", "BEAM"}
    assert "Beam" not in doses[0].StudyDescription


def test_switched_off_options_fall_back_to_the_basic_profile(tmp_path):
    planted.write_patient(tmp_path / "in", 1)
    options = Options(False, False, False, False, False)
    result = deidentify_folder(tmp_path / "in", tmp_path / "out", KEY, options)
    assert result.leaks == []
    by_modality = {
        name.rsplit("/", 1)[1].split(".")[0]: pydicom.dcmread(tmp_path / "out" / name) for name in result.written
    }
    assert by_modality["CT"].StudyDate == ""
    assert "PatientAge" not in by_modality["CT"]
    assert not any(element.tag.is_private for element in by_modality["RTIMAGE"])
    assert by_modality["RTSTRUCT"].StructureSetROISequence[1].ROIName == ""
    assert by_modality["RTPLAN"].BeamSequence[0].TreatmentMachineName == ""
    assert [item.CodeValue for item in by_modality["CT"].DeidentificationMethodCodeSequence] == ["113100"]


def test_what_is_no_object_of_radiotherapy_is_left_out_by_name(tmp_path):
    builders.write_treatment(tmp_path / "in")
    edited(tmp_path / "in", "CT_000*", Modality="SR")
    (tmp_path / "in" / "notes.txt").write_text("Doe Secret")
    result = deidentify_folder(tmp_path / "in", tmp_path / "out", KEY)
    assert {name for name, _ in result.left_out} == {"CT_000.dcm", "notes.txt"}
    with pytest.raises(MissingObject, match="holds no DICOM file"):
        deidentify_folder(tmp_path / "out" / "nothing", tmp_path / "elsewhere", KEY)
    with pytest.raises(InvalidSetting, match="lie within each other"):
        deidentify_folder(tmp_path / "in", tmp_path / "in" / "out", KEY)


def test_the_key_is_its_owners_alone(tmp_path):
    path = tmp_path / "keys" / "secret.key"
    key = key_from_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key_from_file(path).secret == key.secret
    assert key.secret.hex() not in repr(key)
    path.chmod(0o640)
    with pytest.raises(InvalidSetting, match="chmod 600"):
        key_from_file(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(InvalidSetting, match="no key of 32 bytes"):
        key_from_file(path)


def test_the_command_tells_what_it_did(tmp_path, capsys):
    who, _ = planted.write_patient(tmp_path / "in", 3)
    arguments = ["deidentify", str(tmp_path / "in"), str(tmp_path / "out"), "--key", str(tmp_path / "k"), "--json"]
    assert run(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["identifiers_left"] == []
    assert len(printed["written"]) == 6
    assert planted.bounded_hits(json.dumps(printed["written"]).encode(), who.all) == []
    edited(tmp_path / "in", "*RTIMAGE*", BurnedInAnnotation="YES")
    assert run(arguments) == 1
    assert run(["deidentify", str(tmp_path / "nowhere"), str(tmp_path / "out"), "--key", str(tmp_path / "k")]) == 2
