"""What a flattened beam does off its axis: horns of the fluence, and softening, which attenuates it more.

Horns are measured in the largest open field. Softening is an option, because open fields do not show it: attenuation in
water grows by about 0.5 % per centimetre off the axis at 6 MV and 0.8 % at 25 MV (Bjaerngard and Shackford, Med. Phys.
21 (1994) 1069, narrow beams). Both serve the prediction from plan to image; a reconstruction measures the fluence.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.beam_model import WATER
from intrepid_epid.machine_profile import MachineProfile, RadialFactor
from intrepid_epid.point_spread import spread
from intrepid_epid.portal_dose import off_axis_radius_mm, radial_gain
from intrepid_epid.simulation.detector_kernels import spread as detector_spread
from intrepid_epid.spectrum import Spectrum
from intrepid_rt.portal_image import PortalImage

if TYPE_CHECKING:
    from intrepid_epid.commissioning import OpenField

RING_MM = 10.0
LEAST_PIXELS = 20
TURNS = 3
FLAT = 0.005  # what is flatter than half a percent is called flat
LEAST_REACH_MM = 60.0  # a smaller field shows no horns


def measured_horns(
    field: "OpenField", aperture: NDArray, opened: NDArray, spectrum: Spectrum
) -> tuple[RadialFactor, ...]:
    """Find the fluence off the axis in the portal dose of a large open field.

    Parameters
    ----------
    aperture, opened : ndarray of bool, (rows, columns)
        The inside of the field, away from its edges, and all of it.

    Returns
    -------
    tuple of RadialFactor : relative to the axis, at the isocentre plane; empty for a small field or a flat beam.
    """
    radius_mm = off_axis_radius_mm(field.signal)
    ring = (radius_mm[aperture] // RING_MM).astype(int)
    seen = np.flatnonzero(np.bincount(ring) >= LEAST_PIXELS)
    # The corners of a square fill their ring in part only: where its pixels lie counts.
    radii_mm = np.array([radius_mm[aperture][ring == one].mean() for one in seen])
    if not len(seen) or seen[0] > 0 or radii_mm[-1] < LEAST_REACH_MM:
        return ()
    water = detector_spread(WATER, spectrum.energy_mev.clip(0.05, 20.0), spectrum.weight)
    factors = np.ones(len(seen))
    # Dose spreads from ring to ring, so what the last turn found is spread as the dose is.
    for _ in range(TURNS):
        fluence = opened * np.interp(radius_mm, radii_mm, factors)
        flat = spread(fluence, field.signal.pixel_spacing_mm, list(water.widths_mm), list(water.weights))
        ratio = field.dose_gy[aperture] / flat[aperture]
        factors = factors * [np.median(ratio[ring == one]) for one in seen]
        factors /= factors[0]
    if np.abs(factors - 1).max() < FLAT:
        return ()
    return tuple(RadialFactor(float(r), float(f)) for r, f in zip(radii_mm, factors, strict=True))


def horn(image: PortalImage, horns: Sequence[RadialFactor]) -> NDArray:
    """Fluence relative to the axis on the pixels of an image; the outermost known value holds beyond it."""
    return radial_gain(image, horns)


def attenuation_factor(image: PortalImage, profile: MachineProfile) -> NDArray:
    """By how much more than on the axis each pixel's beam is attenuated, (rows, columns)."""
    return 1 + profile.softening_percent_per_cm / 100 * off_axis_radius_mm(image) / 10
