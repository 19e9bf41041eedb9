"""Dose in the patient by superposition: incident fluence from the image, energy released along the beam, cone kernels.

In contrast to the first-order dose this carries the scatter inside the patient, the build-up behind the surface and
the lateral reach of electrons in lung, all from the physics of water scaled with the electron density of the voxels.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.beam_model import readings_gy_cm2
from intrepid_epid.dose_engine.collapsed_cone import superpose
from intrepid_epid.dose_engine.cone_kernel import ConeKernel, collapsed_cone_kernel
from intrepid_epid.incident_fluence import incident_fluence
from intrepid_epid.simulation.materials import relative_electron_density
from intrepid_epid.spectrum import Spectrum
from intrepid_epid.terma import ReleasedEnergy, released_energy
from intrepid_epid.transit import PrimaryBeam
from intrepid_epid.transit_portal_dose import TransitPortalDose
from intrepid_rt.portal_image import PortalImage


def superposition_dose(portal: TransitPortalDose, beam: PrimaryBeam) -> NDArray:
    """Dose to water on the grid of the beam's anatomy.

    Parameters
    ----------
    portal : TransitPortalDose
        Its primary part is used.
    beam : PrimaryBeam

    Returns
    -------
    ndarray of float32, (nz, ny, nx) : Gy to water; voxels denser than soft tissue count as water of their density.
    """
    return superposed(released_energy(beam, fluence_of(portal, beam)), beam)


def fluence_of(portal: TransitPortalDose, beam: PrimaryBeam) -> PortalImage:
    """Photons per cm2 that entered the patient, at the isocentre plane."""
    spread = portal.water_spread
    return incident_fluence(
        portal.primary_gy,
        beam,
        readings_gy_cm2(beam.spectrum.energy_mev)[:, 1],
        widths_mm=spread.widths_mm,
        weights=spread.weights,
        thickness_g_cm2=portal.thickness_g_cm2,
    )


def superposed(released: ReleasedEnergy, beam: PrimaryBeam) -> NDArray:
    """Carry released energy to where it is absorbed; ``beam`` says from where the photons come."""
    grid = beam.anatomy.density
    axes = grid.index_to_lps[:3, :3] / np.array(grid.spacing_mm)
    return superpose(
        released.primary_gy,
        released.scatter_gy,
        relative_electron_density(grid.values).astype(np.float32),
        spacing_mm=grid.spacing_mm,
        source_mm=(beam.frame.source_lps_mm - grid.origin_lps_mm) @ axes,
        kernel=spectrum_kernel(beam.spectrum),
        device=beam.anatomy.device,
    )


@lru_cache(maxsize=4)
def spectrum_kernel(spectrum: Spectrum) -> ConeKernel:
    """Cone kernel of a spectrum, fitted once."""
    return collapsed_cone_kernel(spectrum.energy_mev, spectrum.weight)
