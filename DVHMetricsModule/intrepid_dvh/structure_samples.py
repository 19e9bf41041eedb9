"""Positions inside a structure and the volume each stands for: built once, used for any number of doses."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intrepid_dvh.contour_geometry import ContourStack
from intrepid_dvh.enclosure import ContourEnclosure
from intrepid_dvh.sections import Section, linear_sections, slab_sections
from intrepid_dvh.shape_interpolation import blended_sections
from intrepid_dvh.slabs import EndCaps, Slabs, slabs_of
from intrepid_dvh.surface import contour_points, face_points, wall_points
from intrepid_rt.errors import InvalidSetting, MissingObject
from intrepid_rt.structures import Structure

BetweenPlanes = Literal["slab", "linear", "shape"]

# About this many samples: the error of a volume falls with their number to the power -2/3, and is then below 1e-4.
TARGET_SAMPLES = 250_000
FINEST_CELL_MM, COARSEST_CELL_MM = 0.05, 2.5
FINEST_SURFACE_MM = 0.25


@dataclass(frozen=True, eq=False)
class StructureSamples:
    """Where to look up the dose of a structure.

    Parameters
    ----------
    positions_lps_mm : (n, 3) LPS mm.
    volume_cc : (n,) volume for which each position stands; 0 for positions on the surface, which count for extrema.
    cell_mm : in-plane pitch of the samples.
    encloses : tells for LPS positions (n, 3) whether they are inside.
    warnings : what had to be decided about the contours.

    Examples
    --------
    >>> square = np.array([[0, 0, 5], [20, 0, 5], [20, 20, 5], [0, 20, 5]], float)
    >>> box = Structure("Box", 1, (square, square + [0, 0, 10]))
    >>> round(StructureSamples.of(box).structure_volume_cc, 6)
    8.0
    """

    name: str
    positions_lps_mm: NDArray
    volume_cc: NDArray
    cell_mm: float
    encloses: Callable[[NDArray], NDArray]
    warnings: tuple[str, ...] = ()

    @property
    def structure_volume_cc(self) -> float:
        """Volume of the structure, from the same positions that carry the dose."""
        return float(self.volume_cc.sum())

    @cached_property
    def bounds_lps_mm(self) -> NDArray:
        """(2, 3) lowest and highest LPS coordinates in mm."""
        return _bounds(self.positions_lps_mm)

    @classmethod
    def of(
        cls,
        structure: Structure,
        *,
        end_caps: EndCaps | None = None,
        between_planes: BetweenPlanes = "slab",
        slice_spacing_mm: float | None = None,
        cell_mm: float | None = None,
    ) -> Self:
        """Fill a structure with samples.

        Parameters
        ----------
        end_caps : what lies beyond the first and last contour of a part: ``"none"``, ``"half_slice"`` (default) or
            ``"rounded"`` (default with, and only with, ``"shape"``).
        between_planes : ``"slab"`` extends each contour to half way to its neighbours; ``"linear"`` lets area and dose
            go linearly from plane to plane; ``"shape"`` blends the outlines of neighbouring planes.
        slice_spacing_mm : distance between the image slices, needed for structures of a single contour plane.
        cell_mm : in-plane pitch; by default chosen so that the volume error stays below 1e-4.

        Raises
        ------
        MissingObject
            The structure has no contour that encloses an area.
        UnsupportedGeometry
            Contours that are not planar and parallel, or a single plane without ``slice_spacing_mm``.
        InvalidSetting
            An unknown or impossible combination of settings.
        """
        caps = _checked_caps(end_caps, between_planes)
        stack = ContourStack.of(structure)
        if not stack.regions:
            raise MissingObject(f"{structure.name} has no closed contour, hence no volume and no DVH.")
        slabs = slabs_of(stack, end_caps=caps, slice_spacing_mm=slice_spacing_mm)
        cell = cell_mm or _cell_size(stack, slabs)
        sections = _sections(stack, slabs, cell, caps, between_planes)
        positions, volumes = _fill(sections, stack, cell)
        warnings = stack.warnings + slabs.warnings
        enclosure = ContourEnclosure(stack, slabs, blended=between_planes != "slab")
        return cls(structure.name, positions, volumes, cell, enclosure, warnings)


def _checked_caps(end_caps: EndCaps | None, between_planes: BetweenPlanes) -> EndCaps:
    if between_planes not in ("slab", "linear", "shape"):
        raise InvalidSetting(f"between_planes is {between_planes!r}; expected 'slab', 'linear' or 'shape'.")
    caps = end_caps or ("rounded" if between_planes == "shape" else "half_slice")
    if caps not in ("none", "half_slice", "rounded"):
        raise InvalidSetting(f"end_caps is {caps!r}; expected 'none', 'half_slice' or 'rounded'.")
    if caps == "rounded" and between_planes != "shape":
        raise InvalidSetting("Rounded end caps follow the taper of the shape: use between_planes='shape'.")
    return caps


def _cell_size(stack: ContourStack, slabs: Slabs) -> float:
    areas = np.array([region.area_mm2 for region in stack.regions])
    volume_mm3 = float(areas @ slabs.thickness_mm)
    cube = np.cbrt(volume_mm3 / TARGET_SAMPLES)
    layer = min(cube, float(np.average(slabs.thickness_mm, weights=areas)))
    cell = math.sqrt(volume_mm3 / (TARGET_SAMPLES * layer)) if layer > 0 else FINEST_CELL_MM
    return float(np.clip(cell, FINEST_CELL_MM, COARSEST_CELL_MM))


def _sections(
    stack: ContourStack, slabs: Slabs, cell_mm: float, end_caps: EndCaps, between_planes: BetweenPlanes
) -> Iterable[Section]:
    if between_planes == "slab":
        return slab_sections(stack, slabs, cell_mm)
    if between_planes == "linear":
        return linear_sections(stack, slabs, cell_mm)
    return blended_sections(stack, slabs, cell_mm, end_caps)


def _fill(sections: Iterable[Section], stack: ContourStack, cell_mm: float) -> tuple[NDArray, NDArray]:
    """Collect inner samples and surface points of all sections as LPS positions and volumes in cm3."""
    uvw, volumes, count = [], [], 0
    surface_mm = max(cell_mm, FINEST_SURFACE_MM)
    for section in sections:
        c = section.coverage
        layers = max(1, round((section.high_mm - section.low_mm) / cell_mm))
        inner, volume_cc = _inner_samples(
            c.fraction,
            c.centroid_u,
            c.centroid_v,
            c.corner_mm,
            c.cell_mm,
            section.low_mm,
            section.high_mm,
            layers,
            section.weight / 1000.0,
            count,
        )
        count += len(inner)
        outer = [wall_points(section, surface_mm), *face_points(section, inner, layers)]
        uvw += [inner, *outer]
        volumes += [volume_cc, *(np.zeros(len(points)) for points in outer)]
    outlines = contour_points(stack, surface_mm)
    uvw.append(outlines)
    volumes.append(np.zeros(len(outlines)))
    return stack.to_lps(np.concatenate(uvw)), np.concatenate(volumes)


@njit(cache=True)
def _bounds(positions: NDArray) -> NDArray:
    # NumPy reduces a long array of three columns slowly.
    low, high = positions[0].copy(), positions[0].copy()
    for p in range(len(positions)):
        for axis in range(3):
            # Not min and max: their care for NaN makes this loop three times as long.
            if positions[p, axis] < low[axis]:
                low[axis] = positions[p, axis]
            if positions[p, axis] > high[axis]:
                high[axis] = positions[p, axis]
    return np.stack((low, high))


@njit(cache=True)
def _inner_samples(
    fraction: NDArray,
    mean_u: NDArray,
    mean_v: NDArray,
    corner_mm: tuple[float, float],
    cell_mm: float,
    low_mm: float,
    high_mm: float,
    layers: int,
    cc_per_mm3: float,
    count: int,
) -> tuple[NDArray, NDArray]:
    """Take one sample per covered cell and layer, at a scattered place within what the cell covers."""
    n_v, n_u = fraction.shape
    n = layers * np.count_nonzero(fraction)
    uvw, volume = np.empty((n, 3)), np.empty(n)
    thickness = (high_mm - low_mm) / layers
    s = 0
    for layer in range(layers):
        for j in range(n_v):
            for i in range(n_u):
                covered = fraction[j, i]
                if covered == 0.0:
                    continue
                a, b, c = scattered(count + s)
                u, v = mean_u[j, i], mean_v[j, i]
                # All the way to the nearest walls in a box, half of it in a triangle: so that a sample of a partly
                # covered cell stays in its covered part.
                reach = max(0.5, 1.0 - 3.0 * min(abs(u - 0.5), abs(v - 0.5)))
                u += reach * min(u, 1.0 - u) * (2.0 * a - 1.0)
                v += reach * min(v, 1.0 - v) * (2.0 * b - 1.0)
                uvw[s, 0] = corner_mm[0] + (i + u) * cell_mm
                uvw[s, 1] = corner_mm[1] + (j + v) * cell_mm
                uvw[s, 2] = low_mm + (layer + c) * thickness
                volume[s] = covered * cell_mm * cell_mm * thickness * cc_per_mm3
                s += 1
    return uvw, volume


@njit(cache=True)
def scattered(n: int) -> tuple[float, float, float]:
    """Three numbers in 0..1 that look random but are the same in every run; each second triple mirrors the one before.

    Samples at the middle of their cells would share doses row by row and give the curve stairs; regular offsets beat
    with the rows. The mixing is that of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
    """
    x = np.uint64(n >> 1) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    low = np.uint64(0x1FFFFF)
    a = (float(x & low) + 0.5) / 2097152.0
    b = (float((x >> np.uint64(21)) & low) + 0.5) / 2097152.0
    c = (float((x >> np.uint64(42)) & low) + 0.5) / 2097152.0
    return (a, b, c) if n % 2 == 0 else (1.0 - a, 1.0 - b, 1.0 - c)
