"""Energy that photons transfer to electrons, per photon fluence."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intrepid_epid.simulation.materials import ELECTRON_MASS_MEV, mass_attenuation_cm2_g

GY_PER_MEV_G = 1.602176634e-10


def compton_transfer_fraction(energy_mev: ArrayLike) -> NDArray:
    """Mean fraction of a photon's energy that a Klein-Nishina collision gives to the electron.

    References
    ----------
    Evans, The Atomic Nucleus (1955), ch. 23, eqs. 5.8 and 6.6.

    Examples
    --------
    >>> compton_transfer_fraction([0.1, 1.0, 6.0]).round(3).tolist()
    [0.138, 0.44, 0.644]
    """
    a = np.asarray(energy_mev, float) / ELECTRON_MASS_MEV
    log = np.log1p(2 * a)
    total = 2 * (
        (1 + a) / a**2 * (2 * (1 + a) / (1 + 2 * a) - log / a) + log / (2 * a) - (1 + 3 * a) / (1 + 2 * a) ** 2
    )
    scattered = (
        log / a**3
        + 2 * (1 + a) * (2 * a**2 - 2 * a - 1) / (a**2 * (1 + 2 * a) ** 2)
        + 8 * a**2 / (3 * (1 + 2 * a) ** 3)
    )
    return 1 - scattered / total


def kerma_gy_cm2(material: str, energy_mev: ArrayLike) -> NDArray:
    """Kerma in Gy per photon and cm2 in a small mass of the material.

    >>> float((kerma_gy_cm2("water", 1.0) * 1e12).round(2))  # mu_tr/rho of water at 1 MeV is 0.0311 cm2/g
    4.98
    """
    energy = np.asarray(energy_mev, float)
    transferred = (
        mass_attenuation_cm2_g(material, energy, process="compton") * compton_transfer_fraction(energy)
        + mass_attenuation_cm2_g(material, energy, process="photoelectric")
        + mass_attenuation_cm2_g(material, energy, process="pair") * np.clip(1 - 2 * ELECTRON_MASS_MEV / energy, 0, 1)
    )
    return energy * transferred * GY_PER_MEV_G
