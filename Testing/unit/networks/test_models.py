"""Weights and cards: what was changed, replaced or is foreign is refused, and nothing is ever unpickled."""

import json
import pickle
import shutil

import msgspec
import pytest

from intrepid_cli.main import run
from intrepid_epid.networks.card import Calibration, read_model, save_model

torch = pytest.importorskip("torch")


@pytest.fixture
def model(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("INTREPID_MODELS", str(tmp_path / "models"))
    return shutil.copytree(trained / "model", tmp_path / "model")


def refused(capsys, arguments, message):
    capsys.readouterr()
    code = run(arguments)
    printed = capsys.readouterr()
    assert code == 2, printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert message in printed.err
    assert printed.out == ""


def test_add_list_and_verify(model, tmp_path, capsys):
    assert run(["models", "add", str(model)]) == 0
    capsys.readouterr()
    assert run(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert rows["toy"]["energy"] == "6 MV"
    assert rows["toy"]["trained_on"] == "toy pairs"
    assert run(["models", "verify", "toy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verified"] is True
    refused(capsys, ["models", "add", str(model)], "is there already")
    refused(capsys, ["models", "add", str(model), "--name", "../x"], "cannot be the name")
    refused(capsys, ["models", "verify", "nobody"], "'nobody'; there are physics")
    assert run(["models", "add", str(model), "--name", "toy-2"]) == 0
    assert (tmp_path / "models" / "toy-2" / "card.json").is_file()


def test_the_card_says_what_one_should_know(model):
    card = json.loads((model / "card.json").read_text())
    assert card["data"]["about"] == "toy pairs"
    assert len(card["data"]["manifest_sha256"]) == 64
    assert (card["data"]["n_train"], card["data"]["n_test"]) == (24, 6)
    assert (card["machine"], card["energy"]) == ("LINAC1", "6 MV")
    assert "not for clinical decisions" in card["intended_use"]
    assert len(card["members"]) == len(card["member_errors_percent"]) == 2
    assert card["panel"]["vendor"] == "Elekta"
    assert {tuple(one["inputs"]) for one in card["calibrations"]} == {
        (), ("transmission",), ("thickness",), ("transmission", "thickness"),
    }  # fmt: skip


def test_one_changed_byte_of_the_weights(model, capsys):
    path = model / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    refused(capsys, ["models", "verify", str(model)], "its hash differs")


def test_weights_cut_short(model, capsys):
    path = model / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    refused(capsys, ["models", "verify", str(model)], "no safetensors file")


@pytest.mark.parametrize(("key", "value"), [("energy", "10 MV"), ("intended_use", "clinic"), ("machine", "other")])
def test_a_card_that_was_changed(model, capsys, key, value):
    card = json.loads((model / "card.json").read_text())
    card[key] = value
    (model / "card.json").write_text(json.dumps(card))
    refused(capsys, ["models", "verify", str(model)], "not the card these weights were saved with")


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (open, ("unpickled", "w"))


@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_pickle_is_never_loaded(model, tmp_path, monkeypatch, capsys, how):
    monkeypatch.chdir(tmp_path)
    path = model / "weights.safetensors"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Trap()))
    else:
        torch.save({"a": Trap()}, path)
    refused(capsys, ["models", "verify", str(model)], "never loaded")
    refused(capsys, ["models", "add", str(model)], "never loaded")
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [("no json", "not the card"), ('{"schema": "x"}', "not the card"), (None, "is no file")],
)
def test_a_folder_without_a_sound_card(model, capsys, content, message):
    path = model / "card.json"
    path.unlink() if content is None else path.write_text(content)
    expected = "No portal dose model is called" if content is None else message
    refused(capsys, ["models", "verify", str(model)], expected)
    refused(capsys, ["models", "add", str(model)], message)


def test_members_come_back_as_they_were_saved(model):
    stored = read_model(model)
    assert len(stored.weights) == 2
    assert "unet.last.weight" in stored.weights[0]
    assert not torch.equal(stored.weights[0]["unet.last.weight"], stored.weights[1]["unet.last.weight"])


def test_a_card_from_before_a_new_field_keeps_its_hash(model):
    """``share`` came later: a card without it, saved with its weights, is read and means 0."""
    stored = read_model(model)
    before = [
        msgspec.convert({k: v for k, v in msgspec.to_builtins(one).items() if k != "share"}, Calibration)
        for one in stored.card.calibrations
    ]
    old = msgspec.structs.replace(stored.card, calibrations=tuple(before))
    save_model(model, old, dict(zip(old.members, stored.weights, strict=True)))
    assert "share" not in (model / "card.json").read_text()
    assert [one.share for one in read_model(model).card.calibrations] == [0.0] * 4
