"""Photons scattered in a voxel phantom, as the imager reads them: a photon-only Monte Carlo.

Klein-Nishina scattering on free electrons, photoelectric absorption, pair production with its annihilation photons; no
electrons are followed and no bremsstrahlung is made. Every primary photon is forced to interact in the phantom at
several stratified depths; along the direction of every scattered photon the expected fluence at the imager plane is
scored. Nothing here is shared with the single-scatter integral that the reconstruction uses
(:mod:`intrepid_epid.patient_scatter`) but attenuation coefficients and detector responses.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

# ruff: noqa: NPY002 - compiled code draws from one generator per thread, which every run seeds first.
import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_epid.ray_tracing import Anatomy
from intrepid_epid.simulation.interactions import ELECTRON_MASS_MEV, compton, turned
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_epid.spectrum import Spectrum
from intrepid_rt.beam_frame import BeamFrame
from intrepid_rt.portal_image import PortalImage

TALLY_PIXEL_MM = 15.0  # behind an air gap of decimetres scatter varies over decimetres
BATCHES = 8
SPLITTING = 4  # interactions forced on every primary photon
_LOWEST_MEV, _HIGHEST_MEV, _NODES = 0.03, 12.0, 300
_ENERGY = np.geomspace(_LOWEST_MEV, _HIGHEST_MEV, _NODES)
_MOST_COLLISIONS = 10
_LEAST_WEIGHT = 0.2  # of a collision's share of its primary; lighter photons play roulette
# Kronecker sequence in four dimensions (Roberts): powers of the root of x^5 = x + 1.
_STEP = np.array([1.1673039782614187**-n for n in range(1, 5)])


@dataclass(frozen=True, eq=False)
class ScatterImage:
    """Readings from scattered photons on the imager's pixels.

    ``reading`` is (m, rows, columns) for m detectors, ``relative_sigma`` (m,) the statistical standard deviation of a
    smoothed pixel relative to the largest reading.
    """

    reading: NDArray
    relative_sigma: NDArray


def scattered_reading(
    anatomy: Anatomy,
    frame: BeamFrame,
    spectrum: Spectrum,
    fluence: PortalImage,
    detector: PortalImage,
    readings: Callable[[NDArray], NDArray],
    *,
    primaries: int,
    seed: int,
    only_once: bool = False,
) -> ScatterImage:
    """Simulate what photons scattered in the phantom add to the reading of the imager.

    Parameters
    ----------
    fluence : PortalImage
        Photons per cm2 at the isocentre plane without phantom.
    detector : PortalImage
        The imager plane; only its geometry is used.
    readings : callable
        Takes energies in MeV (n,), returns readings per photon and cm2 of m detectors (n, m).
    primaries : int
        Photons started; each is forced to interact four times.
    only_once : bool
        Count photons scattered once only, to compare with the Klein-Nishina integral.

    Returns
    -------
    ScatterImage : readings in the units of ``readings``, for the photons of ``fluence``.
    """
    tally = _tally_grid(detector)
    batches = np.zeros((BATCHES, readings(_ENERGY[:1]).shape[1], *tally.values.shape))
    photons = fluence.values.ravel() * np.prod(fluence.pixel_spacing_mm) / 100
    to_index, first_index = _gantry_to_index(anatomy, frame)
    for number, batch in enumerate(batches):
        _run(
            np.ascontiguousarray(anatomy.density.values, np.float32),
            np.ascontiguousarray(anatomy.material, np.uint8),
            to_index,
            first_index,
            *_tables(anatomy.materials),
            np.cumsum(spectrum.weight),
            spectrum.low_mev,
            spectrum.high_mev,
            np.cumsum(photons) / photons.sum(),
            np.array([*fluence.first_pixel_mm, *fluence.pixel_spacing_mm, fluence.values.shape[1]]),
            np.array([*tally.first_pixel_mm, *tally.pixel_spacing_mm]),
            np.array([frame.source_to_axis_mm, detector.source_to_image_mm]),
            np.ascontiguousarray(readings(_ENERGY.clip(0.05)).T),
            max(1, primaries // BATCHES),
            1 if only_once else _MOST_COLLISIONS,
            seed * BATCHES + number,
            batch,
        )
    batches *= photons.sum() / (np.prod(tally.pixel_spacing_mm) / 100)
    smooth = ndimage.gaussian_filter(batches, (0, 0, 1, 1), mode="nearest")
    x, y = np.meshgrid(detector.x_mm, detector.y_mm)
    mean = smooth.mean(axis=0)
    spreads = smooth.std(axis=0, ddof=1) / np.sqrt(BATCHES)
    sigma = np.sqrt((spreads**2).mean(axis=(1, 2))) / np.maximum(mean.max(axis=(1, 2)), 1e-300)
    reading = np.stack([replace(tally, values=plane).sample(x, y, order=3) for plane in mean])
    return ScatterImage(np.clip(reading, 0.0, None), sigma)


def _tally_grid(detector: PortalImage) -> PortalImage:
    """Coarse pixels over the imager and two more all round, which smoothing and interpolation need."""
    rows, columns = (int(np.ceil(np.ptp(axis) / TALLY_PIXEL_MM)) + 5 for axis in (detector.y_mm, detector.x_mm))
    x, y = detector.x_mm.mean(), detector.y_mm.mean()
    return replace(
        detector,
        values=np.zeros((rows, columns)),
        first_pixel_mm=(x - (columns - 1) / 2 * TALLY_PIXEL_MM, y + (rows - 1) / 2 * TALLY_PIXEL_MM),
        pixel_spacing_mm=(TALLY_PIXEL_MM, TALLY_PIXEL_MM),
    )


def _gantry_to_index(anatomy: Anatomy, frame: BeamFrame) -> tuple[NDArray, NDArray]:
    """Matrix and offset that take gantry coordinates in mm to voxel indices (i, j, k)."""
    axes = np.stack([frame.x_axis, frame.y_axis, frame.towards_source], axis=1)
    matrix = anatomy.density.lps_to_index[:3, :3] @ axes
    return np.ascontiguousarray(matrix), anatomy.density.position_to_index(frame.isocentre_lps_mm)


def _tables(materials: tuple[str, ...]) -> tuple[NDArray, NDArray, NDArray]:
    """Mass attenuation (materials, energies), and the shares of Compton and of Compton or photoelectric in it."""
    total = np.stack([mass_attenuation_cm2_g(name, _ENERGY) for name in materials])
    by_compton = np.stack([mass_attenuation_cm2_g(name, _ENERGY, process="compton") for name in materials])
    by_photo = np.stack([mass_attenuation_cm2_g(name, _ENERGY, process="photoelectric") for name in materials])
    return total, by_compton / total, (by_compton + by_photo) / total


@njit(cache=True)
def _run(  # type: ignore[no-untyped-def]
    density, material, to_index, first_index, mu, compton_share, absorbed_share, energy_cumulative, energy_low,
    energy_high, pixel_cumulative, field, tally, distances, response, primaries, most_collisions, seed, out,
):  # fmt: skip
    np.random.seed(seed)
    start = np.random.random(4)
    source_to_axis, source_to_image = distances
    image_z = source_to_axis - source_to_image
    at_materials = np.empty(mu.shape[0])
    position, direction = np.empty(3), np.empty(3)
    there, away = np.empty(3), np.empty(3)
    for history in range(primaries):
        u = (start + history * _STEP) % 1.0
        energy = _energy(u[0], energy_cumulative, energy_low, energy_high)
        _aim(u[1], u[2], u[3], pixel_cumulative, field, source_to_axis, direction)
        position[0], position[1], position[2] = 0.0, 0.0, source_to_axis
        _attenuation(mu, energy, at_materials)
        depth, _, _ = _walk(density, material, to_index, first_index, position, direction, at_materials, np.inf)
        if depth <= 1e-9:
            continue
        interacts = 1.0 - np.exp(-depth)
        for part in range(SPLITTING):
            share = interacts / (SPLITTING * primaries)
            optical = -np.log(1.0 - interacts * (part + np.random.random()) / SPLITTING)
            _, path, tissue = _walk(
                density, material, to_index, first_index, position, direction, at_materials, optical
            )
            for axis in range(3):
                there[axis] = position[axis] + direction[axis] * path
                away[axis] = direction[axis]
            _collide(
                density, material, to_index, first_index, mu, compton_share, absorbed_share, tally, image_z, response,
                there, away, energy, tissue, share, most_collisions, out,
            )  # fmt: skip


@njit(cache=True)
def _collide(  # type: ignore[no-untyped-def]
    density, material, to_index, first_index, mu, compton_share, absorbed_share, tally, image_z, response,
    position, direction, energy, tissue, weight, most_collisions, out,
):  # fmt: skip
    """Follow one photon from its first interaction on, scoring it after every one."""
    at_materials = np.empty(mu.shape[0])
    least = _LEAST_WEIGHT * weight
    for _ in range(most_collisions):
        choice = np.random.random()
        node, part = _node(energy)
        if choice < _between(compton_share, tissue, node, part):
            energy, cosine = compton(energy)
            direction[0], direction[1], direction[2] = turned(direction[0], direction[1], direction[2], cosine)
        elif choice < _between(absorbed_share, tissue, node, part) or energy < 2.0 * ELECTRON_MASS_MEV:
            return
        else:
            # Of the two annihilation photons one is followed, for both.
            energy, weight = ELECTRON_MASS_MEV, 2.0 * weight
            direction[0], direction[1], direction[2] = turned(0.0, 0.0, 1.0, 2.0 * np.random.random() - 1.0)
        if energy < _LOWEST_MEV:
            return
        _attenuation(mu, energy, at_materials)
        depth, _, _ = _walk(density, material, to_index, first_index, position, direction, at_materials, np.inf)
        _score(position, direction, energy, weight * np.exp(-depth), tally, image_z, response, out)
        weight *= 1.0 - np.exp(-depth)
        if weight < least:
            if np.random.random() < 0.5:
                return
            weight *= 2.0
        if depth <= 1e-9:
            return
        optical = -np.log(1.0 - (1.0 - np.exp(-depth)) * np.random.random())
        _, path, tissue = _walk(density, material, to_index, first_index, position, direction, at_materials, optical)
        for axis in range(3):
            position[axis] += direction[axis] * path


@njit(cache=True)
def _score(position, direction, energy, weight, tally, image_z, response, out):  # type: ignore[no-untyped-def]
    if direction[2] > -1e-3:
        return
    path = (image_z - position[2]) / direction[2]
    column = int(np.floor((position[0] + path * direction[0] - tally[0]) / tally[3] + 0.5))
    row = int(np.floor((tally[1] - position[1] - path * direction[1]) / tally[2] + 0.5))
    if path <= 0.0 or row < 0 or column < 0 or row >= out.shape[1] or column >= out.shape[2]:
        return
    node, part = _node(energy)
    for detector in range(response.shape[0]):
        out[detector, row, column] += weight / -direction[2] * _between(response, detector, node, part)


@njit(cache=True)
def _energy(u, cumulative, low, high):  # type: ignore[no-untyped-def]
    bin_ = min(np.searchsorted(cumulative, u), cumulative.size - 1)
    before = cumulative[bin_ - 1] if bin_ > 0 else 0.0
    within = (u - before) / max(cumulative[bin_] - before, 1e-300)
    return max(low[bin_] + (high[bin_] - low[bin_]) * within, _LOWEST_MEV)


@njit(cache=True)
def _aim(u, v, w, cumulative, field, source_to_axis, direction):  # type: ignore[no-untyped-def]
    """Direction from the source to a random point of the open field; ``field`` holds first x, y, spacings, columns."""
    pixel = min(np.searchsorted(cumulative, u), cumulative.size - 1)
    row, column = pixel // int(field[4]), pixel % int(field[4])
    direction[0] = field[0] + (column + v - 0.5) * field[3]
    direction[1] = field[1] - (row + w - 0.5) * field[2]
    direction[2] = -source_to_axis
    length = np.sqrt(direction[0] ** 2 + direction[1] ** 2 + direction[2] ** 2)
    for axis in range(3):
        direction[axis] /= length


@njit(cache=True)
def _attenuation(mu, energy, out):  # type: ignore[no-untyped-def]
    node, part = _node(energy)
    for m in range(mu.shape[0]):
        out[m] = _between(mu, m, node, part)


@njit(cache=True)
def _node(energy):  # type: ignore[no-untyped-def]
    """Place of an energy in the tables: the node below it and the part of the way to the next."""
    at = np.log(energy / _LOWEST_MEV) * ((_NODES - 1) / np.log(_HIGHEST_MEV / _LOWEST_MEV))
    node = min(max(int(at), 0), _NODES - 2)
    return node, at - node


@njit(cache=True)
def _between(table, row, node, part):  # type: ignore[no-untyped-def]
    return table[row, node] * (1.0 - part) + table[row, node + 1] * part


@njit(cache=True)
def _walk(density, material, to_index, first_index, position, direction, attenuation, wanted):  # type: ignore[no-untyped-def]
    """Go from voxel to voxel until the optical depth ``wanted`` or the edge of the grid is reached.

    Returns the optical depth passed, the path in mm and the material at its end. Scalars, not arrays: allocating
    arrays for every flight cost as much as the flight.
    """
    planes, rows, columns = density.shape
    px, py, pz = position[0], position[1], position[2]
    dx, dy, dz = direction[0], direction[1], direction[2]
    ax, vx = _index(to_index, first_index, 0, px, py, pz), _pace(to_index, 0, dx, dy, dz)
    ay, vy = _index(to_index, first_index, 1, px, py, pz), _pace(to_index, 1, dx, dy, dz)
    az, vz = _index(to_index, first_index, 2, px, py, pz), _pace(to_index, 2, dx, dy, dz)
    enter, leave = _between_faces(ax, vx, columns, 0.0, np.inf)
    enter, leave = _between_faces(ay, vy, rows, enter, leave)
    enter, leave = _between_faces(az, vz, planes, enter, leave)
    if leave <= enter:
        return 0.0, 0.0, 0
    i, to_x, every_x = _first_voxel(ax, vx, columns, enter)
    j, to_y, every_y = _first_voxel(ay, vy, rows, enter)
    k, to_z, every_z = _first_voxel(az, vz, planes, enter)
    passed, path, tissue = 0.0, enter, 0
    while path < leave:
        end = min(min(to_x, to_y), min(to_z, leave))
        tissue = material[k, j, i]
        per_mm = 0.1 * density[k, j, i] * attenuation[tissue]
        if passed + per_mm * (end - path) >= wanted:
            return wanted, path + (wanted - passed) / per_mm, tissue
        passed += per_mm * max(end - path, 0.0)
        path = max(path, end)
        if to_x <= to_y and to_x <= to_z:
            i, to_x = i + (1 if vx > 0 else -1), to_x + every_x
        elif to_y <= to_z:
            j, to_y = j + (1 if vy > 0 else -1), to_y + every_y
        else:
            k, to_z = k + (1 if vz > 0 else -1), to_z + every_z
        if i < 0 or j < 0 or k < 0 or i >= columns or j >= rows or k >= planes:
            break
    return passed, path, tissue


@njit(cache=True)
def _index(to_index, first_index, axis, x, y, z):  # type: ignore[no-untyped-def]
    return first_index[axis] + to_index[axis, 0] * x + to_index[axis, 1] * y + to_index[axis, 2] * z


@njit(cache=True)
def _pace(to_index, axis, x, y, z):  # type: ignore[no-untyped-def]
    """Voxels per mm along an axis; never quite 0, so that nothing has to ask."""
    pace = to_index[axis, 0] * x + to_index[axis, 1] * y + to_index[axis, 2] * z
    return pace if abs(pace) > 1e-12 else 1e-12


@njit(cache=True)
def _between_faces(at, pace, size, enter, leave):  # type: ignore[no-untyped-def]
    first, second = (-0.5 - at) / pace, (size - 0.5 - at) / pace
    return max(enter, min(first, second)), min(leave, max(first, second))


@njit(cache=True)
def _first_voxel(at, pace, size, enter):  # type: ignore[no-untyped-def]
    """Voxel at the start of a flight, the path to its far face and from face to face."""
    voxel = min(max(int(np.floor(at + pace * enter + 0.5)), 0), size - 1)
    face = voxel + (0.5 if pace > 0 else -0.5)
    return voxel, (face - at) / pace, 1.0 / abs(pace)
