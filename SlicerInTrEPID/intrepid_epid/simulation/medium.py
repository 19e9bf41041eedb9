"""What a particle needs to know of a medium, tabulated for the Monte Carlo on a logarithmic energy grid."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from intrepid_epid.simulation.make_material_tables import ELEMENTS
from intrepid_epid.simulation.materials import (
    ELECTRON_MASS_MEV,
    MATERIALS,
    mass_attenuation_cm2_g,
    stopping_power_mev_cm2_g,
)

FloatArray = NDArray[np.floating]

LOWEST_MEV, HIGHEST_MEV, NODES = 0.01, 24.0, 800
LEAST_BREMSSTRAHLUNG_MEV = 0.01
_FINE_STRUCTURE = 1 / 137.036
_CLASSICAL_RADIUS2_CM2 = (2.8179403e-13) ** 2
_AVOGADRO = 6.0221408e23
# Gadolinium: binding energy of the K shell; share of K-shell photoelectrons times fluorescence yield
# (Hubbell et al., J. Phys. Chem. Ref. Data 23 (1994) 339); mean energy of its K lines.
_GD_K_EDGE_MEV, _GD_K_FLUORESCENCE, _GD_K_LINE_MEV = 0.050239, 0.82 * 0.932, 0.0436


class Media(NamedTuple):
    """Per medium (rows) and energy node (columns): probabilities and rates per cm at the medium's density."""

    attenuation_per_cm: FloatArray
    compton_share: FloatArray
    compton_or_photo_share: FloatArray
    stopping_mev_per_cm: FloatArray
    bremsstrahlung_per_cm: FloatArray
    scattering_per_cm: FloatArray
    range_cm: FloatArray  # continuous slowing down by collisions alone: no electron gets farther
    k_edge_mev: FloatArray  # (n,) 0 where no fluorescence is followed
    k_fluorescence: FloatArray  # (n,) probability of a K photon per photoelectric absorption above the edge
    k_line_mev: FloatArray  # (n,)


def tabulate(media: list[tuple[str, float]]) -> Media:
    """Tabulate (material name, density in g/cm3) pairs."""
    energy = np.geomspace(LOWEST_MEV, HIGHEST_MEV, NODES)
    energy[-1] = HIGHEST_MEV
    columns = [_photon_rows(name, density, energy) + _electron_rows(name, density, energy) for name, density in media]
    fluorescent = np.array([name == "gadolinium_oxysulphide" for name, _ in media])
    tables = [np.ascontiguousarray(row) for row in np.stack(columns, axis=1)]
    gadolinium = (_GD_K_EDGE_MEV, _GD_K_FLUORESCENCE, _GD_K_LINE_MEV)
    return Media._make([*tables, *(fluorescent * value for value in gadolinium)])


@njit(cache=True)
def at(table, medium, energy):  # type: ignore[no-untyped-def]
    """Interpolate a row of ``Media`` linearly in the logarithm of energy; clamped to the grid."""
    position = np.log(energy / LOWEST_MEV) * ((NODES - 1) / np.log(HIGHEST_MEV / LOWEST_MEV))
    node = min(max(int(position), 0), NODES - 2)
    share = min(max(position - node, 0.0), 1.0)
    return table[medium, node] * (1.0 - share) + table[medium, node + 1] * share


def _photon_rows(name: str, density: float, energy: FloatArray) -> tuple[FloatArray, ...]:
    total = mass_attenuation_cm2_g(name, energy)
    compton = mass_attenuation_cm2_g(name, energy, process="compton")
    photo = mass_attenuation_cm2_g(name, energy, process="photoelectric")
    return total * density, compton / total, (compton + photo) / total


def _electron_rows(name: str, density: float, energy: FloatArray) -> tuple[FloatArray, ...]:
    collision = stopping_power_mev_cm2_g(name, energy) * density
    radiative = stopping_power_mev_cm2_g(name, energy, kind="radiative") * density
    reach = cumulative_trapezoid(1 / collision, energy, initial=0) + energy[0] / collision[0]
    return (
        collision,
        radiative / _mean_bremsstrahlung_mev(energy),
        _transport_cross_section(name, energy) * density,
        reach,
    )


def _mean_bremsstrahlung_mev(energy: FloatArray) -> FloatArray:
    # Mean of the spectrum that interactions.bremsstrahlung_fraction samples.
    x = np.minimum(LEAST_BREMSSTRAHLUNG_MEV / energy, 0.999)
    carried = (1 - x) - (1 - x**2) / 2 + (1 - x**3) / 4
    return energy * carried / (-np.log(x) - (1 - x) + 0.375 * (1 - x**2))


def _transport_cross_section(name: str, energy: FloatArray) -> FloatArray:
    """First transport cross section in cm2/g of the screened Rutherford formula with Moliere's screening angle."""
    tau = energy / ELECTRON_MASS_MEV
    momentum2 = tau * (tau + 2)  # in (m c)^2
    beta2 = momentum2 / (tau + 1) ** 2
    total = np.zeros_like(energy)
    for symbol, fraction in MATERIALS[name].mass_fractions.items():
        z, atomic_weight = ELEMENTS[symbol]
        thomas_fermi = (_FINE_STRUCTURE / 0.885) ** 2 * z ** (2 / 3)
        screening = thomas_fermi / momentum2 * (1.13 + 3.76 * (_FINE_STRUCTURE * z) ** 2 / beta2) / 4
        integral = np.log1p(1 / screening) - 1 / (1 + screening)
        atoms = fraction * _AVOGADRO / atomic_weight
        total += atoms * 2 * np.pi * z * (z + 1) * _CLASSICAL_RADIUS2_CM2 / (momentum2 * beta2) * integral
    return total
