"""Verify many studies with 3D Slicer, without its window.

Slicer --no-main-window --python-script examples/batch_in_slicer.py STUDIES_DIR OUT_DIR [PROFILE.json]

Each folder in STUDIES_DIR is one study. OUT_DIR gets one folder per study and summary.csv; a study that cannot be
used is listed with its reason and the rest goes on. Exit code: 0 all passed, 1 not all of them did.
"""

import csv
import sys
from pathlib import Path

from intrepid_rt.errors import UnusableInput
from SlicerInTrEPIDLib.command import Job, run


def verify(study: Path, output: Path, machine: Path | None) -> list[str]:
    """Verify one study; returns its row of the summary."""
    try:
        summary = run(Job(study, output, machine=machine))
    except UnusableInput as error:
        return [study.name, "not done", str(error)]
    return [study.name, summary.verdict, "; ".join((*summary.gamma, *summary.reasons))]


def main(studies: str, output: str, machine: str | None = None) -> int:
    """Verify every study and write the summary."""
    rows = []
    for study in sorted(path for path in Path(studies).iterdir() if path.is_dir()):
        rows.append(verify(study, Path(output) / study.name, Path(machine) if machine else None))
        print(*rows[-1], sep="  ", flush=True)
    Path(output).mkdir(parents=True, exist_ok=True)
    with (Path(output) / "summary.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["study", "verdict", "details"], *rows])
    return 0 if all(row[1] == "pass" for row in rows) else 1


if __name__ == "__main__":
    code = main(*sys.argv[1:4])
    try:
        import slicer

        slicer.util.exit(code)  # leaves Slicer's event loop
    except (ImportError, AttributeError):  # an ordinary Python, or slicer-core without an application
        sys.exit(code)
