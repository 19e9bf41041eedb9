"""Make ``intrepid_epid/data/point_kernels.npz``: dose around a point of photon interaction in water, 24 energies.

Run ``python -m intrepid_epid.simulation.make_point_kernels FILE [HISTORIES]``; the shipped table used the default
(about ten minutes on one core). Seeded: the same numbers come out again.
"""

import sys

import numpy as np

from intrepid_epid.simulation.make_detector_kernels import ENERGIES_MEV
from intrepid_epid.simulation.point_monte_carlo import point_kernel
from intrepid_rt.atomic import replacing

HISTORIES = 400_000
SEED = 40_000


def main(path: str, histories: str = str(HISTORIES)) -> None:
    """Simulate and write ``energy_mev``, ``outer_radius_cm`` and ``energy_share`` (energies, 2, polar steps, bins)."""
    kernels = [
        point_kernel(energy, histories=int(histories), seed=SEED + number) for number, energy in enumerate(ENERGIES_MEV)
    ]
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            energy_mev=np.array(ENERGIES_MEV),
            outer_radius_cm=kernels[0][0],
            energy_share=np.array([share for _, share in kernels], np.float32),
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
