"""Physics and refinement beside a Monte Carlo that sets nothing: fresh phantoms, scored on the grid of the dose.

    python Testing/benchmarks/refinement_blind.py OUT PROFILE.json [--refinement NAME] [--table FILE.md]

Unlike the training doses, the Monte Carlo (pyRadMC 0.2, see docs/refinement.md) scores on the very grid on which the
physics works, as a planning system or a reference Monte Carlo would. Its doses are kept in ``OUT``, so that the command
may be stopped and repeated. Voxels, norm, regions and criteria are those of ``reference_cases.py``; the regions are cut
by the Monte Carlo smoothed a little, since otherwise its noise would become an error.
"""

import argparse
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_epid.aperture import open_area_cm2
from intrepid_epid.image_grid import binned
from intrepid_epid.kerma import GY_PER_MEV_G
from intrepid_epid.machine_profile import MachineProfile, load_profile
from intrepid_epid.refinement.refinement_model import RefinementModel, refinement_model
from intrepid_epid.refinement.training_doses import field_source, known_fluence, physics_as_water, scored_mev_g
from intrepid_epid.simulation import fields
from intrepid_epid.simulation.materials import relative_electron_density
from intrepid_epid.simulation.portal_images import simulate_image
from intrepid_epid.simulation.treatment_machine import SimulatedMachine
from intrepid_epid.superposition import fluence_of
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_epid.transit_portal_dose import transit_portal_dose
from intrepid_gamma import gamma_index
from intrepid_rt.atomic import replacing
from intrepid_rt.beam_frame import BeamFrame, beam_frame
from intrepid_rt.grids import DoseGrid, Grid, affine_from_axes
from intrepid_rt.plan import Beam

SEED = 20291
LEAST = ("3/3", "2/2", "band covers")
COLUMNS = ("3/3", "2/2", "rms", ">80 %", "20-80 %", "10-20 %", "lung", "build-up", "band covers")


@dataclass(frozen=True, eq=False)
class Blind:
    """One beam on one phantom, on a grid of its own."""

    name: str
    density: Grid
    beam: Beam
    millions: int

    @property
    def frame(self) -> BeamFrame:
        """Where the beam stands."""
        point = self.beam.control_points[0]
        return beam_frame(point.gantry_angle_deg, point.isocentre_lps_mm)


def blind_cases() -> list[Blind]:
    """Return the cases: fields, grids and kinds of phantoms as in the reference cases, none of them one of those."""
    rng = np.random.default_rng(SEED)
    beam = partial(fields.centred, isocentre=np.zeros(3))
    shape = fields.irregular(rng, gantry_deg=325.0, isocentre=np.array([4.0, -6.0, 9.0]))
    return [
        Blind("cylinder_2x2_g000", cylinder(3.0), beam("2x2", gantry_deg=0.0), 24),
        Blind("box_5x5_g180", box(2.5, (115, 75, 110)), beam("5x5", gantry_deg=180.0), 20),
        Blind("thorax_3x3_g040", thorax(3.0), fields.rectangle((-15, 15), (-15, 15), gantry_deg=40.0,
              isocentre=np.array([-72.0, -8.0, 5.0])), 15),
        Blind("slabs_10x3_g000", slabs(3.0), beam("10x3", gantry_deg=0.0), 20),
        Blind("plugs_10x10_g000", plugs(4.0), beam("10x10", gantry_deg=0.0), 25),
        Blind("cylinder_irregular_g325", cylinder(4.0), shape, 20),
    ]  # fmt: skip


def _phantom(voxel_mm: float, half_mm: tuple[float, float, float], inside: Any, parts: Any = ()) -> Grid:
    """Density on voxels with one at the isocentre, mean of 3 x 3 x 3 points; ``parts`` are (where, density)."""
    counts = 2 * np.ceil((np.array(half_mm) + 8) / voxel_mm).astype(int) + 1
    axes = [(np.arange(n) - (n - 1) / 2) * voxel_mm for n in counts]
    total = np.zeros(counts[::-1], np.float32)
    steps = (-voxel_mm / 3, 0.0, voxel_mm / 3)
    for dz, dy, dx in ((a, b, c) for a in steps for b in steps for c in steps):
        z, y, x = np.meshgrid(axes[2] + dz, axes[1] + dy, axes[0] + dx, indexing="ij")
        density = np.where(inside(x, y, z), 1.0, 0.0012)
        for where, one in parts:
            density[where(x, y, z)] = one
        total += density.astype(np.float32) / 27
    return Grid(total, affine_from_axes([axis[0] for axis in axes], (voxel_mm,) * 3))


