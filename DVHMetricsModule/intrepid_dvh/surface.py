"""Points on the surface of a structure, where a dose that rises or falls throughout has its extrema."""

import math

import numpy as np
from numpy.typing import NDArray

from intrepid_dvh.contour_geometry import ContourStack
from intrepid_dvh.sections import Section


def wall_points(section: Section, pitch_mm: float) -> NDArray:
    """Points (n, 3) on the outlines of a prism, at its bottom, its top and between, at most ``pitch_mm`` apart."""
    outline = np.concatenate([dense_ring(ring, pitch_mm) for ring in section.outlines]) if section.outlines else None
    if outline is None:
        return np.empty((0, 3))
    levels = levels_mm(section, pitch_mm)
    return np.column_stack([np.tile(outline, (levels.size, 1)), np.repeat(levels, len(outline))])


def contour_points(stack: ContourStack, pitch_mm: float) -> NDArray:
    """Points (n, 3) on all contours in their planes, at most ``pitch_mm`` apart, in the stack's frame."""
    dense = [(region.w_mm, dense_ring(ring, pitch_mm)) for region in stack.regions for ring in region.rings]
    return np.concatenate([np.column_stack([ring, np.full(len(ring), w_mm)]) for w_mm, ring in dense])


def levels_mm(section: Section, pitch_mm: float) -> NDArray:
    """Heights from bottom to top of a prism, both included."""
    return np.linspace(section.low_mm, section.high_mm, 1 + math.ceil((section.high_mm - section.low_mm) / pitch_mm))


def face_points(section: Section, inner: NDArray, layers: int) -> list[NDArray]:
    """Return the samples of one layer moved to the bottom and top face, where these are ends of the structure."""
    one_layer = inner[: len(inner) // layers]
    faces = [w for w, is_end in ((section.low_mm, section.bottom), (section.high_mm, section.top)) if is_end]
    return [np.column_stack([one_layer[:, :2], np.full(len(one_layer), w)]) for w in faces]


def dense_ring(ring: NDArray, pitch_mm: float) -> NDArray:
    """Insert points on the edges of a closed ring (n, 2), so that none is longer than ``pitch_mm``."""
    edges = np.roll(ring, -1, axis=0) - ring
    parts = np.maximum(1, np.ceil(np.hypot(*edges.T) / pitch_mm).astype(int))
    edge = np.repeat(np.arange(len(ring)), parts)
    first = np.repeat(np.cumsum(parts) - parts, parts)
    step = (np.arange(edge.size) - first) / parts[edge]
    return ring[edge] + step[:, None] * edges[edge]
