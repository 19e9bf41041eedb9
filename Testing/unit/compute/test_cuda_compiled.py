"""The kernels of the physics through the real compiler for CUDA, which needs no device but NVIDIA's NVVM."""

from importlib.util import find_spec
from types import SimpleNamespace

import pytest
from numba import cuda, int64
from numba.cuda.cudadrv import nvvm

import device_cases
from intrepid_epid.compute.cuda_device import kernel


@pytest.fixture
def device(monkeypatch):
    """Functions that a kernel calls are compiled for the present device; an Ampere stands for it."""
    if find_spec("numba_cuda") is None or not nvvm.is_available():
        pytest.skip("NVIDIA's compiler is not installed: pip install 'slicer-intrepid[cuda]'")
    monkeypatch.setattr("numba.cuda.dispatcher.get_current_device", lambda: SimpleNamespace(compute_capability=(8, 0)))
    return device_cases.Recorder()


def test_every_kernel_compiles_to_ptx_that_calls_nothing_else(device):
    device_cases.results(device)
    assert {loop.turn.__name__ for loop, _, _ in device.kernels} == {"_ray", "_pixel", "_line", "_strip"}
    for loop, scratch, arguments in device.kernels:
        threads = kernel(loop.turn, scratch).py_func
        ptx, _ = cuda.compile_ptx(threads, (int64, int64, arguments), cc=(8, 0))
        assert ".entry" in ptx
        # An unresolved helper of the CPU, to allocate or to raise, would show as an external function.
        assert ".extern .func" not in ptx, loop.turn.__name__
