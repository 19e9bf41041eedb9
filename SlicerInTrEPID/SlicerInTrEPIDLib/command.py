"""From the panel's parameters to a command line, and from its results to what the panel shows. No Qt, no MRML."""

import importlib.util
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intrepid_rt.errors import UnusableInput
from SlicerInTrEPIDLib.child_process import ChildProcess

PACKAGES = ("intrepid_rt", "intrepid_gamma", "intrepid_dvh", "intrepid_epid", "intrepid_cli", "SlicerInTrEPIDLib")
FROM_FILE = "transform file"
SCENE, REPORT, RESULTS = "scene.mrb", "report.html", "results.json"


@dataclass(frozen=True)
class DayJob:
    """The anatomy of the day; without ``folder`` the dose is computed on the planning CT and nothing else counts."""

    folder: Path | None = None
    registration: str = "rigid"
    transform: Path | None = None
    setup: str | None = None
    isocentre: str = ""
    couch_shift: str = ""
    curve: str | None = None
    complete: bool = False

    def reasons_not_ready(self) -> list[str]:
        """Every reason why a job with this anatomy cannot start."""
        if self.folder is None:
            return []
        reasons = []
        if not self.folder.is_dir():
            reasons.append(f"The folder of the CT of the day does not exist: {self.folder}")
        if self.registration == FROM_FILE and (self.transform is None or not self.transform.is_file()):
            reasons.append("Choose the transform file of the registration.")
        if self.isocentre and not _are_numbers(self.isocentre, (3,)):
            reasons.append("The isocentre in the CT of the day is X,Y,Z in mm, for example 0,0,0.")
        if self.isocentre and self.setup not in (None, "image"):
            reasons.append(
                "An isocentre was entered, but the set-up says that the couch was matched. Keep one of them."
            )
        if self.couch_shift not in ("", "plan") and not _are_numbers(self.couch_shift, (3, 6)):
            reasons.append("The couch shift is lateral,longitudinal,vertical in mm[,pitch,roll,rotation], or plan.")
        return reasons

    def options(self) -> dict[str, Any]:
        """Options of the command line; None where not given."""
        if self.folder is None:
            return {}
        return {
            "--anatomy": self.folder,
            "--registration": self.transform if self.registration == FROM_FILE else self.registration,
            "--setup": self.setup,
            "--isocentre": self.isocentre.replace(" ", "") or None,
            "--couch-shift": self.couch_shift.replace(" ", "") or None,
            "--anatomy-curve": self.curve,
            "--truncated": "complete" if self.complete else None,
        }


def _are_numbers(text: str, counts: tuple[int, ...]) -> bool:
    parts = text.split(",")
    return len(parts) in counts and all(re.fullmatch(r"\s*[-+]?\d*\.?\d+\s*", part) for part in parts)


@dataclass(frozen=True)
class Job:
    """What is to be reconstructed; unset paths are None."""

    study: Path | None
    output: Path | None
    machine: Path | None = None
    constraints: Path | None = None
    planned_portal: Path | None = None
    criteria: str = "3/3,3/2,2/2"
    model: str = "physics"
    refinement: str = "none"
    ct_curve: Path | None = None
    assigned: tuple[tuple[int, str], ...] = ()
    day: DayJob = field(default_factory=lambda: DayJob())

    @property
    def scene(self) -> Path | None:
        """The scene bundle the job writes."""
        return self.output / SCENE if self.output else None

    @property
    def report(self) -> Path | None:
        """The report the job writes."""
        return self.output / REPORT if self.output else None


def as_path(path: Path | str | None) -> Path | None:
    """Return the path, None if it is empty; parameter nodes store an unset path as the current folder.

    >>> as_path(Path()), as_path("")
    (None, None)
    """
    return Path(path) if path is not None and str(path) not in ("", ".") else None


