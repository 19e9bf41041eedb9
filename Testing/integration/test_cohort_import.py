"""A synthetic cohort into a database: the truth comes back, whatever the order, the number of runs or the server."""

import json
import os
import shutil
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

import postgres_server
from intrepid_cohort.database import initialise, open_database
from intrepid_cohort.export import export_canonical
from intrepid_cohort.importing import import_folders
from intrepid_cohort.pseudonyms import pseudonym
from intrepid_cohort.query import query_dvhs
from intrepid_cohort.schema import Dose, File, Job, Patient, Plan, StructureSet, Study
from intrepid_cohort.simulation.cohort import write_cohort
from intrepid_rt.errors import InvalidSetting, OutputNotWritable

KEY = "a key for tests that is long enough"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Folder and truth: every scenario at two centres whose patient identifiers repeat."""
    folder = tmp_path_factory.mktemp("cohort")
    return folder, write_cohort(folder, patients=8, centres=2, seed=7)


def import_all(engine, folder, **known):
    return [
        import_folders(engine, [folder / centre], centre=centre, processes=1, **known)
        for centre in ("centre_1", "centre_2")
    ]


def canonical(engine, path):
    export_canonical(engine, path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def imported(cohort, tmp_path_factory):
    engine = initialise(tmp_path_factory.mktemp("db") / "cohort.db", pseudonym_key=KEY)
    return engine, import_all(engine, cohort[0])


@pytest.fixture(scope="module")
def undisturbed(imported, tmp_path_factory):
    return canonical(imported[0], tmp_path_factory.mktemp("canonical") / "undisturbed.jsonl")


@pytest.fixture
def session(imported):
    with Session(imported[0]) as session:
        yield session


def rows_of(session, model, patient):
    name = pseudonym(KEY.encode(), centre=patient["centre"], patient_id=patient["patient_id"])
    found = session.scalars(select(model).join(Study).join(Patient).where(Patient.pseudonym == name))
    return {row.sop_instance_uid: row for row in found}


def test_every_patient_of_every_centre_is_one(cohort, imported, session):
    assert [(r.patients_imported, r.failures) for r in imported[1]] == [(4, []), (4, [])]
    assert {p.patient_birth_date.strftime("%Y%m%d") for p in session.scalars(select(Patient))} == {
        patient["birth_date"] for patient in cohort[1]["patients"]
    }


def test_structures_have_their_true_volume_and_place(cohort, session):
    for patient in cohort[1]["patients"]:
        sets = rows_of(session, StructureSet, patient)
        assert set(sets) == {truth["sop_instance_uid"] for truth in patient["structure_sets"]}
        for truth in patient["structure_sets"]:
            found = {s.roi_number: s for s in sets[truth["sop_instance_uid"]].structures}
            for structure in truth["structures"]:
                row = found.pop(structure["roi_number"])
                assert row.roi_name == structure["roi_name"]
                # Contour points are rounded to 1e-4 mm.
                assert row.volume_cc == pytest.approx(structure["volume_cc"], rel=1e-5)
                place = (row.centroid_x_mm, row.centroid_y_mm, row.centroid_z_mm)
                assert place == pytest.approx(structure["centroid_mm"], abs=1e-3)
            assert not found


def test_plans_have_their_prescription_and_metersets(cohort, session):
    for patient in cohort[1]["patients"]:
        plans = rows_of(session, Plan, patient)
        assert set(plans) == {truth["sop_instance_uid"] for truth in patient["plans"]}
        for truth in patient["plans"]:
            row = plans[truth["sop_instance_uid"]]
            assert row.rt_plan_label == truth["label"]
            assert (row.fractions_planned, row.prescription_dose_gy) == (truth["fractions"], truth["prescription_gy"])
            assert row.meterset_mu == pytest.approx(truth["meterset_mu"])
            assert row.referenced_structure_set_uid == truth["structure_set_uid"]
            assert {beam.gantry_range_deg for beam in row.beams} == {180.0 if truth["arc"] else 0.0}


def test_doses_have_their_true_statistics(cohort, session):
    for patient in cohort[1]["patients"]:
        doses = rows_of(session, Dose, patient)
        assert set(doses) == {truth["sop_instance_uid"] for truth in patient["doses"]}
        for truth in patient["doses"]:
            row = doses[truth["sop_instance_uid"]]
            assert row.referenced_plan_uid == truth["plan_uid"]
            found = {dvh.structure.roi_number: dvh for dvh in row.dvhs}
            for structure in truth["structures"]:
                dvh = found.pop(structure["roi_number"])
                # A step of the 16 bit dose is 1 mGy; random places within the cells leave 1e-4 of the range.
                assert dvh.mean_gy == pytest.approx(structure["mean_gy"], abs=2e-3)
                # Samples of cells that a slanting outline cuts may lie 0.1 mm outside.
                reach = 2e-3 + 0.1 * truth["gradient_gy_per_mm"]
                assert dvh.min_gy == pytest.approx(structure["min_gy"], abs=reach)
                assert dvh.max_gy == pytest.approx(structure["max_gy"], abs=reach)
                assert dvh.volume_outside_dose_cc == 0.0
            assert not found


def test_exactly_the_files_that_must_not_be_used_are_listed(cohort, imported):
    folder, truth = cohort
    expected = {str(folder / f["file"]): f["kind"] for patient in truth["patients"] for f in patient["unused"]}
    found = {path: reason for result in imported[1] for path, reason in result.unused}
    assert set(found) == set(expected)
    says = {
        "copy": "is a copy of",
        "cut short": "cut short",
        "not DICOM": "not a DICOM object",
        "same UID, other content": "another content",
    }
    for path, kind in expected.items():
        assert says[kind] in found[path]


def test_numbers_know_where_they_come_from(cohort, session):
    by_hash = {file.sha256: file for file in session.scalars(select(File).where(File.status == "used"))}
    for dose in session.scalars(select(Dose)):
        assert by_hash[dose.file_sha256].sop_instance_uid == dose.sop_instance_uid
        for dvh in dose.dvhs:
            assert by_hash[dvh.structure_set_sha256].modality == "RTSTRUCT"
            assert dvh.engine.startswith("intrepid_dvh ")
            assert dvh.engine_settings["bin_width_gy"] == 0.01


def test_no_identifier_is_stored(cohort, imported, tmp_path):
    """Neither names nor identifiers: what stands in paths is the only exception, and is said in the documents."""
    content = canonical(imported[0], tmp_path / "c.jsonl").decode()
    without_paths = [line for line in content.splitlines() if str(cohort[0]) not in line]
    assert len(without_paths) > 300
    assert not any("Synthetic^" in line or '"00001"' in line for line in without_paths)


def test_importing_again_changes_nothing(cohort, imported, undisturbed, tmp_path):
    again = import_all(imported[0], cohort[0])
    assert [(r.files_read, r.patients_imported) for r in again] == [(0, 0), (0, 0)]
    assert canonical(imported[0], tmp_path / "again.jsonl") == undisturbed


def test_piece_by_piece_in_two_processes_gives_the_same_bytes(cohort, undisturbed, tmp_path):
    """Doses arrive before everything else, which then changes what they gave."""
    folder, _ = cohort
    engine = initialise(tmp_path / "pieces.db", pseudonym_key=KEY)
    hidden = tmp_path / "hidden"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "truth.json")
    lots = [lambda name: name.startswith("RD"), lambda name: True]
    _move(files, folder, hidden)
    try:
        for lot, processes in zip(lots, (1, 2), strict=True):
            here = [hidden / path.relative_to(folder) for path in files if (hidden / path.relative_to(folder)).exists()]
            _move([path for path in here if lot(path.name)], hidden, folder)
            for centre, workers in (("centre_2", processes), ("centre_1", 1)):
                import_folders(engine, [folder / centre], centre=centre, processes=workers)
    finally:
        _move([path for path in hidden.rglob("*") if path.is_file()], hidden, folder)
    assert canonical(engine, tmp_path / "pieces.jsonl") == undisturbed


def _move(paths, source, target):
    for path in paths:
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)


def test_two_people_with_one_identifier_are_not_merged(cohort, tmp_path):
    """Both centres imported as one: identifiers repeat, birth dates differ, so nothing is concluded."""
    folder, truth = cohort
    engine = initialise(tmp_path / "merged.db")
    first = [folder / p["centre"] / p["patient_id"] for p in truth["patients"][:2]]
    result = import_folders(engine, first, processes=1)
    assert len(result.unused) > 40
    assert all("two people" in reason and "--centre" in reason for _, reason in result.unused)
    with Session(engine) as session:
        assert session.scalars(select(Plan)).all() == []
        assert all("19" not in note for note in session.scalars(select(Patient)).one().notes)


def test_known_files_keep_their_centre(cohort, imported):
    with pytest.raises(InvalidSetting, match="already known as of centre 'centre_1'"):
        import_folders(imported[0], [cohort[0] / "centre_1"], centre="other", processes=1)


def test_changed_and_vanished_files(cohort, tmp_path):
    """A changed file is read again; while a file is gone the patient's rows stay as they were, and that is said."""
    source = cohort[0] / "centre_1" / "00001"
    folder = tmp_path / "patient"
    shutil.copytree(source, folder)
    engine = initialise(tmp_path / "c.db", pseudonym_key=KEY)
    import_folders(engine, [folder], processes=1)
    before = canonical(engine, tmp_path / "before.jsonl")
    (folder / "RS1.dcm").rename(tmp_path / "RS1.dcm")
    (folder / "RD_main.dcm").write_bytes((folder / "RD_main.dcm").read_bytes()[:2000])
    result = import_folders(engine, [folder], processes=1)
    assert (result.files_read, result.patients_imported, len(result.failures)) == (1, 0, 1)
    assert "RS1.dcm" in result.failures[0][1]
    with Session(engine) as session:
        assert len(session.scalars(select(Dose)).one().dvhs) == 6
    (tmp_path / "RS1.dcm").rename(folder / "RS1.dcm")
    result = import_folders(engine, [folder], processes=1)
    assert result.patients_imported == 1
    with Session(engine) as session:
        assert session.scalars(select(Dose)).all() == []
    shutil.copy2(source / "RD_main.dcm", folder / "RD_main.dcm")
    import_folders(engine, [folder], processes=1)
    assert canonical(engine, tmp_path / "after.jsonl") == before


