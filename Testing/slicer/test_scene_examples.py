"""The examples run: with the verification itself replaced by a synthetic result, which has its own tests."""

import ast
import csv
import importlib
import runpy
import sys
from pathlib import Path

import pytest

from intrepid_rt.errors import UnusableInput
from SlicerInTrEPIDLib import command
from SlicerInTrEPIDLib.command import Job, Summary, run
from synthetic_verification import synthetic_result, without_plan

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_ten_lines_of_python_run_the_job(tmp_path, monkeypatch, capsys):
    asked = []

    def reconstruct(settings):
        asked.append(settings)
        return without_plan(synthetic_result())

    monkeypatch.setattr("intrepid_cli.reconstruct.reconstruct", reconstruct)
    monkeypatch.setattr(sys, "argv", ["ten_lines.py", "study", "profile.json", "out"])
    runpy.run_path(str(EXAMPLES / "ten_lines.py"), run_name="__main__")
    assert (asked[0].study_dir, asked[0].machine) == (Path("study"), Path("profile.json"))
    printed = capsys.readouterr().out
    assert printed.startswith("not judged\nThe study holds no RTDOSE")
    assert printed.endswith(f"{Path('out') / 'report.html'}\n")


def test_it_is_ten_lines():
    code = (EXAMPLES / "ten_lines.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in code if line.strip() and not line.startswith('"""')]) == 10


def test_the_batch_goes_on_after_a_bad_study_and_says_so(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        (tmp_path / "studies" / name).mkdir(parents=True)

    def fake_run(job, **_):
        if job.study.name == "b":
            raise UnusableInput("No CT found.")
        return Summary("pass", ("Good.",), ("3 % / 3 mm: 99.0 % of 10 points",), ())

    monkeypatch.setattr(command, "run", fake_run)
    main = runpy.run_path(str(EXAMPLES / "batch_in_slicer.py"))["main"]
    assert main(str(tmp_path / "studies"), str(tmp_path / "out")) == 1
    with (tmp_path / "out" / "summary.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["study", "verdict", "details"],
        ["a", "pass", "3 % / 3 mm: 99.0 % of 10 points; Good."],
        ["b", "not done", "No CT found."],
        ["c", "pass", "3 % / 3 mm: 99.0 % of 10 points; Good."],
    ]


def test_running_a_job_gives_the_command_lines_own_message(tmp_path):
    """A real child process: an empty folder is refused with exit code 2 and one line."""
    (tmp_path / "study").mkdir()
    messages = []
    with pytest.raises(UnusableInput, match=r"^intrepid: .*study"):
        run(Job(tmp_path / "study", tmp_path / "out"), on_message=messages.append)
    assert messages


def test_a_job_that_is_not_ready_names_every_reason(tmp_path):
    with pytest.raises(UnusableInput, match=r"study folder does not exist.*Choose the output folder"):
        run(Job(tmp_path / "none", None))


def test_the_console_example_uses_what_exists():
    pytest.importorskip("slicer")
    source = (EXAMPLES / "in_slicer_console.py").read_text(encoding="utf-8")
    imported = [n for n in ast.parse(source).body if isinstance(n, ast.ImportFrom) and "Lib" in (n.module or "")]
    assert len(imported) > 5
    for statement in imported:
        module = importlib.import_module(statement.module)
        assert all(hasattr(module, name.name) for name in statement.names), statement.module
    assert '"Dose reconstructed"' in source
