"""Photons forced to interact at one point of infinite water: where the released energy goes."""

# ruff: noqa: NPY002 - compiled code draws from one generator per thread, which every run seeds first.
import numpy as np
from numba import njit
from numpy.typing import NDArray

from intrepid_epid.simulation.medium import tabulate
from intrepid_epid.simulation.tally import Tally, radii_cm
from intrepid_epid.simulation.transport import follow, interact, new_stack

FloatArray = NDArray[np.floating]

POLAR_STEPS = 60
FIRST_RADIUS_CM, BINS_PER_DECADE, LAST_RADIUS_CM = 0.01, 12, 60.0


def point_kernel(energy_mev: float, *, histories: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Simulate photons of one energy along +z that interact at the origin of water of 1 g/cm3.

    Returns
    -------
    outer_radius_cm : ndarray, (bins,)
        Outer radii of the bins; the last is infinite.
    energy_share : ndarray, (2, POLAR_STEPS, bins)
        Share of the photon energy deposited in each equal step of the polar angle and each bin; first by the electrons
        of the first interaction (primary), second by all later ones, bremsstrahlung and annihilation photons included
        (scatter). It sums to 1.
    """
    bins = int(np.ceil(BINS_PER_DECADE * np.log10(LAST_RADIUS_CM / FIRST_RADIUS_CM))) + 2
    per_log = BINS_PER_DECADE / np.log(10)
    tally = Tally(np.zeros((2 * POLAR_STEPS, bins)), FIRST_RADIUS_CM, per_log, POLAR_STEPS, np.empty((0, 2)))
    _run(energy_mev, histories, seed, tabulate([("water", 1.0)]), tally)
    share = tally.deposited_mev.reshape(2, POLAR_STEPS, bins) / (histories * energy_mev)
    return np.append(radii_cm(tally), np.inf), share


@njit(cache=True)
def _run(energy, histories, seed, media, tally):  # type: ignore[no-untyped-def]
    np.random.seed(seed)
    stack = new_stack()
    faces = np.array([-1e9, 1e9])
    for _ in range(histories):
        n = interact(stack, 0, 0, energy, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, media, 1.0, tally)
        follow(stack, n, faces, media, 1.0, tally)
