"""Sampling of single interactions of photons and electrons; energies in MeV, directions as unit vectors."""

# ruff: noqa: NPY002 - compiled code draws from one generator per thread, which every run seeds first.
import numpy as np
from numba import njit

ELECTRON_MASS_MEV = 0.51099895


@njit(cache=True)
def compton(energy):  # type: ignore[no-untyped-def]
    """Sample the Klein-Nishina formula: energy of the scattered photon and the cosine of its angle.

    Composition and rejection of Butcher and Messel (Nucl. Phys. 20 (1960) 15) for a free electron at rest.
    """
    k = energy / ELECTRON_MASS_MEV
    lowest = 1.0 / (1.0 + 2.0 * k)
    weight_log = -np.log(lowest)
    weight_linear = 0.5 * (1.0 - lowest * lowest)
    while True:
        if np.random.random() * (weight_log + weight_linear) < weight_log:
            ratio = np.exp(-weight_log * np.random.random())
        else:
            ratio = np.sqrt(lowest * lowest + (1.0 - lowest * lowest) * np.random.random())
        t = (1.0 - ratio) / (k * ratio)
        if np.random.random() < 1.0 - ratio * t * (2.0 - t) / (1.0 + ratio * ratio):
            return ratio * energy, 1.0 - t


@njit(cache=True)
def recoil_cosine(energy, electron_energy):  # type: ignore[no-untyped-def]
    """Cosine of the Compton electron's angle to the incident photon, from energy and momentum conservation."""
    k = energy / ELECTRON_MASS_MEV
    cosine = (1.0 + k) / k * np.sqrt(electron_energy / (electron_energy + 2.0 * ELECTRON_MASS_MEV))
    return min(cosine, 1.0)


@njit(cache=True)
def photoelectron_cosine(electron_energy):  # type: ignore[no-untyped-def]
    """Sample the leading term of Sauter's formula: (1 - c^2) / (1 - beta c)^4."""
    beta2 = 1.0 - (1.0 / (1.0 + electron_energy / ELECTRON_MASS_MEV)) ** 2
    beta = np.sqrt(beta2)
    while True:
        cosine = forward_cosine(beta)
        # What remains after the proposal, (1 - c^2) / (1 - beta c)^2, peaks at c = beta with 1 / (1 - beta^2).
        if np.random.random() < (1.0 - cosine * cosine) * (1.0 - beta2) / (1.0 - beta * cosine) ** 2:
            return cosine


@njit(cache=True)
def forward_cosine(beta):  # type: ignore[no-untyped-def]
    """Sample 1 / (1 - beta c)^2, the dipole-like angle of a pair electron or of bremsstrahlung."""
    u = 2.0 * np.random.random() - 1.0
    return (u + beta) / (1.0 + beta * u)


@njit(cache=True)
def bremsstrahlung_fraction(lowest):  # type: ignore[no-untyped-def]
    """Sample the photon's share x of the electron energy from (1 - x + 3/4 x^2) / x between ``lowest`` and 1."""
    while True:
        x = lowest ** np.random.random()
        if np.random.random() < 1.0 - x + 0.75 * x * x:
            return x


@njit(cache=True)
def turned(u, v, w, cosine):  # type: ignore[no-untyped-def]
    """Turn direction (u, v, w) by an angle of the given cosine, at a random azimuth."""
    azimuth = 2.0 * np.pi * np.random.random()
    sine = np.sqrt(max(0.0, 1.0 - cosine * cosine))
    a, b = sine * np.cos(azimuth), sine * np.sin(azimuth)
    lateral = u * u + v * v
    if lateral < 1e-12:
        # Along the z axis any perpendicular pair will do; the sign keeps the turn relative to the direction.
        return a, b, (cosine if w > 0.0 else -cosine)
    lateral = np.sqrt(lateral)
    return (
        cosine * u + (a * u * w - b * v) / lateral,
        cosine * v + (a * v * w + b * u) / lateral,
        cosine * w - a * lateral,
    )
