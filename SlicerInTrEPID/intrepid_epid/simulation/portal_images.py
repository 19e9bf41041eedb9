"""What the imager of a simulated machine shows behind a phantom, and the portal dose there: truth to learn from.

The primary is traced through the phantom ray by ray and energy by energy, phantom scatter comes from a Monte Carlo, and
both are spread by the detector's pencil-beam kernels, in groups of energies.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from intrepid_epid.aperture import at_isocentre_plane, open_area_cm2, open_share
from intrepid_epid.beam_model import PANEL, WATER, readings_gy_cm2
from intrepid_epid.image_grid import binned
from intrepid_epid.point_spread import padded_shape, radial_frequency_per_mm, transfer
from intrepid_epid.simulation.detector_kernels import spread as detector_spread
from intrepid_epid.simulation.photon_scatter import scattered_reading
from intrepid_epid.simulation.treatment_machine import SimulatedMachine
from intrepid_epid.spectrum import Spectrum
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.errors import MissingObject
from intrepid_rt.grids import Grid
from intrepid_rt.plan import Beam
from intrepid_rt.portal_image import PortalImage

DETECTORS = (PANEL, WATER)
ENERGY_GROUPS = 6
PRIMARIES = 60_000  # for 100 cm2; behind a small field scatter is a small share and may carry more noise
_LEAST_SHARE = 1 / 8
# Scattered photons that reach the imager carry 0.2 to 1.5 MeV; what they leave spreads over millimetres, the scatter
# itself over decimetres, so one energy does.
_SCATTER_MEV = 0.7


@dataclass(frozen=True, eq=False)
class SimulatedImage:
    """One beam as imaged: ``signal`` on the panel, ``portal_dose`` in Gy on the coarser dose plane.

    ``scatter_share`` is that of the phantom's scatter in the dose at the brightest place, ``scatter_sigma_percent`` its
    statistical uncertainty relative to the largest scatter.
    """

    signal: PortalImage
    portal_dose: PortalImage
    scatter_share: float = 0.0
    scatter_sigma_percent: float = 0.0


def simulate_image(
    machine: SimulatedMachine,
    beam: Beam,
    density_g_cc: Grid | None,
    *,
    seed: int,
    primaries: int = PRIMARIES,
) -> SimulatedImage:
    """Simulate one static beam on a phantom, or on nothing (the open beam).

    Parameters
    ----------
    density_g_cc : Grid or None
        Mass density of the phantom.
    seed : int
        Of scatter and noise; the same seed gives the same image.
    primaries : int
        Photons started for the scatter of 100 cm2 and more, fewer in smaller fields: 60,000 give 2 to 3 % of the
        largest scatter, about 0.1 % of the signal.

    Raises
    ------
    MissingObject
        The beam states no monitor units or opens no field.
    """
    area_cm2 = open_area_cm2(beam)
    if not beam.meterset_mu or area_cm2 <= 0:
        raise MissingObject(f"Beam {beam.name} has no monitor units or no open field; there is nothing to simulate.")
    panel = machine.panel
    fluence = _fluence_per_cm2(machine, beam, panel, area_cm2)
    way = _way(machine, beam, density_g_cc)
    primary = _primary_gy(machine, fluence, way)
    scatter, sigma = np.zeros_like(primary), 0.0
    if way is not None:
        started = int(primaries * np.clip(area_cm2 / 100, _LEAST_SHARE, 1))
        at_isocentre = binned(at_isocentre_plane(fluence.with_values(fluence.values * panel.magnification**2)))
        image = scattered_reading(
            way.anatomy, way.frame, way.spectrum, at_isocentre, panel, readings_gy_cm2, primaries=started, seed=seed
        )
        scatter = np.stack(
            [
                _spread(s, panel, _contrast(d, _SCATTER_MEV, panel))
                for d, s in zip(DETECTORS, image.reading, strict=True)
            ]
        )
        sigma = 100 * float(image.relative_sigma[1])
    dose = primary[1] + scatter[1]
    brightest = np.unravel_index(np.argmax(dose), dose.shape)
    return SimulatedImage(
        signal=_read_out(machine, panel.with_values(primary[0] + scatter[0]), np.random.default_rng(seed)),
        portal_dose=binned(panel.with_values(np.clip(dose, 0, None), unit="Gy")),
        scatter_share=float(scatter[1][brightest] / dose[brightest]),
        scatter_sigma_percent=sigma,
    )


def _fluence_per_cm2(machine: SimulatedMachine, beam: Beam, panel: PortalImage, area_cm2: float) -> PortalImage:
    """Photons per cm2 in the imager plane without phantom."""
    share = open_share(beam, panel).values
    share = ndimage.gaussian_filter(share, machine.penumbra_mm / machine.pixel_mm)
    leak = machine.leakage_percent / 100
    level = float(beam.meterset_mu or 0) * machine.photons_per_cm2_mu * machine.output(area_cm2)
    fluence = (leak + (1 - leak) * share) * level * machine.profile(panel) / panel.magnification**2
    return panel.with_values(fluence, unit="photons/cm2")


def _way(machine: SimulatedMachine, beam: Beam, density: Grid | None) -> PrimaryBeam | None:
    if density is None:
        return None
    point = beam.control_points[0]
    frame = beam_frame(
        point.gantry_angle_deg,
        point.isocentre_lps_mm,
        couch_angle_deg=point.couch_angle_deg,
        source_to_axis_mm=machine.source_to_axis_mm,
    )
    return PrimaryBeam(anatomy_of(density), machine.spectrum, frame)


def _primary_gy(machine: SimulatedMachine, fluence: PortalImage, way: PrimaryBeam | None) -> NDArray:
    """Return what uncollided photons make panel and water read, spread in the detector, (2, rows, columns)."""
    spectrum = machine.spectrum
    where, lit = _lit(fluence)
    weight = machine.softened(lit)
    thickness = None
    if way is not None:
        thickness = way.thickness_g_cm2(way.pixel_positions_lps_mm(lit)).astype(np.float32)
    response = readings_gy_cm2(spectrum.energy_mev)
    shape = padded_shape(fluence.values.shape)
    total = [np.zeros((shape[0], shape[1] // 2 + 1), np.complex64) for _ in DETECTORS]
    for members in np.array_split(np.arange(len(spectrum.weight)), ENERGY_GROUPS):
        planes = np.zeros((2, *fluence.values.shape), np.float32)
        for one in members:
            arriving = (lit.values * weight[one]).astype(np.float32)
            if way is not None and thickness is not None:
                arriving *= np.exp(-(thickness @ way.attenuation_cm2_g[:, one].astype(np.float32)))
            planes[:, *where] += arriving[None] * response[one].astype(np.float32)[:, None, None]
        for number, detector in enumerate(DETECTORS):
            contrast = _group_contrast(detector, spectrum, tuple(int(m) for m in members), fluence)
            total[number] += fft.rfft2(planes[number], shape) * contrast
    rows, columns = fluence.values.shape
    return np.stack([fft.irfft2(one, shape)[:rows, :columns] for one in total])


def _lit(fluence: PortalImage) -> tuple[tuple[slice, slice], PortalImage]:
    """Rows and columns that hold all of the fluence, and that part of the image: elsewhere no ray need be traced."""
    bright = fluence.values > 1e-9 * fluence.values.max()
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    where = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    first = float(fluence.x_mm[where[1]][0]), float(fluence.y_mm[where[0]][0])
    return where, replace(fluence, values=fluence.values[where], first_pixel_mm=first)


def _group_contrast(detector: str, spectrum: Spectrum, members: tuple[int, ...], image: PortalImage) -> NDArray:
    energy = tuple(float(e) for e in spectrum.energy_mev[list(members)].clip(0.05, 20.0))
    # A group without photons spreads nothing, but has to have a spread.
    weight = tuple(float(w) + 1e-12 for w in spectrum.weight[list(members)])
    return _contrast_of(detector, energy, weight, padded_shape(image.values.shape), image.pixel_spacing_mm)


def _contrast(detector: str, energy_mev: float, image: PortalImage) -> NDArray:
    return _contrast_of(detector, (energy_mev,), (1.0,), padded_shape(image.values.shape), image.pixel_spacing_mm)


@cache
def _contrast_of(
    detector: str,
    energy_mev: tuple[float, ...],
    weight: tuple[float, ...],
    shape: tuple[int, int],
    spacing_mm: tuple[float, float],
) -> NDArray:
    """Modulation transfer of a detector for a few energies, on the half spectrum of a padded image."""
    terms = detector_spread(detector, energy_mev, weight)
    frequency = radial_frequency_per_mm(shape, spacing_mm)
    parts = (w * transfer(frequency, s) for s, w in zip(terms.widths_mm, terms.weights, strict=True))
    return np.asarray(sum(parts), np.float32)


def _spread(image: NDArray, geometry: PortalImage, contrast: NDArray) -> NDArray:
    shape = padded_shape(image.shape)
    rows, columns = image.shape
    return fft.irfft2(fft.rfft2(image.astype(np.float32), shape) * contrast, shape)[:rows, :columns]


def _read_out(machine: SimulatedMachine, phosphor_gy: PortalImage, rng: np.random.Generator) -> PortalImage:
    """Dose in the phosphor to the signal that is stored: glare, quantum noise, saturation."""
    signal = phosphor_gy.values * machine.signal_per_gy
    if machine.glare_percent:
        frequency = radial_frequency_per_mm(padded_shape(signal.shape), phosphor_gy.pixel_spacing_mm)
        share = machine.glare_percent / 100
        signal = _spread(signal, phosphor_gy, 1 - share + share * transfer(frequency, machine.glare_mm))
    signal = np.clip(signal, 0, None)
    if np.isfinite(machine.quanta_per_signal_mm2):
        quanta = machine.quanta_per_signal_mm2 * machine.pixel_mm**2
        signal = np.clip(signal + rng.standard_normal(signal.shape) * np.sqrt(signal / quanta), 0, None)
    return phosphor_gy.with_values(np.minimum(signal, machine.saturates_at).astype(np.float32), unit="signal")
