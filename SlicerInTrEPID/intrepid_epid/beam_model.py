"""Spectrum and detector physics of one beam: what turns photon fluence into readings."""

from dataclasses import dataclass
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.simulation.detector_kernels import response_gy_cm2
from intrepid_epid.spectrum import Spectrum, read_spectrum

GENERIC_SPECTRUM = "spectrum_6mv_mohan.csv"
PANEL, WATER = "epid", "water_15mm"


@dataclass(frozen=True, eq=False)
class BeamModel:
    """The spectrum of a beam and ``notes`` on what was assumed."""

    spectrum: Spectrum
    notes: tuple[str, ...] = ()


def readings_gy_cm2(energy_mev: ArrayLike) -> NDArray:
    """Return the readings per photon and cm2 of the imager panel and of water at the dose depth.

    Returns
    -------
    ndarray, (n, 2) : panel (dose to its phosphor) and water, Gy cm2; energies beyond the kernel tables take the
        response at their end.
    """
    inside = np.clip(np.asarray(energy_mev, float), 0.05, 20.0)
    return np.stack([response_gy_cm2(PANEL, inside), response_gy_cm2(WATER, inside)], axis=-1)


def generic_spectrum() -> Spectrum:
    """Return a published 6 MV spectrum (Mohan, Chui, Lidofsky, Med. Phys. 12 (1985) 595)."""
    with as_file(files("intrepid_epid.data") / GENERIC_SPECTRUM) as path:
        return read_spectrum(path)


def beam_model(profile: MachineProfile | None) -> BeamModel:
    """Build the model of a machine from its profile, or that of a generic 6 MV beam."""
    if profile is not None and profile.spectrum:
        return BeamModel(Spectrum.from_bins(profile.spectrum))
    note = "No beam model was commissioned: a published 6 MV spectrum is used. Give one to 'intrepid commission'."
    return BeamModel(generic_spectrum(), (note,))
