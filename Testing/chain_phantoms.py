"""Small phantoms, beams and images that the tests of the chain share."""

import numpy as np

from intrepid_epid.beam_model import generic_spectrum
from intrepid_epid.spectrum import Spectrum
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.portal_image import PortalImage

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def water_box(shape=(30, 30, 30), spacing=(6.0, 6.0, 6.0), centre=(0.0, 0.0, 0.0), density=1.0, axes=AXIAL):
    """Water that fills its grid; ``axes`` are unit directions of i, j, k."""
    first = np.array(centre) - (np.array(spacing) * (np.array(shape[::-1]) - 1) / 2) @ np.asarray(axes)
    return Grid(np.full(shape, density, np.float32), affine_from_axes(first, spacing, axes))


def one_energy(energy_mev):
    return Spectrum(np.array([energy_mev - 0.01]), np.array([energy_mev + 0.01]), np.array([1.0]))


def beam_on(density, gantry_deg=0.0, *, isocentre=(0.0, 0.0, 0.0), spectrum=None, **frame):
    return PrimaryBeam(anatomy_of(density), spectrum or generic_spectrum(), beam_frame(gantry_deg, isocentre, **frame))


def panel(values, pixel=(6.4, 6.4), sid=1600.0):
    rows, columns = values.shape
    return PortalImage(values, (-(columns - 1) / 2 * pixel[1], (rows - 1) / 2 * pixel[0]), pixel, sid, 1000.0)


def soft_field(half_x, half_y, *, n=64, pixel=6.4, centre=(0.0, 0.0), edge_mm=6.0, sid=1600.0):
    """Open field with smooth edges; half sizes and centre at the isocentre plane, mm."""
    made = panel(np.zeros((n, n)), (pixel, pixel), sid)
    scale = made.magnification

    def profile(at_mm, half_mm):
        return 0.5 * (np.tanh((at_mm + half_mm * scale) / edge_mm) - np.tanh((at_mm - half_mm * scale) / edge_mm))

    x, y = made.x_mm - centre[0] * scale, made.y_mm - centre[1] * scale
    return made.with_values(profile(y, half_y)[:, None] * profile(x, half_x)[None, :], unit="signal")