def test_what_cannot_be_opened_is_listed(tmp_path, monkeypatch):
    folder = tmp_path / "in"
    (folder / "locked").mkdir(parents=True)
    (folder / "dangling").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")
    (folder / os.fsdecode(b"n\xe4me.dcm")).write_bytes(b"x")
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    result = import_folders(initialise(tmp_path / "c.db"), [folder], processes=1)
    found = {Path(path).name: reason for path, reason in result.unused}
    assert set(found) == {"locked", "dangling", "pipe", r"n\udce4me.dcm"}
    assert "Permission denied" in found["locked"]
    assert "UTF-8" in found[r"n\udce4me.dcm"]


def test_full_database_stops_in_one_line_and_the_next_run_completes(cohort, undisturbed, tmp_path):
    engine = initialise(tmp_path / "full.db", pseudonym_key=KEY)
    with engine.connect() as connection:
        pages = connection.execute(text("pragma page_count")).scalar()
        connection.execute(text(f"pragma max_page_count = {pages + 120}"))
    with pytest.raises(OutputNotWritable, match=r"full.*continues where it stopped"):
        import_all(engine, cohort[0])
    engine.dispose()  # the limit belongs to the connection
    with Session(engine) as session:
        assert session.scalars(select(Job).order_by(Job.id)).all()[-1].finished_at is None
    import_all(engine, cohort[0])
    assert canonical(engine, tmp_path / "full.jsonl") == undisturbed


