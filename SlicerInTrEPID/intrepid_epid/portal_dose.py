"""Signal of a portal image to absorbed dose to water in the imager plane, by the machine profile."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.machine_profile import MachineProfile, RadialFactor
from intrepid_epid.point_spread import spread
from intrepid_rt.portal_image import PortalImage


def open_portal_dose(signal: PortalImage, profile: MachineProfile) -> PortalImage:
    """Turn signal into dose as for an unattenuated beam: radial response, then the kernel of the profile.

    Behind a patient the beam is harder and holds scatter; :mod:`intrepid_epid.transit` corrects for that.

    Returns
    -------
    PortalImage : Gy to water at the profile's depth in a water phantom, same geometry.
    """
    gain = radial_gain(signal, profile.radial_factors)
    widths = [term.width_mm for term in profile.spread]
    weights = [term.gy_per_signal for term in profile.spread]
    return signal.with_values(spread(signal.values * gain, signal.pixel_spacing_mm, widths, weights), unit="Gy")


def radial_gain(image: PortalImage, factors: Sequence[RadialFactor]) -> NDArray:
    """Residual response of the imager by distance from the axis; the outermost known value holds beyond it."""
    if not factors:
        return np.ones_like(image.values, float)
    return np.interp(off_axis_radius_mm(image), [p.radius_mm for p in factors], [p.factor for p in factors])


def off_axis_radius_mm(image: PortalImage) -> NDArray:
    """Distance of every pixel from the beam axis, scaled to the isocentre plane."""
    return np.hypot(image.x_mm[None, :], image.y_mm[:, None]) / image.magnification
