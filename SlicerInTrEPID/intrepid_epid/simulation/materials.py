"""Materials: composition, photon attenuation by process, electron stopping powers, and the tissue of a CT density.

Photon data are NIST XCOM (Berger et al.), electron data NIST ESTAR, compositions those of ICRU Report 37 / ICRP 23 as
ESTAR lists them; ``intrepid_epid/data/README.md`` names the tables. Coherent (Rayleigh) scattering is left out: at
megavoltage energies it is below 0.5 % and strongly forward.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from intrepid_rt.errors import InvalidSetting

FloatArray = NDArray[np.floating]

ELECTRON_MASS_MEV = 0.51099895
PROCESSES = ("compton", "photoelectric", "pair", "triplet")
_PAIR_THRESHOLD_MEV = {"pair": 2 * ELECTRON_MASS_MEV, "triplet": 4 * ELECTRON_MASS_MEV}


@dataclass(frozen=True)
class Material:
    """A material: reference density in g/cm3, mass fractions of its elements, and electrons per gram (mol/g)."""

    density_g_cc: float
    mass_fractions: dict[str, float]
    electrons_mol_g: float


MATERIALS = {
    "air": Material(0.0012048, {"C": 0.000124, "N": 0.755267, "O": 0.231781, "Ar": 0.012827}, 0.49919),
    "lung": Material(
        1.05,
        {
            "H": 0.101278, "C": 0.10231, "N": 0.02865, "O": 0.757072, "Na": 0.00184, "Mg": 0.00073, "P": 0.0008,
            "S": 0.00225, "Cl": 0.00266, "K": 0.00194, "Ca": 0.00009, "Fe": 0.00037, "Zn": 0.00001,
        },
        0.54965,
    ),
    "water": Material(1.0, {"H": 0.111894, "O": 0.888106}, 0.55508),
    "bone": Material(
        1.85,
        {
            "H": 0.047234, "C": 0.14433, "N": 0.04199, "O": 0.446096, "Mg": 0.0022, "P": 0.10497, "S": 0.00315,
            "Ca": 0.20993, "Zn": 0.0001,
        },
        0.52130,
    ),
    "titanium": Material(4.54, {"Ti": 1.0}, 0.45948),
    "copper": Material(8.96, {"Cu": 1.0}, 0.45637),
    "gadolinium_oxysulphide": Material(7.44, {"O": 0.084528, "S": 0.08469, "Gd": 0.830782}, 0.42265),
}  # fmt: skip

# The tissue of a voxel by its mass density; the boundaries are those of the reference Monte Carlo's CT conversion.
TISSUES = ("air", "lung", "water", "bone", "titanium")
_TISSUE_BOUNDARIES_G_CC = np.array([0.02, 0.80, 1.12, 3.20])


def material_of_density(density_g_cc: ArrayLike) -> NDArray[np.uint8]:
    """Return the index into ``TISSUES`` of each mass density, same shape.

    Below 0.02 g/cm3 air, to 0.80 lung, to 1.12 water (soft tissue), to 3.20 cortical bone, above titanium.

    >>> [TISSUES[i] for i in material_of_density([0.0012, 0.25, 1.0, 1.6, 4.5])]
    ['air', 'lung', 'water', 'bone', 'titanium']
    """
    return np.searchsorted(_TISSUE_BOUNDARIES_G_CC, np.asarray(density_g_cc), side="right").astype(np.uint8)


def relative_electron_density(density_g_cc: ArrayLike) -> FloatArray:
    """Return electrons per volume relative to water of 1 g/cm3, by the tissue of each density.

    >>> relative_electron_density([1.0, 1.7]).round(3).tolist()
    [1.0, 1.597]
    """
    per_gram = np.array([MATERIALS[name].electrons_mol_g for name in TISSUES]) / MATERIALS["water"].electrons_mol_g
    return np.asarray(density_g_cc, float) * per_gram[material_of_density(density_g_cc)]


def mass_attenuation_cm2_g(material: str, energy_mev: ArrayLike, *, process: str = "total") -> FloatArray:
    """Return the photon mass attenuation coefficient in cm2/g, without coherent scatter.

    Parameters
    ----------
    material : str
        A name of ``MATERIALS`` or an element symbol of the table (H C N O Na Mg Al Si P S Cl Ar K Ca Ti Fe Cu Zn Gd W
        Pb).
    energy_mev : array_like
        Photon energies, 0.01 to 24 MeV, any shape.
    process : str
        ``total`` or one of ``compton``, ``photoelectric``, ``pair`` (nuclear field), ``triplet`` (electron field).

    Returns
    -------
    ndarray
        Same shape as ``energy_mev``.

    Raises
    ------
    InvalidSetting
        Unknown material or process, or an energy outside the table.

    References
    ----------
    Berger et al., XCOM: Photon Cross Sections Database, NIST (doi 10.18434/T48G6X); interpolation as XCOM does it.

    Examples
    --------
    >>> float(mass_attenuation_cm2_g("water", 2.0).round(4))
    0.0494
    """
    energies = np.asarray(energy_mev, float)
    if energies.size and not (energies.min() >= 0.01 and energies.max() <= 24.0):
        raise InvalidSetting(
            f"Photon energies {energies.min():.4g} to {energies.max():.4g} MeV leave the attenuation table "
            "(0.01 to 24 MeV); use a spectrum within it."
        )
    names = PROCESSES if process == "total" else (process,)
    if not set(names) <= set(PROCESSES):
        raise InvalidSetting(f"Unknown photon process {process!r}; expected total or one of {', '.join(PROCESSES)}.")
    fractions = _mass_fractions(material)
    return sum(
        (w * _cross_section(symbol, name)(energies) for symbol, w in fractions.items() for name in names),
        np.zeros(energies.shape),
    )


def linear_attenuation_per_cm(density_g_cc: ArrayLike, energy_mev: float) -> FloatArray:
    """Return the linear attenuation coefficient in 1/cm of tissues of the given mass densities at one energy."""
    per_gram = np.array([mass_attenuation_cm2_g(name, energy_mev) for name in TISSUES])
    return np.asarray(density_g_cc, float) * per_gram[material_of_density(density_g_cc)]


def stopping_power_mev_cm2_g(material: str, energy_mev: ArrayLike, *, kind: str = "collision") -> FloatArray:
    """Return the electron mass stopping power in MeV cm2/g; ``kind`` is ``collision`` or ``radiative`` (NIST ESTAR).

    Raises
    ------
    InvalidSetting : the table has no such material.

    Examples
    --------
    >>> float(stopping_power_mev_cm2_g("water", 1.0).round(3))
    1.849
    """
    table = _electron_table().get(material)
    if table is None:
        raise InvalidSetting(f"No stopping powers for {material!r}; the table has {', '.join(_electron_table())}.")
    column = {"collision": 1, "radiative": 2}[kind]
    return np.exp(CubicSpline(np.log(table[:, 0]), np.log(table[:, column]))(np.log(np.asarray(energy_mev, float))))


def _mass_fractions(material: str) -> dict[str, float]:
    if material in MATERIALS:
        return MATERIALS[material].mass_fractions
    if material in _photon_table():
        return {material: 1.0}
    raise InvalidSetting(f"Unknown material {material!r}; known are {', '.join([*MATERIALS, *_photon_table()])}.")


@cache
def _cross_section(symbol: str, process: str) -> Callable[[FloatArray], FloatArray]:
    table = _photon_table()[symbol]
    energy, values = table[:, 0], table[:, 1 + PROCESSES.index(process)]
    if process in _PAIR_THRESHOLD_MEV:
        return _above_threshold(energy, values, _PAIR_THRESHOLD_MEV[process])
    return _between_edges(energy, values)


def _above_threshold(
    energy: FloatArray, values: FloatArray, threshold_mev: float
) -> Callable[[FloatArray], FloatArray]:
    # The cube of the excess energy carries the steep rise, so the logarithm that is left interpolates well.
    def rise(e: FloatArray) -> FloatArray:
        return np.clip(1 - threshold_mev / e, 0, None) ** 3

    open_channel = values > 0
    nodes = np.log(energy[open_channel])
    spline = CubicSpline(nodes, np.log(values[open_channel] / rise(energy[open_channel])))
    return lambda e: rise(e) * np.exp(spline(np.maximum(np.log(e), nodes[0])))


def _between_edges(energy: FloatArray, values: FloatArray) -> Callable[[FloatArray], FloatArray]:
    # An absorption edge is a pair of nodes 0.1 eV apart, and one spline lies on either side of it.
    last_below = np.flatnonzero(np.diff(energy) < 2e-7)
    pieces = zip(np.split(energy, last_below + 1), np.split(values, last_below + 1), strict=True)
    splines = [CubicSpline(np.log(e), np.log(v)) for e, v in pieces]

    def interpolate(e: FloatArray) -> FloatArray:
        piece = np.searchsorted(energy[last_below], e)
        return np.exp(np.choose(piece, [spline(np.log(e)) for spline in splines]))

    return interpolate


@cache
def _photon_table() -> dict[str, FloatArray]:
    return _read_table("photon_cross_sections.csv")


@cache
def _electron_table() -> dict[str, FloatArray]:
    return _read_table("electron_stopping_powers.csv")


def _read_table(name: str) -> dict[str, FloatArray]:
    rows: dict[str, list[list[float]]] = {}
    text = files("intrepid_epid.data").joinpath(name).read_text(encoding="utf-8")
    for key, *numbers in list(csv.reader(text.splitlines()))[1:]:
        rows.setdefault(key, []).append([float(number) for number in numbers])
    return {key: np.array(values) for key, values in rows.items()}
