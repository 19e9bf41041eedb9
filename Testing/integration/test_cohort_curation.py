"""Thirty synthetic patients imported, named and curated: every truth comes back, on SQLite and on PostgreSQL."""

import json
import subprocess
import sys

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cohort_truth import check_categories, check_names, check_treatments
from intrepid_cohort.curation.curate import curate, runs, set_by_hand, undo
from intrepid_cohort.curation.flow import draw_flow
from intrepid_cohort.curation.rules import read_rules
from intrepid_cohort.database import initialise
from intrepid_cohort.export import export_canonical
from intrepid_cohort.importing import import_folders
from intrepid_cohort.names.mapping import confirm_names, map_names
from intrepid_cohort.schema import Dose, DoseVolumeHistogram, Edit, Patient, Plan, Study, Treatment
from intrepid_cohort.simulation.cohort import write_cohort
from intrepid_rt.errors import InvalidSetting, MissingObject
from postgres_server import PostgresServer, programs

KEY = "a key for tests that is long enough"
PATIENTS, CENTRES = 30, 6


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    return folder, write_cohort(folder, patients=PATIENTS, centres=CENTRES, seed=11)


def import_and_curate(engine, folder, truth):
    for centre in sorted({patient["centre"] for patient in truth["patients"]}):
        result = import_folders(engine, [folder / centre], centre=centre, processes=1)
        assert result.failures == []
    map_names(engine)
    unsure = check_names(engine, truth)
    confirm_names(engine, unsure, edited_by="reviewer")
    curate(engine, read_rules(folder / "rules.json"), apply=True, edited_by="curator")
    return unsure


@pytest.fixture(scope="module")
def curated(cohort, tmp_path_factory):
    engine = initialise(tmp_path_factory.mktemp("db") / "cohort.db", pseudonym_key=KEY)
    import_and_curate(engine, *cohort)
    yield engine
    engine.dispose()


def canonical(engine, path):
    export_canonical(engine, path)
    return path.read_text()


@pytest.mark.slow
def test_every_truth_comes_back(cohort, curated):
    check_categories(curated, cohort[1])
    counts = check_treatments(curated, cohort[1], KEY)
    assert counts["included"] >= 20
    assert counts["excluded"] >= 3
    assert counts["review"] >= 1


@pytest.mark.slow
@pytest.mark.external
def test_postgresql_holds_the_same(cohort, curated, tmp_path):
    where = programs()
    if where is None:
        pytest.skip("PostgreSQL is not installed")
    with PostgresServer(where) as server:
        engine = initialise(server.url, pseudonym_key=KEY)
        import_and_curate(engine, *cohort)
        check_categories(engine, cohort[1])
        check_treatments(engine, cohort[1], KEY)
        assert canonical(engine, tmp_path / "pg") == canonical(curated, tmp_path / "sqlite")
        engine.dispose()


@pytest.mark.slow
def test_a_dry_run_writes_nothing_and_says_the_same(cohort, curated, tmp_path):
    before = canonical(curated, tmp_path / "before")
    result = curate(curated, read_rules(cohort[0] / "rules.json"))
    assert (result.changed, result.job_id) == ([], None)
    other = json.loads((cohort[0] / "rules.json").read_text()) | {"include": {"prescription_gy": [60.0, 70.0]}}
    (tmp_path / "other.json").write_text(json.dumps(other))
    dry = curate(curated, read_rules(tmp_path / "other.json"))
    assert len(dry.changed) == PATIENTS
    assert dict(dry.flow)["excluded: prescription"] > dict(result.flow)["excluded: prescription"]
    assert canonical(curated, tmp_path / "after") == before


@pytest.mark.slow
def test_a_run_is_taken_back_in_every_number(cohort, curated, tmp_path):
    before = canonical(curated, tmp_path / "before")
    other = json.loads((cohort[0] / "rules.json").read_text()) | {"boost": {"same_images": "leave out"}}
    (tmp_path / "other.json").write_text(json.dumps(other))
    result = curate(curated, read_rules(tmp_path / "other.json"), apply=True, edited_by="second", centres=["centre_3"])
    assert len(result.changed) == 5
    assert canonical(curated, tmp_path / "changed") != before
    assert undo(curated, result.job_id, edited_by="second") == 5
    with pytest.raises(MissingObject, match="changed no treatment that still holds"):
        undo(curated, result.job_id)
    rules = {"table": "collections", "table ": "edits"}
    kept = [line for line in before.splitlines() if json.loads(line)["table"] not in rules.values()]
    after = [line for line in canonical(curated, tmp_path / "after").splitlines()
             if json.loads(line)["table"] not in rules.values()]  # fmt: skip
    assert after == kept
    assert [run["active"] for run in runs(curated)] == [PATIENTS, 0]
    curate(curated, read_rules(cohort[0] / "rules.json"), apply=True, edited_by="curator")
    check_treatments(curated, cohort[1], KEY)


