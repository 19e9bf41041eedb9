"""What the patient does to the primary beam: attenuation per energy from source to any point."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intrepid_epid.compute.device import CPU, Device
from intrepid_epid.ray_tracing import Anatomy, mass_thickness_g_cm2
from intrepid_epid.simulation.materials import TISSUES, mass_attenuation_cm2_g, material_of_density
from intrepid_epid.spectrum import Spectrum
from intrepid_rt.beam_frame import BeamFrame
from intrepid_rt.grids import Grid
from intrepid_rt.portal_image import PortalImage


def anatomy_of(density_g_cc: Grid, device: Device = CPU) -> Anatomy:
    """Assign a tissue to every voxel by its mass density."""
    return Anatomy(density_g_cc, material_of_density(density_g_cc.values), TISSUES, device)


@dataclass(frozen=True, eq=False)
class PrimaryBeam:
    """The attenuation of one spectrum on its way through one anatomy."""

    anatomy: Anatomy
    spectrum: Spectrum
    frame: BeamFrame

    @cached_property
    def attenuation_cm2_g(self) -> NDArray:
        """Mass attenuation (n_materials, n_energies) of the anatomy's materials at the bin centres."""
        return np.stack([mass_attenuation_cm2_g(name, self.spectrum.energy_mev) for name in self.anatomy.materials])

    def thickness_g_cm2(self, target_lps_mm: ArrayLike) -> NDArray:
        """Mass thickness (..., n_materials) between source and targets."""
        return mass_thickness_g_cm2(self.anatomy, self.frame.source_lps_mm, target_lps_mm)

    def transmitted(self, thickness_g_cm2: NDArray, response: NDArray) -> NDArray:
        """Spectrum-weighted transmission for a detector.

        Parameters
        ----------
        thickness_g_cm2 : ndarray, (..., n_materials)
        response : ndarray, (n_energies,) or (n_energies, m)
            Response per photon at each bin centre.

        Returns
        -------
        ndarray, (...) or (..., m) : ``sum_E weight_E response_E exp(-sum_m mu_m,E t_m)``, not normalised.
        """
        flat = thickness_g_cm2.reshape(-1, thickness_g_cm2.shape[-1])
        weighted = (self.spectrum.weight[:, None] * response.reshape(len(self.spectrum.weight), -1)).astype(np.float32)
        mu = self.attenuation_cm2_g.astype(np.float32)
        # In blocks, so that the (points, energies) array stays in the cache, and small enough not to be spread over
        # threads: blocks of 50,000 took five times as long.
        blocks = [np.exp(-(part @ mu)) @ weighted for part in np.array_split(flat, max(1, len(flat) // 4_000))]
        return np.concatenate(blocks).reshape((*thickness_g_cm2.shape[:-1], *response.shape[1:]))

    def pixel_positions_lps_mm(self, image: PortalImage) -> NDArray:
        """LPS positions (rows, columns, 3) of the pixels of an imager plane."""
        x, y = np.meshgrid(image.x_mm, image.y_mm)
        z = np.full_like(x, self.frame.source_to_axis_mm - image.source_to_image_mm)
        return self.frame.to_lps(np.stack([x, y, z], axis=-1))
