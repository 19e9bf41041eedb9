"""Solids in a linear dose, with DVHs known on paper: the kind of set of Nelms et al., Med. Phys. 42 (2015) 4435-4448.

A sphere, and a cylinder and a cone with their axis along SI (z) or AP (y), all 24 mm across and high, in a dose of
16 Gy + 1 Gy/mm along SI or AP. Two truths: the contours as right prisms with half-slice caps (what contours say), and
the solid itself (what the contours were drawn from).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.grids import DoseGrid, affine_from_axes
from intrepid_rt.structures import Structure

RADIUS_MM, HEIGHT_MM, CENTRE_GY, GRADIENT_GY_PER_MM = 12.0, 24.0, 16.0, 1.0
DOSE_METRICS = ("Dmin", "Dmax", "Dmean", "D99", "D95", "D5", "D1", "D0.03cc")


@dataclass(frozen=True)
class Solid:
    """A solid of revolution; ``outline(z)`` is its convex cross-section (n, 2) at height z, None beyond it.

    ``flat_low`` and ``flat_high`` say at which ends it is cut flat, so that a half-slice cap lengthens it.
    """

    name: str
    outline: Callable[[float], NDArray | None]
    flat_low: bool = False
    flat_high: bool = False


def _disc(radius: float) -> NDArray | None:
    if radius < 1e-6:
        return None
    angle = np.linspace(0.0, 2 * np.pi, 361)[:-1]
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def _sphere(z: float) -> NDArray | None:
    return _disc(np.sqrt(max(RADIUS_MM**2 - z**2, 0.0)))


def _cylinder_axial(z: float) -> NDArray | None:
    return _disc(RADIUS_MM) if abs(z) <= HEIGHT_MM / 2 + 1e-9 else None


def _cone_axial(z: float) -> NDArray | None:
    return _disc(RADIUS_MM * (HEIGHT_MM / 2 - z) / HEIGHT_MM) if abs(z) <= HEIGHT_MM / 2 + 1e-9 else None


def _cylinder_rotated(z: float) -> NDArray | None:
    half = np.sqrt(max(RADIUS_MM**2 - z**2, 0.0))
    y = HEIGHT_MM / 2
    return np.array([[-half, -y], [half, -y], [half, y], [-half, y]]) if half > 1e-6 else None


def _cone_rotated(z: float) -> NDArray | None:
    """Apex towards +y: at height z the cross-section is a piece of a hyperbola on its base."""
    if abs(z) >= RADIUS_MM - 1e-6:
        return None
    radius = np.linspace(RADIUS_MM, abs(z), 200)
    half = np.sqrt(np.maximum(radius**2 - z**2, 0.0))
    y = HEIGHT_MM / 2 - radius * HEIGHT_MM / RADIUS_MM
    return np.column_stack([np.concatenate([half, -half[-2::-1]]), np.concatenate([y, y[-2::-1]])])


SOLIDS = (
    Solid("sphere", _sphere),
    Solid("cylinder axial", _cylinder_axial, flat_low=True, flat_high=True),
    Solid("cylinder rotated", _cylinder_rotated),
    Solid("cone axial", _cone_axial, flat_low=True),
    Solid("cone rotated", _cone_rotated),
)


def planes(solid: Solid, spacing_mm: float, *, shift_mm: float = 0.0) -> list[tuple[float, NDArray]]:
    """Heights and outlines of the contours at multiples of the spacing, shifted."""
    n = round(20.0 / spacing_mm)
    heights = spacing_mm * np.arange(-n, n + 1) + shift_mm
    return [(float(z), outline) for z in heights if (outline := solid.outline(float(z))) is not None]


def structure(solid: Solid, spacing_mm: float, *, shift_mm: float = 0.0) -> Structure:
    """The contours of a solid as RTSTRUCT holds them."""
    contours = (np.column_stack([xy, np.full(len(xy), z)]) for z, xy in planes(solid, spacing_mm, shift_mm=shift_mm))
    return Structure(solid.name, 1, tuple(contours))


def dose_grid(direction: str, spacing_mm: float, *, shift_mm: float = 0.0) -> DoseGrid:
    """A linear dose on a grid that reaches 20 mm to all sides, its voxel centres shifted along all axes."""
    n = int(np.ceil(20.0 / spacing_mm))
    position = spacing_mm * np.arange(-n, n + 1) + shift_mm
    dose = CENTRE_GY + GRADIENT_GY_PER_MM * position
    shape = (dose.size,) * 3
    values = np.broadcast_to(dose[:, None, None] if direction == "SI" else dose[None, :, None], shape)
    return DoseGrid(np.ascontiguousarray(values), affine_from_axes((position[0],) * 3, (spacing_mm,) * 3))


def truth(prisms: list[tuple[float, float, NDArray]], direction: str) -> dict[str, float]:
    """The volume (cc) and dose metrics (Gy) of right prisms (low, high, outline) in the linear dose, by quadrature."""
    position = np.linspace(-16.0, 16.0, 12801)
    beyond = np.zeros_like(position)
    for low, high, outline in prisms:
        if direction == "SI":
            beyond += area_beyond(outline, np.array([-100.0]))[0] * (high - np.clip(position, low, high))
        else:
            beyond += area_beyond(outline, position) * (high - low)
    volume = beyond[0]
    ends = [low for low, *_ in prisms] + [high for _, high, _ in prisms]
    along = np.array(ends) if direction == "SI" else np.concatenate([outline[:, 1] for *_, outline in prisms])
    extent = (position >= along.min() - 0.01) & (position <= along.max() + 0.01)

    def hottest(volume_mm3: float) -> float:
        return CENTRE_GY + GRADIENT_GY_PER_MM * float(np.interp(-volume_mm3, -beyond[extent], position[extent]))

    middle = np.sum(-np.diff(beyond) * 0.5 * (position[1:] + position[:-1])) / volume
    return {
        "V": volume / 1000.0,
        "Dmin": CENTRE_GY + GRADIENT_GY_PER_MM * float(along.min()),
        "Dmax": CENTRE_GY + GRADIENT_GY_PER_MM * float(along.max()),
        "Dmean": CENTRE_GY + GRADIENT_GY_PER_MM * float(middle),
        **{f"D{p}": hottest(p / 100.0 * volume) for p in (99, 95, 5, 1)},
        "D0.03cc": hottest(30.0),
    }


def area_beyond(outline: NDArray, y: NDArray) -> NDArray:
    """Area of a convex outline, symmetric about x = 0, at coordinates of at least ``y``."""
    right = outline[outline[:, 0] >= 0]
    right = right[np.lexsort((right[:, 0], right[:, 1]))]
    nodes = np.unique(np.concatenate([right[:, 1], np.clip(y, right[0, 1], right[-1, 1])]))
    chord = 2.0 * np.interp(nodes, right[:, 1], right[:, 0])
    pieces = 0.5 * (chord[1:] + chord[:-1]) * np.diff(nodes)
    return np.interp(y, nodes, np.append(np.cumsum(pieces[::-1])[::-1], 0.0))


def prisms_of_contours(solid: Solid, spacing_mm: float, *, shift_mm: float = 0.0) -> list[tuple[float, float, NDArray]]:
    """What the contours say: each stands for half a spacing to both sides."""
    half = spacing_mm / 2
    return [(z - half, z + half, xy) for z, xy in planes(solid, spacing_mm, shift_mm=shift_mm)]


def prisms_of_solid(solid: Solid, spacing_mm: float, *, fine_mm: float = 0.05) -> list[tuple[float, float, NDArray]]:
    """The solid itself, flat ends lengthened by the half slice that contours at these ends stand for."""
    half = fine_mm / 2
    n = round(HEIGHT_MM / fine_mm)
    middles = -HEIGHT_MM / 2 + fine_mm * (np.arange(n) + 0.5)
    prisms = [(z - half, z + half, solid.outline(float(z))) for z in middles]
    end = HEIGHT_MM / 2
    if solid.flat_low:
        prisms.insert(0, (-end - spacing_mm / 2, -end, solid.outline(-end)))
    if solid.flat_high:
        prisms.append((end, end + spacing_mm / 2, solid.outline(end)))
    return [(low, high, xy) for low, high, xy in prisms if xy is not None]
