"""A structure as a pile of thin prisms: covered cells in plane, a stretch along the normal."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_dvh.contour_geometry import ContourStack
from intrepid_dvh.coverage import Coverage, cover
from intrepid_dvh.slabs import Slabs


@dataclass(frozen=True, eq=False)
class Section:
    """One prism: its covered cells and the stretch ``low_mm..high_mm`` along the stack's normal.

    ``outlines`` are closed rings (n, 2) in mm; ``bottom`` and ``top`` say whether that face is an end of the structure;
    ``weight`` is the share of the prism that belongs to the structure.
    """

    coverage: Coverage
    outlines: list[NDArray]
    low_mm: float
    high_mm: float
    bottom: bool
    top: bool
    weight: float = 1.0


def linear_sections(stack: ContourStack, slabs: Slabs, cell_mm: float) -> Iterator[Section]:
    """Yield prisms whose share falls linearly from 1 at their plane to 0 at its neighbours, and whole ones for caps.

    Area and dose then go linearly from plane to plane: the volume is that of the trapezoidal rule.
    """
    w_mm, last = stack.w_mm, len(stack.regions) - 1
    for i, region in enumerate(stack.regions):
        coverage = cover(region, cell_mm)
        for step, face_mm in ((-1, slabs.low_mm[i]), (1, slabs.high_mm[i])):
            j = i + step
            if 0 <= j <= last and slabs.part[j] == slabs.part[i]:
                yield from _fading(coverage, float(w_mm[i]), float(w_mm[j]))
            elif face_mm != w_mm[i]:
                low, high = sorted((float(w_mm[i]), float(face_mm)))
                yield Section(coverage, region.rings, low, high, step < 0, step > 0)


def _fading(coverage: Coverage, from_mm: float, to_mm: float) -> Iterator[Section]:
    layers = max(4, math.ceil(abs(to_mm - from_mm) / coverage.cell_mm))
    edges = np.linspace(from_mm, to_mm, layers + 1)
    for layer in range(layers):
        low, high = sorted(edges[layer : layer + 2].tolist())
        yield Section(coverage, [], low, high, False, False, weight=1.0 - (layer + 0.5) / layers)


def slab_sections(stack: ContourStack, slabs: Slabs, cell_mm: float) -> Iterator[Section]:
    """Yield one right prism per contour plane."""
    n = len(stack.regions)
    for i, region in enumerate(stack.regions):
        bottom = i == 0 or slabs.part[i - 1] != slabs.part[i]
        top = i == n - 1 or slabs.part[i + 1] != slabs.part[i]
        if slabs.high_mm[i] > slabs.low_mm[i]:
            low, high = float(slabs.low_mm[i]), float(slabs.high_mm[i])
            yield Section(cover(region, cell_mm), region.rings, low, high, bottom, top)
