"""Every object that we write, before dciodvfy: doses, portal doses, simulated studies, de-identified copies."""

import shutil
from collections import defaultdict

import numpy as np
import pydicom
import pytest

import builders
import planted_patients as planted
from builders import BeamSpec, Ids
from chain_phantoms import soft_field
from conformance import aborts_on, errors, report
from intrepid_cli.main import run
from intrepid_cohort.simulation.cohort import write_cohort
from intrepid_dvh.curve import DVH
from intrepid_dvh.dicom_dvh import write_dvhs
from intrepid_epid.simulation.phantom_set import simulate_set
from intrepid_epid.simulation.treatment_machine import SimulatedMachine
from intrepid_rt.deidentify import SecretKey, deidentify_folder
from intrepid_rt.dicom_dose import DoseReferences, write_dose
from intrepid_rt.dicom_portal_dose import write_portal_dose_image
from intrepid_rt.grids import DoseGrid, affine_from_axes
from intrepid_rt.resources import resource_folder
from SlicerInTrEPIDLib.sample import unpack_sample

pytestmark = [
    pytest.mark.external,
    pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed"),
]
KEY = SecretKey(bytes(32))


@pytest.fixture
def plan():
    return builders.rtplan([BeamSpec()], Ids())


def dose(path, plan, orientation="axial", structure_set="1.2.3.4.5", **options):
    along_row, along_column = np.array(builders.ORIENTATIONS[orientation], float).reshape(2, 3)
    axes = [along_row, along_column, np.cross(along_row, along_column)]
    grid = DoseGrid(
        np.random.default_rng(1).random((4, 5, 6), np.float32) * 60,
        affine_from_axes((-100.1, 22.25, 1 / 3), (2.5, 3.0, 2.0), axes),
        plan.FrameOfReferenceUID,
    )
    beam = 1 if options.get("summation_type") == "BEAM" else None
    write_dose(
        path, grid, references=DoseReferences(plan.SOPInstanceUID, structure_set, beam), template=plan, **options
    )
    return path


@pytest.mark.parametrize("orientation", list(builders.ORIENTATIONS))
def test_doses_in_any_orientation(tmp_path, plan, orientation):
    assert errors(dose(tmp_path / "dose.dcm", plan, orientation)) == []


@pytest.mark.parametrize("kind", ["PLAN", "BEAM", "FRACTION"])
@pytest.mark.parametrize("structure_set", ["", "1.2.3.4.5"])
def test_doses_of_any_kind(tmp_path, plan, kind, structure_set):
    path = dose(tmp_path / "dose.dcm", plan, structure_set=structure_set, summation_type=kind)
    assert report(path)[0] == "RTDose"
    assert errors(path) == []
    # The known complaint is there exactly when the dose refers to a structure set and holds no DVH.
    assert ("Error" in "".join(report(path))) == bool(structure_set)


def test_gamma_as_a_dose_of_relative_units(tmp_path, plan):
    assert errors(dose(tmp_path / "gamma.dcm", plan, structure_set="", units="RELATIVE")) == []


def test_a_dose_with_dvhs_has_not_even_the_known_complaint(tmp_path, plan):
    path = dose(tmp_path / "dose.dcm", plan)
    dataset = pydicom.dcmread(path)
    curve = DVH(structure="PTV", dose_gy=np.arange(61.0), volume_cc=np.linspace(8.0, 0.0, 61), structure_volume_cc=8.0)
    write_dvhs(dataset, [(1, curve)])
    dataset.save_as(path)
    assert not [line for line in report(path) if line.startswith("Error")]


def test_the_twin_is_needed_and_honest(tmp_path, plan):
    """32 bit stops dciodvfy whatever else the object holds; the twin keeps the 32 bits, and a fault shows in it."""
    path = dose(tmp_path / "dose.dcm", plan, structure_set="")
    bare, stored = pydicom.dcmread(path), pydicom.dcmread(path).pixel_array
    if not aborts_on(path):
        pytest.skip("this dciodvfy reads native pixel data of 32 bit: it judged all objects as they are")
    bare.BitsAllocated = bare.BitsStored = 16
    bare.HighBit, bare.PixelData = 15, (stored >> 16).astype("<u2").tobytes()
    bare.save_as(tmp_path / "16.dcm")
    assert not aborts_on(tmp_path / "16.dcm")
    faulty = pydicom.dcmread(path)
    del faulty.DoseUnits
    faulty.PhotometricInterpretation = "MONOCHROME7"
    faulty.save_as(tmp_path / "faulty.dcm")
    found = errors(tmp_path / "faulty.dcm")
    assert any("DoseUnits" in line for line in found)
    assert any("MONOCHROME7" in line for line in found)


