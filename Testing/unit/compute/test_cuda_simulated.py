"""The loops of the physics under numba's CUDA simulator: the very kernels, thread by thread, without a device."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import device_cases
from intrepid_epid.compute.device import CPU


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Both variables are read when numba is imported, hence a process of its own."""
    out = tmp_path_factory.mktemp("simulated") / "results.npz"
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    made = subprocess.run(
        [sys.executable, str(Path(device_cases.__file__)), "cuda", str(out)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    with np.load(out) as results:
        return dict(results)


@pytest.fixture(scope="module")
def on_cpu():
    return device_cases.results(CPU)


@pytest.mark.parametrize("case", ["rays", "single scatter", "released energy", "superposition", "arc"])
def test_cuda_kernels_give_what_the_cpu_gives(simulated, on_cpu, case):
    expected = on_cpu[case]
    assert np.count_nonzero(expected) > 0.05 * expected.size
    # Sums of float32 in another order, and exponentials that the CPU takes in vector instructions.
    np.testing.assert_allclose(simulated[case], expected, rtol=2e-5, atol=5e-6 * float(np.abs(expected).max()))


def test_it_was_the_cuda_device_that_computed(simulated):
    assert str(simulated["device"]) == "cuda:0"
