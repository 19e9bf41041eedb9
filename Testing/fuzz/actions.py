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

import numpy as np

from intrepid_cli.main import run
from intrepid_rt.errors import UnusableInput

CRITERIA = ["--dose-percent", "3", "--distance-mm", "3", "--json"]


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
    file, place = str(path), study.parent
    structures, out = str(study / "RTSTRUCT.dcm"), str(place / "out")
    dose = file if path.name.startswith("RTDOSE") else str(study / "RTDOSE_PLAN.dcm")
    dvh = [dose, structures, "--metric", "D50%", "--json"]
    other = str(study / "RTDOSE_2.dcm")
    commands = {
        "deidentify": [str(study), out, "--key", str(place / "key"), "--json"],
        "dvh": dvh,
        "dvh-plan": [*dvh, "--plan", str(study / "RTPLAN.dcm")],
        "dvh-stored": [str(study / "RTDOSE.dcm"), structures, "--stored", "--metric", "D50%", "--json"],
        "gamma": [other, file, *CRITERIA],
        "gamma-roi": [other, other, "--structures", structures, "--roi", "PTV", *CRITERIA],
        "gamma-image": [str(study / "reference.dcm"), file, "--out", f"{out}/gamma.nrrd", *CRITERIA],
        "predict": [_image(path, study), "--machine", _profile(path, study), "--out", out, "--json"],
        "commission": [str(study), "--beam-model", str(study / "spectrum.csv"), "--ct-curve", str(study / "curve.csv"),
                       "--out", f"{out}/profile.json", "--json"],
        "dvh-text": [file, "--uncertainty", "--metric", "D50%", "--json"],
        "dvh-info": [str(study / "mirada.txt"), "--info", file, "--metric", "D50%", "--json"],
        "constraints": ["list", file, "--json"],
        "constraints-check": ["check", str(study / "export.dvh"), "--constraints", file, "--constraint", "DMEAN < 99Gy",
                              "--json"],
        "verify": [str(study), "--json"],
        "cohort": ["import", str(study), "--database", str(place / "cohort.db"), "--processes", "1", "--json"],
    }  # fmt: skip
    if action == "cohort":
        _empty_database(place / "cohort.db")
    return [action.split("-")[0] if action != "dvh-text" and action != "dvh-info" else "dvh-text", *commands[action]]


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


def _read(_path: Path, study: Path) -> dict[str, object]:
    """Select and read everything that a verification computes with."""
    from intrepid_cli.verification.inputs import read_inputs
    from intrepid_cli.verification.selection import select
    from intrepid_cli.verification.settings import VerificationSettings
    from intrepid_rt.scan import scan

    studies = scan(study)
    found = read_inputs(select(studies), VerificationSettings(study, study))
    frames = [frame for _, frame in found.beams]
    structures = found.structure_set.structures if found.structure_set else ()
    numbers = {
        "ct": [*_digest(found.ct.grid.values), *found.ct.grid.index_to_lps.ravel().tolist()],
        "dose": [*_digest(found.planned.values), *found.planned.index_to_lps.ravel().tolist()] if found.planned else [],
        "images": [_digest(frame.image.values) for frame in frames],
        "places": [[*frame.image.first_pixel_mm, *frame.image.pixel_spacing_mm] for frame in frames],
        "contours": {s.name: _digest(np.concatenate([*s.contours, np.zeros((1, 3))])) for s in structures},
        "beams": [_beam(beam) for beam, _ in found.beams],
    }
    said = [*found.notes, *(str(warning) for frame in frames for warning in frame.warnings)]
    said += [note for structure in (found.structure_set,) if structure for note in structure.notes]
    # As verification.verify does: what was not used is a warning of the report.
    said += [f"{path.name} was not used: {reason}" for one in studies for path, reason in one.unused]
    return {**numbers, "warnings": said}


def _digest(values: np.ndarray) -> list[float]:
    values = np.asarray(values, float)
    return [float(values.min()), float(values.max()), float(values.sum()), float((values**2).sum())]


def _beam(beam: object) -> list[float | None]:
    points = beam.control_points
    angles = [(p.gantry_angle_deg, p.collimator_angle_deg, p.couch_angle_deg, p.cumulative_meterset_weight,
               *p.isocentre_lps_mm.tolist(), *(p.jaw_x_mm or ()), *(p.jaw_y_mm or ())) for p in points]  # fmt: skip
    return [beam.meterset_mu, beam.source_to_axis_mm, *(number for point in angles for number in point)]


def _parcels(_path: Path, study: Path) -> dict[str, object]:
    from intrepid_rt.network.outbox import parcels

    found, left = parcels([study])
    return {"found": len(found), "warnings": [reason for _, reason in left]}


def _receipts(path: Path, _study: Path) -> dict[str, object]:
    from intrepid_rt.network.outbox import Receipts

    Receipts("PEER@127.0.0.1:1", path)
    return {"warnings": []}


READERS: dict[str, Callable[[Path, Path], dict[str, object]]] = {
    "read": _read,
    "parcels": _parcels,
    "receipts": _receipts,
}
