"""Three hundred synthetic patients, about 12,000 files, on both databases: ``make test-full``."""

import time

import pytest

from cohort_truth import check_categories, check_names, check_treatments
from intrepid_cohort.curation.curate import curate
from intrepid_cohort.curation.rules import read_rules
from intrepid_cohort.database import initialise
from intrepid_cohort.importing import import_folders
from intrepid_cohort.names.mapping import confirm_names, map_names
from intrepid_cohort.simulation.cohort import write_cohort
from postgres_server import PostgresServer, programs

KEY = "a key for tests that is long enough"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    truth = write_cohort(folder, patients=300, centres=6, seed=20)
    files = sum(path.is_file() for path in folder.rglob("*"))
    print(f"300 patients, {files} files")
    assert files > 11_000
    return folder, truth


def every_truth_comes_back(engine, folder, truth):
    start = time.perf_counter()
    for centre in sorted({patient["centre"] for patient in truth["patients"]}):
        assert import_folders(engine, [folder / centre], centre=centre).failures == []
    imported = time.perf_counter()
    map_names(engine)
    unsure = check_names(engine, truth)
    confirm_names(engine, unsure, edited_by="reviewer")
    curate(engine, read_rules(folder / "rules.json"), apply=True, edited_by="curator")
    curated = time.perf_counter()
    check_categories(engine, truth)
    counts = check_treatments(engine, truth, KEY)
    print(f"{engine.dialect.name}: import {imported - start:.0f} s, names and curation {curated - imported:.0f} s, "
          f"{len(unsure)} names for a person, {dict(counts)}")  # fmt: skip


@pytest.mark.full
def test_on_sqlite(cohort, tmp_path):
    engine = initialise(tmp_path / "cohort.db", pseudonym_key=KEY)
    every_truth_comes_back(engine, *cohort)


@pytest.mark.full
@pytest.mark.external
def test_on_postgresql(cohort):
    where = programs()
    if where is None:
        pytest.skip("PostgreSQL is not installed")
    with PostgresServer(where) as server:
        engine = initialise(server.url, pseudonym_key=KEY)
        every_truth_comes_back(engine, *cohort)
        engine.dispose()
