"""Which stretch along the normal each contour plane stands for: mid-planes between neighbours, end caps, gaps."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from intrepid_dvh.contour_geometry import ContourStack, PlaneRegion, inside_ring
from intrepid_rt.errors import UnsupportedGeometry
from intrepid_rt.structures import Structure

EndCaps = Literal["none", "half_slice", "rounded"]

# A gap wider than this many typical spacings separates two parts, even if one lies above the other.
LONGEST_BRIDGE = 4.0
# A gap wider than this many spacings is worth a word, and separates parts that do not lie above one another.
ORDINARY_GAP = 1.5


@dataclass(frozen=True, eq=False)
class Slabs:
    """Contour planes in connected parts, each plane with the stretch ``low_mm[i]..high_mm[i]`` it stands for.

    ``part`` (n,) numbers the parts from 0; ``spacing_mm`` (n,) is the spacing used for the caps of each plane's part.
    """

    low_mm: NDArray
    high_mm: NDArray
    part: NDArray
    spacing_below_mm: NDArray
    spacing_above_mm: NDArray
    warnings: tuple[str, ...] = ()

    @property
    def thickness_mm(self) -> NDArray:
        """(n,) thickness of each slab."""
        return self.high_mm - self.low_mm


def slabs_of(stack: ContourStack, *, end_caps: EndCaps, slice_spacing_mm: float | None = None) -> Slabs:
    """Give each contour plane its stretch along the normal.

    Between two planes the boundary is half way, also when spacings differ or a plane is missing. At the ends of a part
    ``half_slice`` adds half the spacing to the neighbouring plane; ``none`` stops at the plane; ``rounded`` leaves the
    cap to shape interpolation and equals ``none`` here. A part of a single plane gets one whole slice with any setting,
    because a contour that was drawn has an extent.

    Parameters
    ----------
    slice_spacing_mm : distance between image slices; used for parts of one plane. Defaults to the structure's own
        typical spacing.

    Raises
    ------
    UnsupportedGeometry
        The structure has a single plane and no slice spacing is known.
    """
    w = stack.w_mm
    gaps = np.diff(w)
    typical = _typical_spacing(gaps, slice_spacing_mm)
    if typical is None:
        raise UnsupportedGeometry(
            "The structure has contours in a single plane, so its thickness is unknown; give slice_spacing_mm."
        )
    separates, warnings = _separating_gaps(stack, gaps, typical)
    below, above = _neighbour_spacing(gaps, separates, slice_spacing_mm or typical)
    first, last = np.append(True, separates), np.append(separates, True)
    cap = 0.5 if end_caps == "half_slice" else 0.0
    lone = first & last
    if lone.any():
        warnings.append(f"{lone.sum()} plane(s) without neighbours count as one slice thick.")
    low = w - below * np.where(lone, 0.5, np.where(first, cap, 0.5))
    high = w + above * np.where(lone, 0.5, np.where(last, cap, 0.5))
    return Slabs(low, high, np.cumsum(first) - 1, below, above, tuple(warnings))


def common_slice_spacing_mm(structures: Iterable[Structure]) -> float | None:
    """Return the distance between contour planes that occurs most often in a structure set; None without neighbours.

    It stands for the distance between the image slices, which RTSTRUCT does not state.
    """
    gaps: Counter[float] = Counter()
    for structure in structures:
        heights = np.unique([round(float(contour[:, 2].mean()), 2) for contour in structure.contours])
        gaps.update(np.round(np.diff(heights), 2).tolist())
    return min(gaps, key=lambda gap: (-gaps[gap], gap)) if gaps else None


def _typical_spacing(gaps: NDArray, slice_spacing_mm: float | None) -> float | None:
    return float(np.median(gaps)) if gaps.size else slice_spacing_mm


def _separating_gaps(stack: ContourStack, gaps: NDArray, typical: float) -> tuple[NDArray, list[str]]:
    separates = np.zeros(gaps.size, bool)
    warnings: list[str] = []
    for i in np.flatnonzero(gaps > ORDINARY_GAP * typical):
        below, above = stack.regions[i], stack.regions[i + 1]
        separates[i] = gaps[i] > LONGEST_BRIDGE * typical or not _overlap(below, above)
        answer = "separate parts" if separates[i] else "bridged as missing planes"
        warnings.append(
            f"No contour between {below.w_mm:.1f} and {above.w_mm:.1f} mm (typical spacing {typical:.2g} mm): {answer}."
        )
    return separates, warnings


def _overlap(a: PlaneRegion, b: PlaneRegion) -> bool:
    """Whether a point of one region's outlines lies within the other."""
    return any(
        sum(inside_ring(x, y, q.points_mm, q.starts[r], q.starts[r + 1]) for r in range(len(q.starts) - 1)) % 2
        for p, q in ((a, b), (b, a))
        for x, y in p.points_mm
    )


def _neighbour_spacing(gaps: NDArray, separates: NDArray, lone_mm: float) -> tuple[NDArray, NDArray]:
    """Spacing below and above each plane; at the end of a part that of its other side, without any ``lone_mm``."""
    inner = np.where(separates, np.nan, gaps)
    below, above = np.append(np.nan, inner), np.append(inner, np.nan)
    return (
        np.where(np.isnan(below), np.where(np.isnan(above), lone_mm, above), below),
        np.where(np.isnan(above), np.where(np.isnan(below), lone_mm, below), above),
    )
