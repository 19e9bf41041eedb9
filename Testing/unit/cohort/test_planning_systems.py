"""Exports of Eclipse, Oncentra and Pinnacle: recognised, their habits noted, what they leave open concluded or not."""

import pytest
from numpy import zeros
from pydicom.dataset import Dataset

from builders import BeamSpec, Ids, Lattice, Roi, item, ring, rtdose, rtplan, rtstruct, save
from intrepid_cohort.headers import read_header
from intrepid_cohort.names.proposal import propose
from intrepid_cohort.patient_record import patient_record
from intrepid_cohort.planning_systems import planning_system


def made_by(maker, model, dataset=None):
    dataset = dataset or Dataset()
    dataset.Manufacturer, dataset.ManufacturerModelName = maker, model
    return dataset


@pytest.mark.parametrize(
    ("maker", "model", "system"),
    [
        ("Varian Medical Systems", "ARIA RadOnc", "Eclipse"),
        ("Varian Medical Systems", "Eclipse", "Eclipse"),
        ("Nucletron", "Oncentra", "Oncentra"),
        ("Elekta", "Oncentra External Beam", "Oncentra"),
        ("Philips Medical Systems", "Pinnacle^3", "Pinnacle"),
        ("ADAC", "Pinnacle3", "Pinnacle"),
        ("Varian Medical Systems", "TrueBeam", None),
        ("Elekta", "Monaco", None),
        ("MIM Software", "Eclipse", None),
        ("", "Pinnacle^3", None),
    ],
)
def test_maker_and_model_tell_the_system(maker, model, system):
    assert planning_system(made_by(maker, model)) == system


def test_private_elements_tell_the_maker_only_where_nothing_contradicts_them():
    dataset = Dataset()
    dataset.private_block(0x3253, "Varian Medical Systems VISION 3253", create=True).add_new(0x02, "LO", "ExtendedIF")
    assert planning_system(dataset) == "Eclipse"
    assert planning_system(made_by("Somebody", "Tool", dataset)) is None


def record_of(folder):
    record = patient_record(read_header(path) for path in sorted(folder.rglob("*.dcm")))
    assert record.unused == {}
    (study,) = record.studies
    return study


def structures(ids, *names):
    drawn = [ring((-20, 18), 3, -38.0 + n, 12) for n in range(4)]
    return rtstruct([Roi("Heart", drawn), *(Roi(name, []) for name in names)], ids)


def unprescribed(ids, label="Breast", fractions=25):
    plan = made_by("Philips Medical Systems", "Pinnacle^3", rtplan([BeamSpec()], ids, fractions=fractions))
    plan.RTPlanLabel = label
    del plan.DoseReferenceSequence
    return plan


def pinnacle(folder, point, **known):
    ids = Ids()
    save(structures(ids, *([point] if point else [])), folder / "RS.dcm")
    save(unprescribed(ids, **known), folder / "RP.dcm")
    (plan,) = record_of(folder).plans
    return plan


def test_pinnacle_keeps_its_prescription_in_a_point(tmp_path):
    plan = pinnacle(tmp_path, "rx 1: Breast: 180.0 cGy x 25 to 95%: point: PTV")
    assert plan.planning_system == "Pinnacle"
    (found,) = plan.prescriptions
    assert (plan.prescription_dose_gy, found.fraction_dose_gy, found.fractions) == (pytest.approx(45.0), 1.8, 25)
    assert (found.prescription_percent, found.normalization_method, found.normalization_object) == (95, "point", "PTV")
    assert any("that of the point 'rx 1: Breast" in note for note in plan.notes)


@pytest.mark.parametrize(
    "point", [None, "rx 1: Breast: 180 cGy x 20 to 95%: point: PTV", "rx 1: Boost: 180 cGy x 25 to 95%: point: PTV"]
)
def test_a_point_that_may_be_of_another_plan_is_not_taken(tmp_path, point):
    plan = pinnacle(tmp_path, point)
    assert plan.prescriptions == []
    assert plan.prescription_dose_gy is None
    assert any("Pinnacle keeps it outside" in note for note in plan.notes)
    assert any("0 fit label and fractions" in note for note in plan.notes) == (point is not None)


def test_a_prescription_is_no_structure():
    read = propose("rx 1: Breast: 180 cGy x 25 to 95%: point: PTV")
    assert (read.standard_name, read.category, read.is_confident) == (None, "dose", True)


def test_oncentra_names_a_frame_that_is_no_images(tmp_path):
    ids = Ids()
    anatomy = made_by("Nucletron", "Oncentra", structures(ids))
    relation = item(FrameOfReferenceTransformationComment="Treatment planning reference point")
    anatomy.ReferencedFrameOfReferenceSequence.insert(
        0, item(FrameOfReferenceUID="1.2.3.4", FrameOfReferenceRelationshipSequence=[relation])
    )
    save(anatomy, tmp_path / "RS.dcm")
    save(made_by("Nucletron", "Oncentra", rtplan([BeamSpec()], ids)), tmp_path / "RP.dcm")
    study = record_of(tmp_path)
    (row,), (plan,) = study.structure_sets, study.plans
    assert (row.planning_system, row.frame_of_reference_uid) == ("Oncentra", ids.frame)
    assert any("2 frames of reference" in note for note in row.notes)
    assert any("no delivered fractions" in note for note in plan.notes)


def dose_of(ids, *plans):
    lattice = Lattice()
    dose = made_by("Varian Medical Systems", "ARIA RadOnc", rtdose(zeros(lattice.shape) + 1, lattice, ids))
    dose.ReferencedRTPlanSequence = [item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.481.5",
                                          ReferencedSOPInstanceUID=uid) for uid in plans]  # fmt: skip
    if len(plans) > 1:
        dose.DoseSummationType = "MULTI_PLAN"
    return dose


def test_a_plan_sum_has_dvhs_but_no_prescription(tmp_path):
    ids = Ids()
    save(structures(ids), tmp_path / "RS.dcm")
    save(made_by("Varian Medical Systems", "ARIA RadOnc", rtplan([BeamSpec()], ids)), tmp_path / "RP.dcm")
    dose = dose_of(ids, ids.plan, "1.2.3.9")
    save(dose, tmp_path / "RD.dcm")
    (row,) = record_of(tmp_path).doses
    assert (row.planning_system, row.dose_summation_type, row.referenced_plan_uid) == ("Eclipse", "MULTI_PLAN", None)
    assert any("2 plans together" in note and "1.2.3.9" in note for note in row.notes)
    (dvh,) = row.dvhs
    endpoints = {one.metric: one for one in dvh.endpoints}
    assert dvh.mean_gy == pytest.approx(1.0)
    assert (endpoints["V95%"].value, endpoints["V95%"].prescription_gy) == (None, None)
    assert endpoints["V95%"].reason


def test_a_dose_of_eclipse_whose_plan_is_missing_says_why_that_may_be(tmp_path):
    ids = Ids()
    save(dose_of(ids, ids.plan), tmp_path / "RD.dcm")
    (row,) = record_of(tmp_path).doses
    assert any("Eclipse exports no plan that has no beams" in note for note in row.notes)
