"""Energy that primary photons release in the patient, on the grid of a dose engine."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from intrepid_epid.kerma import GY_PER_MEV_G
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.grids import Grid
from intrepid_rt.portal_image import PortalImage


def terma_gy(beam: PrimaryBeam, fluence: PortalImage) -> NDArray:
    """Total energy released per unit mass of water at the voxel centres of the beam's anatomy.

    Photons are attenuated by the tissues on their way; what they release is counted as in water of the voxel's density,
    because the kernels that spread it are those of water.

    Parameters
    ----------
    beam : PrimaryBeam
    fluence : PortalImage
        Photons per cm2 at the isocentre plane without patient.

    Returns
    -------
    ndarray of float32, (nz, ny, nx) : Gy.
    """
    grid = beam.anatomy.density
    released = beam.spectrum.energy_mev * mass_attenuation_cm2_g("water", beam.spectrum.energy_mev) * GY_PER_MEV_G
    averaged = _voxel_averaged(fluence, beam, grid)
    result = np.zeros(grid.shape, np.float32)
    j, i = np.meshgrid(np.arange(grid.shape[1]), np.arange(grid.shape[2]), indexing="ij")
    for k in range(grid.shape[0]):
        positions = grid.index_to_position(np.stack([i, j, np.full_like(i, k)], axis=-1))
        xy = beam.frame.projected(positions, averaged.source_to_image_mm)
        incident = averaged.sample(xy[..., 0], xy[..., 1], outside=0.0)
        lit = incident > 1e-5 * averaged.values.max()
        if lit.any():
            at = positions[lit]
            depth_mm = beam.frame.source_to_axis_mm - beam.frame.to_gantry(at)[..., 2]
            spread_out = (averaged.source_to_image_mm / depth_mm) ** 2
            result[k][lit] = incident[lit] * spread_out * beam.transmitted(beam.thickness_g_cm2(at), released)
    return result


def _voxel_averaged(fluence: PortalImage, beam: PrimaryBeam, grid: Grid) -> PortalImage:
    """Average the fluence over the shadow of a voxel, so that field edges weigh voxels by their lit part."""
    edges_mm = np.array(grid.index_to_lps[:3, :3])
    across = (np.abs(axis @ edges_mm).max() for axis in (beam.frame.y_axis, beam.frame.x_axis))
    size = [max(1, round(width / s)) for width, s in zip(across, fluence.pixel_spacing_mm, strict=True)]
    return fluence.with_values(uniform_filter(fluence.values, size=size, mode="nearest"))
