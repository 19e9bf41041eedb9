"""From dose in water of scaled density, which superposition computes, to Bragg-Gray dose to water in the tissue."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intrepid_epid.kerma import compton_transfer_fraction, kerma_gy_cm2
from intrepid_epid.simulation.materials import TISSUES, stopping_power_mev_cm2_g
from intrepid_rt.errors import InvalidSetting

FloatArray = NDArray[np.floating]


def water_in_tissue_factors(energy_mev: ArrayLike, weight: ArrayLike) -> FloatArray:
    """Return the dose to a small mass of water in each tissue, over that in water with the same electrons per volume.

    A cavity of water sees the electrons of the tissue around it. In electronic equilibrium the tissue receives its own
    kerma, and the cavity that dose times the ratio of the collision stopping powers of water and tissue, taken at half
    the mean energy with which the photons set electrons in motion. Superposition in water of scaled density receives
    the kerma of water instead.

    Parameters
    ----------
    energy_mev, weight : array_like, (n,)
        Energies and relative photon numbers where the dose is wanted.

    Returns
    -------
    ndarray, (5,) : one factor per entry of ``TISSUES``; that of water is 1.

    References
    ----------
    Siebers et al., Phys. Med. Biol. 45 (2000) 983, for the ratio of stopping powers.

    Examples
    --------
    >>> factors = water_in_tissue_factors([2.0], [1.0])
    >>> dict(zip(TISSUES, factors.round(2).tolist(), strict=True))
    {'air': 1.02, 'lung': 1.0, 'water': 1.0, 'bone': 1.05, 'titanium': 1.18}
    """
    energy, number = np.asarray(energy_mev, float), np.asarray(weight, float)
    kerma = np.array([number @ kerma_gy_cm2(name, energy) for name in TISSUES])
    in_motion = number * kerma_gy_cm2("water", energy)
    electron_mev = (in_motion @ (energy * compton_transfer_fraction(energy))) / in_motion.sum() / 2
    stopping = np.array([float(stopping_power_mev_cm2_g(name, electron_mev)) for name in TISSUES])
    water = TISSUES.index("water")
    return kerma / kerma[water] * stopping[water] / stopping


def tissue_factors(energy_mev: ArrayLike, weight: ArrayLike) -> FloatArray:
    """Return the dose to each tissue itself, over that in water with the same electrons per volume: kerma over kerma.

    Returns
    -------
    ndarray, (5,) : one factor per entry of ``TISSUES``; that of water is 1.

    Examples
    --------
    >>> factors = tissue_factors([2.0], [1.0])
    >>> dict(zip(TISSUES, factors.round(2).tolist(), strict=True))
    {'air': 0.9, 'lung': 0.99, 'water': 1.0, 'bone': 0.94, 'titanium': 0.84}
    """
    energy, number = np.asarray(energy_mev, float), np.asarray(weight, float)
    kerma = np.array([number @ kerma_gy_cm2(name, energy) for name in TISSUES])
    return kerma / kerma[TISSUES.index("water")]


MEANINGS = {
    "water": "Dose to water, tissues taken as water of their electron density.",
    "water-in-tissue": "Dose to a small mass of water in the tissue (Bragg-Gray).",
    "tissue": "Dose to the tissue itself.",
}


def factors_of(meaning: str, energy_mev: ArrayLike, weight: ArrayLike) -> FloatArray:
    """Return what turns the dose of superposition into a dose of this meaning, per entry of ``TISSUES``.

    Parameters
    ----------
    meaning : str
        A key of ``MEANINGS``; what superposition computes is "water".

    Raises
    ------
    InvalidSetting
        No such meaning.
    """
    if meaning not in MEANINGS:
        raise InvalidSetting(f"Dose to {meaning!r} is not known; choose one of {', '.join(MEANINGS)}.")
    if meaning == "water":
        return np.ones(len(TISSUES))
    return (tissue_factors if meaning == "tissue" else water_in_tissue_factors)(energy_mev, weight)
