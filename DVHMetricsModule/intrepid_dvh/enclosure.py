"""Whether positions lie within a structure."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intrepid_dvh.contour_geometry import ContourStack, inside_ring
from intrepid_dvh.slabs import Slabs


@dataclass(frozen=True, eq=False)
class ContourEnclosure:
    """Contours with the stretch each stands for; where contours are blended, both neighbours have to enclose."""

    stack: ContourStack
    slabs: Slabs
    blended: bool

    def __call__(self, positions_lps_mm: NDArray) -> NDArray:
        """Tell for each position (n, 3) whether it is inside."""
        uvw = positions_lps_mm @ self.stack.axes_lps.T
        lower, upper, reached = self._planes(uvw[:, 2])
        inside = np.zeros(len(uvw), bool)
        order = np.flatnonzero(reached)
        if order.size == 0:
            return inside
        order = order[np.argsort(lower[order], kind="stable")]
        planes, first = np.unique(lower[order], return_index=True)
        for plane, here in zip(planes, np.split(order, first[1:]), strict=True):
            for each in {plane, upper[here[0]]}:
                region = self.stack.regions[each]
                here = here[_inside_region(uvw[here], region.points_mm, region.starts)]
            inside[here] = True
        return inside

    def _planes(self, w_mm: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Return the planes below and above each height (one plane for slabs), and whether both are there."""
        slabs, last = self.slabs, len(self.stack.regions) - 1
        if not self.blended:
            lower = np.searchsorted(slabs.low_mm, w_mm, side="right") - 1
            return lower, lower, (lower >= 0) & (w_mm <= slabs.high_mm[lower])
        lower = np.searchsorted(self.stack.w_mm, w_mm, side="right") - 1
        upper = np.minimum(lower + 1, last)
        return lower, upper, (lower >= 0) & (upper > lower) & (slabs.part[lower] == slabs.part[upper])


@njit(cache=True)
def _inside_region(uvw: NDArray, points: NDArray, starts: NDArray) -> NDArray:
    inside = np.zeros(len(uvw), np.bool_)
    for ring in range(starts.size - 1):
        start, stop = starts[ring], starts[ring + 1]
        # Most of the positions asked for are in the corners of the structure's box, beyond any outline.
        low_u, high_u = points[start:stop, 0].min(), points[start:stop, 0].max()
        low_v, high_v = points[start:stop, 1].min(), points[start:stop, 1].max()
        for p in range(len(uvw)):
            u, v = uvw[p, 0], uvw[p, 1]
            if low_u <= u <= high_u and low_v <= v <= high_v:
                inside[p] ^= inside_ring(u, v, points, start, stop)
    return inside
