"""Photon and electron transport through layers perpendicular to z: a small Monte Carlo for kernels.

Photons: Compton (free electron), photoelectric absorption, pair production; no coherent scatter. Electrons: continuous
collision loss, discrete bremsstrahlung, multiple scattering with the exact first moment of the screened Rutherford
formula at a random hinge in each step (after PENELOPE, Salvat et al.); no explicit knock-on electrons, so energy-loss
straggling comes from bremsstrahlung alone. Positrons move as electrons and annihilate at rest.
Lengths in cm, energies in MeV.
"""

# ruff: noqa: NPY002 - compiled code draws from one generator per thread, which every run seeds first.
import numpy as np
from numba import njit

from intrepid_epid.simulation import interactions as sample
from intrepid_epid.simulation.interactions import ELECTRON_MASS_MEV
from intrepid_epid.simulation.medium import LEAST_BREMSSTRAHLUNG_MEV, at
from intrepid_epid.simulation.tally import distance_to_wanted, score

PHOTON, ELECTRON, POSITRON = 0, 1, 2
PHOTON_CUTOFF_MEV, ELECTRON_CUTOFF_MEV = 0.01, 0.05
_MOST_SCATTERING, _MOST_LOSS = 0.1, 0.1  # per electron step: first moment of the deflection, fraction of the energy
_STACK = 400
# Columns of the particle stack.
_KIND, _ENERGY, _X, _Y, _Z, _U, _V, _W, _SECONDARY = range(9)


@njit(cache=True)
def new_stack():  # type: ignore[no-untyped-def]
    """Return storage for the particles that still have to be followed."""
    return np.empty((_STACK, 9))


@njit(cache=True)
def push(stack, n, kind, energy, x, y, z, u, v, w, secondary):  # type: ignore[no-untyped-def]
    """Put a particle on the stack and return the new count."""
    p = stack[n]
    p[_KIND], p[_ENERGY], p[_X], p[_Y], p[_Z], p[_U], p[_V], p[_W], p[_SECONDARY] = (
        kind, energy, x, y, z, u, v, w, secondary,
    )  # fmt: skip
    return n + 1


@njit(cache=True)
def layer_of(z, faces):  # type: ignore[no-untyped-def]
    """Index of the layer that holds z; -1 or the number of layers outside."""
    for i in range(faces.size):
        if z < faces[i]:
            return i - 1
    return faces.size - 1


@njit(cache=True)
def follow(stack, n, faces, media, weight, tally):  # type: ignore[no-untyped-def]
    """Follow all particles of the stack to the end, scoring deposited energy times ``weight``."""
    while n > 0:
        n -= 1
        if stack[n, _KIND] == PHOTON:
            n = _photon(stack, n, faces, media, weight, tally)
        else:
            n = _electron(stack, n, faces, media, weight, tally)


@njit(cache=True)
def _photon(stack, n, faces, media, weight, tally):  # type: ignore[no-untyped-def]
    _, energy, x, y, z, u, v, w, secondary = stack[n]
    layer = layer_of(z, faces)
    depth = -np.log(1.0 - np.random.random())
    while True:
        mu = at(media.attenuation_per_cm, layer, energy)
        path, next_layer = _to_face(z, w, layer, faces)
        if mu * path >= depth:
            path = depth / mu
            return interact(
                stack, n, layer, energy, x + u * path, y + v * path, z + w * path, u, v, w, secondary, media, weight,
                tally,
            )  # fmt: skip
        depth -= mu * path
        x, y, z, layer = x + u * path, y + v * path, z + w * path, next_layer
        if layer < 0 or layer >= faces.size - 1:
            return n


@njit(cache=True)
def interact(stack, n, layer, energy, x, y, z, u, v, w, secondary, media, weight, tally):  # type: ignore[no-untyped-def]
    """Let a photon interact at a point of a layer; its products go on the stack."""
    choice = np.random.random()
    if choice < at(media.compton_share, layer, energy):
        scattered, cosine = sample.compton(energy)
        electron = energy - scattered
        a, b, c = sample.turned(u, v, w, cosine)
        if scattered > PHOTON_CUTOFF_MEV:
            n = push(stack, n, PHOTON, scattered, x, y, z, a, b, c, 1.0)
        else:
            score(tally, layer, x, y, z, scattered * weight, 1.0)
        a, b, c = _coplanar(u, v, w, a, b, c, cosine, sample.recoil_cosine(energy, electron))
        return push(stack, n, ELECTRON, electron, x, y, z, a, b, c, secondary)
    if choice < at(media.compton_or_photo_share, layer, energy):
        return _photoelectric(stack, n, layer, energy, x, y, z, u, v, w, secondary, media, weight, tally)
    return _pair(stack, n, energy, x, y, z, u, v, w, secondary)


