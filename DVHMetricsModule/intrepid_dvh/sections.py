"""A structure as a pile of thin prisms: covered cells in plane, a stretch along the normal."""

from collections.abc import Iterator
from dataclasses import dataclass

from numpy.typing import NDArray

from intrepid_dvh.contour_geometry import ContourStack
from intrepid_dvh.coverage import Coverage, cover
from intrepid_dvh.slabs import Slabs


@dataclass(frozen=True, eq=False)
class Section:
    """One prism: its covered cells and the stretch ``low_mm..high_mm`` along the stack's normal.

    ``outlines`` are closed rings (n, 2) in mm; ``bottom`` and ``top`` say whether that face is an end of the structure.
    """

    coverage: Coverage
    outlines: list[NDArray]
    low_mm: float
    high_mm: float
    bottom: bool
    top: bool

    @property
    def volume_mm3(self) -> float:
        """Volume of the prism."""
        return self.coverage.area_mm2 * (self.high_mm - self.low_mm)


def slab_sections(stack: ContourStack, slabs: Slabs, cell_mm: float) -> Iterator[Section]:
    """Yield one right prism per contour plane."""
    n = len(stack.regions)
    for i, region in enumerate(stack.regions):
        bottom = i == 0 or slabs.part[i - 1] != slabs.part[i]
        top = i == n - 1 or slabs.part[i + 1] != slabs.part[i]
        if slabs.high_mm[i] > slabs.low_mm[i]:
            low, high = float(slabs.low_mm[i]), float(slabs.high_mm[i])
            yield Section(cover(region, cell_mm), region.rings, low, high, bottom, top)
