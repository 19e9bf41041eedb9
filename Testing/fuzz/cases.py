"""One numbered case: what is damaged, what is run on it, and whether it ended as it must."""

import contextlib
import io
import json
import random
import resource
import tempfile
import warnings
from pathlib import Path

from fuzz.corpus import SECRET, Corpus, study_copy
from fuzz.mutations import DICOM, TEXT, flip_bits
from intrepid_cli.main import run
from intrepid_rt.errors import UnusableInput

MOST_MEMORY_MB = 2000


def run_case(number: int, corpus: Corpus) -> dict[str, object]:
    """Run one case; ``problem`` is empty if it ended in success or in one line with exit code 2."""
    rng = random.Random(number)
    with tempfile.TemporaryDirectory(prefix="intrepid-fuzz-") as place:
        folder = Path(place)
        if rng.random() < 0.75:
            study = study_copy(corpus, folder)
            target = rng.choice(sorted({path.name.split("_")[0].split(".")[0] for path in study.iterdir()}))
            path = rng.choice(sorted(one for one in study.iterdir() if one.name.startswith(target)))
            mutation = rng.choice(DICOM)
            action = rng.choice(("read", "deidentify", *(("dvh", "gamma") if target == "RTDOSE" else ()),
                                 *(("dvh",) if target == "RTSTRUCT" else ())))  # fmt: skip
        else:
            source = rng.choice(corpus.texts)
            path = folder / source.name
            path.write_bytes(source.read_bytes())
            mutation, action = rng.choice(TEXT), "dvh-text"
        try:
            mutation(path, rng)
        except Exception:  # pydicom cannot write every absurdity; bits can always be turned
            flip_bits(path, rng)
        outcome = _run(action, path, folder)
        return {"case": number, "file": path.name, "mutation": mutation.__name__, "action": action, **outcome}


def _run(action: str, path: Path, folder: Path) -> dict[str, object]:
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(record=True) as loose,
    ):
        warnings.simplefilter("always")
        code = _read(path.parent, err) if action == "read" else run(_arguments(action, path, folder))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    problem = _problem(code, out.getvalue(), err.getvalue(), folder)
    if loose:
        problem = problem or f"a warning leaked: {loose[0].message}"
    if peak_mb > MOST_MEMORY_MB:
        problem = problem or f"{peak_mb:.0f} MB of memory"
    return {"code": code, "problem": problem}


def _arguments(action: str, path: Path, folder: Path) -> list[str]:
    study = folder / "study"
    if action == "dvh-text":
        return ["dvh-text", str(path), "--metric", "D50%", "--json"]
    if action == "deidentify":
        return ["deidentify", str(study), str(folder / "out"), "--key", str(folder / "key"), "--json"]
    if action == "gamma":
        criteria = ["--dose-percent", "3", "--distance-mm", "3", "--json"]
        return ["gamma", str(study / "RTDOSE_2.dcm"), str(path), *criteria]
    dose = path if path.name.startswith("RTDOSE") else study / "RTDOSE_PLAN.dcm"
    return ["dvh", str(dose), str(study / "RTSTRUCT.dcm"), "--metric", "D50%", "--json"]


def _read(study: Path, err: io.StringIO) -> int:
    """Select and read everything that a verification computes with, with the command line's exit codes."""
    from intrepid_cli.verification.inputs import read_inputs
    from intrepid_cli.verification.selection import select
    from intrepid_cli.verification.settings import VerificationSettings
    from intrepid_rt.scan import scan

    try:
        read_inputs(select(scan(study)), VerificationSettings(study, study))
    except UnusableInput as error:
        print(error, file=err)
        return 2
    except Exception as error:  # what main.py would call unforeseen
        print(f"unforeseen {type(error).__name__}: {error}", file=err)
        return 3
    return 0


def _problem(code: int, out: str, err: str, folder: Path) -> str:
    lines = [line for line in err.splitlines() if line.strip() and "files [" not in line]  # but the progress bar
    if code not in (0, 1, 2):
        return f"exit code {code}: {' '.join(lines[-1:])}"
    if "Traceback" in err:
        return "a traceback"
    if code == 2 and len(lines) != 1:
        return f"{len(lines)} lines of error"
    if SECRET.split("^")[1] in err + out:
        return "the patient's name was printed"
    if code in (0, 1) and out:
        json.loads(out, parse_constant=lambda text: (_ for _ in ()).throw(ValueError(text)))
    left = [path.name for path in folder.rglob(".*") if path.name.startswith((".unfinished", ".results"))]
    return f"left behind: {left}" if left else ""