# Queries -------------------------------------------------------------------------------------------------------------


def names(rows):
    return {row["roi_name"] for row in rows}


CONDITIONS = [
    (["roi_name ~ lung*"], {"Lung L", "Lung R", "Lunge li", "Lunge re"}),
    (["roi_name ~ *l|heart"], {"Lung L", "Heart"}),
    (["rt_roi_interpreted_type = PTV|EXTERNAL", "centre = centre_2"], {"PTV Mamma li", "Körperumriss"}),
    (["not centre = centre_1", "volume_cc < 30"], {"Myelon"}),
    (["beams.beam_name = Field 2", "prescriptions.prescription_dose_gy < 20", "roi_name = Heart"], {"Heart"}),
    (["beams.beam_name = Field 9"], set()),
    (["plan_intent = none", "roi_name = Herz"], {"Herz"}),
    (["plan_intent != none"], set()),
]


@pytest.mark.parametrize(("conditions", "expected"), CONDITIONS)
def test_conditions_choose_structures(imported, conditions, expected):
    assert names(query_dvhs(imported[0], conditions)) == expected


def test_metrics_of_a_query_come_from_the_curve(imported):
    for row in query_dvhs(imported[0], ["rt_roi_interpreted_type = PTV"], metrics=["DMEAN", "D50%", "V1000Gy"]):
        assert row["DMEAN"] == row["mean_gy"]
        assert row["D50%"] == pytest.approx(row["mean_gy"], abs=0.05)  # symmetric body, linear dose
        assert row["V1000Gy"] == 0.0


@pytest.mark.parametrize(
    "condition", ["roi_name", "nonsense = 5", "mean_gy > high", "mean_gy > 1|2", "fractions_planned = 2.5"]
)
def test_conditions_that_mean_nothing_are_refused(imported, condition):
    with pytest.raises(InvalidSetting):
        list(query_dvhs(imported[0], [condition]))


# PostgreSQL ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres():
    where = postgres_server.programs()
    if where is None:
        pytest.skip("PostgreSQL is not installed")
    with postgres_server.PostgresServer(where) as server:
        yield server.url


@pytest.mark.external
def test_postgresql_holds_the_same_bytes(cohort, undisturbed, postgres, tmp_path):
    engine = initialise(postgres, pseudonym_key=KEY)
    import_all(engine, cohort[0])
    assert canonical(engine, tmp_path / "pg.jsonl") == undisturbed
    engine.dispose()
    opened = open_database(postgres)
    assert names(query_dvhs(opened, ["roi_name ~ lung*", "centre = centre_1"])) == {"Lung L", "Lung R"}
    opened.dispose()


@pytest.mark.external
def test_server_that_is_not_there_is_an_error_in_one_line(tmp_path):
    with pytest.raises(OutputNotWritable, match="cannot be used") as caught:
        open_database(f"postgresql://tester:secret@/postgres?host={tmp_path}")
    assert "secret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_truth_is_reproducible(cohort, tmp_path):
    folder, truth = cohort
    again = write_cohort(tmp_path / "again", patients=3, centres=2, seed=7)
    assert again["patients"] == truth["patients"][:3]
    for path in (tmp_path / "again").rglob("*.dcm"):
        assert path.read_bytes() == (folder / path.relative_to(tmp_path / "again")).read_bytes()
    assert json.loads((folder / "truth.json").read_text())["patients"] == truth["patients"]
