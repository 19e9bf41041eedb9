"""Generated anatomies to learn from: slabs, plugs, thoraces and heads of turned ellipsoids, none like another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from intrepid_rt.grids import Grid, affine_from_axes

KINDS = ("water", "slabs", "inserts", "thorax", "head")
AIR_G_CC = 0.0012
_MARGIN_MM = 10.0
_SUBVOXELS = (-0.25, 0.25)


@dataclass(frozen=True, eq=False)
class Body:
    """A turned solid of one density: superellipsoid of power ``power`` (2: ellipsoid, 20: nearly a box)."""

    density_g_cc: float
    centre_mm: NDArray
    half_mm: NDArray
    turn: NDArray
    power: float = 2.0

    def holds(self, position_mm: NDArray) -> NDArray:
        """Whether positions (..., 3) lie inside."""
        local = np.abs(((position_mm - self.centre_mm) @ self.turn) / self.half_mm)
        return (local**self.power).sum(axis=-1) <= 1.0


def generated_anatomy(kind: str, rng: np.random.Generator, *, voxel_mm: float = 2.5) -> Grid:
    """Draw an anatomy of a kind around the origin; return its mass density, the mean of 2 x 2 x 2 points per voxel.

    Raises
    ------
    KeyError
        The kind is none of ``KINDS``.
    """
    bodies = {"water": _water, "slabs": _slabs, "inserts": _inserts, "thorax": _thorax, "head": _head}[kind](rng)
    outline = bodies[0]
    reach = np.abs(outline.turn) @ outline.half_mm + _MARGIN_MM
    counts = np.ceil(2 * reach / voxel_mm).astype(int)
    origin = -(counts - 1) / 2 * voxel_mm
    density = np.zeros(counts[::-1], np.float32)
    j, i = np.meshgrid(np.arange(counts[1]), np.arange(counts[0]), indexing="ij")
    offsets = np.stack(np.meshgrid(_SUBVOXELS, _SUBVOXELS, _SUBVOXELS), axis=-1).reshape(-1, 1, 1, 3)
    for k in range(counts[2]):
        at = origin + (np.stack([i, j, np.full_like(i, k)], axis=-1) + offsets) * voxel_mm
        plane = np.full(at.shape[:-1], AIR_G_CC)
        for body in bodies:
            plane[body.holds(at)] = body.density_g_cc
        density[k] = plane.mean(axis=0)
    return Grid(density, affine_from_axes(origin, (voxel_mm,) * 3))


def _body(rng: np.random.Generator, density: float, centre, half, *, power=2.0, turned_deg=0.0) -> Body:  # type: ignore[no-untyped-def]
    turn = Rotation.from_euler("zyx", rng.uniform(-1, 1, 3) * turned_deg, degrees=True).as_matrix()
    return Body(float(density), np.asarray(centre, float), np.asarray(half, float), turn, power)


def _water(rng: np.random.Generator) -> list[Body]:
    half = rng.uniform((80, 50, 80), (135, 130, 130))
    return [_body(rng, rng.choice([1.0, 1.0, 1.03]), (0, 0, 0), half, power=float(rng.choice([2.0, 4.0, 40.0])))]


def _slabs(rng: np.random.Generator) -> list[Body]:
    half = rng.uniform((90, 75, 90), (125, 125, 120))
    bodies = [_body(rng, 1.0, (0, 0, 0), half, power=40.0)]
    y = -half[1] + rng.uniform(10, 45)
    while y < half[1] - 25:
        density, thick = _layer(rng)
        thick = min(thick, half[1] - 10 - y)
        bodies.append(_body(rng, density, (0, y + thick / 2, 0), (half[0], thick / 2, half[2]), power=40.0))
        y += thick + rng.uniform(8, 45)
    return bodies


def _layer(rng: np.random.Generator) -> tuple[float, float]:
    kind = rng.choice(["lung", "lung", "bone", "fat", "air"])
    low, high, thin, thick = {
        "lung": (0.18, 0.45, 30, 90), "bone": (1.2, 1.8, 6, 25), "fat": (0.9, 0.97, 15, 40),
        "air": (AIR_G_CC, AIR_G_CC, 6, 22),
    }[str(kind)]  # fmt: skip
    return rng.uniform(low, high), rng.uniform(thin, thick)


def _inserts(rng: np.random.Generator) -> list[Body]:
    half = rng.uniform((85, 75, 80), (120, 110, 110))
    bodies = [_body(rng, 1.0, (0, 0, 0), half, power=float(rng.choice([4.0, 40.0])))]
    for _ in range(int(rng.integers(4, 9))):
        density = rng.choice([rng.uniform(0.15, 0.5), rng.uniform(0.6, 0.95), rng.uniform(1.1, 1.75), AIR_G_CC])
        size = rng.uniform(8, 18 if density < 0.01 else 34, 3)
        bodies.append(_body(rng, density, rng.uniform(-0.65, 0.65, 3) * half, size, turned_deg=90.0))
    return bodies


def _thorax(rng: np.random.Generator) -> list[Body]:
    width, depth, length = rng.uniform((120, 85, 90), (160, 118, 120))
    bodies = [_body(rng, rng.uniform(0.94, 1.02), (0, 0, 0), (width, depth, length), power=rng.uniform(2.2, 4))]
    bodies.append(_body(rng, 1.04, (0, 0, 0), (width - 14, depth - 12, length), power=2.6))
    for side in (-1, 1):
        centre = (side * rng.uniform(0.45, 0.54) * width, rng.uniform(-12, 8), rng.uniform(-15, 15))
        half = (rng.uniform(0.28, 0.36) * width, rng.uniform(0.6, 0.74) * depth, rng.uniform(0.8, 1.1) * length)
        bodies.append(_body(rng, rng.uniform(0.18, 0.38), centre, half, turned_deg=8.0, power=2.3))
    for _ in range(int(rng.integers(1, 4))):  # lesions in a lung
        lung = bodies[int(rng.integers(2, 4))]
        at = lung.centre_mm + rng.uniform(-0.55, 0.55, 3) * lung.half_mm
        bodies.append(_body(rng, rng.uniform(0.9, 1.08), at, rng.uniform(7, 24, 3), turned_deg=90.0))
    bodies.append(_body(rng, 1.05, (rng.uniform(0, 25), -0.25 * depth, -10), rng.uniform(26, 46, 3), turned_deg=45.0))
    bodies.append(_body(rng, rng.uniform(1.2, 1.6), (0, 0.66 * depth, 0), (17, 19, length), power=3.0))
    bodies.append(_body(rng, 1.04, (0, 0.72 * depth, 0), (7, 7, length)))
    return bodies


def _head(rng: np.random.Generator) -> list[Body]:
    half = rng.uniform((68, 82, 85), (82, 102, 108))
    skin, skull = rng.uniform(4, 9), rng.uniform(4, 9)
    bodies = [
        _body(rng, rng.uniform(0.96, 1.05), (0, 0, 0), half, power=2.4),
        _body(rng, rng.uniform(1.4, 1.75), (0, 0, 12), half - skin, power=2.4),
        _body(rng, 1.04, (0, 0, 12), half - skin - skull, power=2.4),
    ]
    for _ in range(int(rng.integers(3, 6))):  # sinuses, mouth, airway
        at = (rng.uniform(-28, 28), rng.uniform(-0.75, -0.2) * half[1], rng.uniform(-0.5, 0.1) * half[2])
        bodies.append(_body(rng, AIR_G_CC, at, rng.uniform(5, 17, 3), turned_deg=60.0))
    jaw = (0, -0.45 * half[1], -0.55 * half[2])
    bodies.append(_body(rng, 1.5, jaw, (0.55 * half[0], 9, 10), turned_deg=25.0))
    bodies.append(_body(rng, 1.35, (0, 0.35 * half[1], -0.6 * half[2]), (15, 17, 0.35 * half[2]), power=3.0))
    return bodies
