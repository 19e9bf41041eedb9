"""What is run on a damaged file: command lines, and readers that no single command line reaches."""

import contextlib
import io
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from unittest import mock

from fuzz.readers import READERS
from intrepid_cli.main import run
from intrepid_rt.errors import UnusableInput

CRITERIA = ["--dose-percent", "3", "--distance-mm", "3"]
METRIC = ["--metric", "D50%"]


@dataclass(frozen=True)
class Outcome:
    """How an action ended: exit code, what it printed, and a warning that leaked."""

    code: int
    out: str
    err: str
    leaked: str


def perform(action: str, path: Path, study: Path) -> Outcome:
    """Run an action on a damaged file of a study; outputs go beside the study."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, INTREPID_MODELS=str(study.parent / "models")),
        _written_by_libraries() as beside,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(record=True) as loose,
    ):
        warnings.simplefilter("always")
        code = _call(READERS[action], path, study) if action in READERS else run(_arguments(action, path, study))
        beside.flush()
    return Outcome(code, out.getvalue(), err.getvalue() + beside.text, str(loose[0].message) if loose else "")


class _Beside:
    """What libraries in C++ write to standard error behind Python's back."""

    text = ""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def flush(self) -> None:
        self._file.seek(0)
        self.text = self._file.read().decode(errors="replace")


@contextlib.contextmanager
def _written_by_libraries() -> Iterator[_Beside]:
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield _Beside(file)
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _arguments(action: str, path: Path, study: Path) -> list[str]:
    """Command line of an action: the words of the command, then its arguments."""
    file, place = str(path), study.parent
    structures, out = str(study / "RTSTRUCT.dcm"), str(place / "out")
    dose = file if path.name.startswith("RTDOSE") else str(study / "RTDOSE_PLAN.dcm")
    other = str(study / "RTDOSE_2.dcm")
    commands = {
        "deidentify": ["deidentify", str(study), out, "--key", str(place / "key")],
        "dvh": ["dvh", dose, structures, *METRIC],
        "dvh-plan": ["dvh", dose, structures, *METRIC, "--plan", str(study / "RTPLAN.dcm")],
        "dvh-stored": ["dvh", str(study / "RTDOSE.dcm"), structures, "--stored", *METRIC],
        "gamma": ["gamma", other, file, *CRITERIA],
        "gamma-roi": ["gamma", other, other, "--structures", structures, "--roi", "PTV", *CRITERIA],
        "gamma-image": ["gamma", str(study / "reference.dcm"), file, "--out", f"{out}/gamma.nrrd", *CRITERIA],
        "predict": ["predict", _image(path, study), "--machine", _profile(path, study), "--out", out],
        "predict-model": ["predict", str(study / "image.dcm"), "--machine", str(study / "profile.json"), "--model",
                          str(study), "--meterset-mu", "100", "--out", out],
        "models-verify": ["models", "verify", str(study)],
        "models-add": ["models", "add", str(study), "--name", "added"],
        "dataset-check": ["dataset", "check", str(study)],
        "evaluate": ["evaluate", str(study), "--out", out],
        "commission": ["commission", str(study), "--beam-model", str(study / "spectrum.csv"), "--ct-curve",
                       str(study / "curve.csv"), "--out", f"{out}/profile.json"],
        "constancy": ["constancy", str(study), "--machine", str(study / "profile.json")],
        "dvh-text": ["dvh-text", file, "--uncertainty", *METRIC],
        "dvh-text-table": ["dvh-text", str(study / "table_curves.csv"), "--format", "table", *METRIC],
        "dvh-info": ["dvh-text", str(study / "mirada.txt"), "--info", file, *METRIC],
        "constraints": ["constraints", "list", file],
        "constraints-check": ["constraints", "check", str(study / "export.dvh"), "--constraints", file, "--constraint",
                              "DMEAN < 99Gy"],
        "constraints-convert": ["constraints", "convert", file, f"{out}/converted.csv", "--to", "table"],
        "verify": ["verify", str(study)],
        "cohort": ["cohort", "import", str(study), "--database", str(place / "cohort.db"), "--processes", "1"],
        "cohort-curate": ["cohort", "curate", file, "--apply"],
        "cohort-delivered": ["cohort", "curate", str(study / "rules.json"), "--delivered", file],
        "cohort-names": ["cohort", "names", "--decided", file],
        "cohort-names-list": ["cohort", "names", "--list", file],
        "cohort-epid": ["cohort", "epid", file],
    }  # fmt: skip
    if action == "cohort":
        _empty_database(place / "cohort.db")
    elif action.startswith("cohort-") and action != "cohort-names-list":
        commands[action] += ["--database", str(study / "cohort.db")]
    return [*commands[action], "--json"]


def _image(path: Path, study: Path) -> str:
    return str(path) if path.suffix == ".dcm" else str(study / "elekta.dcm")


def _profile(path: Path, study: Path) -> str:
    from chain_study import write_profile

    named = study / "profile.json"
    return str(named if named.exists() or path == named else write_profile(study.parent / "profile.json"))


_DATABASE: list[bytes] = []


def _empty_database(path: Path) -> None:
    """Place an empty database; made once, because its migrations take longer than a case."""
    from intrepid_cohort.database import initialise

    if not _DATABASE:
        initialise(path, pseudonym_key="a key for tests that is long enough").dispose()
        _DATABASE.append(path.read_bytes())
    path.write_bytes(_DATABASE[0])


def _call(reader: Callable[[Path, Path], dict[str, object]], path: Path, study: Path) -> int:
    """Print what a reader returns, with the command line's exit codes and messages."""
    import sys

    try:
        print(json.dumps(reader(path, study)))
    except UnusableInput as error:
        print(error, file=sys.stderr)
        return 2
    except Exception as error:  # what main.py would call unforeseen
        print(f"unforeseen {type(error).__name__}: {error}", file=sys.stderr)
        return 3
    return 0
