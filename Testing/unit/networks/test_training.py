"""A tiny model learns; its runs leave what is needed to repeat them."""

import json

import numpy as np
import pytest

from intrepid_cli.main import run
from intrepid_epid.dataset.manifest import load_manifest
from intrepid_epid.networks.settings import PRESETS, runs

torch = pytest.importorskip("torch")


def test_a_tiny_model_learns(trained, toy_dataset, tmp_path, capsys):
    errors = {}
    for model in ("physics", str(trained / "model")):
        capsys.readouterr()
        arguments = ["evaluate", str(toy_dataset), "--model", model, "--out", str(tmp_path / "out"), "--json"]
        assert run(arguments) == 0
        errors[model] = json.loads(capsys.readouterr().out)["overall"]["mae_percent"]["mean"]
    assert errors["physics"] > 2.0
    assert errors[str(trained / "model")] < 0.5 * errors["physics"]


def test_every_run_leaves_settings_seed_curves_and_metrics(trained):
    settings = json.loads((trained / "settings.json").read_text())
    assert settings["settings"]["epochs"] == 20
    assert len(settings["dataset_sha256"]) == 64
    results = sorted((trained / "runs").glob("*/result.json"))
    assert len(results) == 2
    for path in results:
        result = json.loads(path.read_text())
        assert len(result["epochs"]) == 20
        assert {"train_loss", "validation_error_percent", "learning_rate"} <= set(result["epochs"][0])
        assert result["seed"] > 0
        errors = [epoch["validation_error_percent"] for epoch in result["epochs"]]
        assert result["validation_error_percent"] == min(errors)
        assert result["best_epoch"] == 1 + int(np.argmin(errors))
        assert not (path.parent / "state.safetensors").exists()


def test_no_group_leaks_and_test_pairs_are_never_trained_on(trained, toy_dataset):
    manifest = load_manifest(toy_dataset)
    group = {pair.id: pair.fold_group for pair in manifest.pairs}
    split = {pair.id: pair.split for pair in manifest.pairs}
    judged = []
    for path in (trained / "runs").glob("*/result.json"):
        result = json.loads(path.read_text())
        train, validation = result["train_pairs"], result["validation_pairs"]
        assert not {group[one] for one in train} & {group[one] for one in validation}
        assert {split[one] for one in (*train, *validation)} == {"train"}
        judged += validation
    assert sorted(judged) == sorted(pair.id for pair in manifest.of_split("train"))


def test_going_on_with_other_settings_is_refused(trained, toy_dataset, capsys):
    assert run(["train", str(toy_dataset), "--out", str(trained), "--folds", "2", "--epochs", "13"]) == 2
    assert "another" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preset", "huge"], "'huge'; choose founding or small"),
        (["--filters", "eight"], "--filters 'eight'"),
        (["--variant", "magic"], "'magic'"),
        (["--inputs", "magic"], "'magic'"),
        (["--epochs", "0"], "at least 1"),
        (["--folds", "99"], "99 folds"),
        (["--device", "abacus"], "choose cpu, cuda or mps"),
        (["--scheduler", "tcp://127.0.0.1:1"], "No Dask scheduler answers"),
        (["--inputs", "field"], "'field'"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(toy_dataset, tmp_path, capsys, options, message):
    code = run(["train", str(toy_dataset), "--out", str(tmp_path / "runs"), "--epochs", "1", *options])
    printed = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 2, printed
    assert message in printed


def test_the_founding_protocol_has_its_1200_runs_of_150_epochs():
    settings = PRESETS["founding"]
    names = [run.id for run in runs(settings)]
    assert len(set(names)) == 1200
    assert len({run.seed(settings.seed) for run in runs(settings)}) == 1200
    assert (settings.epochs, settings.folds, settings.repeats, settings.variant) == (150, 5, 10, "unet")
    assert settings.filters == (8, 16)
    assert settings.learning_rates == (1e-2, 1e-3, 1e-4)
    assert settings.batch_sizes == (4, 8, 16, 32)


def test_a_grid_search_takes_the_best_configuration_and_early_stopping_stops(toy_dataset, tmp_path, capsys):
    out = tmp_path / "runs"
    options = ["--epochs", "8", "--patience", "2", "--folds", "2", "--learning-rates", "1,0.002", "--inputs", ""]
    assert run(["train", str(toy_dataset), "--out", str(out), *options, "--batch-sizes", "12", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["runs"] == 4
    assert result["members"] == 2
    assert result["configuration"] == "f08_lr0.002_b12"
    lengths = {len(json.loads(p.read_text())["epochs"]) for p in (out / "runs").glob("*lr1_*/result.json")}
    assert min(lengths) < 8
