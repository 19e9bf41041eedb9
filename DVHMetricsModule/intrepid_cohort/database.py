"""Opening a cohort database: a SQLite file by default, PostgreSQL by URL; creating and upgrading its tables."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.orm import Session

from intrepid_cohort.schema import Setting
from intrepid_cohort.views import create_views, drop_views
from intrepid_rt.errors import InvalidSetting, MissingObject, OutputNotWritable

_MIGRATIONS = Path(__file__).parent / "migrations"
_KEY = "pseudonym_key"
_BUSY_SECONDS = 30


def database_url(place: str | Path) -> str:
    """Return the SQLAlchemy URL of a file path or URL.

    >>> database_url("cohort.db"), database_url("postgresql://localhost/cohort")
    ('sqlite:///cohort.db', 'postgresql+psycopg://localhost/cohort')
    """
    text = str(place)
    if "://" not in text:
        return f"sqlite:///{text}"
    scheme, rest = text.split("://", 1)
    return f"postgresql+psycopg://{rest}" if scheme in ("postgresql", "postgres") else text


def initialise(place: str | Path, *, pseudonym_key: str | None = None) -> Engine:
    """Create the tables, or bring those of an older version up to date; harmless if all is there.

    Parameters
    ----------
    place : path of a SQLite file, or a database URL.
    pseudonym_key : at least 32 characters from which pseudonyms are made; random by default. Databases of one key give
        one person of one centre the same pseudonym. It is stored in the database and cannot be changed later.

    Raises
    ------
    InvalidSetting
        The key is too short, or differs from the one in the database.
    OutputNotWritable
        The database cannot be reached or written.
    """
    if pseudonym_key is not None and len(pseudonym_key) < 32:
        raise InvalidSetting(f"The pseudonym key has {len(pseudonym_key)} characters; expected at least 32.")
    engine = _engine(place)
    with translating_errors(engine), engine.begin() as connection:
        drop_views(connection)
        command.upgrade(_configuration(connection), "head")
        create_views(connection)
        with Session(connection) as session:
            stored = session.get(Setting, _KEY)
            if stored is None:
                session.add(Setting(name=_KEY, value=pseudonym_key or secrets.token_hex(32)))
                session.commit()
            elif pseudonym_key not in (None, stored.value):
                raise InvalidSetting(
                    "The database has another pseudonym key. Leave the key out, or use a new database."
                )
    return engine


def open_database(place: str | Path) -> Engine:
    """Open a database that `initialise` has made.

    Raises
    ------
    MissingObject
        There is no such database, or it holds no cohort.
    InvalidSetting
        Its tables are of another version.
    OutputNotWritable
        It cannot be reached.
    """
    engine = _engine(place)
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    if file and not Path(file).is_file():
        raise MissingObject(f"{file} is no file. Create the database with: intrepid cohort init {file}")
    with translating_errors(engine), engine.connect() as connection:
        if not inspect(connection).has_table(Setting.__tablename__):
            raise MissingObject(f"{_shown(engine)} holds no cohort. Run: intrepid cohort init {_shown(engine)}")
        found = MigrationContext.configure(connection).get_current_revision()
        expected = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
        if found != expected:
            raise InvalidSetting(
                f"{_shown(engine)} has tables of version {found}; expected {expected}. Upgrade them with: "
                f"intrepid cohort init {_shown(engine)}"
            )
    return engine


def pseudonym_key(session: Session) -> bytes:
    """Return the key from which the pseudonyms of this database are made."""
    return session.get_one(Setting, _KEY).value.encode()


@contextmanager
def translating_errors(engine: Engine) -> Iterator[None]:
    """Say in one line what a database that is full, locked, lost or written by two at once means for the user.

    Raises
    ------
    OutputNotWritable
    """
    try:
        yield
    except IntegrityError as error:
        raise OutputNotWritable(
            f"{_shown(engine)} refused rows that another run has written meanwhile. Let one import run at a time, "
            "then run this one again: it continues where it stopped."
        ) from error
    except DBAPIError as error:
        raise OutputNotWritable(
            f"{_shown(engine)} cannot be used: {str(error.orig).splitlines()[0]}. Nothing is half written; when the "
            "cause is gone, run the same command again: it continues where it stopped."
        ) from error


def _engine(place: str | Path) -> Engine:
    try:
        engine = create_engine(make_url(database_url(place)))
    except (ArgumentError, NoSuchModuleError) as error:
        raise InvalidSetting(f"{place} is no database: expected a file path, or postgresql://host/name.") from error
    except ModuleNotFoundError as error:
        raise InvalidSetting(f"{error.name} is needed to reach this database. Run: pip install {error.name}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # SQLite keeps references only if told so. The rollback journal stays: write-ahead logs break on network drives.
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {1000 * _BUSY_SECONDS}")


def _configuration(connection: Any) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration


def _shown(engine: Engine) -> str:
    """Name a database in messages, without its password."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    return engine.url.render_as_string(hide_password=True)
