"""Make training doses: the physics of this package beside a Monte Carlo by pyRadMC, on lattices along the beam.

    python -m intrepid_epid.refinement.training_doses OUT PROFILE.json [--beams 75] [--seed 1]

pyRadMC 0.2 (Apache-2.0, ``pip install "pyradmc[warp]==0.2.*"``) is needed here alone, not for training or refining.
Beams that are there already are kept, so the command may be stopped and repeated. See docs/refinement.md.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_epid.aperture import open_area_cm2, open_share
from intrepid_epid.calculation_grid import calculation_grid
from intrepid_epid.dose_engine.collapsed_cone import superpose
from intrepid_epid.image_grid import binned
from intrepid_epid.kerma import GY_PER_MEV_G
from intrepid_epid.machine_profile import MachineProfile, load_profile
from intrepid_epid.ray_tracing import Anatomy
from intrepid_epid.refinement.anatomies import KINDS, generated_anatomy
from intrepid_epid.refinement.beam_view import VOXEL_MM, BeamView, averaged, beam_view
from intrepid_epid.simulation import fields
from intrepid_epid.simulation.materials import TISSUES, relative_electron_density
from intrepid_epid.simulation.portal_images import simulate_image
from intrepid_epid.simulation.treatment_machine import SimulatedMachine
from intrepid_epid.superposition import fluence_of, spectrum_kernel
from intrepid_epid.terma import released_energy
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_epid.transit_portal_dose import transit_portal_dose
from intrepid_rt.atomic import replacing
from intrepid_rt.beam_frame import BeamFrame, beam_frame
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.plan import Beam
from intrepid_rt.portal_image import PortalImage

HISTORIES_PER_CM2, LEAST_HISTORIES, MOST_HISTORIES = 25_000, 600_000, 2_000_000
BATCHES = 10
SPLITS = ("train", "train", "train", "calibration", "test")
GRIDS_MM = (2.5, 3.0, 4.0)
_MAP_MM = 0.5


@dataclass(frozen=True, eq=False)
class Case:
    """One beam on one generated anatomy."""

    id: str
    kind: str
    split: str
    seed: int
    density: Grid
    beam: Beam

    @property
    def frame(self) -> BeamFrame:
        """Where the beam stands."""
        point = self.beam.control_points[0]
        return beam_frame(point.gantry_angle_deg, point.isocentre_lps_mm)


def draw_case(number: int, seed: int) -> Case:
    """Draw the beam of this number: every fifth one is a test, every fifth one calibrates, on an anatomy of its own."""
    rng = np.random.default_rng((seed, number))
    kind = KINDS[(number // len(SPLITS) + number) % len(KINDS)]
    density = generated_anatomy(kind, rng)
    gantry = float(rng.choice([0, 90, 180, 270]) if rng.random() < 0.25 else rng.uniform(0, 360))
    isocentre = rng.uniform(-1, 1, 3) * (30, 20, 25)
    beam = _field(rng, gantry_deg=gantry, isocentre=isocentre)
    return Case(f"{number:03d}_{kind}", kind, SPLITS[number % len(SPLITS)], 1000 * seed + number, density, beam)


def _field(rng: np.random.Generator, **beam: Any) -> Beam:
    kind = rng.choice(["square", "square", "rectangle", "ellipse", "irregular", "modulated"])
    if kind in ("irregular", "modulated"):
        return getattr(fields, str(kind))(rng, **beam)
    short = float(rng.choice([20, 20, 25, 30, 35, 40, 50, 60, 80, 100, 120, 150]))
    long = short if kind == "square" else min(200.0, short * rng.uniform(1.3, 5))
    sides = (short, long) if rng.random() < 0.5 else (long, short)
    centre = rng.uniform(-20, 20, 2) * (rng.random() < 0.5)
    if kind == "ellipse":
        return fields.ellipse(sides[0] / 2, sides[1] / 2, centre=tuple(centre), **beam)
    low, high = centre - np.array(sides) / 2, centre + np.array(sides) / 2
    return fields.rectangle((low[0], high[0]), (low[1], high[1]), **beam)


def make_case(case: Case, machine: SimulatedMachine, profile: MachineProfile, effort: int = 1) -> dict[str, Any]:
    """Compute all doses of a case: planes of the physics for every view, and the Monte Carlo with its noise.

    ``effort`` multiplies the histories.
    """
    signal = simulate_image(machine, case.beam, case.density, seed=case.seed).signal
    beam = PrimaryBeam(anatomy_of(case.density), machine.spectrum, case.frame)
    imaged = fluence_of(transit_portal_dose(binned(signal), profile, beam), beam)
    known = known_fluence(machine, case.beam)
    truth, sigma = _monte_carlo(case, machine, known, effort)
    views: list[BeamView] = []
    for grid_mm, fluence in ((4.0, known), *((size, imaged) for size in GRIDS_MM)):
        dose, on_grid = _physics(case, machine, fluence, grid_mm)
        view = beam_view(dose, on_grid)
        if views:  # one lattice for all
            lattice = views[0].dose_gy
            view = replace(
                view,
                dose_gy=averaged(dose, lattice, order=3),
                density_g_cc=averaged(on_grid.anatomy.density, lattice),
                depth_g_cm2=lattice.with_values(on_grid.thickness_g_cm2(lattice.positions()).sum(axis=-1)),
            )
        views.append(view)
    lattice = views[0].dose_gy
    return {
        "planes": np.stack([view.planes() for view in views]).astype(np.float16),
        "level_gy": np.array([view.level_gy for view in views]),
        "truth_gy": truth.resampled_to(lattice, outside=0.0),
        "sigma_gy": sigma.resampled_to(lattice, outside=0.0),
    }


def _physics(case: Case, machine: SimulatedMachine, fluence: PortalImage, grid_mm: float) -> tuple[Grid, PrimaryBeam]:
    """Superposition in water of the electron density, as the Monte Carlo has it, on a grid of its own phase."""
    rng = np.random.default_rng((case.seed, int(10 * grid_mm)))
    start = case.density.origin_lps_mm + rng.uniform(0, grid_mm, 3)
    counts = ((np.array(case.density.shape) * case.density.spacing_mm[0]) // grid_mm).astype(int)
    lattice = Grid(np.broadcast_to(np.float32(0), counts), affine_from_axes(start, (grid_mm,) * 3))
    return physics_as_water(calculation_grid(lattice, case.density).density_g_cc, machine, case.frame, fluence)


def physics_as_water(
    density: Grid, machine: SimulatedMachine, frame: BeamFrame, fluence: PortalImage
) -> tuple[Grid, PrimaryBeam]:
    """Superposition in water of the electron density.

    Parameters
    ----------
    density : Grid
        Mass density, g/cm3; the dose is on its voxels.
    fluence : PortalImage
        Photons per cm2 at the isocentre plane without patient.

    Returns
    -------
    Grid, PrimaryBeam : dose in Gy, and the beam through the real tissues.
    """
    real = PrimaryBeam(anatomy_of(density), machine.spectrum, frame)
    electrons = relative_electron_density(density.values).astype(np.float32)
    as_water = np.full(density.shape, TISSUES.index("water"), np.uint8)
    beam = replace(real, anatomy=Anatomy(density.with_values(electrons), as_water, TISSUES))
    released = released_energy(beam, fluence)
    dose = superpose(
        released.primary_gy,
        released.scatter_gy,
        electrons,
        spacing_mm=density.spacing_mm,
        source_mm=frame.source_lps_mm - density.origin_lps_mm,
        kernel=spectrum_kernel(machine.spectrum),
    )
    return density.with_values(dose), real


def known_fluence(machine: SimulatedMachine, beam: Beam) -> PortalImage:
    """Photons per cm2 at the isocentre plane, edges blurred by the focal spot."""
    size = round(500 / _MAP_MM)
    first = -(size - 1) / 2 * _MAP_MM
    plane = PortalImage(np.zeros((size, size)), (first, -first), (_MAP_MM, _MAP_MM), 1000.0, 1000.0)
    blur = machine.focal_spot_mm * (machine.source_to_axis_mm - machine.collimator_mm) / machine.collimator_mm
    share = ndimage.gaussian_filter(open_share(beam, plane).values, blur / _MAP_MM)
    return plane.with_values(share * machine.photons_per_cm2_mu * float(beam.meterset_mu or 0), unit="photons/cm2")


def _monte_carlo(case: Case, machine: SimulatedMachine, plane: PortalImage, effort: int) -> tuple[Grid, Grid]:
    """Compute dose and standard error in Gy by pyRadMC, all as water of the electron density, along the beam."""
    lattice = _whole(case)
    electrons = case.density.with_values(relative_electron_density(case.density.values).astype(np.float32))
    density, corner_mm = averaged(electrons, lattice).values, lattice.frame_first_mm - VOXEL_MM / 2
    area = open_area_cm2(case.beam)
    per_batch = int(np.clip(HISTORIES_PER_CM2 * area, LEAST_HISTORIES, MOST_HISTORIES)) * effort // BATCHES
    source = field_source(machine, case.beam, plane)
    made = scored_mev_g(source, density, corner_mm, VOXEL_MM, histories=per_batch * BATCHES, seed=case.seed)
    # Per history to per photon and cm2, times what the field delivers.
    scale = GY_PER_MEV_G * area * machine.photons_per_cm2_mu * float(case.beam.meterset_mu or 0)
    return lattice.with_values(made[0] * scale), lattice.with_values(made[1] * scale)


def scored_mev_g(
    source: Any, density: NDArray, corner_mm: NDArray, voxel_mm: float, *, histories: int, seed: int
) -> tuple[NDArray, NDArray]:
    """Run pyRadMC on cubic voxels of water.

    Parameters
    ----------
    source : pyradmc.Source
        In the coordinates of the voxels.
    density : ndarray, (nz, ny, nx)
        Of the water, g/cm3.
    corner_mm : ndarray, (3,)
        (x, y, z) of the outer corner of the first voxel.

    Returns
    -------
    tuple of ndarray of float32, (nz, ny, nx) : dose per history and its standard error, MeV/g.
    """
    # Not in the lock: a tool of this script alone.
    from pyradmc import AnalyticCrossSections, VoxelGrid, WarpEngine  # type: ignore[import-not-found]

    water = np.maximum(density, 1.2e-3).transpose(2, 1, 0).astype(np.float64)
    grid = VoxelGrid(
        shape=water.shape,
        spacing=(voxel_mm / 10,) * 3,
        origin=tuple(float(c) / 10 for c in corner_mm),
        density=np.ascontiguousarray(water),
        material=np.zeros(water.shape, np.int32),
    )
    engine = WarpEngine(
        grid=grid, cross_sections=AnalyticCrossSections(geometry_densities=grid.max_density_by_material()), device="cpu"
    )
    result = engine.run(source, histories, BATCHES, seed=seed)
    dose, sigma = (part.transpose(2, 1, 0).astype(np.float32) for part in (result.dose, result.dose_sigma))
    return dose, sigma


@dataclass(frozen=True, eq=False)
class _BeamLattice(Grid):
    """A lattice along the beam that knows the beam's coordinates (X_g, Y_g, depth) of its first voxel."""

    frame_first_mm: NDArray = None  # type: ignore[assignment]


