"""Files of one patient to rows: links, reasons, contradictions."""

import pytest
from numpy import zeros

from builders import (
    BeamSpec,
    Ids,
    Lattice,
    Roi,
    ct_slices,
    linear_field,
    new_dataset,
    ring,
    rtdose,
    rtplan,
    rtstruct,
    save,
    write_treatment,
)
from intrepid_cohort.headers import read_header
from intrepid_cohort.patient_record import patient_record
from intrepid_cohort.structure_facts import ptv_numbers
from intrepid_rt.errors import AmbiguousInput
from intrepid_rt.structures import Structure


def headers(folder):
    return [read_header(path) for path in folder.rglob("*") if path.is_file()]


def usable(folder):
    return [header for header in headers(folder) if not header.reason]


def reason(path):
    return read_header(path).reason


def test_treatment_is_linked(tmp_path):
    ids = write_treatment(tmp_path)
    (study,) = patient_record(usable(tmp_path)).studies
    (plan,), (anatomy,), (series,) = study.plans, study.structure_sets, study.series
    assert (plan.referenced_structure_set_uid, anatomy.referenced_series_uid) == (ids.structure_set, ids.ct_series)
    assert (series.image_count, series.row_spacing_mm) == (8, 3.0)
    assert (plan.dose_grid_x_mm, plan.dose_grid_y_mm, plan.dose_grid_z_mm) == (3.0, 2.0, 2.5)
    whole = next(dose for dose in study.doses if dose.dose_summation_type == "PLAN")
    assert [dvh.structure.roi_name for dvh in whole.dvhs] == ["BODY"]
    parts = [dose for dose in study.doses if dose.dose_summation_type == "BEAM"]
    assert [dose.referenced_beam_number for dose in parts] == [1, 2]
    assert all("part of the treatment" in dose.dvh_reason and not dose.dvhs for dose in parts)


def test_dose_in_another_frame_has_no_dvhs_but_a_reason(tmp_path):
    ids = Ids()
    other = Ids(patient=ids.patient, study=ids.study, plan=ids.plan)
    lattice = Lattice()
    save(rtstruct([Roi("A", [ring((-20, 18), 3, -38.0 + n, 12) for n in range(4)])], ids), tmp_path / "RS.dcm")
    save(rtplan([BeamSpec()], ids), tmp_path / "RP.dcm")
    save(rtdose(linear_field(lattice.pixel_positions()), lattice, other), tmp_path / "RD.dcm")
    (study,) = patient_record(usable(tmp_path)).studies
    (dose,) = study.doses
    assert dose.dvhs == []
    assert ids.frame in dose.dvh_reason
    assert other.frame in dose.dvh_reason


def test_dose_without_structure_set_has_a_reason(tmp_path):
    write_treatment(tmp_path)
    (tmp_path / "RTSTRUCT.dcm").unlink()
    (study,) = patient_record(usable(tmp_path)).studies
    whole = next(dose for dose in study.doses if dose.dose_summation_type == "PLAN")
    assert "no structure set that was imported" in whole.dvh_reason
    assert any("structure set it references was not imported" in note for note in study.plans[0].notes)


def test_structure_outside_the_dose_has_a_row_with_its_reason(tmp_path):
    ids, lattice = Ids(), Lattice()
    rois = [Roi("Near", [ring((-20, 18), 3, -38.0 + n, 12) for n in range(4)]),
            Roi("Far", [ring((900, 0), 10, z) for z in (0.0, 2.0)]), Roi("Empty")]  # fmt: skip
    save(rtstruct(rois, ids), tmp_path / "RS.dcm")
    save(rtplan([BeamSpec()], ids), tmp_path / "RP.dcm")
    save(rtdose(linear_field(lattice.pixel_positions()), lattice, ids), tmp_path / "RD.dcm")
    (study,) = patient_record(usable(tmp_path)).studies
    near, far, empty = study.doses[0].dvhs
    assert near.reason is None
    assert near.mean_gy > 0
    assert "outside the dose grid" in far.reason
    assert "no closed contour" in empty.reason
    assert (far.mean_gy, far.cumulative_volume_cc, empty.volume_cc) == (None, None, None)


def test_contradicting_birth_dates_stop_the_patient(tmp_path):
    for number, born in enumerate(("19500101", "19510101")):
        one = ct_slices(zeros((1, 4, 4)), Lattice((1, 4, 4)), Ids())[0]
        one.PatientBirthDate = born
        save(one, tmp_path / f"{number}.dcm")
    with pytest.raises(AmbiguousInput, match="two people") as caught:
        patient_record(headers(tmp_path))
    assert "1950" not in str(caught.value)


def test_reasons_of_headers(tmp_path):
    ids = Ids()
    (tmp_path / "text.txt").write_text("no DICOM")
    (tmp_path / "empty.dcm").write_bytes(b"")
    nameless, localizer = (ct_slices(zeros((1, 4, 4)), Lattice((1, 4, 4)), ids)[0] for _ in range(2))
    nameless.PatientID = ""
    localizer.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    magnet = new_dataset("CT", ids)
    magnet.Modality = "MR"
    for name, dataset in (("nameless", nameless), ("localizer", localizer), ("magnet", magnet)):
        save(dataset, tmp_path / f"{name}.dcm")
    cut = (tmp_path / "localizer.dcm").read_bytes()[:-10]
    (tmp_path / "cut.dcm").write_bytes(cut)
    assert "not a DICOM object" in reason(tmp_path / "text.txt")
    assert reason(tmp_path / "empty.dcm")
    assert "whose it is" in reason(tmp_path / "nameless.dcm")
    assert reason(tmp_path / "localizer.dcm") == "A localizer image is not used."
    assert reason(tmp_path / "magnet.dcm") == "MR is not used by this version."
    assert "cut short" in reason(tmp_path / "cut.dcm")
    assert "cannot be opened" in reason(tmp_path / "gone.dcm")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([("PTV1", ""), ("Heart", "ORGAN")], [1]),
        ([("PTV_5000", ""), ("ptv 2 boost", "")], [1, 2]),
        ([("PTV-opt", ""), ("zPTV", ""), ("PTV ring", ""), ("PTVeval", "")], []),
        ([("Target", "PTV"), ("PTV", "CTV")], [1]),
    ],
)
def test_ptvs_by_type_else_by_name_beyond_doubt(names, expected):
    contour = (zeros((3, 3)),)
    structures = [Structure(name, n, contour, (), kind) for n, (name, kind) in enumerate(names, 1)]
    assert ptv_numbers(structures) == expected
