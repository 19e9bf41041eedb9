"""First-order dose: the portal dose brought back along the rays, as the founding method does.

    FOD(p) = PDI(p') (r_p / r_p')^-2 A(p) / A(p') B(p)

p' is the projection of p onto the imager, r the distance from the source, A the spectrum-weighted transmission of the
anatomy up to a point (for one energy, A(p) / A(p') is the familiar exp(mu L) of the path between p and the imager), and
B the build-up of secondary electrons behind the surface. Scatter inside the patient is not part of the first order.
"""

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.kerma import kerma_gy_cm2
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.grids import DoseGrid, Grid
from intrepid_rt.portal_image import PortalImage

# Fraction of the kerma missing at the surface and the depth over which it returns: a mean electron of a 6 MV spectrum
# (1.6 MeV photons, 0.8 MeV electrons) travels about 0.33 g/cm2 in water (NIST ESTAR, CSDA range).
SURFACE_DEFICIT = 0.85
BUILD_UP_G_CM2 = 0.33


def first_order_dose(primary_gy: PortalImage, beam: PrimaryBeam, lattice: Grid) -> DoseGrid:
    """Back-project a portal dose without patient scatter onto a dose lattice.

    Parameters
    ----------
    primary_gy : PortalImage
        Portal dose in the imager plane in Gy, the part that comes from photons which crossed the patient uncollided.
    beam : PrimaryBeam
    lattice : Grid
        Only its geometry is used.

    Returns
    -------
    DoseGrid : Gy to water; 0 where a voxel projects beyond the image.
    """
    kerma = kerma_gy_cm2("water", beam.spectrum.energy_mev)
    at_imager = beam.transmitted(beam.thickness_g_cm2(beam.pixel_positions_lps_mm(primary_gy)), kerma)
    entrance_gy = primary_gy.with_values(primary_gy.values / at_imager)
    imager_mm = np.hypot(np.hypot(*np.meshgrid(primary_gy.x_mm, primary_gy.y_mm)), primary_gy.source_to_image_mm)
    entrance_gy = entrance_gy.with_values(entrance_gy.values * imager_mm**2)
    planes = [_plane_dose(entrance_gy, beam, lattice, kerma, k) for k in range(lattice.shape[0])]
    return DoseGrid(np.stack(planes).astype(np.float32), lattice.index_to_lps, lattice.frame_of_reference_uid)


def _plane_dose(entrance: PortalImage, beam: PrimaryBeam, lattice: Grid, kerma: NDArray, k: int) -> NDArray:
    positions = lattice.plane_positions(k)
    xy = beam.frame.projected(positions, entrance.source_to_image_mm)
    incident = entrance.sample(xy[..., 0], xy[..., 1], outside=0.0)
    dose = np.zeros(positions.shape[:-1])
    lit = incident > 0
    thickness = beam.thickness_g_cm2(positions[lit])
    distance_mm = np.linalg.norm(positions[lit] - beam.frame.source_lps_mm, axis=-1)
    build_up = 1 - SURFACE_DEFICIT * np.exp(-thickness.sum(axis=-1) / BUILD_UP_G_CM2)
    dose[lit] = incident[lit] / distance_mm**2 * beam.transmitted(thickness, kerma) * build_up
    return dose
