"""The panel without Qt: from parameters to a command, from a child process and its results to what is shown."""

import ast
import json
import os
import re
import signal
import sys
import time
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest

from chain_study import write_profile, write_study
from intrepid_rt.errors import MissingObject
from SlicerInTrEPIDLib.child_process import ChildProcess
from SlicerInTrEPIDLib.command import (
    Job,
    command_line,
    environment,
    intrepid,
    missing_packages,
    progress_percent,
    read_summary,
    reasons_not_ready,
    step_name,
)
from SlicerInTrEPIDLib.sample import unpack_sample

MODULE = Path(__file__).parents[2] / "SlicerInTrEPID"


def finished(child: ChildProcess, *, seconds: float = 60.0) -> list[str]:
    messages, end = [], time.monotonic() + seconds
    while child.is_running and time.monotonic() < end:
        messages += child.poll()
        time.sleep(0.02)
    return messages + child.poll()


def test_every_reason_is_named_together(tmp_path):
    job = Job(None, tmp_path / "out", machine=tmp_path / "none.json", constraints=tmp_path, criteria="3%")
    reasons = reasons_not_ready(job)
    assert len(reasons) == 4
    assert reasons[0].startswith("Choose the study folder")
    assert "none.json" in reasons[1]
    assert "constraints file does not exist" in reasons[2]
    assert "3/3,2/2" in reasons[3]


def test_a_ready_job_passes_on_only_what_was_chosen(tmp_path):
    profile = tmp_path / "profile.json"
    profile.write_text("{}")
    job = Job(tmp_path, tmp_path / "out", machine=profile, criteria="3/3, 2/2")
    assert reasons_not_ready(job) == []
    assert command_line(job)[3:] == [
        "reconstruct", str(tmp_path), "--out", str(tmp_path / "out"), "--machine", str(profile),
        "--criteria", "3/3,2/2", "--json",
    ]  # fmt: skip


def test_the_options_are_those_of_the_command():
    """The panel and ``intrepid reconstruct`` must not drift apart."""
    from intrepid_cli.reconstruct import command as reconstruct

    known = {name for parameter in reconstruct.params for name in parameter.opts}
    assert {"--out", "--machine", "--constraints", "--planned-portal", "--criteria", "--json"} <= known


def test_the_child_finds_the_packages_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    child = ChildProcess([*intrepid(), "--help"], environment())
    finished(child)
    assert child.exit_code == 0
    assert "reconstruct" in child.output


def test_progress_bars_arrive_line_by_line_and_output_is_kept_apart():
    code = "import sys; sys.stderr.write('a: 10%|#| 1/10\\ra: 20%|##| 2/10\\nend'); print('{\"x\": 1}')"
    child = ChildProcess([sys.executable, "-c", code])
    messages = finished(child)
    assert [progress_percent(m) for m in messages] == [10, 20, None]
    assert [step_name(m) for m in messages] == ["a", "a", "end"]
    assert json.loads(child.output) == {"x": 1}


def test_a_child_that_writes_more_than_a_pipe_holds_is_not_stuck():
    child = ChildProcess([sys.executable, "-c", "import sys; [print('x' * 99, file=sys.stderr) for _ in range(20000)]"])
    assert len(finished(child)) == 20000
    assert child.exit_code == 0


# Ends as ``intrepid`` does: a request to end is an interruption.
WAITING = """\
import signal, sys, time
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    print("ready", file=sys.stderr, flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("cleaned", file=sys.stderr)
    sys.exit(2)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no polite way to end another process")
def test_cancelling_lets_the_child_clean_up():
    child = ChildProcess([sys.executable, "-c", WAITING])
    while child.poll() != ["ready"]:
        time.sleep(0.02)
    child.cancel()
    assert finished(child) == ["cleaned"]
    assert child.exit_code == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no polite way to end another process")
def test_cancelling_reaches_the_program_behind_a_launcher():
    """PythonSlicer starts Python as a child of its own."""
    child = ChildProcess(["/bin/sh", "-c", f"{sys.executable} -c '{WAITING}'; true"])
    while child.poll() != ["ready"]:
        time.sleep(0.02)
    child.cancel()
    assert finished(child) == ["cleaned"]


@pytest.fixture
def interrupts_ignored():
    """As in a Slicer that was started in the background of a script: children inherit it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no polite way to end another process")
