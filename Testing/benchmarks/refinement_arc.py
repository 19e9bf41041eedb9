"""An arc beside a Monte Carlo of it: physics, refined sector by sector, and the band.

    python Testing/benchmarks/refinement_arc.py OUT PROFILE.json [--refinement NAME]

A field of 4 x 5 cm2 turns once round a cylinder of water with a lung beside the axis, imaged every five degrees. The
Monte Carlo (pyRadMC 0.2, see docs/refinement.md) shoots from the directions of the frames by turns; its dose is kept in
``OUT``. Definitions are those of ``refinement_blind.py``.
"""

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from refinement_blind import Blind, _phantom, judged
from scipy import ndimage

from intrepid_epid.aperture import open_area_cm2
from intrepid_epid.delivery.arc_dose import arc_dose
from intrepid_epid.image_grid import binned
from intrepid_epid.kerma import GY_PER_MEV_G
from intrepid_epid.machine_profile import load_profile
from intrepid_epid.refinement.refinement_model import refinement_model
from intrepid_epid.refinement.training_doses import field_source, known_fluence, scored_mev_g
from intrepid_epid.simulation import fields
from intrepid_epid.simulation.materials import relative_electron_density
from intrepid_epid.simulation.portal_images import simulate_image
from intrepid_epid.simulation.treatment_machine import SimulatedMachine
from intrepid_epid.superposition import superposition_dose
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_rt.atomic import replacing
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.grids import Grid
from intrepid_rt.plan import Beam

SEED, MILLIONS, VOXEL_MM, FRAMES = 20292, 25, 3.0, 72
ANGLES_DEG = 2.5 + np.arange(FRAMES) * 360.0 / FRAMES


def phantom() -> Grid:
    """Water with a lung beside the axis; no bone, so that real tissue and water of its electron density are alike."""
    return _phantom(
        VOXEL_MM,
        (95, 95, 60),
        lambda x, y, z: (x**2 + y**2 < 95**2) & (abs(z) < 60),
        [(lambda x, y, z: ((x - 38) / 26) ** 2 + ((y + 12) / 34) ** 2 < 1, 0.3)],
    )


def frame_beam(angle_deg: float) -> Beam:
    """The field of one frame."""
    return fields.centred("4x5", gantry_deg=angle_deg, isocentre=np.zeros(3), meterset_mu=100.0 / FRAMES)


def monte_carlo(density: Grid, machine: SimulatedMachine) -> tuple[NDArray, NDArray]:
    """Dose and standard error in Gy of the whole arc."""
    beam = frame_beam(0.0)
    source = field_source(machine, beam, known_fluence(machine, beam))
    frames = [beam_frame(angle, (0, 0, 0)) for angle in ANGLES_DEG]
    turns = np.stack([np.stack([f.x_axis, f.y_axis, -f.towards_source], axis=1) for f in frames])
    plain = source.sample_batch

    def sample_batch(seed: int, history_offset: int, n: int) -> dict[str, NDArray]:
        made: dict[str, Any] = plain(seed, history_offset, n)
        turn = turns[(history_offset + np.arange(n)) % FRAMES]
        for names in (("x", "y", "z"), ("ux", "uy", "uz")):
            moved = np.einsum("nij,jn->in", turn, np.stack([made[name] for name in names]))
            made |= {name: np.ascontiguousarray(row, np.float32) for name, row in zip(names, moved, strict=True)}
        return made

    source.sample_batch = sample_batch
    corner = density.origin_lps_mm - VOXEL_MM / 2
    electrons = relative_electron_density(density.values)
    made = scored_mev_g(source, electrons, corner, VOXEL_MM, histories=MILLIONS * 1_000_000, seed=SEED)
    scale = np.float32(GY_PER_MEV_G * open_area_cm2(beam) * machine.photons_per_cm2_mu * 100.0)
    return made[0] * scale, made[1] * scale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("profile", type=Path)
    parser.add_argument("--refinement", help="none: make the dose only")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    machine, profile, density = SimulatedMachine(), load_profile(options.profile), phantom()
    path = options.out / "arc_4x5.npz"
    if not path.exists():
        dose, sigma = monte_carlo(density, machine)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, dose=dose, sigma=sigma)
    images = options.out / "arc_4x5_frames.npy"
    if not images.exists():
        signals = [
            binned(simulate_image(machine, frame_beam(angle), density, seed=SEED + n).signal)
            for n, angle in enumerate(ANGLES_DEG)
        ]
        with replacing(images) as temporary, temporary.open("wb") as file:
            np.save(file, np.stack([one.values for one in signals]).astype(np.float32))
    if not options.refinement:
        return
    with np.load(path) as stored:
        truth, sigma = stored["dose"], stored["sigma"]
    plane = binned(machine.panel)
    signals = [plane.with_values(values, unit="signal") for values in np.load(images)]
    anatomy = anatomy_of(density)
    ways = [PrimaryBeam(anatomy, machine.spectrum, beam_frame(angle, (0, 0, 0))) for angle in ANGLES_DEG]
    model = refinement_model(options.refinement)
    refine = partial(model.refine, energy=profile.energy)
    case = Blind("arc", density, frame_beam(0.0), MILLIONS)
    shallow = np.zeros(density.shape)  # an arc has no build-up
    for name, chosen in (("physics", None), ("refined", refine)):
        start = time.process_time()
        made = arc_dose(signals, ways, profile, superposition_dose, refine=chosen)
        spent = time.process_time() - start
        row = judged(case, made.dose_gy, truth, sigma, shallow + 99)
        if made.half_width_gy is not None:
            inside = (ndimage.gaussian_filter(truth, 1.0) > 0.1 * truth.max()) & (density.values >= 0.15)
            allowed = made.half_width_gy**2 + (1.96 * sigma) ** 2
            row["band covers"] = float(100 * ((made.dose_gy - truth) ** 2 <= allowed)[inside].mean())
            row["half-width"] = float(100 * made.half_width_gy[inside].mean() / truth.max())
        print(name, f"{spent:.1f} s of CPU", {key: round(value, 2) for key, value in row.items()}, *made.notes)


if __name__ == "__main__":
    main()