@pytest.mark.slow
def test_a_person_decides_what_rules_cannot(cohort, curated):
    rules = read_rules(cohort[0] / "rules.json")
    with Session(curated) as session:
        held = session.execute(
            select(Patient.pseudonym, Patient.id).join(Treatment).where(Treatment.status == "review")
        ).first()  # fmt: skip
        plans = session.scalars(select(Plan.sop_instance_uid).join(Study).where(Study.patient_id == held.id)).all()
    set_by_hand(curated, rules.name, held.pseudonym, plans[0], "main", reason="chart", edited_by="doctor")
    result = curate(curated, rules, apply=True, edited_by="doctor")
    made = next(treatment for treatment in result.treatments if treatment.pseudonym == held.pseudonym)
    assert (made.status, made.main_plan_uid, made.main_plan_rule) == ("included", plans[0], "by hand")
    with Session(curated) as session:
        edit = session.scalars(select(Edit).where(Edit.table_name == "treatment_plans")).one()
        assert (edit.edited_by, edit.reason, edit.old_value, edit.new_value) == ("doctor", "chart", None, "main")
    set_by_hand(curated, rules.name, held.pseudonym, plans[0], None, reason="mistake", edited_by="doctor")
    curate(curated, rules, apply=True, edited_by="doctor")
    check_treatments(curated, cohort[1], KEY)
    with pytest.raises(InvalidSetting, match="no role of a plan"):
        set_by_hand(curated, rules.name, held.pseudonym, plans[0], "best", reason="", edited_by="")


@pytest.mark.slow
def test_importing_again_leaves_a_treatment_without_dose_until_it_is_curated(cohort, curated):
    """An import replaces rows; what was made from them must not stay behind as if nothing had happened."""
    with Session(curated) as session:
        name = session.scalars(
            select(Patient.pseudonym).join(Treatment).where(Treatment.dose_id.is_not(None))
        ).first()  # fmt: skip
        session.query(Patient).filter(Patient.pseudonym == name).update({"content_digest": "changed"})
        session.commit()
        centre = session.scalars(select(Patient.centre).where(Patient.pseudonym == name)).one()
    import_folders(curated, [cohort[0] / centre], centre=centre, processes=1)
    with Session(curated) as session:
        assert session.scalar(select(func.count()).select_from(Treatment).where(
            Treatment.status == "included", Treatment.dose_id.is_(None))) == 1  # fmt: skip
    result = curate(curated, read_rules(cohort[0] / "rules.json"), apply=True, edited_by="curator")
    assert result.changed == [name]
    check_treatments(curated, cohort[1], KEY)
    with Session(curated) as session:
        treated = session.scalar(select(func.count()).select_from(Dose).where(Dose.dose_summation_type == "TREATMENT"))
        kept = session.scalar(select(func.count()).select_from(Treatment).where(Treatment.status == "included"))
        assert treated == kept
        assert session.scalar(select(func.count()).select_from(DoseVolumeHistogram)) > 300


@pytest.mark.slow
def test_the_command_draws_the_flow(cohort, curated, tmp_path):
    database = curated.url.database
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from intrepid_cli.main import main; sys.exit(main())", "cohort", "curate",
         cohort[0] / "rules.json", "--database", database, "--flow", tmp_path / "flow.svg", "--json"],
        capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert (shown["applied"], shown["changed"]) == (False, 0)
    assert shown["flow"][0] == {"step": "patients", "patients": PATIENTS}
    assert sum(line["patients"] for line in shown["flow"][1:]) == PATIENTS
    assert "treatments included" in (tmp_path / "flow.svg").read_text() or (tmp_path / "flow.svg").stat().st_size > 2000
    with pytest.raises(InvalidSetting, match=r"\.svg"):
        draw_flow([("patients", 1), ("included", 1)], tmp_path / "flow.txt")
