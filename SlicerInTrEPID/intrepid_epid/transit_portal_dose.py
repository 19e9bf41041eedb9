"""Signal behind a patient to portal dose, by physics: scatter taken off, hardening corrected, scatter dose put back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.beam_model import readings_gy_cm2
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.patient_scatter import single_scatter
from intrepid_epid.point_spread import spread
from intrepid_epid.portal_dose import radial_gain
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.portal_image import PortalImage


@dataclass(frozen=True, eq=False)
class TransitPortalDose:
    """Portal dose behind a patient and the part of it that photons uncollided in the patient deliver, both in Gy."""

    total_gy: PortalImage
    primary_gy: PortalImage


# Photons scattered more than once add to the single scatter about in proportion to the thickness they can scatter in.
MULTIPLE_SCATTER_PER_G_CM2 = 0.0075


def transit_portal_dose(signal: PortalImage, profile: MachineProfile, beam: PrimaryBeam) -> TransitPortalDose:
    """Turn signal behind a patient into absorbed dose to water in the imager plane.

    The profile's kernel holds for the open beam. Behind a patient the beam is harder, and panel and water respond
    differently to that and to scattered photons; both are corrected with the anatomy the beam crossed.
    """
    readings = readings_gy_cm2(beam.spectrum.energy_mev)
    open_reading = beam.spectrum.weight @ readings
    calibrated = signal.values * radial_gain(signal, profile.radial_factors)
    thickness = beam.thickness_g_cm2(beam.pixel_positions_lps_mm(signal))
    transmission = beam.transmitted(thickness, readings) / open_reading
    panel, water = transmission[..., 0], transmission[..., 1]
    scatter = _scatter(signal.with_values(calibrated / panel), beam, thickness) / open_reading[:, None, None]
    # Scatter is linear in the fluence, whose first estimate still contained the scatter itself.
    primary = np.clip(calibrated - scatter[0], 0, None)
    scatter *= (primary / panel).sum() / (np.clip(calibrated, 0, None) / panel).sum()
    primary = calibrated - scatter[0]
    primary_gy = _dose(primary * water / panel, signal, profile)
    return TransitPortalDose(
        total_gy=signal.with_values(primary_gy + _dose(scatter[1], signal, profile), unit="Gy"),
        primary_gy=signal.with_values(primary_gy, unit="Gy"),
    )


def _scatter(fluence: PortalImage, beam: PrimaryBeam, thickness: NDArray) -> NDArray:
    at_isocentre = fluence.with_values(np.clip(fluence.values, 0, None) * fluence.magnification**2)
    once = single_scatter(beam, at_isocentre, fluence, readings_gy_cm2)
    mean_thickness = np.average(thickness.sum(axis=-1), weights=at_isocentre.values)
    return once * (1 + MULTIPLE_SCATTER_PER_G_CM2 * mean_thickness)


def _dose(signal: NDArray, geometry: PortalImage, profile: MachineProfile) -> NDArray:
    widths = [term.width_mm for term in profile.spread]
    weights = [term.gy_per_signal for term in profile.spread]
    return spread(signal, geometry.pixel_spacing_mm, widths, weights)
