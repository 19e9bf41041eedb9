"""Points on the surface of a structure, where a dose that rises or falls throughout has its extrema."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intrepid_dvh.contour_geometry import ContourStack
from intrepid_dvh.sections import Section


def wall_points(section: Section, pitch_mm: float) -> NDArray:
    """Points (n, 3) on the outlines of a prism, at its bottom, its top and between, at most ``pitch_mm`` apart."""
    if not section.outlines:
        return np.empty((0, 3))
    levels = levels_mm(section, pitch_mm)
    return np.concatenate([_at_heights(dense_ring(ring, pitch_mm), levels) for ring in section.outlines])


def contour_points(stack: ContourStack, pitch_mm: float) -> NDArray:
    """Points (n, 3) on all contours in their planes, at most ``pitch_mm`` apart, in the stack's frame."""
    return np.concatenate(
        [
            _at_heights(dense_ring(ring, pitch_mm), np.array([region.w_mm]))
            for region in stack.regions
            for ring in region.rings
        ]
    )


def levels_mm(section: Section, pitch_mm: float) -> NDArray:
    """Heights (n,) in mm from bottom to top of a prism, both included, at most ``pitch_mm`` apart."""
    return np.linspace(section.low_mm, section.high_mm, 1 + math.ceil((section.high_mm - section.low_mm) / pitch_mm))


def face_points(section: Section, inner: NDArray, layers: int) -> list[NDArray]:
    """Return samples (n, 3) in mm of one layer moved to the bottom and top face, where these end the structure."""
    one_layer = inner[: len(inner) // layers]
    faces = [w for w, is_end in ((section.low_mm, section.bottom), (section.high_mm, section.top)) if is_end]
    return [_at_heights(one_layer, np.array([w])) for w in faces]


@njit(cache=True)
def dense_ring(ring: NDArray, pitch_mm: float) -> NDArray:
    """Insert points on the edges of a closed ring (n, 2), so that none is longer than ``pitch_mm``."""
    edges = np.empty_like(ring)
    edges[:-1], edges[-1] = ring[1:] - ring[:-1], ring[0] - ring[-1]
    parts = np.maximum(1, np.ceil(np.hypot(edges[:, 0], edges[:, 1]) / pitch_mm)).astype(np.int64)
    dense = np.empty((parts.sum(), 2))
    n = 0
    for p in range(len(ring)):
        for step in range(parts[p]):
            dense[n] = ring[p] + step / parts[p] * edges[p]
            n += 1
    return dense


@njit(cache=True)
def _at_heights(points_uv: NDArray, heights_mm: NDArray) -> NDArray:
    """Repeat points (n, 2 or more) at each height: (n * heights, 3)."""
    n = len(points_uv)
    uvw = np.empty((n * heights_mm.size, 3))
    for h in range(heights_mm.size):
        for p in range(n):
            uvw[h * n + p, 0], uvw[h * n + p, 1], uvw[h * n + p, 2] = points_uv[p, 0], points_uv[p, 1], heights_mm[h]
    return uvw
