"""Imports that are killed, run out of disk or lose their database at random moments, and go on.

Three rounds in every test run, 25 in ``make test-full``. Each round interrupts one fresh import
at a moment drawn from the processor time that an undisturbed one takes (a clock would run on while other work holds the
import up, and the moment come after its end), lets the same command go on, and compares the bytes of the canonical
export. An import that ended before its moment came interrupts nothing: it is made anew, with half the moment.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

import postgres_server
from intrepid_cohort.database import initialise
from intrepid_cohort.export import export_canonical
from intrepid_cohort.simulation.cohort import write_cohort

KEY = "a key for tests that is long enough"
_COMMAND = [sys.executable, "-c", "from intrepid_cli.main import main; main()", "cohort", "import"]
PATIENTS = 2
ROUNDS = [*range(3), *(pytest.param(number, marks=pytest.mark.full) for number in range(3, 25))]

pytestmark = [pytest.mark.slow, pytest.mark.external]


@pytest.fixture(scope="module")
def server():
    where = postgres_server.programs()
    if where is None:
        pytest.skip("PostgreSQL is not installed")
    with postgres_server.PostgresServer(where) as running:
        yield running


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """Folder of patients, the bytes of an undisturbed import, its processor seconds and the size of its file."""
    folder = tmp_path_factory.mktemp("interruptions")
    write_cohort(folder / "in", patients=PATIENTS, centres=1, seed=3)
    database = folder / "undisturbed.db"
    initialise(database, pseudonym_key=KEY).dispose()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = _start(folder, database)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return folder, _canonical(database, folder), seconds, database.stat().st_size


def _wait(process, seconds):
    """Wait until a process and its children have used so many processor seconds, or it has ended."""
    while process.poll() is None and _processor_s(process.pid) < seconds:
        time.sleep(0.05)


def _processor_s(group):
    """Processor seconds that the living processes of a group have used, theirs that ended included."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[2]) == group:
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _start(folder, database, *, processes=1, largest_bytes=None):
    arguments = [str(folder / "in"), "--database", str(database), "--processes", str(processes)]

    def limit():
        # The kernel then refuses to let any file grow further, as a full disk does.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_bytes, largest_bytes))

    return subprocess.Popen(
        _COMMAND + arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=limit if largest_bytes else None,
    )  # fmt: skip


def _canonical(database, folder):
    engine = initialise(database)
    export_canonical(engine, folder / "found.jsonl")
    engine.dispose()
    return (folder / "found.jsonl").read_bytes()


def _kill(folder, database, after_s, rng, _server):
    process = _start(folder, database, processes=int(rng.integers(1, 3)))
    _wait(process, after_s)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    _, error = process.communicate(timeout=60)
    return process.returncode, error


def _fill_disk(folder, database, share, _rng, _server):
    largest = int(database.stat().st_size * 1.01 + share)
    process = _start(folder, database, largest_bytes=largest)
    _, error = process.communicate(timeout=600)
    return process.returncode, error


def _lose_database(folder, database, after_s, _rng, server):
    process = _start(folder, database)
    _wait(process, after_s)
    if process.poll() is None:
        server.crash()
    _, error = process.communicate(timeout=600)
    if server.process.poll() is not None:
        server.start()
    return process.returncode, error


WAYS = {"killed": _kill, "disk full": _fill_disk, "database lost": _lose_database}


@pytest.mark.parametrize("number", ROUNDS)
def test_an_interrupted_import_ends_in_the_same_bytes(truth, server, number, tmp_path, record_property):
    folder, undisturbed, *_ = truth
    way = list(WAYS)[number % 3]
    database = server.url if way == "database lost" else tmp_path / "c.db"
    moment, code, error = _interrupted(truth, database, way, np.random.default_rng([2026, number]), server)
    record_property("interruption", f"{way} at {moment:.0%}: exit code {code}")
    print(f"round {number}: {way} at {moment:.0%} of the import, exit code {code}")
    if way == "killed":
        assert code == -signal.SIGKILL
    else:
        assert code == 2, error
        assert "Traceback" not in error
        assert "Nothing is half written" in error or "cannot be" in error
    process = _start(folder, database)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    assert _canonical(database, tmp_path) == undisturbed


def _interrupted(truth, database, way, rng, server):
    """Interrupt a fresh import; return at what share of it that was, its exit code and what it said."""
    folder, _, seconds, size = truth
    moment = float(rng.uniform(0.15, 0.95))
    for _ in range(6):
        _empty(database)
        initialise(database, pseudonym_key=KEY).dispose()
        amount = moment * (size - database.stat().st_size if way == "disk full" else seconds)
        code, error = WAYS[way](folder, database, amount, rng, server)
        if code != 0:
            return moment, code, error
        moment /= 2
    pytest.fail("every import ended before it could be interrupted")


def _empty(database):
    if isinstance(database, Path):
        database.unlink(missing_ok=True)
        return
    engine = initialise(database)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
