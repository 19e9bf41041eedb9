"""Loops of the physics, written once as what one turn does, and the device that runs them.

A turn is one ray, one pixel, one line of voxels: a function of numbers and arrays that numba compiles for the CPU and
for CUDA alike. Turns know nothing of each other, so that a device may run them in any order and all at once.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.errors import InvalidSetting

# An array where a device can reach it: of numpy on the CPU, of numba.cuda on a CUDA device.
DeviceArray = Any


@dataclass(frozen=True)
class Loop:
    """A loop whose turns do not depend on each other.

    Parameters
    ----------
    turn : callable
        ``turn(number, scratch, *arguments)``, compiled by numba: does one turn. ``scratch`` is an array of float32 of
        its own, whose content is arbitrary when the turn begins.
    on_cpu : callable
        ``on_cpu(turns, scratch_size, arguments)``, compiled by numba: runs all turns on the threads of the CPU. It is
        written beside every turn because numba keeps compiled code on disk only for functions of a module.
    """

    turn: Callable[..., None]
    on_cpu: Callable[..., None]


class Device(Protocol):
    """What runs loops."""

    @property
    def name(self) -> str:
        """As ``--device`` says it."""

    def put(self, array: NDArray) -> DeviceArray:
        """Return the array, contiguous, where turns can read it again and again."""

    def updated(self, array: NDArray) -> AbstractContextManager[DeviceArray]:
        """Hand out an array that turns may change; when the context ends, the contiguous ``array`` has the changes."""

    def run(self, loop: Loop, turns: int, *arguments: Any, scratch: int = 0, at_once: int | None = None) -> None:
        """Run all turns of a loop.

        Parameters
        ----------
        scratch : int
            How many numbers of float32 are each turn's own.
        at_once : int, optional
            Turns that may run at the same time, if not all: so many begin after those before them have ended.
        """

    @property
    def sums(self) -> int:
        """How many sums turns that would write to one voxel are dealt out to, whatever the number of threads."""

    def side_by_side(self, lines: int) -> int:
        """Return how many of ``lines`` neighbouring lines one turn should take together."""


class Cpu:
    """The threads of numba."""

    name = "cpu"
    sums = 8

    def put(self, array: NDArray) -> NDArray:
        """Return the array, contiguous."""
        return np.ascontiguousarray(array)

    def updated(self, array: NDArray) -> AbstractContextManager[NDArray]:
        """Hand out the array itself."""
        return nullcontext(array)

    def run(self, loop: Loop, turns: int, *arguments: Any, scratch: int = 0, at_once: int | None = None) -> None:
        """Run all turns, shared out to the threads as the loop itself provides."""
        loop.on_cpu(turns, scratch, arguments)

    def side_by_side(self, lines: int) -> int:
        """All of them: neighbours are computed together by vector instructions."""
        return lines


CPU = Cpu()


def physics_device(name: str) -> Device:
    """Return where the physics computes under ``--device NAME``; "mps", which runs networks only, leaves it on the CPU.

    Raises
    ------
    InvalidSetting
        The name is none of cpu, cuda, cuda:1, mps, or there is no such CUDA device.
    MissingObject
        What numba needs for CUDA is not installed.
    """
    kind, number = device_kind(name)
    if kind != "cuda":
        return CPU
    from intrepid_epid.compute.cuda_device import cuda_device

    return cuda_device(number)


def device_kind(name: str) -> tuple[str, int]:
    """Split the name of a device into its kind and number.

    Raises
    ------
    InvalidSetting
        Not cpu, cuda or mps, or numbered otherwise than "cuda:1".

    Examples
    --------
    >>> device_kind("cuda:1")
    ('cuda', 1)
    """
    kind, colon, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (colon and not (kind == "cuda" and number.isdecimal())):
        raise InvalidSetting(f"--device {name}: choose cpu, cuda or mps, or cuda:1 for the second CUDA device.")
    return kind, int(number or 0)
