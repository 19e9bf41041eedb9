"""Photon fluence that entered the patient, from the primary portal dose behind it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from intrepid_epid.point_spread import padded_shape, radial_frequency_per_mm, transfer
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.portal_image import PortalImage

# Each pass restores a further part of the blur and at most as many times the noise: eight recover 99 % of the contrast
# that the detector keeps a half of.
PASSES = 8


def incident_fluence(
    primary_gy: PortalImage,
    beam: PrimaryBeam,
    water_response_gy_cm2: NDArray,
    *,
    widths_mm: Sequence[float],
    weights: Sequence[float],
    thickness_g_cm2: NDArray | None = None,
) -> PortalImage:
    """Photons per cm2 at the isocentre plane, as they would be without the patient.

    The primary portal dose is the fluence, times the transmission of the patient, times the response of water, spread
    by secondary electrons and by scatter in the water of the detector. The spread is undone by Van Cittert's iteration
    (Z. Phys. 69 (1931) 298), stopped early because it amplifies noise.

    Parameters
    ----------
    primary_gy : PortalImage
        Portal dose from photons uncollided in the patient, Gy.
    water_response_gy_cm2 : ndarray, (n_energies,)
        Broad-field dose per photon and cm2 at the bin centres of the spectrum.
    widths_mm, weights : sequence of float
        Spread in the water of the detector, in the imager plane; weights sum to 1.
    thickness_g_cm2 : ndarray, (rows, columns, n_materials), optional
        What lies between source and pixels, if it is known already.
    """
    if thickness_g_cm2 is None:
        thickness_g_cm2 = beam.thickness_g_cm2(beam.pixel_positions_lps_mm(primary_gy))
    dose_per_photon = beam.transmitted(thickness_g_cm2, water_response_gy_cm2)
    sharp_gy = _unspread(primary_gy, widths_mm, weights)
    at_imager = sharp_gy / dose_per_photon
    scale = primary_gy.magnification
    return replace(
        primary_gy,
        values=np.clip(at_imager, 0.0, None) * scale**2,
        first_pixel_mm=(primary_gy.first_pixel_mm[0] / scale, primary_gy.first_pixel_mm[1] / scale),
        pixel_spacing_mm=(primary_gy.pixel_spacing_mm[0] / scale, primary_gy.pixel_spacing_mm[1] / scale),
        source_to_image_mm=primary_gy.source_to_axis_mm,
        unit="photons/cm2",
    )


def _unspread(image: PortalImage, widths_mm: Sequence[float], weights: Sequence[float]) -> NDArray:
    shape, (rows, columns) = padded_shape(image.values.shape), image.values.shape
    restore = _restoring(shape, image.pixel_spacing_mm, tuple(widths_mm), tuple(weights))
    return fft.irfft2(fft.rfft2(image.values, shape) * restore, shape)[:rows, :columns]


@lru_cache(maxsize=2)  # frames of a sector share their spread
def _restoring(
    shape: tuple[int, int], spacing_mm: tuple[float, float], widths_mm: Sequence[float], weights: Sequence[float]
) -> NDArray:
    """Transfer of all of Van Cittert's passes together, in closed form: (1 - (1 - blur)^n) / blur."""
    frequency = radial_frequency_per_mm(shape, spacing_mm)
    blur = np.asarray(sum(w * transfer(frequency, s) for s, w in zip(widths_mm, weights, strict=True)))
    return (1.0 - (1.0 - blur) ** PASSES) / np.maximum(blur, 1e-6)