def reasons_not_ready(job: Job) -> list[str]:
    """Every reason why the job cannot start, one sentence each; empty if it can."""
    reasons = []
    if job.study is None:
        reasons.append("Choose the study folder (CT, RTPLAN, RTSTRUCT, RTDOSE and portal images).")
    elif not job.study.is_dir():
        reasons.append(f"The study folder does not exist: {job.study}")
    if job.output is None:
        reasons.append("Choose the output folder.")
    elif job.output.exists() and not job.output.is_dir():
        reasons.append(f"The output folder is a file: {job.output}")
    for name, path in (
        ("machine profile", job.machine),
        ("constraints file", job.constraints),
        ("CT curve", job.ct_curve),
    ):
        if path is not None and not path.is_file():
            reasons.append(f"The {name} does not exist: {path}")
    if job.planned_portal is not None and not job.planned_portal.is_dir():
        reasons.append(f"The folder of planned portal doses does not exist: {job.planned_portal}")
    if not re.fullmatch(r"\s*[\d.]+/[\d.]+\s*(,\s*[\d.]+/[\d.]+\s*)*", job.criteria):
        reasons.append("Gamma criteria are pairs of percent and millimetres, for example 3/3,2/2.")
    if job.refinement != "none" and job.machine is None:
        reasons.append("A refinement needs a dose in Gy: choose the machine profile, or no refinement.")
    if job.refinement != "none" and job.model == "first-order":
        reasons.append("A refinement corrects the dose of the physics: choose another model than first-order.")
    return [*reasons, *job.day.reasons_not_ready()]


def command_line(job: Job) -> list[str]:
    """Return the program and its arguments for a job that is ready."""
    options: dict[str, Any] = {
        "--out": job.output,
        "--machine": job.machine,
        "--constraints": job.constraints,
        "--planned-portal": job.planned_portal,
        "--criteria": job.criteria.replace(" ", ""),
        "--model": None if job.model == "physics" else job.model,
        "--refinement": None if job.refinement == "none" else job.refinement,
        "--ct-curve": job.ct_curve,
        **job.day.options(),
    }
    return [*intrepid(), "reconstruct", str(job.study), *_given(options, job), "--json"]


def predict_line(job: Job, images: Sequence[Path]) -> list[str]:
    """Return the command line that predicts portal doses of a study's images; they land beside the output folder.

    The study tells monitor units, field and planning CT.
    """
    assert job.output is not None  # asked by reasons_not_to_predict
    options = {
        "--study": job.study,
        "--out": predicted_folder(job.output),
        "--machine": job.machine,
        "--model": None if job.model in ("physics", "first-order") else job.model,
        "--ct-curve": job.ct_curve,
    }
    return [*intrepid(), "predict", *map(str, images), *_given(options, job), "--json"]


def _given(options: Mapping[str, Any], job: Job) -> list[str]:
    """Options that were set, and the beams a person gave to images."""
    given = [text for name, value in options.items() if value is not None for text in (name, str(value))]
    return given + [text for number, file in job.assigned for text in ("--assign", f"{number}={file}")]


def predicted_lines(output: str) -> list[str]:
    """Say what ``intrepid predict --json`` printed: maximum and uncertainty of each image, and what is wrong with it.

    >>> predicted_lines(
    ...     '{"images": [{"file": "a/RI.dcm", "max_gy": 0.5, "uncertainty_percent": 3.2, "model": "physics",'
    ...     ' "meterset_mu": 100, "meterset_from": "from the plan", "ct": "known", "warnings": ["UNRELIABLE"]}]}'
    ... )
    ['RI.dcm: maximum 0.500 Gy ± 3.2 % (physics; 100 MU from the plan, CT known)', '  Warning: UNRELIABLE']
    """
    lines = []
    for image in json.loads(output)["images"]:
        name = Path(image["file"]).name
        mu = image["meterset_mu"]
        told = f"{mu:g} MU {image['meterset_from']}" if mu else "MU unknown"
        lines.append(
            f"{name}: maximum {image['max_gy']:.3f} Gy ± {image['uncertainty_percent']:.1f} % "
            f"({image['model']}; {told}, CT {image['ct']})"
        )
        lines += [f"  Warning: {warning}" for warning in image["warnings"]]
    return lines


def model_names() -> list[str]:
    """Return the models to choose from: the physics, and the networks of this installation."""
    from intrepid_epid.networks.registry import model_folders

    return ["physics", "first-order", *model_folders()]


def refinement_names() -> list[str]:
    """Return the refinements to choose from: none, and those that ship."""
    from intrepid_epid.refinement.card import shipped_refinements

    return ["none", *shipped_refinements()]


def predicted_folder(output: Path) -> Path:
    """Return the folder of portal doses that were predicted without a reconstruction."""
    return output.with_name(output.name + "_portal_dose")


def reasons_not_to_predict(job: Job, images: Sequence[Path]) -> list[str]:
    """Every reason why no portal dose can be predicted."""
    reasons = [] if images else ["No portal image of the study shows a beam."]
    if job.study is None:
        reasons.append("Choose the study folder: plan and CT tell monitor units, field and patient.")
    if job.machine is None:
        reasons.append("Choose the machine profile: without it there is no dose in Gy.")
    if job.output is None:
        reasons.append("Choose the output folder.")
    return reasons


