"""Networks compute where they are told, and a device that is not there is refused before anything is read."""

import pytest

from chain_phantoms import soft_field
from intrepid_cli.main import run
from intrepid_cli.verification.device import check_device
from intrepid_cli.verification.settings import VerificationSettings
from intrepid_epid.networks.inputs import coarsened, network_input
from intrepid_epid.networks.model_grid import on_grid
from intrepid_epid.networks.network_model import portal_dose_model
from intrepid_epid.refinement.refinement_model import refinement_model
from intrepid_rt.errors import InvalidSetting
from toy_refinement import toy_beam, write_toy_refinement

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("name", ["abacus", "cuda:x", "cuda:99", "cpu:1"])
@pytest.mark.parametrize("command", ["reconstruct", "predict"])
def test_a_device_that_is_not_there(trained, tmp_path, capsys, name, command):
    given = [str(tmp_path / "study"), "--out", str(tmp_path / "out"), "--machine", str(tmp_path / "profile.json")]
    assert run([command, *given, "--model", str(trained / "model"), "--device", name]) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert f"--device {name}" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_where_there_is_none(tmp_path):
    with pytest.raises(InvalidSetting, match=r"offers no cuda\. Use --device cpu"):
        check_device(VerificationSettings(tmp_path, tmp_path / "out", refinement="simulated-6mv", device="cuda"))


def test_mps_runs_networks_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("intrepid_epid.networks.device.usable_device", lambda name: name)
    with pytest.raises(InvalidSetting, match="runs networks only; the physics stays on the CPU"):
        check_device(VerificationSettings(tmp_path, tmp_path / "out", device="mps"))
    check_device(VerificationSettings(tmp_path, tmp_path / "out", device="mps", refinement="simulated-6mv"))


def test_a_refinement_goes_to_its_device(tmp_path, monkeypatch):
    """torch's device "meta" computes shapes without numbers: only the way back from it must fail."""
    monkeypatch.setattr("intrepid_epid.networks.device.usable_device", lambda name: name)
    model = refinement_model(str(write_toy_refinement(tmp_path / "toy")), device="meta")
    assert {part.device.type for member in model.members for part in member.parameters()} == {"meta"}
    dose, beam = toy_beam()
    with pytest.raises(NotImplementedError, match="copy out of meta tensor"):
        model.refine(dose, beam, energy="6 MV")


def test_a_portal_network_goes_to_its_device(trained, monkeypatch):
    monkeypatch.setattr("intrepid_epid.networks.device.usable_device", lambda name: name)
    model = portal_dose_model(str(trained / "model"), device="meta")
    assert {part.device.type for member in model.ensemble.members for part in member.parameters()} == {"meta"}
    physics, grid = soft_field(45.0, 35.0, n=128, pixel=3.2, edge_mm=4.0), model.card.grid
    plane = coarsened(on_grid(physics, grid.size_px, grid.pixel_mm), grid.block_px)
    with pytest.raises(NotImplementedError, match="copy out of meta tensor"):
        model.ensemble.doses_gy(network_input(plane, plane, model.card.inputs), physics)
