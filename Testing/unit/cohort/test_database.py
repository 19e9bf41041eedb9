"""Creating, opening and refusing databases; pseudonyms; errors in one line."""

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.orm import Session

from intrepid_cohort.database import database_url, initialise, open_database, pseudonym_key, translating_errors
from intrepid_cohort.schema import Base, Patient
from intrepid_rt.errors import InvalidSetting, MissingObject, OutputNotWritable

KEY = "k" * 32


def test_migrations_give_the_tables_of_the_models(tmp_path):
    with initialise(tmp_path / "c.db").connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


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
    with pytest.raises(InvalidSetting, match="version 9999; expected 0001"):
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
