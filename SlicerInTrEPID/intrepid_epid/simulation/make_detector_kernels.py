"""Make ``intrepid_epid/data/detector_kernels.csv``: pencil-beam kernels of both detectors at 24 photon energies.

Run ``python -m intrepid_epid.simulation.make_detector_kernels FILE [EPID_HISTORIES SLAB_HISTORIES]``; the shipped table
used the defaults (about fifteen minutes on one core). Seeded: the same numbers come out again.
"""

import sys
from collections.abc import Iterator

from intrepid_epid.simulation.detector_monte_carlo import (
    EPID_LAYERS,
    EPID_SCORED,
    WATER_SLAB_LAYERS,
    WATER_SLAB_SCORED,
    PencilBeamResult,
    pencil_beam,
)
from intrepid_rt.atomic import write_text

ENERGIES_MEV = (
    0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0,
    15.0, 20.0,
)  # fmt: skip
EPID_HISTORIES, SLAB_HISTORIES = 800_000, 1_600_000
SEED = 20_000


def rows(epid_histories: int, slab_histories: int) -> Iterator[str]:
    """Yield the CSV lines, energy by energy."""
    for number, energy in enumerate(ENERGIES_MEV):
        seed = SEED + 100 * number
        epid = pencil_beam(EPID_LAYERS, EPID_SCORED, energy, histories=epid_histories, seed=seed)
        slab = pencil_beam(WATER_SLAB_LAYERS, WATER_SLAB_SCORED, energy, histories=slab_histories, seed=seed + 50)
        if number == 0:
            outer = ",".join(f"within_{10 * radius:.4g}_mm" for radius in epid.outer_radius_cm)
            yield f"detector,energy_mev,response_pgy_cm2,relative_sigma,{outer}"
        yield _row("epid", energy, epid, 0)
        yield _row("water_15mm", energy, slab, 0)
        yield _row("water_50mm", energy, slab, 1)


def _row(detector: str, energy_mev: float, result: PencilBeamResult, layer: int) -> str:
    dose = result.dose_gy_cm2[layer]
    within = ",".join(f"{share:.5f}" for share in dose.cumsum() / dose.sum())
    return f"{detector},{energy_mev:g},{dose.sum() * 1e12:.5g},{result.relative_sigma[layer]:.2g},{within}"


def main(path: str, epid_histories: str = str(EPID_HISTORIES), slab_histories: str = str(SLAB_HISTORIES)) -> None:
    """Simulate and write the table."""
    write_text(path, "\n".join(rows(int(epid_histories), int(slab_histories))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
