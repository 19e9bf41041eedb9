"""The point kernel of a spectrum in water, gathered into polar cones and fitted with exponentials.

Per cone and unit of released energy, the energy deposited between r and r + dr is ``sum_i w_i k_i exp(-k_i r) dr``
with r in g/cm2: Ahnesjö's ``[A exp(-a r) + B exp(-b r)] / r^2`` (Med. Phys. 16 (1989) 577) with three terms each for
the primary part (electrons of the first interaction) and the scatter part (everything later). The weights of a cone
sum to the energy that the Monte Carlo deposits in it, so that no energy is gained or lost by the fit.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_rt.errors import InvalidSetting

FloatArray = NDArray[np.floating]

# Cones are narrow where the energy goes; the number of axes per ring follows its circumference.
POLAR_EDGES_DEG = (0, 6, 12, 21, 30, 42, 54, 69, 87, 108, 135, 180)
DIRECTIONS = (1, 6, 8, 10, 10, 12, 12, 12, 10, 8, 6)
_FIRST_FITTED_CM = 0.05
# A part of a cone has one scale, searched in these bounds (cm), and three terms with fixed ratios of their exponents.
# Two terms close together with weights of opposite sign make the plateau that one exponential cannot.
_PRIMARY_RATIOS, _PRIMARY_SCALES_CM = np.array([1.0, 1.5, 6.0]), (0.05, 8.0)
_SCATTER_RATIOS, _SCATTER_SCALES_CM = np.array([1.0, 2.0, 8.0]), (4.0, 60.0)


@dataclass(frozen=True, eq=False)
class ConeKernel:
    """Cone kernel of a spectrum; weights are shares of the energy that the respective part releases.

    Parameters
    ----------
    polar_deg : ndarray, (cones,)
        Energy-weighted mean polar angle, 0 along the beam.
    directions : tuple of int
        Number of axes that a cone of all azimuths is collapsed to.
    primary_weights, scatter_weights : ndarray, (cones, 3)
        Share of the primary (scatter) energy per term, of either sign; each array sums to 1.
    primary_rates_cm2_g, scatter_rates_cm2_g : ndarray, (cones, 3)
        Exponents k of each term.
    primary_fraction : float
        Share of all released energy that is primary; the rest is scatter.
    largest_error : float
        Largest difference between fitted and simulated energy within any radius of a cone, as a share of all released
        energy.
    """

    polar_deg: FloatArray
    directions: tuple[int, ...]
    primary_weights: FloatArray
    primary_rates_cm2_g: FloatArray
    scatter_weights: FloatArray
    scatter_rates_cm2_g: FloatArray
    primary_fraction: float
    largest_error: float

    @property
    def scatter_fraction(self) -> float:
        """Share of all released energy that later interactions deposit."""
        return 1.0 - self.primary_fraction


def primary_share(energy_mev: ArrayLike) -> FloatArray:
    """Share of a photon's energy that electrons of its first interaction in water deposit, 0.05 to 20 MeV.

    It equals mu_en / mu; TERMA times this share is the collision kerma.
    """
    energy, _, share = _point_kernels()
    return np.interp(np.log(_checked(energy_mev)), np.log(energy), share[:, 0].sum(axis=(1, 2)))


def collapsed_cone_kernel(energy_mev: ArrayLike, weight: ArrayLike) -> ConeKernel:
    """Fit the cone kernel of a photon spectrum.

    Parameters
    ----------
    energy_mev, weight : array_like, (n,)
        Energies (0.05 to 20 MeV) and relative photon numbers of the spectrum, best that of the incident beam: the
        build-up needs its short electron ranges, and at depth the shape matters little, because the split into primary
        and scatter is the caller's, voxel by voxel.

    Raises
    ------
    InvalidSetting
        Energies outside the table, or no positive weight.
    """
    energies = _checked(energy_mev)
    released = np.asarray(weight, float) * energies * mass_attenuation_cm2_g("water", energies)
    if not (released >= 0).all() or released.sum() <= 0:
        raise InvalidSetting("A spectrum needs weights of at least 0, and one above; check the beam model.")
    radius, share = _mean_kernel(energies, released / released.sum())
    steps = share.shape[1]
    edges = np.array(POLAR_EDGES_DEG) * steps // 180
    polar = (np.arange(steps) + 0.5) * 180 / steps
    cones = np.add.reduceat(share, edges[:-1], axis=1)
    angle = np.add.reduceat(share.sum(axis=(0, 2)) * polar, edges[:-1]) / cones.sum(axis=(0, 2))
    angle[0] = 0.0  # the forward cone has one axis, the beam's
    within = cones.cumsum(axis=2)
    primary = [_fit(radius, cone, _PRIMARY_RATIOS, _PRIMARY_SCALES_CM) for cone in within[0]]
    scatter = [_fit(radius, cone, _SCATTER_RATIOS, _SCATTER_SCALES_CM) for cone in within[1]]
    fraction = float(share[0].sum())
    return ConeKernel(
        angle,
        DIRECTIONS,
        np.array([weights for weights, _, _ in primary]) / fraction,
        np.array([rates for _, rates, _ in primary]),
        np.array([weights for weights, _, _ in scatter]) / (1 - fraction),
        np.array([rates for _, rates, _ in scatter]),
        fraction,
        max(error for _, _, error in primary + scatter),
    )


def _fit(
    radius_cm: FloatArray, within: FloatArray, ratios: FloatArray, scales_cm: tuple[float, float]
) -> tuple[FloatArray, FloatArray, float]:
    """Fit the energy within each radius; returns weights, rates and the largest difference."""
    fitted = (radius_cm >= _FIRST_FITTED_CM) & np.isfinite(radius_cm)
    r, total = radius_cm[fitted], within[-1]
    target = within[fitted] / total

    def weights(scale: float) -> tuple[FloatArray, FloatArray]:
        terms = -np.expm1(-r[:, None] * ratios / scale)
        # The first weight is what the others leave of the cone's energy.
        matrix, rest = terms[:, 1:] - terms[:, :1], target - terms[:, 0]
        others = np.linalg.lstsq(matrix, rest, rcond=None)[0]
        return np.append(1 - others.sum(), others), matrix @ others - rest

    best = min(np.geomspace(*scales_cm, 60), key=lambda scale: float(np.square(weights(scale)[1]).sum()))
    shares, residual = weights(best)
    return shares * total, ratios / best, float(np.abs(residual).max() * total)


def _mean_kernel(energies: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    nodes, radius, share = _point_kernels()
    position = np.interp(np.log(energies), np.log(nodes), np.arange(nodes.size))
    lower = np.minimum(position.astype(int), nodes.size - 2)
    per_node = np.zeros(nodes.size)
    np.add.at(per_node, lower, weight * (1 - (position - lower)))
    np.add.at(per_node, lower + 1, weight * (position - lower))
    return radius, np.tensordot(per_node, share, axes=1)


def _checked(energy_mev: ArrayLike) -> FloatArray:
    energies = np.asarray(energy_mev, float)
    if energies.size and not (energies.min() >= 0.05 and energies.max() <= 20.0):
        raise InvalidSetting(
            f"Photon energies {energies.min():.4g} to {energies.max():.4g} MeV leave the kernel tables "
            "(0.05 to 20 MeV); use a spectrum within them."
        )
    return energies


@cache
def _point_kernels() -> tuple[FloatArray, FloatArray, FloatArray]:
    with (
        files("intrepid_epid.data").joinpath("point_kernels.npz").open("rb") as stream,
        np.load(stream) as table,
    ):
        return table["energy_mev"], table["outer_radius_cm"], table["energy_share"].astype(float)
