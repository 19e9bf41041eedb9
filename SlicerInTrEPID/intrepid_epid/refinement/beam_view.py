"""A beam as the refinement network sees it: dose, density and depth on a lattice along the beam."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.beam_frame import BeamFrame
from intrepid_rt.grids import Grid, affine_from_axes

VOXEL_MM = 4.0
MARGIN_MM = 12.0
LIT = 0.05  # of the highest dose: where the lattice has to reach
MULTIPLE = 4  # the network halves its lattice twice
DEPTH_UNIT_G_CM2 = 20.0
_LEVEL_PERCENTILE = 99.9
# Two points a side with the variance of the voxel: their mean is that over the voxel to third order.
_SUBSAMPLES = (-(12**-0.5), 12**-0.5)


@dataclass(frozen=True, eq=False)
class BeamView:
    """What the network is shown of one beam.

    Parameters
    ----------
    dose_gy, density_g_cc, depth_g_cm2 : Grid
        Averages over the voxels of the lattice: i along +X_g, j along +Y_g, k away from the source; depth is the mass
        thickness between source and voxel.
    level_gy : float
        The 99.9th percentile of the dose in the patient: doses are shown relative to it, so that the answer is linear
        in the monitor units.
    grid_mm : float
        Voxel size of the grid on which the dose was computed.
    """

    dose_gy: Grid
    density_g_cc: Grid
    depth_g_cm2: Grid
    level_gy: float
    grid_mm: float

    def planes(self) -> NDArray:
        """Input of the network, (4, nz, ny, nx) float32: dose, density, depth, size of the voxels of the dose."""
        shape = self.dose_gy.shape
        return np.stack([
            self.dose_gy.values / self.level_gy,
            np.clip(self.density_g_cc.values, 0.0, 2.0),
            self.depth_g_cm2.values / DEPTH_UNIT_G_CM2,
            np.full(shape, self.grid_mm / VOXEL_MM, np.float32),
        ]).astype(np.float32)  # fmt: skip


def beam_view(dose: Grid, beam: PrimaryBeam) -> BeamView:
    """Look at a dose, which covers the patient on the grid of the beam's anatomy, along the beam.

    Raises
    ------
    ValueError
        The dose is nowhere above 0.
    """
    density = beam.anatomy.density
    level = dose_level_gy(dose.values, density.values)
    if not level > 0:
        raise ValueError("there is no dose to refine")
    lattice = beam_lattice(dose, beam.frame, level)
    return BeamView(
        averaged(dose, lattice, order=3),
        averaged(density, lattice),
        lattice.with_values(beam.thickness_g_cm2(lattice.positions()).sum(axis=-1).astype(np.float32)),
        level,
        float(np.prod(dose.spacing_mm) ** (1 / 3)),
    )


def dose_level_gy(dose_gy: NDArray, density_g_cc: NDArray) -> float:
    """Return the 99.9th percentile of the dose where there is tissue; 0 without any."""
    in_tissue = dose_gy[(density_g_cc > 0.15) & (dose_gy > 0)]
    return float(np.percentile(in_tissue, _LEVEL_PERCENTILE)) if in_tissue.size else 0.0


def beam_lattice(dose: Grid, frame: BeamFrame, level_gy: float) -> Grid:
    """Lay a lattice of 4 mm along the beam through all that receives a twentieth of the highest dose.

    Its voxel centres lie at odd multiples of 2 mm from the isocentre, whatever the beam.
    """
    lit = np.argwhere(dose.values > LIT * level_gy)[:, ::-1]
    # Of a box in index space the corners do; of an oblique one they reach a little too far, which is harmless.
    position = frame.to_gantry(dose.index_to_position(lit[:: max(1, len(lit) // 200_000)]))
    first = np.floor((position.min(axis=0) - MARGIN_MM) / VOXEL_MM).astype(int)
    last = np.ceil((position.max(axis=0) + MARGIN_MM) / VOXEL_MM).astype(int)
    counts = -(-(last - first) // MULTIPLE) * MULTIPLE
    corner = np.array([first[0], first[1], first[2] + counts[2] - 1]) * VOXEL_MM + VOXEL_MM / 2
    axes = np.stack([frame.x_axis, frame.y_axis, -frame.towards_source])
    affine = affine_from_axes(frame.to_lps(corner), (VOXEL_MM,) * 3, axes)
    return Grid(np.broadcast_to(np.float32(0), counts[::-1]), affine, dose.frame_of_reference_uid)


def averaged(source: Grid, lattice: Grid, *, order: int = 1) -> Grid:
    """Mean of a grid over the voxels of a lattice, of 2 x 2 x 2 samples each; 0 beyond the grid.

    ``order`` 3 takes cubic splines, which keep what trilinear interpolation would blur: it must not be mistaken for an
    error of the dose.
    """
    values = ndimage.spline_filter(source.values, order, output=np.float32) if order > 1 else source.values
    size = lattice.shape[::-1]
    i, j = np.meshgrid(np.arange(size[0]), np.arange(size[1]), indexing="xy")
    offsets = np.stack(np.meshgrid(_SUBSAMPLES, _SUBSAMPLES, _SUBSAMPLES), axis=-1).reshape(-1, 1, 1, 3)
    result = np.empty(lattice.shape, np.float32)
    for k in range(size[2]):
        index = np.stack([i, j, np.full_like(i, k)], axis=-1) + offsets
        at = source.position_to_index(lattice.index_to_position(index))[..., ::-1]
        sampled = ndimage.map_coordinates(
            values, at.reshape(-1, 3).T, np.float32, order=order, mode="constant", prefilter=False
        )
        result[k] = sampled.reshape(index.shape[:-1]).mean(axis=0)
    return lattice.with_values(result)