def cylinder(voxel_mm: float) -> Grid:
    """Water, 180 mm across, along z."""
    return _phantom(voxel_mm, (90, 90, 105), lambda x, y, z: (x**2 + y**2 < 90**2) & (abs(z) < 105))


def box(voxel_mm: float, half_mm: tuple[float, float, float]) -> Grid:
    """Water."""
    a, b, c = half_mm
    return _phantom(voxel_mm, half_mm, lambda x, y, z: (abs(x) < a) & (abs(y) < b) & (abs(z) < c))


def slabs(voxel_mm: float) -> Grid:
    """Water with lung, soft tissue and bone across the beam."""
    layers = [(-105, 35, 1.0), (-70, 45, 0.3), (-25, 40, 1.06), (15, 40, 0.22), (55, 12, 1.5), (67, 38, 1.0)]
    parts = [(lambda x, y, z, a=a, t=t: (y >= a) & (y < a + t) & (abs(x) < 115) & (abs(z) < 110), d)
             for a, t, d in layers]  # fmt: skip
    return _phantom(voxel_mm, (115, 105, 110), lambda x, y, z: (abs(x) < 115) & (abs(y) < 105) & (abs(z) < 110), parts)


def plugs(voxel_mm: float) -> Grid:
    """Water block with cylinders of lung, bone, fat and air along z."""
    rows = [(-70, 0, 20, 0.3), (-35, -45, 12, 1.7), (30, 20, 14, 1.3), (70, -20, 18, 0.5), (15, -60, 10, 0.0012)]
    parts = [(lambda x, y, z, a=a, b=b, r=r: (x - a) ** 2 + (y - b) ** 2 < r**2, d) for a, b, r, d in rows]
    return _phantom(voxel_mm, (120, 90, 100), lambda x, y, z: (abs(x) < 120) & (abs(y) < 90) & (abs(z) < 100), parts)


def thorax(voxel_mm: float) -> Grid:
    """Ellipse of water with two lungs, spine and a ball of tumour in the right lung."""
    parts = [(lambda x, y, z, a=a: ((x - a) / 52) ** 2 + ((y + 4) / 70) ** 2 < 1, 0.22) for a in (-76, 76)]
    parts += [
        (lambda x, y, z: (x + 72) ** 2 + (y + 8) ** 2 + (z - 5) ** 2 < 14**2, 1.06),
        (lambda x, y, z: x**2 + (y - 66) ** 2 < 17**2, 1.5),
    ]
    return _phantom(
        voxel_mm, (148, 102, 110), lambda x, y, z: ((x / 148) ** 2 + (y / 102) ** 2 < 1) & (abs(z) < 110), parts
    )


def monte_carlo(case: Blind, machine: SimulatedMachine) -> tuple[NDArray, NDArray]:
    """Dose and standard error in Gy on the voxels of the phantom, as water of the electron density."""
    source = turned(field_source(machine, case.beam, known_fluence(machine, case.beam)), case.frame)
    voxel_mm = case.density.spacing_mm[0]
    made = scored_mev_g(
        source,
        relative_electron_density(case.density.values),
        case.density.origin_lps_mm - voxel_mm / 2,
        voxel_mm,
        histories=case.millions * 1_000_000,
        seed=SEED,
    )
    per_cm2 = machine.photons_per_cm2_mu * float(case.beam.meterset_mu or 0)
    scale = np.float32(GY_PER_MEV_G * open_area_cm2(case.beam) * per_cm2)
    return made[0] * scale, made[1] * scale


def turned(source: Any, frame: BeamFrame) -> Any:
    """Turn a source, which shoots along +z at the origin, into the patient."""
    turn = np.stack([frame.x_axis, frame.y_axis, -frame.towards_source], axis=1)
    plain = source.sample_batch

    def sample_batch(seed: int, history_offset: int, n: int) -> dict[str, NDArray]:
        made = plain(seed, history_offset, n)
        for names, origin in ((("x", "y", "z"), frame.isocentre_lps_mm / 10), (("ux", "uy", "uz"), np.zeros(3))):
            moved = turn @ np.stack([made[name] for name in names]) + origin[:, None]
            made |= {name: np.ascontiguousarray(row, np.float32) for name, row in zip(names, moved, strict=True)}
        return made

    source.sample_batch = sample_batch
    return source


