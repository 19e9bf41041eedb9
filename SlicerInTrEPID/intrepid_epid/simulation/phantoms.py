"""Phantoms made of simple solids, and the CT a scanner would show of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.ct_curve import CTCurve
from intrepid_rt.grids import Grid, affine_from_axes

AIR_G_CC = 0.0012
MARGIN_MM = 9.0
SUBVOXELS = 3
# HU, g/cm3, electrons relative to water: air, lung-like, water, soft tissue, two bones, titanium.
_CURVE = np.array([
    (-1000, 0.0012, 0.00108), (-950, 0.05, 0.0497), (0, 1.0, 1.0), (100, 1.07, 1.07), (1200, 1.70, 1.596),
    (1600, 1.95, 1.831), (3000, 4.54, 3.759),
])  # fmt: skip


def simulated_ct_curve() -> CTCurve:
    """Return the calibration of the simulated scanner, up to titanium."""
    hu, density, electrons = _CURVE.T
    return CTCurve("simulated scanner", hu, density, electrons, source="simulated scanner")


@dataclass(frozen=True)
class Solid:
    """A solid of one density, centre and half sizes in LPS mm.

    ``shape`` is "box", "cylinder" (elliptic, along z) or "ellipsoid".
    """

    density_g_cc: float
    centre_mm: tuple[float, float, float]
    half_mm: tuple[float, float, float]
    shape: str = "box"

    def holds(self, x: NDArray, y: NDArray, z: float) -> NDArray:
        """Whether points of the plane at ``z`` lie inside; ``x`` (columns,) and ``y`` (rows, 1) broadcast."""
        dx, dy, dz = (
            (at - centre) / half
            for at, centre, half in zip((x, y, np.asarray(z)), self.centre_mm, self.half_mm, strict=True)
        )
        if self.shape == "box":
            return (np.abs(dx) <= 1) & (np.abs(dy) <= 1) & (np.abs(dz) <= 1)
        along = dz**2 if self.shape == "ellipsoid" else np.where(np.abs(dz) <= 1, 0.0, np.inf)
        return dx**2 + dy**2 + along <= 1


@dataclass(frozen=True)
class Phantom:
    """Solids painted one over the other, the body first; ``family`` is the kind of phantom."""

    name: str
    family: str
    solids: tuple[Solid, ...]


def hounsfield(phantom: Phantom, *, voxel_mm: float = 3.0) -> tuple[NDArray, NDArray]:
    """Return CT numbers (nz, ny, nx) int16 and the LPS position of the first voxel; the body lies round the origin.

    Density is averaged over 3 x 3 x 3 points of each voxel, then turned into whole HU.
    """
    half = np.array([abs(c) + h for c, h in zip(phantom.solids[0].centre_mm, phantom.solids[0].half_mm, strict=True)])
    counts = np.ceil(2 * (half + MARGIN_MM) / voxel_mm).astype(int)
    origin = -(counts - 1) / 2 * voxel_mm
    offsets = (np.arange(SUBVOXELS) + 0.5) / SUBVOXELS - 0.5
    fine_x, fine_y, fine_z = (
        (origin[a] + (np.arange(counts[a])[:, None] + offsets) * voxel_mm).ravel() for a in range(3)
    )
    density = np.zeros((counts[2], counts[1], counts[0]))
    for number, z in enumerate(fine_z):
        plane = np.full((len(fine_y), len(fine_x)), AIR_G_CC)
        for solid in phantom.solids:
            plane[solid.holds(fine_x[None, :], fine_y[:, None], z)] = solid.density_g_cc
        cells = plane.reshape(counts[1], SUBVOXELS, counts[0], SUBVOXELS)
        density[number // SUBVOXELS] += cells.mean(axis=(1, 3)) / SUBVOXELS
    curve = simulated_ct_curve()
    return np.rint(np.interp(density, curve.density_g_cc, curve.hu)).astype(np.int16), origin


def density_of(hounsfield_units: NDArray, origin_lps_mm: NDArray, *, voxel_mm: float = 3.0) -> Grid:
    """Mass density (g/cm3) that CT numbers (nz, ny, nx) mean: what the simulation sends its photons through.

    ``origin_lps_mm`` (3,) is the centre of the first voxel.
    """
    density = simulated_ct_curve().density(hounsfield_units).astype(np.float32)
    return Grid(density, affine_from_axes(origin_lps_mm, (voxel_mm,) * 3))
