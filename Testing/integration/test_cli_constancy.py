"""``intrepid simulate``, ``commission``, ``constancy`` and ``dataset`` one after the other, as a clinic would."""

import json

import pytest

from intrepid_cli.main import run
from intrepid_epid.machine_profile import load_profile

SMALL = ["pixels=96", "pixel_mm=4.32"]


def simulate(folder, *options, seed=2, count=1):
    more = [word for option in (*SMALL, *options) for word in ("--machine-option", option)]
    return run(
        ["simulate", "phantoms", str(folder), "--count", str(count), "--seed", str(seed), "--primaries", "400", *more]
    )


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clinic")
    assert simulate(folder / "set", count=9) == 0
    assert run(["commission", str(folder / "set" / "open_fields"), "--out", str(folder / "p.json")]) == 0
    return folder


def test_the_machine_of_the_day_of_commissioning_passes(clinic, capsys):
    code = run(["constancy", str(clinic / "set" / "open_fields"), "--machine", str(clinic / "p.json"), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["passed"]
    assert max(abs(field["dose_percent"]) for field in found["fields"]) < 0.1
    assert load_profile(clinic / "p.json").quality.linearity.worst_percent == pytest.approx(0.0, abs=0.1)


def test_an_output_three_percent_higher_fails(clinic, tmp_path, capsys):
    assert simulate(tmp_path / "today", "photons_per_cm2_mu=1.40286e9") == 0
    capsys.readouterr()
    args = ["constancy", str(tmp_path / "today" / "open_fields"), "--machine", str(clinic / "p.json")]
    assert run([*args, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [field["dose_percent"] for field in found["fields"]] == pytest.approx([3.0] * len(found["fields"]), abs=0.15)
    assert run([*args, "--dose-percent", "4"]) == 0
    assert run([*args, "--dose-percent", "0"]) == 2


def test_a_dataset_of_the_set_is_built_and_checked(clinic, tmp_path, capsys):
    args = [str(clinic / "set"), "--out", str(tmp_path / "d"), "--machine", str(clinic / "p.json")]
    assert run(["dataset", "build", *args, "--size-px", "64", "--pixel-mm", "3.5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["split"] == {"train": 9, "validation": 0, "test": 0}
    assert run(["dataset", "check", str(tmp_path / "d"), "--json"]) == 0
    capsys.readouterr()
    next((tmp_path / "d" / "pairs").glob("*.npz")).write_bytes(b"other")
    assert run(["dataset", "check", str(tmp_path / "d")]) == 2
    assert "its hash differs" in capsys.readouterr().err
