"""Photons scattered more than once in a patient: how much they add at the imager to single scatter.

A photon-only Monte Carlo in a water slab: Klein-Nishina scattering, forced interactions, and from every collision the
expected contribution to the imager (next-event estimator). Photoelectric absorption and pair production end a photon.
Run this module to make the shipped table again: ``python -m intrepid_epid.simulation.multiple_scatter FILE``.
"""

import csv
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from intrepid_epid.beam_model import generic_spectrum, readings_gy_cm2
from intrepid_epid.simulation.materials import ELECTRON_MASS_MEV, mass_attenuation_cm2_g

# ruff: noqa: NPY002 - compiled code draws from one generator per thread, which every run seeds first.

TABLE = "multiple_scatter.csv"
SIDES_CM = (2.0, 5.0, 10.0, 20.0)
THICKNESSES_G_CM2 = (2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0)
HALF_SLAB_CM, IMAGER_CM, SOURCE_CM = 15.0, 60.0, 100.0
_ENERGY = np.geomspace(0.02, 12.0, 400)
_MOST_COLLISIONS = 12


def multiple_scatter_factor(thickness_g_cm2: float, side_cm: float) -> NDArray:
    """Return the ratio of all scatter to single scatter at the imager, near the beam axis.

    Parameters
    ----------
    thickness_g_cm2 : float
        Mass thickness of the patient; without bounds the last value of the table holds.
    side_cm : float
        Side of the equivalent square field at the isocentre.

    Returns
    -------
    ndarray, (2,) : for the imager panel and for water, as the columns of `readings_gy_cm2`.

    Examples
    --------
    >>> multiple_scatter_factor(0.0, 10.0).tolist()
    [1.0, 1.0]
    """
    sides, thicknesses, ratios = _table()
    at = (np.clip(side_cm, sides[0], sides[-1]), np.clip(thickness_g_cm2, 0.0, thicknesses[-1]))
    return RegularGridInterpolator((sides, thicknesses), ratios)(at).reshape(2)


@cache
def _table() -> tuple[NDArray, NDArray, NDArray]:
    """Sides, thicknesses and ratios (sides, thicknesses, 2); without patient there is no multiple scatter."""
    text = files("intrepid_epid.data").joinpath(TABLE).read_text(encoding="utf-8")
    rows = np.array([[float(cell) for cell in row] for row in list(csv.reader(text.splitlines()))[1:]])
    sides, thicknesses = np.unique(rows[:, 0]), np.unique(rows[:, 1])
    ratios = rows[:, 2:].reshape(len(sides), len(thicknesses), 2)
    start = np.ones((len(sides), 1, 2))
    return sides, np.concatenate([[0.0], thicknesses]), np.concatenate([start, ratios], axis=1)


def simulate(side_cm: float, thickness_cm: float, *, histories: int, seed: int) -> NDArray:
    """Simulate a square field on a water slab centred at the isocentre.

    Returns
    -------
    ndarray, (2, 2) : reading on the axis of the imager from photons scattered once (row 0) and more often (row 1), for
        the panel and for water, per incident photon.
    """
    spectrum = generic_spectrum()
    water = mass_attenuation_cm2_g("water", _ENERGY)
    compton = mass_attenuation_cm2_g("water", _ENERGY, process="compton")
    response = np.ascontiguousarray(readings_gy_cm2(_ENERGY).T)
    edges = (np.cumsum(spectrum.weight), spectrum.low_mev, spectrum.high_mev)
    return _run(histories, seed, side_cm / 2, thickness_cm / 2, *edges, water, compton, response)


@njit(cache=True)
def _run(histories, seed, half_side, half_slab, cumulative, low, high, attenuation, compton, response):  # type: ignore[no-untyped-def]
    np.random.seed(seed)
    out = np.zeros((2, response.shape[0]))
    for _ in range(histories):
        bin_ = np.searchsorted(cumulative, np.random.random())
        energy = low[bin_] + (high[bin_] - low[bin_]) * np.random.random()
        aim = np.array([(2 * np.random.random() - 1) * half_side, (2 * np.random.random() - 1) * half_side, SOURCE_CM])
        direction = aim / np.sqrt(np.sum(aim**2))
        at = aim * (SOURCE_CM - half_slab) / SOURCE_CM
        at[2] = -half_slab
        weight = 1.0
        for order in range(_MOST_COLLISIONS):
            path = _path_in_slab(at, direction, half_slab)
            if energy < 0.03 or path <= 0:
                break
            mu = _look_up(attenuation, energy)
            interacts = 1 - np.exp(-mu * path)
            at = at - direction * np.log(1 - interacts * np.random.random()) / mu
            weight *= interacts * _look_up(compton, energy) / mu
            _score(out[min(order, 1)], at, direction, energy, weight, half_slab, attenuation, response)
            direction, energy = _scattered(direction, energy)
            if weight < 1e-3:
                if np.random.random() < 0.5:
                    break
                weight *= 2
    return out / histories