def run(job: Job, *, on_message: Callable[[str], None] = lambda message: None, interval_s: float = 0.1) -> "Summary":
    """Reconstruct and wait for the end; for scripts. The panel uses ``panel.job_runner``, which does not wait.

    Raises
    ------
    UnusableInput
        The job is not ready, or the command line refused its input; the message is the command line's own.
    """
    reasons = reasons_not_ready(job)
    if reasons:
        raise UnusableInput(" ".join(reasons))
    child, last = ChildProcess(command_line(job), environment()), ""
    while True:
        running = child.is_running  # asked first: whatever was written before the end is read below
        for last in child.poll():
            on_message(last)
        if not running:
            break
        time.sleep(interval_s)
    if child.exit_code not in (0, 1):
        raise UnusableInput(last or f"intrepid ended with code {child.exit_code} and said nothing.")
    assert job.output is not None  # a job that is ready has one
    return read_summary(job.output)


def intrepid() -> list[str]:
    """Return the start of every ``intrepid`` command line, run by the Python that belongs to this application."""
    python = shutil.which("PythonSlicer") or sys.executable
    return [python, "-c", "from intrepid_cli.main import main; main()"]


def environment() -> dict[str, str]:
    """Return the variables with which a child process finds our packages, wherever the modules are installed."""
    folders = [str(Path(spec.origin).parents[1]) for name in PACKAGES if (spec := _spec(name)) and spec.origin]
    before = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join([*dict.fromkeys(folders), *([before] if before else [])])}


def missing_packages(requirements: Path) -> list[str]:
    """Return the lines of a requirements file whose package cannot be imported."""
    lines = [line.split("#")[0].strip() for line in requirements.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and _spec(re.split(r"[<>=!~\[; ]", line)[0]) is None]


def _spec(name: str) -> Any:
    return importlib.util.find_spec(name)


@dataclass(frozen=True)
class Summary:
    """What the panel shows of a finished job."""

    verdict: str
    reasons: tuple[str, ...]
    gamma: tuple[str, ...]
    warnings: tuple[str, ...]
    uncertainty: str = ""


def read_summary(folder: Path) -> Summary:
    """Summarise ``results.json`` of an output folder.

    Raises
    ------
    OSError, ValueError
        The file cannot be read or is not JSON.
    """
    return summarise(json.loads((folder / RESULTS).read_text(encoding="utf-8")))


def summarise(results: Mapping[str, Any]) -> Summary:
    """Pick verdict, pass rates and warnings from the results of ``intrepid reconstruct``.

    >>> summarise({"gamma_3d": [{"dose_percent": 3, "distance_mm": 2, "pass_rate_percent": 97.25, "n_points": 10}]})
    Summary(verdict='not judged', reasons=(), gamma=('3 % / 2 mm: 97.2 % of 10 points',), warnings=(), uncertainty='')
    """
    verdict, band = results.get("verdict") or {}, results.get("dose_uncertainty")
    return Summary(
        verdict.get("status", "not judged"),
        tuple(verdict.get("reasons", ())),
        tuple(_gamma_line(outcome) for outcome in results.get("gamma_3d", ())),
        tuple(results.get("warnings", ())),
        f"95 % band of the dose: ± {band['high_dose_percent']:.1f} % where it is high" if band else "",
    )


def _gamma_line(outcome: Mapping[str, Any]) -> str:
    criteria = f"{outcome['dose_percent']:g} % / {outcome['distance_mm']:g} mm"
    rate = outcome.get("pass_rate_percent")
    if rate is None:
        return f"{criteria}: not computed. {outcome.get('reason', '')}".strip()
    return f"{criteria}: {rate:.1f} % of {outcome['n_points']:,} points"


def progress_percent(message: str) -> int | None:
    """Return the percentage a progress bar's line states, None if it states none.

    >>> progress_percent("back-projection:  42%|####      | 3/7"), progress_percent("reading")
    (42, None)
    """
    found = re.search(r"(\d{1,3})%\|", message)
    return min(int(found[1]), 100) if found else None


def step_name(message: str) -> str:
    """Return the step a progress bar's line names, or the line itself if it is no progress bar.

    >>> step_name("comparing:  70%|#######   | 00:31"), step_name("  0%|    | 00:00"), step_name("No CT: found 3 MR.")
    ('comparing', '', 'No CT: found 3 MR.')
    """
    found = re.match(r"\s*(?:(.*?):)?\s*\d{1,3}%\|", message)
    return (found[1] or "") if found else message
