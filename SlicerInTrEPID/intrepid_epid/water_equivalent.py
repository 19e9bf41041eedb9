"""A patient nobody has a CT of, as the water that would weaken the beam as much: from the image and its monitor units.

The signal over that of the open beam for the same monitor units is transmission and scatter. Both follow from a
thickness of water, which is found ray by ray; scatter is that of the water found before, so a few turns settle it. The
water lies round the isocentre, where patients do. Portal dose needs it only for a correction of some percent, so a
thickness that is off by centimetres still serves.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_epid.beam_model import WATER, beam_model, readings_gy_cm2
from intrepid_epid.commissioning import aperture_of
from intrepid_epid.forward_portal_dose import SOURCE_BLUR_MM, fluence_per_mu
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.off_axis import horn
from intrepid_epid.point_spread import spread
from intrepid_epid.portal_dose import open_portal_dose
from intrepid_epid.ray_tracing import Anatomy
from intrepid_epid.simulation.detector_kernels import spread as detector_spread
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_epid.spectrum import Spectrum
from intrepid_epid.transit import PrimaryBeam
from intrepid_epid.transit_portal_dose import all_scatter
from intrepid_rt.beam_frame import BeamFrame, beam_frame
from intrepid_rt.errors import UnusableInput
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.portal_image import PortalImage

TURNS = 3
THICKEST_CM = 60.0
VOXEL_MM = 10.0
SMOOTHING_MM = 5.0  # at the isocentre plane; thickness changes dose little, noise should not change thickness
WELL_OPEN = 0.7  # of the largest expected dose; nearer to the edge the penumbra counts more than the patient
MOST_RATIO, LEAST_RATIO = 1.08, 0.02  # output drifts by a few percent; 60 cm of water still let 5 % through


def water_equivalent_beam(
    signal: PortalImage, profile: MachineProfile, *, meterset_mu: float, open_share: PortalImage | None = None
) -> PrimaryBeam:
    """Beam through the water that weakens it as this image shows.

    Parameters
    ----------
    signal : PortalImage
        On the working grid, in the imager plane.
    meterset_mu : float
        Monitor units of the image.
    open_share : PortalImage, optional
        What the plan's field leaves open (:func:`intrepid_epid.aperture.open_share`), pixel by pixel of ``signal``.
        Without it the field is taken as open wherever the image shows one.

    Raises
    ------
    UnusableInput
        The image shows more than the open beam gives for these monitor units, or next to nothing.
    MissingObject
        The profile has no field to expect an open beam from.
    """
    spectrum = beam_model(profile).spectrum
    frame = beam_frame(0.0, (0.0, 0.0, 0.0), source_to_axis_mm=signal.source_to_axis_mm)
    share = aperture_of(signal).astype(float) if open_share is None else open_share.values
    expected_gy = _open_dose_gy(signal, profile, spectrum, meterset_mu, share)
    inside = expected_gy > WELL_OPEN * expected_gy.max()
    ratio = np.where(inside, open_portal_dose(signal, profile).values / np.maximum(expected_gy, 1e-9), 1.0)
    _refuse_impossible(float(np.median(ratio[inside])), meterset_mu)
    open_reading = float(spectrum.weight @ readings_gy_cm2(spectrum.energy_mev)[:, 0])
    scattered = np.zeros_like(ratio)
    for _ in range(TURNS):
        thickness_cm = _filled(_water_cm(ratio - scattered, spectrum), inside, signal)
        beam = PrimaryBeam(_water_columns(thickness_cm, signal, frame), spectrum, frame)
        scatter = all_scatter(signal.with_values(expected_gy), beam, float(thickness_cm[inside].mean()))[0]
        scattered = np.where(inside, scatter / open_reading / np.maximum(expected_gy, 1e-9), 0.0)
    return beam


def _open_dose_gy(
    geometry: PortalImage, profile: MachineProfile, spectrum: Spectrum, meterset_mu: float, share: NDArray
) -> NDArray:
    """Portal dose of the open beam through this field."""
    scale = geometry.magnification
    pixel_cm2 = float(np.prod(geometry.pixel_spacing_mm)) / scale**2 / 100
    per_mu, _ = fluence_per_mu(profile, spectrum, float(share.sum()) * pixel_cm2)
    blurred = ndimage.gaussian_filter(share, [SOURCE_BLUR_MM * scale / mm for mm in geometry.pixel_spacing_mm])
    response = float(spectrum.weight @ readings_gy_cm2(spectrum.energy_mev)[:, 1])
    water = detector_spread(WATER, spectrum.energy_mev.clip(0.05, 20.0), spectrum.weight)
    sharp_gy = blurred * horn(geometry, profile.horns) * meterset_mu * per_mu / scale**2 * response
    return spread(sharp_gy, geometry.pixel_spacing_mm, list(water.widths_mm), list(water.weights))


def _refuse_impossible(ratio: float, meterset_mu: float) -> None:
    if LEAST_RATIO < ratio < MOST_RATIO:
        return
    raise UnusableInput(
        f"The image shows {100 * ratio:.0f} % of what the open beam gives for {meterset_mu:g} MU, which no patient "
        f"explains ({100 * LEAST_RATIO:.0f} to {100 * MOST_RATIO:.0f} % can be). Give the monitor units of this image."
    )


def _water_cm(primary_ratio: NDArray, spectrum: Spectrum) -> NDArray:
    """Thickness of water behind which the panel reads this share of the open beam's primary."""
    depth_cm = np.linspace(0.0, THICKEST_CM, 241)
    weight = spectrum.weight * readings_gy_cm2(spectrum.energy_mev)[:, 0]
    left = np.exp(-np.outer(depth_cm, mass_attenuation_cm2_g("water", spectrum.energy_mev))) @ weight / weight.sum()
    return np.interp(primary_ratio, left[::-1], depth_cm[::-1])


def _filled(thickness_cm: NDArray, inside: NDArray, geometry: PortalImage) -> NDArray:
    """Smooth, and continue beyond the well open part of the field with what lies nearest."""
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    sigma = [SMOOTHING_MM * geometry.magnification / mm for mm in geometry.pixel_spacing_mm]
    return ndimage.gaussian_filter(thickness_cm[tuple(nearest)], sigma)


def _water_columns(thickness_cm: NDArray, geometry: PortalImage, frame: BeamFrame) -> Anatomy:
    """Columns of water along the beam, as high as their thickness, half of it above the isocentre."""
    scale = geometry.magnification
    reach_mm = [np.abs(axis).max() / scale for axis in (geometry.x_mm, geometry.y_mm)]
    x, y = (np.arange(-np.ceil(r / VOXEL_MM), np.ceil(r / VOXEL_MM) + 1) * VOXEL_MM for r in reach_mm)
    columns = geometry.with_values(10 * thickness_cm)
    height_mm = columns.sample(*np.meshgrid(x * scale, y * scale))
    height_mm = np.nan_to_num(height_mm, nan=0.0)
    half = np.ceil((height_mm.max() / 2 + VOXEL_MM) / VOXEL_MM)
    z = np.arange(-half, half + 1) * VOXEL_MM
    # A voxel that the surface cuts is as dense as the part of it that is water.
    density = np.clip((height_mm / 2 - np.abs(z)[:, None, None]) / VOXEL_MM + 0.5, 0.0, 1.0).astype(np.float32)
    axes = (frame.x_axis, frame.y_axis, frame.towards_source)
    first = frame.to_lps((x[0], y[0], z[0]))
    grid = Grid(density, affine_from_axes(first, (VOXEL_MM,) * 3, axes))
    return Anatomy(grid, np.zeros(density.shape, np.uint8), ("water",))
