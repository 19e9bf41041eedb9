"""Runs that cannot finish: interrupted, no place to write, disk full. They end with code 2 and leave nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chain_study import write_profile, write_study
from intrepid_cli.main import run
from intrepid_rt.atomic import staged_folder
from intrepid_rt.errors import OutputNotWritable


@pytest.fixture
def arguments(tmp_path):
    write_study(tmp_path / "study")
    profile = write_profile(tmp_path / "profile.json")
    return ["reconstruct", str(tmp_path / "study"), "--machine", str(profile), "--out"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "asked to end"])
def test_interrupted(tmp_path, arguments, how):
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", "from intrepid_cli.main import main; main()", *arguments, str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        # The folder for unfinished results appears when the work begins.
        while not list(out.glob(".unfinished-*")) and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(how)
        printed, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 2, said
    assert printed == ""
    assert said.strip().splitlines()[-1].startswith("intrepid: Interrupted")
    assert "Traceback" not in said
    assert "Secret" not in said
    assert not out.exists()


def test_place_that_is_no_folder(tmp_path, arguments, capsys):
    place = tmp_path / "file"
    place.write_text("not a folder")
    assert run([*arguments, str(place)]) == 2
    assert "could not be written" in capsys.readouterr().err
    assert place.read_text() == "not a folder"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_place_without_permission(tmp_path, arguments, capsys):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert run([*arguments, str(tmp_path / "locked" / "out")]) == 2
    assert "Permission denied" in capsys.readouterr().err


def test_disk_that_fills_up(tmp_path, arguments, capsys, monkeypatch):
    """The last of the files does not fit: the ones before it go as well."""
    text = Path.write_text

    def full(path, *rest, **more):
        if path.name == "results.json":
            raise OSError(28, "No space left on device", str(path))
        return text(path, *rest, **more)

    monkeypatch.setattr(Path, "write_text", full)
    monkeypatch.setattr("intrepid_cli.verification.outputs._scene", lambda result, path: [])
    monkeypatch.setattr("intrepid_cli.verification.outputs.write_report", lambda result, path: None)
    assert run([*arguments, str(tmp_path / "deep" / "out")]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "No space left on device" in line
    assert "Free space" in line
    assert not (tmp_path / "deep").exists()


def test_earlier_results_survive_a_failure(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.json").write_text("earlier")

    def fill():
        with staged_folder(tmp_path / "out") as stage:
            (stage / "results.json").write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputNotWritable, match="Free space"):
        fill()
    assert (tmp_path / "out" / "results.json").read_text() == "earlier"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.json"]


def test_finished_results_replace_earlier_ones(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.json").write_text("earlier")
    (tmp_path / "out" / "note.txt").write_text("mine")
    with staged_folder(tmp_path / "out") as stage:
        (stage / "results.json").write_text("new")
    assert (tmp_path / "out" / "results.json").read_text() == "new"
    assert (tmp_path / "out" / "note.txt").read_text() == "mine"