def _whole(case: Case) -> _BeamLattice:
    """Lay a lattice along the beam through the whole anatomy, in step with those the network sees."""
    frame, grid = case.frame, case.density
    ends = np.array(grid.shape[::-1]) - 1
    corners = np.array([[i, j, k] for i in (0, ends[0]) for j in (0, ends[1]) for k in (0, ends[2])])
    position = frame.to_gantry(grid.index_to_position(corners)) * (1, 1, -1)
    first, last = np.floor(position.min(axis=0) / VOXEL_MM), np.ceil(position.max(axis=0) / VOXEL_MM)
    counts = (last - first).astype(int)
    start = first * VOXEL_MM + VOXEL_MM / 2
    axes = np.stack([frame.x_axis, frame.y_axis, -frame.towards_source])
    affine = affine_from_axes(frame.to_lps(start * (1, 1, -1)), (VOXEL_MM,) * 3, axes)
    return _BeamLattice(np.broadcast_to(np.float32(0), counts[::-1]), affine, "", start)


def field_source(machine: SimulatedMachine, beam: Beam, plane: PortalImage) -> Any:
    """Return pyRadMC's source of a field: a round Gaussian focal spot, and an aperture of any shape in one plane."""
    from pyradmc import Source

    share = open_share(beam, plane).values.ravel()
    cumulative = np.cumsum(share) / share.sum()
    energies, chances = machine.spectrum.energy_mev, np.cumsum(machine.spectrum.weight)
    columns, cut = len(plane.x_mm), machine.collimator_mm / machine.source_to_axis_mm

    class FieldSource(Source):
        @property
        def max_energy(self) -> float:
            return float(machine.spectrum.high_mev.max())

        def emit(self, rng_state: Any) -> Any:
            raise NotImplementedError("only sampled in batches")

        def sample_batch(self, seed: int, history_offset: int, n: int) -> dict[str, NDArray]:
            rng = np.random.default_rng((seed, history_offset))
            pixel = np.minimum(np.searchsorted(cumulative, rng.random(n)), len(cumulative) - 1)
            row, column = np.divmod(pixel, columns)
            within = (rng.random((2, n)) - 0.5) * _MAP_MM
            through = np.stack([plane.x_mm[column] + within[0], plane.y_mm[row] + within[1]]) * cut
            start = rng.normal(0, machine.focal_spot_mm, (2, n))
            way = np.stack([*(through - start), np.full(n, machine.collimator_mm)])
            way /= np.linalg.norm(way, axis=0)
            energy = energies[np.minimum(np.searchsorted(chances, rng.random(n)), len(energies) - 1)]
            depth = np.full(n, machine.collimator_mm - machine.source_to_axis_mm)
            made = dict(zip(("x", "y", "z"), (*through / 10, depth / 10), strict=True))
            made |= {"energy": energy, "ux": way[0], "uy": way[1], "uz": way[2], "weight": np.ones(n)}
            return {name: np.ascontiguousarray(v, np.float32) for name, v in made.items()} | {
                "particle_type": np.ones(n, np.int32)
            }

    return FieldSource()


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("profile", type=Path)
    parser.add_argument("--beams", type=int, default=75)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--splits", default="train,calibration,test", help="make the beams of these parts only")
    parser.add_argument("--effort", type=int, default=1, help="times as many histories: less noise to test against")
    parser.add_argument("--largest-cm2", type=float, default=np.inf, help="pass over larger fields")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    machine, profile = SimulatedMachine(), load_profile(options.profile)
    for number in range(options.first, options.beams):
        if SPLITS[number % len(SPLITS)] not in options.splits.split(","):
            continue
        case = draw_case(number, options.seed)
        path = options.out / f"{case.id}.npz"
        if path.exists() or open_area_cm2(case.beam) > options.largest_cm2:
            continue
        start = time.process_time()
        made = make_case(case, machine, profile, options.effort)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, split=case.split, kind=case.kind, area_cm2=open_area_cm2(case.beam), **made)
        print(f"{case.id} {case.split} {time.process_time() - start:.0f} s of CPU", flush=True)


if __name__ == "__main__":
    main()
