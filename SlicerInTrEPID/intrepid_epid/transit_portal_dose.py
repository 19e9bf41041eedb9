"""Signal behind a patient to portal dose, by physics: scatter taken off, hardening corrected, scatter dose put back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from intrepid_epid.beam_model import PANEL, WATER, readings_gy_cm2
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.patient_scatter import single_scatter
from intrepid_epid.point_spread import padded_shape, radial_frequency_per_mm, transfer
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
    return transit_portal_doses([signal], profile, [beam], beam)[0]


def transit_portal_doses(
    signals: Sequence[PortalImage], profile: MachineProfile, beams: Sequence[PrimaryBeam], middle: PrimaryBeam
) -> list[TransitPortalDose]:
    """Turn images of one imager, taken along neighbouring directions, into absorbed dose.

    Attenuation is that of every image's own direction; scatter and hardening, which change little over a few degrees,
    are those of all images together along the direction of ``middle``, shared out by fluence.
    """
    readings = readings_gy_cm2(middle.spectrum.energy_mev)
    open_reading = middle.spectrum.weight @ readings
    gain = radial_gain(signals[0], profile.radial_factors)
    calibrated = [signal.values * gain for signal in signals]
    thickness = [
        beam.thickness_g_cm2(beam.pixel_positions_lps_mm(signal)) for signal, beam in zip(signals, beams, strict=True)
    ]
    transmission = [beam.transmitted(t, readings) / open_reading for t, beam in zip(thickness, beams, strict=True)]
    arriving = [np.clip(c, 0, None) / t[..., 0] for c, t in zip(calibrated, transmission, strict=True)]
    fluence = signals[0].with_values(np.sum(arriving, axis=0))
    total = float(fluence.values.sum())
    in_beam = np.sum([np.tensordot(a, t, axes=2) for a, t in zip(arriving, thickness, strict=True)], axis=0)
    # An image without signal still needs numbers, which then multiply nothing.
    mean_thickness = in_beam / total if total > 0 else thickness[0].mean(axis=(0, 1))
    scatter = all_scatter(fluence, middle, float(mean_thickness.sum())) / open_reading[:, None, None]
    share = [float(a.sum()) / total if total > 0 else 0.0 for a in arriving]
    # Scatter is linear in the fluence, whose first estimate still contained the scatter itself.
    primary = [np.clip(c - part * scatter[0], 0, None) for c, part in zip(calibrated, share, strict=True)]
    remaining = sum(float((p / t[..., 0]).sum()) for p, t in zip(primary, transmission, strict=True))
    scatter *= remaining / total if total > 0 else 0.0
    hardened = middle.spectrum.weight * np.exp(-(mean_thickness @ middle.attenuation_cm2_g))
    to_dose = _dose_transfer(signals[0], profile)
    to_primary_dose = to_dose * _reshaping(signals[0], middle, hardened)
    scatter_gy = _filtered(scatter[1], to_dose)
    made = []
    for signal, c, part, t, thick in zip(signals, calibrated, share, transmission, thickness, strict=True):
        primary_gy = _filtered((c - part * scatter[0]) * t[..., 1] / t[..., 0], to_primary_dose)
        made.append(
            TransitPortalDose(
                total_gy=signal.with_values(primary_gy + part * scatter_gy, unit="Gy"),
                primary_gy=signal.with_values(primary_gy, unit="Gy"),
                water_spread=_detector_spread(WATER, middle, hardened),
                thickness_g_cm2=thick,
            )
        )
    return made


def all_scatter(fluence: PortalImage, beam: PrimaryBeam, mean_thickness_g_cm2: float) -> NDArray:
    """Return the readings (2, rows, columns) of panel and water from photons scattered in the patient.

    Parameters
    ----------
    fluence : PortalImage
        What would arrive at the imager without the patient, in any unit; readings are per such unit.
    """
    at_isocentre = fluence.with_values(fluence.values * fluence.magnification**2)
    once = single_scatter(beam, at_isocentre, fluence, readings_gy_cm2)
    lit = np.count_nonzero(fluence.values > 0.5 * fluence.values.max())
    row_mm, column_mm = fluence.pixel_spacing_mm
    side_cm = np.sqrt(lit * row_mm * column_mm) / fluence.magnification / 10
    return once * multiple_scatter_factor(mean_thickness_g_cm2, float(side_cm))[:, None, None]


def _reshaping(geometry: PortalImage, beam: PrimaryBeam, hardened: NDArray) -> NDArray:
    """Transfer that undoes that the hardened beam spreads otherwise in panel and water than that of commissioning."""
    frequency = _frequency(geometry)

    def contrast(detector: str, weight: NDArray) -> NDArray:
        terms = _detector_spread(detector, beam, weight)
        return np.asarray(sum(w * transfer(frequency, s) for s, w in zip(terms.widths_mm, terms.weights, strict=True)))

    open_ = beam.spectrum.weight
    return contrast(WATER, hardened) * contrast(PANEL, open_) / (contrast(WATER, open_) * contrast(PANEL, hardened))


def _dose_transfer(geometry: PortalImage, profile: MachineProfile) -> NDArray:
    frequency = _frequency(geometry)
    return np.asarray(sum(term.gy_per_signal * transfer(frequency, term.width_mm) for term in profile.spread))


def _frequency(geometry: PortalImage) -> NDArray:
    return radial_frequency_per_mm(padded_shape(geometry.values.shape), geometry.pixel_spacing_mm)


def _filtered(image: NDArray, by: NDArray) -> NDArray:
    shape, (rows, columns) = padded_shape(image.shape), image.shape
    return fft.irfft2(fft.rfft2(image, shape, workers=-1) * by, shape, workers=-1)[:rows, :columns]


def _detector_spread(detector: str, beam: PrimaryBeam, weight: NDArray) -> Spread:
    return detector_spread(detector, beam.spectrum.energy_mev.clip(0.05, 20.0), weight)
