"""Where the physics computes: names, refusals, and the memory it takes there."""

from importlib.util import find_spec

import numpy as np
import pytest
from numba import cuda

import device_cases
from intrepid_cli.main import run
from intrepid_epid import superposition
from intrepid_epid.beam_model import generic_spectrum
from intrepid_epid.compute.device import CPU, physics_device
from intrepid_epid.terma import released_energy
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.grids import Grid, affine_from_axes


@pytest.mark.parametrize("name", ["cpu", "mps"])
def test_what_leaves_the_physics_on_the_cpu(name):
    assert physics_device(name) is CPU


@pytest.mark.parametrize("name", ["abacus", "cuda:x", "cuda:", "cpu:1", ""])
def test_a_name_that_is_none(name):
    with pytest.raises(InvalidSetting, match="choose cpu, cuda or mps"):
        physics_device(name)


@pytest.mark.skipif(cuda.is_available(), reason="this machine has CUDA")
def test_without_a_cuda_device_one_line_says_what_it_takes(tmp_path, capsys):
    out = tmp_path / "out"
    assert run(["reconstruct", str(tmp_path), "--out", str(out), "--device", "cuda"]) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("intrepid: --device cuda: ")
    assert ("slicer-intrepid[cuda]" in line) == (find_spec("numba_cuda") is None)
    assert line.endswith("Use --device cpu.")
    assert not out.exists()


def test_a_whole_ct_fits_on_a_device():
    """Bytes per voxel that energy and superposition hold at a time, times the voxels of a CT in full resolution."""
    device = device_cases.Recorder()
    grid = Grid(np.ones((40, 50, 60), np.float32), affine_from_axes((-90, -75, -60), (3, 3, 3)))
    beam = PrimaryBeam(anatomy_of(grid, device), generic_spectrum(), beam_frame(30.0, (0, 0, 0)))
    fluence = device_cases.image(20, 5.0)
    superposition.superposed(released_energy(beam, fluence.with_values(fluence.values + 1.0)), beam)
    per_voxel = device.most_bytes / grid.values.size
    assert 20 < per_voxel < 24
    assert per_voxel * 512 * 512 * 200 < 2e9


def test_one_sum_is_the_sum_of_eight():
    """A CUDA device adds up all directions in one array, the CPU in eight; only the order of additions differs."""
    one = device_cases.superposition_on_random_grid(device_cases.Recorder())
    np.testing.assert_allclose(one, device_cases.superposition_on_random_grid(CPU), rtol=5e-6)
