"""Energy that primary photons release in the patient, on the grid of a dose engine."""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from intrepid_epid.compute.device import Loop
from intrepid_epid.dose_engine.cone_kernel import primary_share
from intrepid_epid.kerma import GY_PER_MEV_G
from intrepid_epid.ray_tracing import add_mass_thickness
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.portal_image import PortalImage

# Below this share of the highest fluence nothing is released: a tenth of what leaves let through, and about what taking
# off the scatter leaves behind around a field.
DARK = 1e-3


@dataclass(frozen=True, eq=False)
class ReleasedEnergy:
    """Energy released per mass in Gy, (nz, ny, nx): what first electrons take and what photons carry off."""

    primary_gy: NDArray
    scatter_gy: NDArray


def released_energy(beam: PrimaryBeam, fluence: PortalImage) -> ReleasedEnergy:
    """Total energy released per unit mass at the voxel centres of the beam's anatomy.

    Photons are attenuated by the tissues on their way; what they release is counted as in water, because the kernels
    that carry it on are those of water. The fluence is taken at voxel centres: the lines of the superposition spread
    energy over about a voxel, as much as averaging over it would, and doing both blurs field edges twice.

    Parameters
    ----------
    beam : PrimaryBeam
    fluence : PortalImage
        Photons per cm2 at the isocentre plane without patient.
    """
    released = np.zeros((2, *beam.anatomy.density.shape), np.float32)
    add_released_energy(released, beam, fluence)
    return ReleasedEnergy(released[0], released[1])


def add_released_energy(
    released_gy: NDArray, beam: PrimaryBeam, fluence: PortalImage, *, dark: float | None = None
) -> None:
    """Add the energy that one fluence releases, see `released_energy`, to an array (2, nz, ny, nx) of float32.

    Fluence up to ``dark`` (photons per cm2; a thousandth of the highest if not given) releases nothing.
    """
    grid, energy = beam.anatomy.density, beam.spectrum.energy_mev
    per_photon = beam.spectrum.weight * energy * mass_attenuation_cm2_g("water", energy) * GY_PER_MEV_G
    share = primary_share(energy)
    frame = beam.frame
    axes = np.stack([frame.x_axis, frame.y_axis, frame.towards_source])
    # Voxel index to gantry coordinates: X_g, Y_g, and the distance from the source along the axis.
    to_gantry = np.array([[1.0], [1.0], [-1.0]]) * (axes @ grid.index_to_lps[:3, :3])
    origin = axes @ (grid.origin_lps_mm - frame.isocentre_lps_mm)
    origin = np.array([origin[0], origin[1], frame.source_to_axis_mm - origin[2]])
    plane = np.array([fluence.source_to_image_mm, *fluence.first_pixel_mm, *fluence.pixel_spacing_mm])
    device, mu = beam.anatomy.device, beam.attenuation_cm2_g.astype(np.float32)
    with device.updated(released_gy) as out:
        device.run(
            LINES,
            grid.shape[0] * grid.shape[1],
            *beam.anatomy.voxels,
            grid.position_to_index(frame.source_lps_mm),
            np.ascontiguousarray(to_gantry),
            origin,
            np.ascontiguousarray(fluence.values, np.float64),
            plane,
            DARK * float(fluence.values.max()) if dark is None else dark,
            mu,
            np.stack([per_photon * share, per_photon * (1 - share)]).astype(np.float32),
            out,
            scratch=sum(mu.shape),
        )


@njit(cache=True)
def _line(  # type: ignore[no-untyped-def]
    number, scratch, density, material, index_to_mm, source, to_gantry, origin, fluence, plane, dark, mu, response, out
):
    """Release energy in the voxels of one line along the first axis."""
    _, ny, nx = density.shape
    k, j = number // ny, number % ny
    thickness, depth = scratch[: mu.shape[0]], scratch[mu.shape[0] :]
    for i in range(nx):
        away = origin[2] + to_gantry[2, 0] * i + to_gantry[2, 1] * j + to_gantry[2, 2] * k
        if away <= 0.0:
            continue
        x = origin[0] + to_gantry[0, 0] * i + to_gantry[0, 1] * j + to_gantry[0, 2] * k
        y = origin[1] + to_gantry[1, 0] * i + to_gantry[1, 1] * j + to_gantry[1, 2] * k
        scale = plane[0] / away
        arriving = _sampled(fluence, (plane[2] - y * scale) / plane[3], (x * scale - plane[1]) / plane[4])
        if arriving <= dark:
            continue
        thickness[:] = 0.0
        add_mass_thickness(density, material, index_to_mm, source, float(i), float(j), float(k), thickness)
        first, second = _transmitted(thickness, mu, response, depth)
        out[0, k, j, i] += arriving * scale**2 * first
        out[1, k, j, i] += arriving * scale**2 * second


@njit(cache=True, parallel=True)
def _lines(turns, scratch_size, arguments):  # type: ignore[no-untyped-def]
    for number in prange(turns):
        _line(number, np.empty(scratch_size, np.float32), *arguments)


LINES = Loop(_line, _lines)


@njit(cache=True)
def _sampled(image, row, column):  # type: ignore[no-untyped-def]
    """Bilinear value between pixel centres; 0 beyond the outermost."""
    rows, columns = image.shape
    if not (0.0 <= row <= rows - 1 and 0.0 <= column <= columns - 1):
        return 0.0
    r, c = min(int(row), rows - 2), min(int(column), columns - 2)
    down, right = row - r, column - c
    upper = image[r, c] * (1.0 - right) + image[r, c + 1] * right
    lower = image[r + 1, c] * (1.0 - right) + image[r + 1, c + 1] * right
    return upper * (1.0 - down) + lower * down


@njit(cache=True, fastmath=True)
def _transmitted(thickness, mu, response, depth):  # type: ignore[no-untyped-def]
    """Sum over energies of two responses times exp(-mu t)."""
    depth[:] = 0.0
    for m in range(mu.shape[0]):
        if thickness[m] > 0.0:
            for e in range(mu.shape[1]):
                depth[e] += thickness[m] * mu[m, e]
    first, second = np.float32(0.0), np.float32(0.0)
    for e in range(mu.shape[1]):
        passing = math.exp(-depth[e])
        first += passing * response[0, e]
        second += passing * response[1, e]
    return first, second