def test_portal_dose(tmp_path, plan):
    image = soft_field(30, 20).with_values(soft_field(30, 20).values, unit="Gy")
    path = tmp_path / "portal.dcm"
    write_portal_dose_image(path, image, plan_uid=plan.SOPInstanceUID, beam_number=1, template=plan, machine="L1")
    assert report(path)[0] == "RTImage"
    assert errors(path) == []


def of_each_kind(folder, most=3):
    """At most so many files of each modality below a folder."""
    found = defaultdict(list)
    for path in sorted(folder.rglob("*.dcm")):
        found[pydicom.dcmread(path, specific_tags=["Modality"]).Modality].append(path)
    assert found
    return [path for paths in found.values() for path in paths[:most]]


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Sound studies that the program writes: the sample, a simulated cohort, a simulated clinic."""
    folder = tmp_path_factory.mktemp("studies")
    unpack_sample(resource_folder("SampleData"), folder / "sample")
    write_cohort(folder / "cohort", patients=8, centres=1, seed=3)
    for patient in (folder / "cohort" / "centre_1").iterdir():
        if patient.name != "00001" and not list(patient.glob("RT_*")):  # one suffices beside that with records
            shutil.rmtree(patient)
    for spoiled in (folder / "cohort").rglob("0_cut_*"):  # which the cohort holds on purpose
        spoiled.unlink()
    coarse = SimulatedMachine(pixels=32, pixel_mm=12.96)
    simulate_set(folder / "clinic", seed=3, count=1, machine=coarse, primaries=500)
    return folder


KINDS = {
    "sample": {"CT", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTIMAGE"},
    "cohort": {"CT", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD"},
    "clinic": {"CT", "RTPLAN", "RTIMAGE"},
}


@pytest.mark.parametrize("name", list(KINDS))
def test_simulated_studies(studies, name):
    paths = of_each_kind(studies / name, most=4 if name == "clinic" else 3)
    assert {pydicom.dcmread(path, specific_tags=["Modality"]).Modality for path in paths} == KINDS[name]
    assert {path.name: errors(path) for path in paths if errors(path)} == {}


def test_every_image_of_the_simulated_clinic(studies):
    """Portal images, portal doses and open fields, all of them."""
    images = [path for path in (studies / "clinic").rglob("*.dcm") if not path.name.startswith("CT_")]
    assert len(images) > 10
    assert {path.name: errors(path) for path in images if errors(path)} == {}


def test_export_of_a_cohort(studies, tmp_path):
    database, out = str(tmp_path / "cohort.db"), tmp_path / "out"
    recorded = next((studies / "cohort").rglob("RT_main_01.dcm")).parent
    assert run(["cohort", "init", database]) == 0
    assert run(["cohort", "import", str(recorded), "--database", database, "--processes", "1"]) == 0
    arguments = ["--database", database, "--format", "dicom", "--key", str(tmp_path / "key")]
    assert run(["cohort", "export", str(out), *arguments]) == 0
    assert {path.name: errors(path) for path in of_each_kind(out) if errors(path)} == {}


@pytest.mark.parametrize("name", list(KINDS))
def test_deidentified_copies_have_no_error_either(studies, tmp_path, name):
    result = deidentify_folder(studies / name, tmp_path / "out", KEY)
    assert result.leaks == []
    assert {path.name: errors(path) for path in of_each_kind(tmp_path / "out") if errors(path)} == {}


def test_deidentifying_adds_no_error_to_what_a_faulty_object_had(tmp_path):
    """Objects of tests are short of attributes: what is said about a copy must have been said about the original."""
    planted.write_patient(tmp_path / "in", 2)
    result = deidentify_folder(tmp_path / "in", tmp_path / "out", KEY)
    assert result.leaks == []
    before, after = ({line for path in of_each_kind(tmp_path / place, 9) for line in errors(path)}
                     for place in ("in", "out"))  # fmt: skip
    assert after - before == set()
