"""A predicted and a measured portal dose from one direction, side by side as the forward check looks at them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_epid.beam_model import readings_gy_cm2
from intrepid_epid.forward_portal_dose import ForwardPortalDose
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.portal_image import PortalImage

SMOOTHING_MM = 2.0  # 1 % of pixel noise becomes 0.15 %
LIT = 0.1  # of the highest dose: what belongs to the field
FLAT_PER_MM = 0.03  # relative change of the open share below which a pixel is not at an edge
SEEN_PIXELS = 20  # below that the inside of a field tells nothing


@dataclass(frozen=True, eq=False)
class View:
    """Smoothed images on one grid, with what every measure needs; arrays (rows, columns), lengths at the isocentre.

    Parameters
    ----------
    predicted, measured : dose in Gy.
    primary_share : part of the predicted dose that has not been scattered in the patient.
    log_transmission : of the predicted primary.
    inside : pixels of the field away from its edges.
    level_gy : predicted dose of the field.
    spacing_mm : (row, column).
    per_cm : effective attenuation of the beam behind the patient by one more centimetre of water.
    axes_lps : (2, 3) directions of the gantry's x and y in the patient.
    """

    predicted: NDArray
    measured: NDArray
    primary_share: NDArray
    log_transmission: NDArray
    inside: NDArray
    level_gy: float
    spacing_mm: tuple[float, float]
    per_cm: float
    axes_lps: NDArray

    @cached_property
    def log_ratio(self) -> NDArray:
        """Logarithm of measured over predicted dose."""
        floor = 1e-3 * self.level_gy
        return np.log(np.maximum(self.measured, floor) / np.maximum(self.predicted, floor))

    @property
    def is_seen(self) -> bool:
        """Whether the inside of the field is large enough to tell something."""
        return int(self.inside.sum()) >= SEEN_PIXELS

    @property
    def open_level(self) -> float:
        """Measured over predicted dose where both show the field; 1 where they have none in common."""
        both = self.inside & (self.measured > 0.2 * self.predicted)
        return float(np.exp(np.median(self.log_ratio[both]))) if both.any() else 1.0

    @property
    def overlap(self) -> float:
        """Dice coefficient of the apertures: where the dose, freed from the anatomy, exceeds half of its level."""
        freed = [image / np.exp(self.log_transmission) for image in (self.predicted, self.measured)]
        a, b = (image > 0.5 * np.percentile(image[image > 0.3 * image.max()], 80) for image in freed)
        return float(2 * (a & b).sum() / max(1, a.sum() + b.sum()))

    def field(self, expected: NDArray) -> NDArray:
        """Pixels of the field of either image."""
        return field(expected, self.measured, self.level_gy)

    def mismatch_percent(self, expected: NDArray) -> float:
        """Root mean square difference of the measured dose from an expected one, in percent of the field's dose."""
        return mismatch(expected, self.measured, self.level_gy)


def view_of(predicted: ForwardPortalDose, measured: PortalImage, beam: PrimaryBeam) -> View:
    """Prepare a pair of images on the same pixels; ``beam`` is the way of the photons."""
    row_mm, column_mm = (spacing / measured.magnification for spacing in measured.pixel_spacing_mm)
    total = predicted.total_gy.values
    share = smooth(predicted.open_share.values, measured)
    slope = np.hypot(*np.gradient(share, row_mm, column_mm))
    flat = slope < FLAT_PER_MM * np.maximum(share, 1e-9)
    smoothed = smooth(total, measured)
    log_transmission = smooth(np.log(np.maximum(predicted.transmission, 1e-9)), measured)
    behind = float(np.median(log_transmission[smoothed > 0.5 * smoothed.max()]))
    return View(
        predicted=smoothed,
        measured=smooth(measured.values, measured),
        primary_share=np.clip(predicted.primary_gy.values / np.maximum(total, 1e-12), 0, 1),
        log_transmission=log_transmission,
        inside=flat & (total > 0.2 * total.max()),
        level_gy=level_gy(total),
        spacing_mm=(row_mm, column_mm),
        per_cm=_attenuation_per_cm(beam, behind),
        axes_lps=np.stack([beam.frame.x_axis, beam.frame.y_axis]),
    )


def smooth(values: NDArray, geometry: PortalImage) -> NDArray:
    """Take pixel noise off, which no measure is about."""
    sigma = [SMOOTHING_MM * geometry.magnification / spacing for spacing in geometry.pixel_spacing_mm]
    return np.asarray(ndimage.gaussian_filter(np.asarray(values, float), sigma))


def level_gy(dose_gy: NDArray) -> float:
    """Dose of the field: the median of what is above half of the highest."""
    return float(np.median(dose_gy[dose_gy > 0.5 * dose_gy.max()]))


def field(expected: NDArray, measured: NDArray, level_gy: float) -> NDArray:
    """Pixels that either image shows as lit."""
    return (expected > LIT * level_gy) | (measured > LIT * level_gy)


def mismatch(expected: NDArray, measured: NDArray, level_gy: float) -> float:
    """Root mean square difference over the field of either image, in percent of ``level_gy``."""
    lit = field(expected, measured, level_gy)
    return float(100 * np.sqrt(np.mean((measured - expected)[lit] ** 2)) / level_gy)


def _attenuation_per_cm(beam: PrimaryBeam, log_transmission: float) -> float:
    """Effective attenuation of water for the beam behind the patient, of total dose."""
    energy, weight = beam.spectrum.energy_mev, beam.spectrum.weight
    mu = mass_attenuation_cm2_g("water", energy)
    response = readings_gy_cm2(energy)[:, 1]
    thickness = np.interp(-log_transmission, *_minus_log_by_thickness(weight * response, mu))
    arriving = weight * response * np.exp(-mu * thickness)
    return float(arriving @ mu / arriving.sum())


def _minus_log_by_thickness(strength: NDArray, mu: NDArray) -> tuple[NDArray, NDArray]:
    thickness = np.linspace(0.0, 80.0, 81)
    left = np.exp(-np.outer(thickness, mu)) @ strength / strength.sum()
    return -np.log(left), thickness
