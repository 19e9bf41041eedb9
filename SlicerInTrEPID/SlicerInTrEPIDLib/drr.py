"""A radiograph computed from the CT on the imager plane: to lay over the portal image and see whether they fit."""

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.ray_tracing import Anatomy, mass_thickness_g_cm2
from intrepid_rt.beam_frame import BeamFrame
from intrepid_rt.grids import Grid
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.registration.coarse import coarsened_grid

CT_MM = 2.0
PIXELS = 160  # along the longer side: a picture to compare by eye
WATER_CM2_G = 0.05  # of a 6 MV beam, about


def radiograph(ct: Grid, frame: BeamFrame, like: PortalImage) -> PortalImage:
    """Share of the beam that passes the CT, on a coarser lattice of ``like``; water-like tissue everywhere.

    No dose model: HU become density by 1 + HU / 1000, one attenuation for all. For looking, not for measuring.
    """
    coarse = coarsened_grid(ct, CT_MM)
    density = coarse.with_values(np.clip(1.0 + coarse.values / 1000.0, 0.0, 3.0).astype(np.float32))
    step = max(1, int(np.ceil(max(like.values.shape) / PIXELS)))
    x, y = np.meshgrid(like.x_mm[::step], like.y_mm[::step])
    height = frame.source_to_axis_mm - like.source_to_image_mm
    targets = frame.to_lps(np.stack([x, y, np.full_like(x, height)], axis=-1))
    anatomy = Anatomy(density, np.zeros(density.shape, np.uint8), ("water",))
    thickness = mass_thickness_g_cm2(anatomy, frame.source_lps_mm, targets)[..., 0]
    return _image(np.exp(-WATER_CM2_G * thickness).astype(np.float32), like, step)


def _image(values: NDArray, like: PortalImage, step: int) -> PortalImage:
    return PortalImage(
        values=values,
        first_pixel_mm=like.first_pixel_mm,
        pixel_spacing_mm=(like.pixel_spacing_mm[0] * step, like.pixel_spacing_mm[1] * step),
        source_to_image_mm=like.source_to_image_mm,
        source_to_axis_mm=like.source_to_axis_mm,
        gantry_angle_deg=like.gantry_angle_deg,
        unit="share transmitted",
    )