@njit(cache=True)
def _coplanar(u, v, w, a, b, c, photon_cosine, electron_cosine):  # type: ignore[no-untyped-def]
    # The recoil electron lies in the plane of both photons, on the other side of the incident direction.
    photon_sine = np.sqrt(max(1e-20, 1.0 - photon_cosine * photon_cosine))
    along = electron_cosine
    across = -np.sqrt(max(0.0, 1.0 - electron_cosine * electron_cosine)) / photon_sine
    along -= across * photon_cosine
    return along * u + across * a, along * v + across * b, along * w + across * c


@njit(cache=True)
def _photoelectric(stack, n, layer, energy, x, y, z, u, v, w, secondary, media, weight, tally):  # type: ignore[no-untyped-def]
    edge = media.k_edge_mev[layer]
    electron = energy
    if edge > 0.0 and energy > edge and np.random.random() < media.k_fluorescence[layer]:
        line = media.k_line_mev[layer]
        a, b, c = sample.turned(0.0, 0.0, 1.0, 2.0 * np.random.random() - 1.0)
        n = push(stack, n, PHOTON, line, x, y, z, a, b, c, 1.0)
        electron = energy - edge
        score(tally, layer, x, y, z, (edge - line) * weight, secondary)
    a, b, c = sample.turned(u, v, w, sample.photoelectron_cosine(electron))
    return push(stack, n, ELECTRON, electron, x, y, z, a, b, c, secondary)


@njit(cache=True)
def _pair(stack, n, energy, x, y, z, u, v, w, secondary):  # type: ignore[no-untyped-def]
    # The kinetic energy is shared evenly between 0 and all: within a few percent of Bethe-Heitler below 20 MeV.
    kinetic = energy - 2.0 * ELECTRON_MASS_MEV
    first = kinetic * np.random.random()
    for kind, share in ((ELECTRON, first), (POSITRON, kinetic - first)):
        beta = np.sqrt(1.0 - (1.0 / (1.0 + share / ELECTRON_MASS_MEV)) ** 2)
        a, b, c = sample.turned(u, v, w, sample.forward_cosine(beta))
        n = push(stack, n, kind, share, x, y, z, a, b, c, secondary)
    return n


@njit(cache=True)
def _electron(stack, n, faces, media, weight, tally):  # type: ignore[no-untyped-def]
    kind, energy, x, y, z, u, v, w, secondary = stack[n]
    layer = layer_of(z, faces)
    wasted = at(media.range_cm, layer, energy) < distance_to_wanted(tally, z)
    while energy > ELECTRON_CUTOFF_MEV and not wasted:
        stopping = at(media.stopping_mev_per_cm, layer, energy)
        scattering = at(media.scattering_per_cm, layer, energy)
        length = min(_MOST_SCATTERING / scattering, _MOST_LOSS * energy / stopping)
        stopping = at(media.stopping_mev_per_cm, layer, energy - 0.5 * length * stopping)
        to_photon = -np.log(1.0 - np.random.random()) / at(media.bremsstrahlung_per_cm, layer, energy)
        radiates = to_photon < length
        length = min(length, to_photon)
        hinge = np.random.random() * length
        deflection = 1.0 - np.exp(-scattering * length)
        crossed = False
        for leg in range(2):
            path = hinge if leg == 0 else length - hinge
            to_face, next_layer = _to_face(z, w, layer, faces)
            crossed = path >= to_face
            path = min(path, to_face)
            where = path * np.random.random()
            score(tally, layer, x + u * where, y + v * where, z + w * where, path * stopping * weight, secondary)
            energy -= path * stopping
            x, y, z = x + u * path, y + v * path, z + w * path
            if crossed:
                layer = next_layer
                break
            if leg == 0:
                cosine = max(-1.0, 1.0 + deflection * np.log(1.0 - np.random.random()))
                u, v, w = sample.turned(u, v, w, cosine)
        if crossed:
            if layer < 0 or layer >= faces.size - 1:
                return n
        elif radiates and energy > 2.0 * LEAST_BREMSSTRAHLUNG_MEV:
            photon = energy * sample.bremsstrahlung_fraction(LEAST_BREMSSTRAHLUNG_MEV / energy)
            n = push(stack, n, PHOTON, photon, x, y, z, u, v, w, 1.0)
            energy -= photon
    score(tally, layer, x, y, z, max(energy, 0.0) * weight, secondary)
    if kind == POSITRON:
        a, b, c = sample.turned(0.0, 0.0, 1.0, 2.0 * np.random.random() - 1.0)
        n = push(stack, n, PHOTON, ELECTRON_MASS_MEV, x, y, z, a, b, c, 1.0)
        n = push(stack, n, PHOTON, ELECTRON_MASS_MEV, x, y, z, -a, -b, -c, 1.0)
    return n


@njit(cache=True)
def _to_face(z, w, layer, faces):  # type: ignore[no-untyped-def]
    if w > 1e-12:
        return max((faces[layer + 1] - z) / w, 0.0), layer + 1
    if w < -1e-12:
        return max((faces[layer] - z) / w, 0.0), layer - 1
    return 1e30, layer
