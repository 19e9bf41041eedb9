"""An import that is killed at any moment loses nothing, doubles nothing and leaves no process behind."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from intrepid_cohort.database import initialise
from intrepid_cohort.export import export_canonical
from intrepid_cohort.importing import import_folders
from intrepid_cohort.simulation.cohort import write_cohort

KEY = "a key for tests that is long enough"
_COMMAND = [sys.executable, "-c", "from intrepid_cli.main import main; main()", "cohort", "import"]


def test_killed_imports_end_in_the_bytes_of_an_undisturbed_one(tmp_path):
    write_cohort(tmp_path / "in", patients=5, centres=1, seed=3)
    undisturbed, killed = tmp_path / "undisturbed.db", tmp_path / "killed.db"
    _import_here(tmp_path, undisturbed)
    initialise(killed, pseudonym_key=KEY).dispose()
    # While files are read; between files and patients; between patients, with two processes and with one.
    done = "select count(*) from patients where content_digest is not null"
    for query, enough, processes in (
        ("select count(*) from jobs", 1, 1),
        ("select count(*) from files", 1, 1),
        (done, 1, 2),
        (done, 2, 1),
    ):
        process = _import(tmp_path, killed, processes)
        _wait_until(lambda q=query, n=enough: _count(killed, q) >= n, process)
        process.kill()
        assert process.wait(timeout=60) == -signal.SIGKILL
        _wait_until(lambda group=process.pid: not _group_lives(group))
    assert 2 <= _count(killed, done) < 5
    _import_here(tmp_path, killed)
    assert _count(killed, "select count(*) from jobs where finished_at is null") == 4
    assert _canonical(killed) == _canonical(undisturbed)


def _import_here(folder, database):
    engine = initialise(database, pseudonym_key=KEY)
    assert import_folders(engine, [folder / "in"], processes=1).failures == []
    engine.dispose()


def _import(folder, database, processes):
    arguments = [str(folder / "in"), "--database", str(database), "--processes", str(processes)]
    return subprocess.Popen(
        _COMMAND + arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def _count(database, query):
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    try:
        return connection.execute(query).fetchone()[0]
    except sqlite3.OperationalError:  # a hot journal of a killed writer can only be rolled back by the next writer
        return 0
    finally:
        connection.close()


def _group_lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_until(condition, process=None):
    for _ in range(6000):
        if condition():
            return
        if process is not None and process.poll() is not None:
            pytest.fail(f"the import ended by itself with {process.returncode} before it could be killed")
        time.sleep(0.01)
    pytest.fail("waited for a minute in vain")


def _canonical(database):
    engine = initialise(database)
    path = database.with_suffix(".jsonl")
    export_canonical(engine, path)
    engine.dispose()
    return path.read_bytes()
