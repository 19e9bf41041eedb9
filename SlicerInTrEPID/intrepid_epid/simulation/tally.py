"""Where deposited energy is counted: by layer and distance from an axis, or by angle and distance from a point."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Tally(NamedTuple):
    """Deposited energy on logarithmic radial bins.

    ``deposited_mev`` is (rows, bins). Bin 0 reaches from 0 to ``first_radius_cm``, bin i to ``first_radius_cm *
    exp(i / bins_per_log)``, and the last bin holds all that is farther away. Rows are the layers and radii distances
    from the z axis where ``cones`` is 0; else rows are ``cones`` equal steps of the polar angle (deg 0 along +z) for
    energy deposited by the first electrons, then the same for all later ones, and radii distances from the origin.
    Electrons that cannot reach any z interval of ``wanted_cm`` (n, 2) need not be followed; empty: all are.
    """

    deposited_mev: NDArray[np.floating]
    first_radius_cm: float
    bins_per_log: float
    cones: int
    wanted_cm: NDArray[np.floating]


def radii_cm(tally: Tally) -> NDArray[np.floating]:
    """Outer radii of all bins but the open last one, (bins - 1,)."""
    bins = tally.deposited_mev.shape[1]
    return tally.first_radius_cm * np.exp(np.arange(bins - 1) / tally.bins_per_log)


@njit(cache=True)
def score(tally, layer, x, y, z, energy, secondary):  # type: ignore[no-untyped-def]
    """Add energy deposited at a point."""
    if tally.cones == 0:
        row = layer
        radius = np.sqrt(x * x + y * y)
    else:
        radius = np.sqrt(x * x + y * y + z * z)
        angle = np.arccos(z / radius) if radius > 1e-9 else 0.0
        row = min(int(angle * tally.cones / np.pi), tally.cones - 1)
        if secondary > 0.5:
            row += tally.cones
    bins = tally.deposited_mev.shape[1]
    column = 0
    if radius >= tally.first_radius_cm:
        column = min(1 + int(np.log(radius / tally.first_radius_cm) * tally.bins_per_log), bins - 1)
    tally.deposited_mev[row, column] += energy


@njit(cache=True)
def distance_to_wanted(tally, z):  # type: ignore[no-untyped-def]
    """Distance along z to the nearest wanted interval; 0 inside one or if everything is wanted."""
    if tally.wanted_cm.shape[0] == 0:
        return 0.0
    nearest = np.inf
    for i in range(tally.wanted_cm.shape[0]):
        nearest = min(nearest, max(tally.wanted_cm[i, 0] - z, z - tally.wanted_cm[i, 1], 0.0))
    return nearest
