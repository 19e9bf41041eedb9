"""Portal dose that a plan predicts: its apertures and monitor units through the anatomy to the imager.

The way of :mod:`intrepid_epid.transit_portal_dose` in the other direction; both share attenuation, scatter and the
spread of dose in the water of the detector, but no part of an image enters here.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_epid.aperture import open_area_cm2, open_share
from intrepid_epid.beam_model import WATER, readings_gy_cm2
from intrepid_epid.commissioning import eroded_aperture
from intrepid_epid.machine_profile import FieldRecord, MachineProfile, RadialFactor
from intrepid_epid.off_axis import attenuation_factor, horn
from intrepid_epid.patient_scatter import single_scatter
from intrepid_epid.point_spread import spread
from intrepid_epid.simulation.detector_kernels import Spread
from intrepid_epid.simulation.detector_kernels import spread as detector_spread
from intrepid_epid.simulation.multiple_scatter import multiple_scatter_factor
from intrepid_epid.spectrum import Spectrum
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.errors import MissingObject, UnsupportedGeometry
from intrepid_rt.plan import Beam
from intrepid_rt.portal_image import PortalImage

# A source of 1 to 2 mm full width blurs edges cut half way to the isocentre about as much (Jaffray, Battista, Fenster,
# Munro, Med. Phys. 20 (1993) 1417). A profile does not hold what the clinic's source measures, so edges are predicted
# to about a millimetre only.
SOURCE_BLUR_MM = 1.5  # standard deviation at the isocentre plane


@dataclass(frozen=True, eq=False)
class ForwardPortalDose:
    """Predicted portal dose in Gy and what it is made of.

    ``primary_gy`` is the part of photons uncollided in the patient; ``open_share`` the share of the meterset during
    which a pixel is open, blurred by the source; ``transmission`` that of the primary as water reads it. All lie on the
    imager plane.
    """

    total_gy: PortalImage
    primary_gy: PortalImage
    open_share: PortalImage
    transmission: NDArray
    notes: tuple[str, ...] = ()


def forward_portal_dose(
    beam: Beam, geometry: PortalImage, profile: MachineProfile, primary_beam: PrimaryBeam
) -> ForwardPortalDose:
    """Predict the portal dose of one beam that stands still.

    Parameters
    ----------
    beam : Beam
        With its meterset in MU.
    geometry : PortalImage
        The imager plane; only its geometry is used.
    profile : MachineProfile
        Commissioned, with fields.
    primary_beam : PrimaryBeam
        Anatomy, spectrum and gantry frame of the beam.

    Raises
    ------
    MissingObject
        The beam states no monitor units, no aperture, or one that is closed.
    UnsupportedGeometry
        Something else than jaws and leaves shapes the fluence: wedges, blocks, a flattening-filter-free beam.
    """
    if beam.accessories or "FFF" in profile.energy.upper():
        shaped_by = ", ".join(beam.accessories).lower() or "a flattening-filter-free source"
        raise UnsupportedGeometry(f"Beam {beam.name} is shaped by {shaped_by}; its portal dose cannot be predicted.")
    if not beam.meterset_mu:
        raise MissingObject(f"Beam {beam.name} states no monitor units, so its portal dose cannot be predicted.")
    area_cm2 = open_area_cm2(beam)
    if area_cm2 <= 0:
        raise MissingObject(f"Beam {beam.name} opens no field, so its portal dose cannot be predicted.")
    share = _blurred(open_share(beam, geometry), SOURCE_BLUR_MM)
    per_mu, notes = fluence_per_mu(profile, primary_beam.spectrum, area_cm2)
    open_beam = beam.meterset_mu * per_mu * horn(share, profile.horns)
    fluence = share.with_values(share.values * open_beam, unit="photons/cm2")
    thickness = primary_beam.thickness_g_cm2(primary_beam.pixel_positions_lps_mm(geometry))
    thickness = thickness * attenuation_factor(geometry, profile)[..., None]
    response = readings_gy_cm2(primary_beam.spectrum.energy_mev)[:, 1]
    per_photon = primary_beam.transmitted(thickness, response)
    lit = np.average(thickness.reshape(-1, thickness.shape[-1]), axis=0, weights=share.values.ravel() + 1e-12)
    water = _water_spread(primary_beam, lit)
    sharp = fluence.values / geometry.magnification**2 * per_photon
    primary = spread(sharp, geometry.pixel_spacing_mm, list(water.widths_mm), list(water.weights))
    scatter = single_scatter(primary_beam, fluence, geometry, readings_gy_cm2)[1]
    scatter *= multiple_scatter_factor(float(lit.sum()), float(np.sqrt(area_cm2)))[1]
    return ForwardPortalDose(
        total_gy=replace(geometry, values=primary + scatter, unit="Gy"),
        primary_gy=replace(geometry, values=primary, unit="Gy"),
        open_share=replace(geometry, values=share.values, unit="share"),
        transmission=per_photon / (primary_beam.spectrum.weight @ response),
        notes=notes,
    )


def fluence_per_mu(profile: MachineProfile, spectrum: Spectrum, area_cm2: float) -> tuple[float, tuple[str, ...]]:
    """Photons per cm2 and MU on the axis at the isocentre plane of an open field of this area, and notes on it.

    Every commissioning field states its mean dose; divided by the response of water and by what of the dose spread
    stays inside a square of that area it gives the fluence. Over area it follows a straight line in the logarithm, as
    head scatter does; outside the commissioned areas the value at their end holds.

    Raises
    ------
    MissingObject
        The profile has no field with dose and monitor units.
    """
    fields = [field for field in profile.fields if field.meterset_mu > 0 and field.mean_dose_gy > 0]
    if not fields:
        raise MissingObject("The machine profile has no commissioning field with dose and monitor units.")
    magnification = profile.source_to_image_mm / profile.source_to_axis_mm
    response = float(spectrum.weight @ readings_gy_cm2(spectrum.energy_mev)[:, 1])
    # One field measured several times is one field.
    distinct: dict[tuple[float, float], FieldRecord] = {
        (round(f.area_cm2, 1), round(f.mean_dose_gy / f.meterset_mu, 6)): f for f in fields
    }
    kernel = detector_spread(WATER, spectrum.energy_mev.clip(0.05, 20.0), spectrum.weight)
    per_mu = np.array(
        [
            field.mean_dose_gy
            / field.meterset_mu
            * magnification**2
            / (response * _kept_share(kernel, field.area_cm2, magnification, profile.horns))
            for field in distinct.values()
        ]
    )
    areas = np.array([field.area_cm2 for field in distinct.values()])
    at = float(np.log(np.clip(area_cm2, areas.min(), areas.max())))
    degree = 1 if len(np.unique(areas)) > 2 else 0
    value = float(np.polyval(np.polyfit(np.log(areas), per_mu, degree), at))
    beyond = not 0.9 * areas.min() <= area_cm2 <= 1.1 * areas.max()
    note = f"Output of {area_cm2:.1f} cm2 taken from fields of {areas.min():g} to {areas.max():g} cm2."
    return value, (note,) if beyond else ()


@lru_cache(maxsize=64)  # every part of an arc asks for the same fields
def _kept_share(kernel: Spread, area_cm2: float, magnification: float, horns: tuple[RadialFactor, ...]) -> float:
    """Mean over the eroded aperture of a square field of what the dose spread leaves of a fluence of 1 on the axis.

    The aperture is eroded as commissioning does it. The square stands for every field of this area.
    """
    half_mm = 5 * np.sqrt(area_cm2)
    first_mm = -(np.ceil(half_mm) + 12.0)
    axis = np.arange(first_mm, -first_mm + 1)
    edge = np.clip(half_mm - np.abs(axis) + 0.5, 0, 1)
    square = ndimage.gaussian_filter(np.outer(edge, edge), SOURCE_BLUR_MM)
    imager_mm = (magnification, magnification)
    first = (magnification * first_mm, -magnification * first_mm)
    image = PortalImage(square, first, imager_mm, 1000.0 * magnification, 1000.0)
    fluence = square * horn(image, horns)
    dose = spread(fluence, imager_mm, list(kernel.widths_mm), list(kernel.weights))
    return float(dose[eroded_aperture(image.with_values(dose))].mean())


def _blurred(share: PortalImage, sigma_mm: float) -> PortalImage:
    sigma = [sigma_mm / spacing for spacing in share.pixel_spacing_mm]
    return share.with_values(ndimage.gaussian_filter(share.values, sigma))


def _water_spread(beam: PrimaryBeam, thickness_g_cm2: NDArray) -> Spread:
    hardened = beam.spectrum.weight * np.exp(-(thickness_g_cm2 @ beam.attenuation_cm2_g))
    return detector_spread(WATER, beam.spectrum.energy_mev.clip(0.05, 20.0), hardened)
