"""A trained toy model, shared by the tests that need one."""

import pytest

from intrepid_cli.main import run
from toy_dataset import write_toy_dataset


@pytest.fixture(scope="session")
def toy_dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "dataset"
    write_toy_dataset(folder, size=32, pixel_mm=8.0, n_train=24, n_validation=8, n_test=6)
    return folder


@pytest.fixture(scope="session")
def trained(toy_dataset, tmp_path_factory):
    """Folder of the runs of a small training."""
    out = tmp_path_factory.mktemp("runs") / "toy"
    arguments = ["train", str(toy_dataset), "--out", str(out), "--folds", "2", "--epochs", "20", "--batch-sizes", "4"]
    assert run([*arguments, "--learning-rates", "0.004", "--name", "toy", "--about", "toy pairs"]) == 0
    return out
