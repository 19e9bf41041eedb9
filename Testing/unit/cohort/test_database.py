"""Creating, opening and refusing databases; pseudonyms; errors in one line."""

import sqlite3

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.orm import Session

from intrepid_cohort.database import (
    _configuration,
    _engine,
    database_url,
    initialise,
    open_database,
    pseudonym_key,
    translating_errors,
)
from intrepid_cohort.schema import Base, DoseVolumeHistogram, Patient
from intrepid_rt.errors import InvalidSetting, MissingObject, OutputNotWritable

KEY = "k" * 32


def test_migrations_give_the_tables_of_the_models(tmp_path):
    with initialise(tmp_path / "c.db").connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_upgrading_keeps_the_rows_of_an_older_version(tmp_path):
    """SQLite deletes what hangs on a table that is rebuilt; no migration may do that."""
    first = _at_version(tmp_path / "old.db", "0001")
    with first.begin() as connection:
        connection.execute(text("insert into patients (id, pseudonym, centre, notes) values (1, 'P1', '', '[]')"))
        connection.execute(text("insert into studies (id, patient_id, study_instance_uid) values (1, 1, '1.2')"))
        connection.execute(text(_OLD_DOSE))
        connection.execute(text(_OLD_STRUCTURE_SET))
        connection.execute(text("insert into structures (id, structure_set_id, roi_number, roi_name, contour_count, "
                                "geometry_warnings) values (1, 1, 1, 'Heart', 0, '[]')"))  # fmt: skip
        connection.execute(text("insert into dvhs (id, dose_id, structure_id, warnings, engine, engine_settings, "
                                "dose_sha256, structure_set_sha256) values "
                                "(1, 1, 1, '[]', '', '{}', '', '')"))  # fmt: skip
    with pytest.raises(InvalidSetting, match="version 0001"):
        open_database(tmp_path / "old.db")
    engine = initialise(tmp_path / "old.db")
    with Session(engine) as session:
        dvh = session.query(DoseVolumeHistogram).one()
        assert (dvh.structure.roi_name, dvh.dose.components) == ("Heart", [])


_OLD_DOSE = """insert into doses (id, study_id, sop_instance_uid, file_sha256, dose_summation_type, dose_type,
    frame_of_reference_uid, grid_x_mm, grid_y_mm, grid_z_mm, grid_columns, grid_rows, grid_frames, max_gy, notes)
    values (1, 1, '1.3', '', 'PLAN', 'PHYSICAL', '', 1, 1, 1, 1, 1, 1, 1, '[]')"""
_OLD_STRUCTURE_SET = """insert into structure_sets (id, study_id, sop_instance_uid, file_sha256,
    frame_of_reference_uid, referenced_series_uid, ptv_roi_numbers, notes)
    values (1, 1, '1.4', '', '', '', '[]', '[]')"""


def _at_version(path, version):
    engine = _engine(path)
    with engine.begin() as connection:
        command.upgrade(_configuration(connection), version)
    return engine


def test_every_column_says_what_it_is():
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            assert column.comment or column.name == "id", column


def test_initialising_twice_keeps_key_and_rows(tmp_path):
    engine = initialise(tmp_path / "c.db", pseudonym_key=KEY)
    with Session(engine) as session:
        session.add(Patient(pseudonym="P1", centre=""))
        session.commit()
    with Session(initialise(tmp_path / "c.db")) as session:
        assert session.query(Patient).count() == 1
        assert pseudonym_key(session) == KEY.encode()
    with pytest.raises(InvalidSetting, match="another pseudonym key"):
        initialise(tmp_path / "c.db", pseudonym_key="x" * 32)


def test_random_keys_differ(tmp_path):
    keys = set()
    for name in ("a.db", "b.db"):
        with Session(initialise(tmp_path / name)) as session:
            keys.add(pseudonym_key(session))
    assert len(keys) == 2
    assert min(map(len, keys)) >= 32


def test_short_key_is_refused(tmp_path):
    with pytest.raises(InvalidSetting, match="at least 32"):
        initialise(tmp_path / "c.db", pseudonym_key="short")


def test_opening_what_is_no_cohort(tmp_path):
    with pytest.raises(MissingObject, match=r"no file.*intrepid cohort init"):
        open_database(tmp_path / "none.db")
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(MissingObject, match="holds no cohort"):
        open_database(tmp_path / "empty.db")
    (tmp_path / "text.db").write_text("This is not a database. " * 50)
    with pytest.raises(OutputNotWritable, match="not a database"):
        open_database(tmp_path / "text.db")
    with pytest.raises(InvalidSetting, match="no database"):
        open_database("oracel://host/x")


def test_tables_of_another_version_are_refused(tmp_path):
    with initialise(tmp_path / "c.db").begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(InvalidSetting, match=r"version 9999; expected \d{4}\."):
        open_database(tmp_path / "c.db")


def test_rows_of_another_run_are_an_error_in_one_line(tmp_path):
    engine = initialise(tmp_path / "c.db")
    twice = [Patient(pseudonym="P1", centre=""), Patient(pseudonym="P1", centre="")]
    with pytest.raises(OutputNotWritable, match="one import run at a time"), translating_errors(engine):
        _store(engine, twice)


def _store(engine, rows):
    with Session(engine) as session:
        session.add_all(rows)
        session.commit()


def test_urls():
    assert database_url("postgres://u@h/d") == "postgresql+psycopg://u@h/d"
    assert database_url("/a/b.db") == "sqlite:////a/b.db"