def judged(case: Blind, dose: NDArray, truth: NDArray, sigma: NDArray, depth_g_cm2: NDArray) -> dict[str, float]:
    """Compare a dose with the Monte Carlo; percent of the norm."""
    density = case.density.values
    smooth = ndimage.gaussian_filter(truth, 1.0)
    norm = float(np.percentile(smooth[density > 0.15], 99.9))
    counted, level = (density >= 0.15) & (density <= 1.12), smooth / norm
    error, noise = 100 * (dose - truth) / norm, 100 * sigma / norm
    inside = counted & (level > 0.1)
    row = {"rms": float(np.sqrt(max((error[inside] ** 2 - noise[inside] ** 2).mean(), 0)))}
    for name, where in {
        ">80 %": level > 0.8,
        "20-80 %": (level > 0.2) & (level <= 0.8),
        "10-20 %": (level > 0.1) & (level <= 0.2),
        "lung": (level > 0.2) & (density < 0.6),
        "build-up": (level > 0.3) & (depth_g_cm2 < 1.0),
    }.items():
        if np.count_nonzero(counted & where) >= 50:
            row[name] = float(error[counted & where].mean())
    reference, evaluated = (DoseGrid(values, case.density.index_to_lps) for values in (truth, dose))
    for percent, distance in ((3, 3), (2, 2)):
        found = gamma_index(
            reference, evaluated, dose_percent=percent, distance_mm=distance, norm_gy=norm, mask=counted
        )
        row[f"{percent}/{distance}"] = found.pass_rate_percent
    return row


def compared(
    case: Blind, truth: NDArray, sigma: NDArray, profile: MachineProfile, model: RefinementModel, seed: int
) -> tuple[dict[str, float], dict[str, float], tuple[str, ...]]:
    """Reconstruct a case from its image and compare physics and refined dose with the truth."""
    machine = SimulatedMachine()
    signal = simulate_image(machine, case.beam, case.density, seed=seed).signal
    way = PrimaryBeam(anatomy_of(case.density), machine.spectrum, case.frame)
    fluence = fluence_of(transit_portal_dose(binned(signal), profile, way), way)
    dose, way = physics_as_water(case.density, machine, case.frame, fluence)
    refined = model.refine(dose.values, way, energy=profile.energy)
    depth = way.thickness_g_cm2(case.density.positions()).sum(axis=-1)
    rows = [judged(case, one, truth, sigma, depth) for one in (dose.values, refined.dose_gy)]
    if refined.half_width_gy is not None:
        inside = (dose.values > 0.1 * dose.values.max()) & (case.density.values >= 0.15)
        covered = (refined.dose_gy - truth) ** 2 <= refined.half_width_gy**2 + (1.96 * sigma) ** 2
        rows[1]["band covers"] = float(100 * covered[inside].mean())
    return rows[0], rows[1], refined.notes


def markdown(rows: list[tuple[str, dict[str, float]]]) -> str:
    """Table of all rows, and the mean and worst of physics and refined."""
    lines = ["| case | " + " | ".join(COLUMNS) + " |", "| --- |" + " --- |" * len(COLUMNS)]
    summary = []
    for kind in ("physics", "refined"):
        found = {c: np.array([row[c] for name, row in rows if name.endswith(kind) and c in row]) for c in COLUMNS}
        found = {c: values for c, values in found.items() if values.size}
        summary.append((f"**mean**, {kind}", {c: float(values.mean()) for c, values in found.items()}))
        worst = {c: v.min() if c in LEAST else v[np.abs(v).argmax()] for c, v in found.items()}
        summary.append((f"**worst**, {kind}", {c: float(v) for c, v in worst.items()}))
    for name, row in [*rows, *summary]:
        cells = [f"{row[c]:{'.2f' if c in (*LEAST, 'rms') else '+.2f'}}" if c in row else "-" for c in COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("profile", type=Path)
    parser.add_argument("--refinement", help="none: make the doses only")
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    profile = load_profile(options.profile)
    model = refinement_model(options.refinement) if options.refinement else None
    rows: list[tuple[str, dict[str, float]]] = []
    for number, case in enumerate(blind_cases()):
        path = options.out / f"{case.name}.npz"
        if not path.exists():
            start = time.process_time()
            dose, sigma = monte_carlo(case, SimulatedMachine())
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, dose=dose, sigma=sigma)
            print(f"{case.name}: {time.process_time() - start:.0f} s of CPU", flush=True)
        if model is None:
            continue
        with np.load(path) as stored:
            physics, refined, notes = compared(case, stored["dose"], stored["sigma"], profile, model, SEED + number)
        rows += [(f"{case.name}, physics", physics), (f"{case.name}, refined", refined)]
        print(*rows[-2:], *notes, sep="\n", flush=True)
    if model is None:
        return
    table = markdown(rows)
    print(table)
    if options.table:
        options.table.write_text(table + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
