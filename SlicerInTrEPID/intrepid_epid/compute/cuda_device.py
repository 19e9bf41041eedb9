"""A CUDA device that runs the loops of the physics, one thread for every turn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numba import config, cuda, float32
from numpy.typing import NDArray

from intrepid_epid.compute.device import DeviceArray, Loop
from intrepid_rt.errors import InvalidSetting, MissingObject

THREADS_PER_BLOCK = 128


def cuda_device(number: int = 0) -> "CudaDevice":
    """Return a CUDA device by its number.

    Raises
    ------
    MissingObject
        NVIDIA's target of numba is not installed; the one within numba lacks functions the loops call.
    InvalidSetting
        There is no such device, or no driver or compiler for it.
    """
    if find_spec("numba_cuda") is None and not config.ENABLE_CUDASIM:
        raise MissingObject(
            "--device cuda: the physics needs numba-cuda, not installed here: pip install 'slicer-intrepid[cuda]'. "
            "Use --device cpu."
        )
    if not cuda.is_available():
        raise InvalidSetting("--device cuda: numba finds no NVIDIA device with its driver here. Use --device cpu.")
    if number >= len(cuda.gpus):
        raise InvalidSetting(f"--device cuda:{number}: this machine has {len(cuda.gpus)} of them. Use --device cpu.")
    return CudaDevice(number)


class CudaDevice:
    """Memory and threads of one CUDA device."""

    sums = 1

    def __init__(self, number: int) -> None:
        self.name = f"cuda:{number}"
        self._gpu = cuda.gpus[number]

    def put(self, array: NDArray) -> DeviceArray:
        """Copy an array to the device."""
        with self._gpu:
            return cuda.to_device(np.ascontiguousarray(array))

    @contextmanager
    def updated(self, array: NDArray) -> Iterator[DeviceArray]:
        """Hand out a copy on the device and bring it back at the end."""
        on_device = self.put(array)
        yield on_device
        with self._gpu:
            on_device.copy_to_host(array)

    def run(self, loop: Loop, turns: int, *arguments: Any, scratch: int = 0, at_once: int | None = None) -> None:
        """Run all turns; arrays of numpy among the arguments are copied to the device for this run."""
        reachable = tuple(self.put(a) if isinstance(a, np.ndarray) else a for a in arguments)
        launched = kernel(loop.turn, scratch)
        with self._gpu:
            for first in range(0, turns, at_once or max(turns, 1)):
                last = min(turns, first + (at_once or turns))
                launched[-(-(last - first) // THREADS_PER_BLOCK), THREADS_PER_BLOCK](first, last, reachable)

    def side_by_side(self, lines: int) -> int:
        """One: every line has a thread, and the threads of neighbours read neighbouring voxels."""
        return min(lines, 1)


@cache
def kernel(turn: Callable[..., None], scratch_size: int) -> Any:
    """Return the CUDA kernel, not yet compiled for any types, whose threads do one turn each."""
    size = max(1, scratch_size)

    @cuda.jit
    def every_turn(first, last, arguments):  # type: ignore[no-untyped-def]
        number = first + cuda.grid(1)
        if number < last:
            turn(number, cuda.local.array(size, float32), *arguments)

    return every_turn
