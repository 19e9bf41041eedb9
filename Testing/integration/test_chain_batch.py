"""``intrepid reconstruct --batch``: finished studies are kept, a kill loses at most what was under way."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from chain_study import write_profile, write_study
from intrepid_cli.main import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("batch")
    write_profile(made / "profile.json")
    for name in ("a", "b", "c"):
        write_study(made / "studies" / name, names=("AP",), gantry_deg=(0.0,))
    (made / "studies" / "damaged").mkdir()
    (made / "studies" / "damaged" / "x.dcm").write_bytes(b"no DICOM")
    return made


def arguments(folder):
    return ["reconstruct", str(folder / "studies"), "--out", str(folder / "out"), "--batch",
            "--machine", str(folder / "profile.json"), "--json"]  # fmt: skip


def test_a_killed_batch_goes_on_where_it_stopped(folder, capsys):
    command = [sys.executable, "-c", "import sys; from intrepid_cli.main import main; sys.exit(main())"]
    process = subprocess.Popen(
        [*command, *arguments(folder), "--jobs", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 600
    while not (folder / "out" / "a" / "scene.mrb").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    first = (folder / "out" / "a" / "results.json").read_bytes()
    assert not (folder / "out" / "c").exists()

    code = run([*arguments(folder), "--jobs", "1"])
    told = {one["study"]: one for one in json.loads(capsys.readouterr().out)["studies"]}
    assert code == 2
    assert told["a"]["state"] == "kept"
    assert (told["b"]["state"], told["c"]["state"]) == ("done", "done")
    assert told["damaged"]["state"] == "failed"
    assert "DICOM" in told["damaged"]["reason"]
    assert (folder / "out" / "a" / "results.json").read_bytes() == first

    # Another setting is another result; a result that lost a file is none.
    (folder / "out" / "b" / "report.html").unlink()
    assert run([*arguments(folder), "--jobs", "2"]) == 2
    told = {one["study"]: one["state"] for one in json.loads(capsys.readouterr().out)["studies"]}
    assert told == {"a": "kept", "b": "done", "c": "kept", "damaged": "failed"}


def test_jobs_need_a_batch(folder, capsys):
    study = folder / "studies" / "a"
    assert run(["reconstruct", str(study), "--out", str(folder / "x"), "--jobs", "2"]) == 2
    assert "--batch" in capsys.readouterr().err
