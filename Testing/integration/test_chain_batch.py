"""``intrepid reconstruct --batch``: finished studies are kept, a kill loses at most what was under way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pydicom
import pytest

from chain_study import write_profile, write_study
from dask_processes import dask_cluster
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


def test_a_dask_cluster_gives_the_doses_of_this_machine(folder, tmp_path, capsys):
    pytest.importorskip("distributed")
    here, there = folder / "out", tmp_path / "out"
    assert run([*arguments(folder), "--jobs", "2"]) == 2  # kept where the test above has made them
    for name in ("a", "b", "damaged"):
        shutil.copytree(folder / "studies" / name, tmp_path / "studies" / name)
    command = ["reconstruct", str(tmp_path / "studies"), "--out", str(there), "--batch", "--json",
               "--machine", str(folder / "profile.json")]  # fmt: skip
    capsys.readouterr()
    with dask_cluster(tmp_path / "dask") as address:
        assert run([*command, "--scheduler", address]) == 2
        told = {one["study"]: one["state"] for one in json.loads(capsys.readouterr().out)["studies"]}
        assert told == {"a": "done", "b": "done", "damaged": "failed"}
    assert not (there / "damaged").exists()
    for study in ("a", "b"):
        one, other = (pydicom.dcmread(out / study / "RTDOSE_total.dcm") for out in (here, there))
        assert one.DoseGridScaling == other.DoseGridScaling
        np.testing.assert_array_equal(one.pixel_array, other.pixel_array)


def test_a_batch_on_no_cluster_is_refused(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("intrepid_rt.distribution.cluster._CONNECT_S", 1)
    command = ["reconstruct", str(folder / "studies"), "--out", str(tmp_path / "x"), "--batch"]
    assert run([*command, "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "No Dask scheduler answers" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_jobs_need_a_batch(folder, capsys):
    study = folder / "studies" / "a"
    assert run(["reconstruct", str(study), "--out", str(folder / "x"), "--jobs", "2"]) == 2
    assert "--batch" in capsys.readouterr().err
