"""Response and point spread of the two detectors for photons of any spectrum, from the shipped pencil-beam tables.

``epid`` is the phosphor of a portal imager behind 1 mm water and 1 mm copper; ``water_15mm`` and ``water_50mm`` are
14-16 mm and 49-51 mm deep in 25 cm of water. See ``docs/physics_kernels.md`` for the simulation and its checks.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import nnls

from intrepid_rt.errors import InvalidSetting

FloatArray = NDArray[np.floating]

DETECTORS = ("epid", "water_15mm", "water_50mm")
# The terms a fit may use; 0 is a spread much smaller than an image pixel, which no image resolves.
_WIDTHS_MM = (0.0, *(float(width) for width in np.geomspace(0.2, 102.4, 28).round(4)))
_RESOLVED_MM = 0.4


@dataclass(frozen=True)
class Spread:
    """Normalised point spread as a sum of terms ``weight * exp(-r / width) / (2 pi width^2)``.

    ``largest_error`` is the largest difference between the fitted and the simulated share of the response within any
    radius from 0.4 mm up.
    """

    widths_mm: tuple[float, ...]
    weights: tuple[float, ...]
    largest_error: float

    def within(self, radius_mm: ArrayLike) -> FloatArray:
        """Share of the response within a radius, same shape as ``radius_mm``."""
        radius = np.asarray(radius_mm, float)
        return np.asarray(_within_terms(radius.ravel(), self.widths_mm) @ self.weights).reshape(radius.shape)


@dataclass(frozen=True, eq=False)
class _Table:
    energy_mev: FloatArray
    response_pgy_cm2: FloatArray
    radius_mm: FloatArray
    within: FloatArray  # (energies, radii)


def response_gy_cm2(detector: str, energy_mev: ArrayLike) -> FloatArray:
    """Return the dose to the scoring layer per photon fluence of a broad, perpendicular beam.

    Parameters
    ----------
    detector : str
        One of ``DETECTORS``.
    energy_mev : array_like
        0.05 to 20 MeV, any shape.

    Returns
    -------
    ndarray
        Gy per photon and cm2, same shape; statistical uncertainty below 1 % (1 sigma, see the table).

    Raises
    ------
    InvalidSetting
        Unknown detector or energy outside the table.
    """
    table, energies = _table(detector), _checked(energy_mev)
    logarithm = PchipInterpolator(np.log(table.energy_mev), np.log(table.response_pgy_cm2 * 1e-12))
    return np.exp(logarithm(np.log(energies)))


def spread(detector: str, energy_mev: ArrayLike, weight: ArrayLike) -> Spread:
    """Fit the point spread of a detector for a spectrum of incident photons.

    Parameters
    ----------
    detector : str
        One of ``DETECTORS``.
    energy_mev, weight : array_like, (n,)
        Energies and relative photon numbers; any positive scale.

    Raises
    ------
    InvalidSetting
        Unknown detector, energy outside the table, or no positive weight.
    """
    table, energies = _table(detector), _checked(energy_mev)
    signal = np.asarray(weight, float) * response_gy_cm2(detector, energies)
    if not (signal >= 0).all() or signal.sum() <= 0:
        raise InvalidSetting("A spectrum needs weights of at least 0, and one above; check the beam model.")
    shares = PchipInterpolator(np.log(table.energy_mev), table.within)(np.log(energies))
    target = signal @ shares / signal.sum()
    resolved = table.radius_mm >= _RESOLVED_MM
    target = target[resolved]
    terms = _within_terms(table.radius_mm[resolved], _WIDTHS_MM)
    # The heavy last row makes the weights sum to 1: a spread moves signal and makes none.
    weights, _ = nnls(np.vstack([terms, np.full(len(_WIDTHS_MM), 1e3)]), np.append(target, 1e3))
    error = np.abs(terms @ weights - target).max()
    used = weights > 0
    widths = np.array(_WIDTHS_MM)[used]
    total = weights.sum()
    return Spread(tuple(map(float, widths)), tuple(float(w / total) for w in weights[used]), float(error))


def _within_terms(radius_mm: FloatArray, widths_mm: tuple[float, ...]) -> FloatArray:
    columns = [
        1 - (1 + radius_mm / width) * np.exp(-radius_mm / width) if width > 0 else np.ones_like(radius_mm)
        for width in widths_mm
    ]
    return np.stack(columns, axis=-1)


def _checked(energy_mev: ArrayLike) -> FloatArray:
    energies = np.asarray(energy_mev, float)
    if energies.size and not (energies.min() >= 0.05 and energies.max() <= 20.0):
        raise InvalidSetting(
            f"Photon energies {energies.min():.4g} to {energies.max():.4g} MeV leave the kernel tables "
            "(0.05 to 20 MeV); use a spectrum within them."
        )
    return energies


def _table(detector: str) -> _Table:
    if detector not in DETECTORS:
        raise InvalidSetting(f"Unknown detector {detector!r}; expected one of {', '.join(DETECTORS)}.")
    return _tables()[detector]


@cache
def _tables() -> dict[str, _Table]:
    text = files("intrepid_epid.data").joinpath("detector_kernels.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    radius_mm = np.array([float(name.split("_")[1]) for name in header[4:]])
    tables = {}
    for name in DETECTORS:
        numbers = np.array([[float(value) for value in row[1:]] for row in rows if row[0] == name])
        tables[name] = _Table(numbers[:, 0], numbers[:, 1], radius_mm, numbers[:, 3:])
    return tables