def test_a_reconstruction_is_cancelled_though_interrupts_are_ignored(tmp_path, interrupts_ignored):
    write_study(tmp_path / "study")
    profile = write_profile(tmp_path / "profile.json")
    job = Job(tmp_path / "study", tmp_path / "new" / "out", machine=profile)
    child, end = ChildProcess(command_line(job), environment()), time.monotonic() + 120
    while not list(job.output.glob(".unfinished-*")) and child.is_running and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.3)
    assert child.is_running
    child.cancel()
    messages = finished(child, seconds=120)
    assert child.exit_code == 2
    assert messages[-1].startswith("intrepid: Interrupted")
    assert "Traceback" not in " ".join(messages)
    assert not (tmp_path / "new").exists()


def test_results_are_summarised_with_reasons_for_what_is_absent(tmp_path):
    results = {
        "verdict": {"status": "fail", "reasons": ["Too low."]},
        "gamma_3d": [
            {"dose_percent": 3.0, "distance_mm": 3.0, "pass_rate_percent": 89.96, "n_points": 12345},
            {"dose_percent": 2.0, "distance_mm": 2.0, "pass_rate_percent": None, "reason": "No RTDOSE."},
        ],
        "warnings": ["Old profile."],
    }
    (tmp_path / "results.json").write_text(json.dumps(results))
    summary = read_summary(tmp_path)
    assert (summary.verdict, summary.reasons, summary.warnings) == ("fail", ("Too low.",), ("Old profile.",))
    assert summary.gamma == ("3 % / 3 mm: 90.0 % of 12,345 points", "2 % / 2 mm: not computed. No RTDOSE.")


def test_missing_packages_are_found_by_their_requirement_lines(tmp_path):
    (tmp_path / "requirements.txt").write_text("# comment\nnumpy>=2\nno_such_package_here>=1.0  # why\n")
    assert missing_packages(tmp_path / "requirements.txt") == ["no_such_package_here>=1.0"]
    assert missing_packages(MODULE / "Resources" / "requirements.txt") == []


def test_the_sample_study_is_unpacked_once_more_each_time(tmp_path):
    with zipfile.ZipFile(tmp_path / "thorax.zip", "w") as archive:
        archive.writestr("CT/1.dcm", b"x")
    for _ in range(2):
        study = unpack_sample(tmp_path, tmp_path / "work")
    assert (study / "CT" / "1.dcm").is_file()
    with pytest.raises(MissingObject, match="holds no packed sample study"):
        unpack_sample(tmp_path / "work", tmp_path)


def test_panel_file_and_form_know_the_same_names():
    source = (MODULE / "SlicerInTrEPID.py").read_text(encoding="utf-8")
    form = ElementTree.parse(MODULE / "Resources" / "UI" / "SlicerInTrEPID.ui")
    widgets = {widget.get("name") for widget in form.iter("widget")}
    assert set(re.findall(r"self\.ui\.(\w+)", source)) <= widgets
    bound = {p.findtext("string") for p in form.iter("property") if p.get("name") == "SlicerParameterName"}
    parameters = (MODULE / "SlicerInTrEPIDLib" / "panel" / "parameters.py").read_text(encoding="utf-8")
    node = next(n for n in ast.parse(parameters).body if getattr(n, "name", "") == "SlicerInTrEPIDParameterNode")
    fields = {statement.target.id for statement in node.body if isinstance(statement, ast.AnnAssign)}
    assert bound == fields - {"model", "refinement"}  # their choices are not known beforehand: kept by hand
