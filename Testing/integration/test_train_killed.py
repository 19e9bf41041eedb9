"""Training that is killed, and training on a cluster: the same models as undisturbed and alone."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from toy_dataset import write_toy_dataset

pytest.importorskip("torch")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
OPTIONS = ["--folds", "2", "--epochs", "14", "--batch-sizes", "4", "--checkpoint-seconds", "0", "--threads", "1"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toys") / "dataset"
    write_toy_dataset(folder, size=16, n_train=24)
    return folder


def command(dataset, out, *more):
    start = [sys.executable, "-c", "from intrepid_cli.main import main; main()"]
    return [*start, "train", str(dataset), "--out", str(out), *OPTIONS, *more]


@pytest.fixture(scope="module")
def undisturbed(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "runs"
    subprocess.run(command(dataset, out), check=True, env=ENVIRONMENT, capture_output=True)
    return out


def saved_epochs(out):
    """Epochs that are on the disk, in states and results."""
    from safetensors import SafetensorError, safe_open

    total = 0
    for folder in (out / "runs").glob("*"):
        result, state = folder / "result.json", folder / "state.safetensors"
        try:
            if result.exists():
                total += len(json.loads(result.read_text())["epochs"])
            elif state.exists():
                with safe_open(str(state), "np") as file:
                    total += len(json.loads(file.metadata()["progress"])["epochs"])
        except (OSError, SafetensorError):
            continue  # replaced at this moment
    return total


def assert_same_models(one, other):
    from safetensors.numpy import load_file

    names = sorted(path.name for path in (one / "runs").iterdir())
    assert names == sorted(path.name for path in (other / "runs").iterdir())
    for name in names:
        results = [json.loads((out / "runs" / name / "result.json").read_text()) for out in (one, other)]
        losses = [[epoch["train_loss"] for epoch in result["epochs"]] for result in results]
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)
        weights = [load_file(out / "runs" / name / "best.safetensors") for out in (one, other)]
        for key in weights[0]:
            np.testing.assert_allclose(weights[0][key], weights[1][key], atol=1e-6, err_msg=f"{name} {key}")
    cards = [json.loads((out / "model" / "card.json").read_text()) for out in (one, other)]
    assert cards[0]["members"] == cards[1]["members"]
    bands = [[one["quantile"] for one in card["calibrations"]] for card in cards]
    np.testing.assert_allclose(bands[0], bands[1], rtol=1e-3)


def test_killed_five_times_it_ends_with_the_same_results(dataset, undisturbed, tmp_path):
    rng = random.Random(7)
    out, kills = tmp_path / "runs", 0
    total = 2 * 14
    while kills < 5:
        before = saved_epochs(out)
        process = subprocess.Popen(command(dataset, out), env=ENVIRONMENT, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        wanted = min(before + rng.randint(1, 5), total - 2)  # leave something to be killed
        while saved_epochs(out) < wanted and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.05))
        assert process.poll() is None, "finished before it was killed five times"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert saved_epochs(out) >= before
        kills += 1
    subprocess.run(command(dataset, out), check=True, env=ENVIRONMENT, capture_output=True)
    assert_same_models(undisturbed, out)


def started(arguments, pattern):
    """Start a Dask process and wait until it says what is looked for."""
    process = subprocess.Popen(arguments, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        found = re.search(pattern, line)
        if found:
            return process, found[1]
    raise AssertionError(f"{arguments} ended")


def test_two_workers_in_two_processes_give_the_models_of_one(dataset, undisturbed, tmp_path):
    pytest.importorskip("distributed")
    dask = [sys.executable, "-m", "dask"]
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]
    scheduler, address = started([*dask, "scheduler", *options], r"Scheduler at:\s*(tcp://\S+)")
    workers = []
    try:
        for number in range(2):
            place = ["--local-directory", str(tmp_path / f"worker{number}"), "--nthreads", "1", "--no-dashboard"]
            worker, _ = started([*dask, "worker", address, *place], r"Registered to:\s*(\S+)")
            workers.append(worker)
        out = tmp_path / "runs"
        subprocess.run(command(dataset, out, "--scheduler", address), check=True, env=ENVIRONMENT, capture_output=True)
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()
            process.stderr.close()
    assert_same_models(undisturbed, out)
