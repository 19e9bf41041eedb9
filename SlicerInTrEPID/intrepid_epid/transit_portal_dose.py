"""Signal behind a patient to portal dose, by physics: scatter taken off, hardening corrected, scatter dose put back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from intrepid_epid.beam_model import PANEL, WATER, readings_gy_cm2
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.patient_scatter import single_scatter
from intrepid_epid.point_spread import padded_shape, radial_frequency_per_mm, spread, transfer
from intrepid_epid.portal_dose import radial_gain
from intrepid_epid.simulation.detector_kernels import Spread
from intrepid_epid.simulation.detector_kernels import spread as detector_spread
from intrepid_epid.simulation.multiple_scatter import multiple_scatter_factor
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.portal_image import PortalImage


@dataclass(frozen=True, eq=False)
class TransitPortalDose:
    """Portal dose behind a patient and the part of it that photons uncollided in the patient deliver, both in Gy.

    ``water_spread`` is the spread of the primary part in the water of the detector, ``thickness_g_cm2`` (rows, columns,
    n_materials) what lies between source and pixels.
    """

    total_gy: PortalImage
    primary_gy: PortalImage
    water_spread: Spread
    thickness_g_cm2: NDArray


def transit_portal_dose(signal: PortalImage, profile: MachineProfile, beam: PrimaryBeam) -> TransitPortalDose:
    """Turn signal behind a patient into absorbed dose to water in the imager plane.

    The profile's kernel holds for the open beam. Behind a patient the beam is harder and holds scatter, to which panel
    and water respond differently and which spread otherwise; all of it is corrected with the anatomy that was crossed.
    """
    readings = readings_gy_cm2(beam.spectrum.energy_mev)
    open_reading = beam.spectrum.weight @ readings
    calibrated = signal.values * radial_gain(signal, profile.radial_factors)
    thickness = beam.thickness_g_cm2(beam.pixel_positions_lps_mm(signal))
    transmission = beam.transmitted(thickness, readings) / open_reading
    panel, water = transmission[..., 0], transmission[..., 1]
    fluence = signal.with_values(np.clip(calibrated, 0, None) / panel)
    mean_thickness = np.average(thickness.reshape(-1, thickness.shape[-1]), axis=0, weights=fluence.values.ravel())
    scatter = _scatter(fluence, beam, mean_thickness) / open_reading[:, None, None]
    # Scatter is linear in the fluence, whose first estimate still contained the scatter itself.
    primary = np.clip(calibrated - scatter[0], 0, None)
    scatter *= (primary / panel).sum() / fluence.values.sum()
    primary = calibrated - scatter[0]
    hardened = beam.spectrum.weight * np.exp(-(mean_thickness @ beam.attenuation_cm2_g))
    reshaped = _reshaped(primary * water / panel, signal, beam, hardened)
    primary_gy = _dose(reshaped, signal, profile)
    return TransitPortalDose(
        total_gy=signal.with_values(primary_gy + _dose(scatter[1], signal, profile), unit="Gy"),
        primary_gy=signal.with_values(primary_gy, unit="Gy"),
        water_spread=_detector_spread(WATER, beam, hardened),
        thickness_g_cm2=thickness,
    )


def _scatter(fluence: PortalImage, beam: PrimaryBeam, mean_thickness: NDArray) -> NDArray:
    at_isocentre = fluence.with_values(fluence.values * fluence.magnification**2)
    once = single_scatter(beam, at_isocentre, fluence, readings_gy_cm2)
    lit = np.count_nonzero(fluence.values > 0.5 * fluence.values.max())
    row_mm, column_mm = fluence.pixel_spacing_mm
    side_cm = np.sqrt(lit * row_mm * column_mm) / fluence.magnification / 10
    return once * multiple_scatter_factor(float(mean_thickness.sum()), float(side_cm))[:, None, None]


def _reshaped(primary: NDArray, geometry: PortalImage, beam: PrimaryBeam, hardened: NDArray) -> NDArray:
    """Undo that the hardened beam spreads otherwise in panel and water than the open beam of the commissioning."""
    shape = padded_shape(primary.shape)
    frequency = radial_frequency_per_mm(shape, geometry.pixel_spacing_mm)

    def contrast(detector: str, weight: NDArray) -> NDArray:
        terms = _detector_spread(detector, beam, weight)
        return np.asarray(sum(w * transfer(frequency, s) for s, w in zip(terms.widths_mm, terms.weights, strict=True)))

    open_ = beam.spectrum.weight
    ratio = contrast(WATER, hardened) * contrast(PANEL, open_) / (contrast(WATER, open_) * contrast(PANEL, hardened))
    rows, columns = primary.shape
    return fft.irfft2(fft.rfft2(primary, shape) * ratio, shape)[:rows, :columns]


def _detector_spread(detector: str, beam: PrimaryBeam, weight: NDArray) -> Spread:
    return detector_spread(detector, beam.spectrum.energy_mev.clip(0.05, 20.0), weight)


def _dose(signal: NDArray, geometry: PortalImage, profile: MachineProfile) -> NDArray:
    widths = [term.width_mm for term in profile.spread]
    weights = [term.gy_per_signal for term in profile.spread]
    return spread(signal, geometry.pixel_spacing_mm, widths, weights)
