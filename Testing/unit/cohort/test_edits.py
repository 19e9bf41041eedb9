"""Values set by hand, the PTV chosen, a patient deleted: in force at once, kept by imports, taken back, logged."""

import itertools
import shutil

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.orm import Session

import postgres_server
from intrepid_cohort.curation.checks import _image_rows, _missing_slices
from intrepid_cohort.database import database_url, initialise, open_database
from intrepid_cohort.edits.corrections import parsed
from intrepid_cohort.edits.deleting import delete_patient
from intrepid_cohort.edits.values import set_value, undo_value, values_set
from intrepid_cohort.export import export_canonical
from intrepid_cohort.importing import import_folders
from intrepid_cohort.schema import Base, Edit, File, Patient, Plan, Series, StructureSet, Study
from intrepid_cohort.simulation.cohort import write_cohort
from intrepid_rt.errors import InvalidSetting, MissingObject

KEY = "a key for tests that is long enough"
WHO = {"reason": "a test", "edited_by": "A. Physicist"}


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Folder of two patients, and a database file that holds them."""
    folder = tmp_path_factory.mktemp("edits")
    write_cohort(folder, patients=2, centres=1, seed=4)
    filled(folder / "c.db", folder / "centre_1")
    return folder


def filled(place, source):
    made = initialise(place, pseudonym_key=KEY)
    assert import_folders(made, [source], processes=1).patients_imported == 2
    made.dispose()


@pytest.fixture(scope="module")
def source(imported):
    return imported / "centre_1"


@pytest.fixture(scope="module")
def postgres(source):
    """URL of a PostgreSQL server whose database ``postgres`` holds the two patients."""
    where = postgres_server.programs()
    if where is None:
        pytest.skip("PostgreSQL is not installed")
    with postgres_server.PostgresServer(where) as server:
        filled(server.url, source)
        yield server.url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.external)])
def engine(request, imported, tmp_path):
    """A copy of the filled database for one test, of either kind."""
    if request.param == "sqlite":
        place = shutil.copy(imported / "c.db", tmp_path)
    else:
        place = copied(request.getfixturevalue("postgres"))
    made = open_database(place)
    yield made
    made.dispose()


_numbers = itertools.count()


def copied(url):
    name = f"copy_{next(_numbers)}"
    server = create_engine(database_url(url).replace("/postgres?", "/template1?"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE postgres"))
    server.dispose()
    return url.replace("/postgres?", f"/{name}?")


def first(engine, model):
    with Session(engine) as session:
        return session.scalars(select(model).join(Study).order_by(model.sop_instance_uid)).first()


def again(engine, source):
    """Import everything once more; nothing may be left to do."""
    assert import_folders(engine, [source], processes=1).patients_imported == 0


def test_a_value_holds_through_imports_until_it_is_taken_back(engine, source, tmp_path):
    export_canonical(engine, tmp_path / "before")
    plan = first(engine, Plan)
    for value in ("48", "46.5"):
        result = set_value(engine, "plans", plan.sop_instance_uid, "prescription_dose_gy", value, **WHO)
        assert (result.patients_imported, result.failures) == (1, [])
        again(engine, source)
        assert first(engine, Plan).prescription_dose_gy == float(value)
    shown = [(e["edited_by"], e["old_value"], e["new_value"], e["active"]) for e in values_set(engine)]
    assert shown == [("A. Physicist", 50.0, 48.0, False), ("A. Physicist", 48.0, 46.5, True)]
    undo_value(engine, 2, edited_by="B")
    assert first(engine, Plan).prescription_dose_gy == 48.0
    undo_value(engine, 1, edited_by="B")
    again(engine, source)
    assert first(engine, Plan).prescription_dose_gy == 50.0
    export_canonical(engine, tmp_path / "after")
    lines = [[line for line in (tmp_path / name).read_text().splitlines() if '"edits"' not in line]
             for name in ("before", "after")]  # fmt: skip
    assert lines[0] == lines[1]
    with pytest.raises(MissingObject, match="no value set by hand"):
        undo_value(engine, 1, edited_by="B")


def test_endpoints_follow_the_prescription_that_was_set(engine):
    plan = first(engine, Plan)
    set_value(engine, "plans", plan.sop_instance_uid, "prescription_dose_gy", "10", **WHO)
    query = text(
        "select e.prescription_gy from endpoints e join dvhs d on d.id = e.dvh_id join doses o on o.id = d.dose_id "
        "where o.referenced_plan_uid = :plan and e.metric = 'V95%'"
    )
    with engine.connect() as connection:
        assert set(connection.execute(query, {"plan": plan.sop_instance_uid}).scalars()) == {10.0}


def test_dates_and_birth_dates_are_set_for_patient_and_study(engine):
    with Session(engine) as session:
        study = session.scalars(select(Study)).first()
        uid, name = study.study_instance_uid, study.patient.pseudonym
    set_value(engine, "patients", name, "patient_birth_date", "1960-03-01", **WHO)
    set_value(engine, "studies", uid, "study_date", "2020-02-29", **WHO)
    with Session(engine) as session:
        study = session.scalars(select(Study).where(Study.study_instance_uid == uid)).one()
        assert (study.study_date.isoformat(), study.patient.patient_birth_date.isoformat()) == (
            "2020-02-29",
            "1960-03-01",
        )
        assert study.plans[0].age_at_study_date_years == 59


def test_the_ptv_chosen_by_hand_is_what_distances_refer_to(engine, source):
    row = first(engine, StructureSet)
    with Session(engine) as session:
        structures = session.get_one(StructureSet, row.id).structures
        heart = next(s.roi_number for s in structures if s.roi_name.casefold() in ("heart", "hrt"))
    assert heart not in row.ptv_roi_numbers
    set_value(engine, "structure_sets", row.sop_instance_uid, "ptv_roi_numbers", str(heart), **WHO)
    again(engine, source)
    with Session(engine) as session:
        found = session.scalars(select(StructureSet).where(StructureSet.sop_instance_uid == row.sop_instance_uid)).one()
        assert found.ptv_roi_numbers == [heart]
        assert any("chosen by a person" in note for note in found.notes)
        target = next(s for s in found.structures if s.roi_number == heart)
        assert target.target_geometry.ptv_overlap_cc == pytest.approx(target.volume_cc, rel=1e-6)
    with pytest.raises(InvalidSetting, match=r"no ROI 99; it has: 1 "):
        set_value(engine, "structure_sets", row.sop_instance_uid, "ptv_roi_numbers", "99", **WHO)


def test_a_value_whose_files_are_gone_says_so(engine, source):
    plan = first(engine, Plan)
    path = next(source.rglob("RD_main.dcm"))
    hidden = path.rename(path.with_suffix(".away"))
    try:
        result = set_value(engine, "plans", plan.sop_instance_uid, "physician", "Dr A", **WHO)
        other = set_value(engine, "plans", _other(engine, plan), "physician", "Dr B", **WHO)
        assert len(result.failures) + len(other.failures) >= 1
        assert "files are gone" in (result.failures + other.failures)[0][1]
    finally:
        hidden.rename(path)
    import_folders(engine, [source], processes=1)
    with Session(engine) as session:
        assert set(session.scalars(select(Plan.physician).where(Plan.physician.like("Dr %")))) == {"Dr A", "Dr B"}


def _other(engine, plan):
    with Session(engine) as session:
        return session.scalars(
            select(Plan.sop_instance_uid).where(Plan.sop_instance_uid != plan.sop_instance_uid)
        ).first()


@pytest.mark.parametrize(
    ("table", "column", "value", "text"),
    [
        ("plans", "meterset_mu", "3", "cannot be set by hand"),
        ("dvhs", "mean_gy", "3", "cannot be set by hand"),
        ("plans", "prescription_dose_gy", "fifty", "is no number"),
        ("patients", "patient_birth_date", "1.3.1960", "is no date"),
        ("plans", "is_baseline", "perhaps", "is no yes or no"),
        ("structure_sets", "ptv_roi_numbers", "1, two", "is no list"),
    ],
)
def test_what_cannot_be_set_is_refused(table, column, value, text):
    with pytest.raises(InvalidSetting, match=text):
        parsed(table, column, value)


def test_unknown_rows_and_missing_reasons_are_refused(engine):
    with pytest.raises(MissingObject, match="0 rows of plans"):
        set_value(engine, "plans", "1.2.3", "physician", "X", **WHO)
    with pytest.raises(InvalidSetting, match="No reason"):
        set_value(engine, "plans", "1.2.3", "physician", "X", reason=" ", edited_by="A")
    assert values_set(engine) == []


def rows_by_table(engine):
    with engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
            if table.name not in ("jobs", "settings", "edits")
        }


def test_deleting_leaves_nothing_but_an_entry_that_names_nobody(engine, source):
    with Session(engine) as session:
        name = session.scalars(select(Patient.pseudonym).order_by(Patient.id)).first()
    set_value(engine, "patients", name, "patient_sex", "M", **WHO)
    before = rows_by_table(engine)
    dry = delete_patient(engine, name, **WHO)
    assert rows_by_table(engine) == before
    assert delete_patient(engine, name, **WHO, apply=True) == dry
    with Session(engine) as session:
        assert session.scalars(select(Patient)).one().pseudonym != name
        assert session.scalars(select(File).where(File.patient_id.is_(None), File.status == "used")).all() == []
        log = session.scalars(select(Edit).order_by(Edit.id)).all()
        assert [edit.old_value for edit in log] == [None, dry]
        assert name not in repr([vars(edit) for edit in log])
    assert import_folders(engine, [source], processes=1).patients_imported == 1
    assert rows_by_table(engine) == before
    with pytest.raises(MissingObject, match="holds no patient"):
        delete_patient(engine, "P?", **WHO)
    with pytest.raises(InvalidSetting, match="needs one"):
        delete_patient(engine, name, reason="", edited_by="A")


def test_a_patient_that_is_kept_out_stays_out(engine, source):
    with Session(engine) as session:
        name = session.scalars(select(Patient.pseudonym)).first()
    delete_patient(engine, name, **WHO, keep_out=True, apply=True)
    result = import_folders(engine, [source], processes=1)
    assert result.patients_imported == 0
    kept = [reason for _, reason in result.unused if "kept out" in reason]
    assert len(kept) > 20
    with Session(engine) as session:
        assert name not in session.scalars(select(Patient.pseudonym)).all()


def test_slices_that_are_missing_are_found_by_the_check(engine):
    with Session(engine) as session:
        series = session.scalars(select(Series)).first()
        assert (series.missing_image_count, series.slice_spacing_mm) == (0, 5.0)
        assert session.scalars(select(StructureSet.missing_image_count)).first() == 0
        assert _image_rows(session, "none") == []
    whole = {"patient_id": 1, "pseudonym": "P1", "series_uid": "1.2", "in_gaps": 0, "named": 0, "image_count": 24}
    (found,) = _missing_slices([whole, whole | {"in_gaps": 2, "named": 3, "image_count": 21}])
    assert (found["check_name"], found["subject"], found["severity"]) == ("missing CT slices", "1.2", "warning")
    assert "2 more would fill its gaps, and 3 that" in found["message"]