@njit(cache=True)
def _score(out, at, direction, energy, weight, half_slab, attenuation, response):  # type: ignore[no-untyped-def]
    to = np.array([-at[0], -at[1], IMAGER_CM - at[2]])
    distance = np.sqrt(np.sum(to**2))
    to /= distance
    cosine = np.sum(to * direction)
    after = energy / (1 + energy / ELECTRON_MASS_MEV * (1 - cosine))
    if after < _ENERGY[0]:
        return
    depth = _look_up(attenuation, after) * _path_in_slab(at, to, half_slab)
    arriving = weight * _angular_share(energy, cosine) / distance**2 * np.exp(-depth)
    for detector in range(response.shape[0]):
        out[detector] += arriving * _look_up(response[detector], after)


@njit(cache=True)
def _angular_share(energy, cosine):  # type: ignore[no-untyped-def]
    """Klein-Nishina probability per steradian."""
    a = energy / ELECTRON_MASS_MEV
    log = np.log(1 + 2 * a)
    total = (1 + a) / a**2 * (2 * (1 + a) / (1 + 2 * a) - log / a) + log / (2 * a) - (1 + 3 * a) / (1 + 2 * a) ** 2
    ratio = 1 / (1 + a * (1 - cosine))
    return 0.5 * ratio**2 * (ratio + 1 / ratio - 1 + cosine**2) / (2 * np.pi * total)


@njit(cache=True)
def _scattered(direction, energy):  # type: ignore[no-untyped-def]
    a = energy / ELECTRON_MASS_MEV
    while True:
        cosine = 2 * np.random.random() - 1
        ratio = 1 / (1 + a * (1 - cosine))
        if 2 * np.random.random() <= ratio**2 * (ratio + 1 / ratio - 1 + cosine**2):
            break
    helper = np.array([1.0, 0.0, 0.0]) if abs(direction[0]) < 0.7 else np.array([0.0, 1.0, 0.0])
    first = np.cross(direction, helper)
    first /= np.sqrt(np.sum(first**2))
    second = np.cross(direction, first)
    azimuth, sine = 2 * np.pi * np.random.random(), np.sqrt(1 - cosine**2)
    return cosine * direction + sine * (np.cos(azimuth) * first + np.sin(azimuth) * second), energy * ratio


@njit(cache=True)
def _path_in_slab(at, direction, half_slab):  # type: ignore[no-untyped-def]
    path = np.inf
    for axis in range(3):
        half = half_slab if axis == 2 else HALF_SLAB_CM
        if direction[axis] > 1e-12:
            path = min(path, (half - at[axis]) / direction[axis])
        elif direction[axis] < -1e-12:
            path = min(path, (-half - at[axis]) / direction[axis])
    return max(path, 0.0)


@njit(cache=True)
def _look_up(table, energy):  # type: ignore[no-untyped-def]
    position = np.log(energy / _ENERGY[0]) / np.log(_ENERGY[1] / _ENERGY[0])
    index = min(max(int(position), 0), table.size - 2)
    return table[index] + (table[index + 1] - table[index]) * (position - index)


def make_table(path: Path, *, histories: int = 400_000) -> None:
    """Write the table of ratios for all fields and thicknesses."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["side_cm", "thickness_g_cm2", "panel_all_over_single", "water_all_over_single"])
        for side in SIDES_CM:
            for thickness in THICKNESSES_G_CM2:
                once, more = simulate(side, thickness, histories=histories, seed=1)
                writer.writerow([side, thickness, *(f"{1 + m / o:.4f}" for m, o in zip(more, once, strict=True))])


if __name__ == "__main__":
    make_table(Path(sys.argv[1]))
