"""Energy that primary photons release in the patient, on the grid of a dose engine."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.dose_engine.cone_kernel import primary_share
from intrepid_epid.kerma import GY_PER_MEV_G
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.portal_image import PortalImage


@dataclass(frozen=True, eq=False)
class ReleasedEnergy:
    """Energy released per mass in Gy, (nz, ny, nx): what first electrons take and what photons carry off."""

    primary_gy: NDArray
    scatter_gy: NDArray


def released_energy(beam: PrimaryBeam, fluence: PortalImage) -> ReleasedEnergy:
    """Total energy released per unit mass at the voxel centres of the beam's anatomy.

    Photons are attenuated by the tissues on their way; what they release is counted as in water, because the kernels
    that carry it on are those of water. The fluence is taken at voxel centres: the lines of the superposition spread
    energy over about a voxel, as much as averaging over it would, and doing both blurs field edges twice.

    Parameters
    ----------
    beam : PrimaryBeam
    fluence : PortalImage
        Photons per cm2 at the isocentre plane without patient.
    """
    grid, energy = beam.anatomy.density, beam.spectrum.energy_mev
    per_photon = energy * mass_attenuation_cm2_g("water", energy) * GY_PER_MEV_G
    share = primary_share(energy)
    responses = np.stack([per_photon * share, per_photon * (1 - share)], axis=1)
    primary, scatter = np.zeros((2, *grid.shape), np.float32)
    for k in range(grid.shape[0]):
        positions = grid.plane_positions(k)
        xy = beam.frame.projected(positions, fluence.source_to_image_mm)
        incident = fluence.sample(xy[..., 0], xy[..., 1], outside=0.0)
        lit = incident > 1e-5 * fluence.values.max()
        if lit.any():
            at = positions[lit]
            depth_mm = beam.frame.source_to_axis_mm - beam.frame.to_gantry(at)[..., 2]
            here = incident[lit] * (fluence.source_to_image_mm / depth_mm) ** 2
            both = beam.transmitted(beam.thickness_g_cm2(at), responses) * here[:, None]
            primary[k][lit], scatter[k][lit] = both.T
    return ReleasedEnergy(primary, scatter)
