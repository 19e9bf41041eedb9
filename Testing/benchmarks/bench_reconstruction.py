"""Time and memory of a reconstruction, everything after reading, part by part; a two-beam thorax and a simulated arc.

    python Testing/benchmarks/bench_reconstruction.py [--repeats 5] [--frames 180] [--study DIR]
        [--refinement NAME] [--device cuda]

The beams are those of the sample study on its own grid (or of ``--study`` with the same profile) and on 2.5 mm; the
arc is 180 frames round an elliptic body with a lung on 3 mm, its dose and the prediction of its portal dose. Wanted on
two idle cores: a beam within 1.5 s, with a refinement 4 s, the arc within 60 s, less than 3 GB. Every time is the best
of the repeats; processor seconds are printed beside, because they say what a busy machine hides.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from intrepid_cli.verification import VerificationSettings
from intrepid_cli.verification.beam_geometry import first_frame
from intrepid_cli.verification.inputs import Inputs, read_inputs
from intrepid_cli.verification.selection import select
from intrepid_epid.beam_model import beam_model
from intrepid_epid.calculation_grid import calculation_grid
from intrepid_epid.compute.device import Device, physics_device
from intrepid_epid.delivery.arc_dose import ArcDose, arc_dose
from intrepid_epid.delivery.arc_stretches import coarse, portal_parts, predicted_stretches
from intrepid_epid.delivery.assignment import assign_frames
from intrepid_epid.delivery.frames import NO_IMAGE, DeliveryFrame
from intrepid_epid.forward_evidence import Evidence, Sector, arc_evidence
from intrepid_epid.image_grid import binned
from intrepid_epid.machine_profile import MachineProfile, load_profile
from intrepid_epid.refinement.refinement_model import RefinementModel, refinement_model
from intrepid_epid.superposition import fluence_of, superposed, superposition_dose
from intrepid_epid.terma import released_energy
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_epid.transit_portal_dose import transit_portal_dose
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.plan import Beam, ControlPoint
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.resources import resource_folder
from intrepid_rt.scan import scan
from SlicerInTrEPIDLib.sample import unpack_sample

PROFILE = resource_folder("SampleData") / "MC6MV.profile.json"
WANTED_BEAM_S, WANTED_REFINED_S, WANTED_ARC_S, WANTED_MB = 1.5, 4.0, 60.0, 3000.0
ENERGY = "6 MV"


class Best:
    """Least wall and processor time of every part."""

    def __init__(self) -> None:
        self.parts: dict[str, tuple[float, float]] = {}

    def timed(self, name: str, work: Callable[[], Any]) -> Any:
        wall, before = time.perf_counter(), os.times()
        made = work()
        after = os.times()
        spent = after.user + after.system - before.user - before.system
        old = self.parts.get(name, (np.inf, np.inf))
        self.parts[name] = (min(old[0], time.perf_counter() - wall), min(old[1], spent))
        return made

    def table(self) -> str:
        lines = [f"  {name:<16} {wall:6.2f} s   {spent:6.2f} processor s" for name, (wall, spent) in self.parts.items()]
        return "\n".join(lines)


def beam(
    inputs: Inputs, spacing_mm: float | None, repeats: int, refinement: RefinementModel | None, device: Device
) -> float:
    """Reconstruct the first beam; returns the best total."""
    assert inputs.profile is not None
    assert inputs.planned is not None
    wanted: Grid = inputs.planned if spacing_mm is None else _finer(inputs.planned, spacing_mm)
    plan_beam, frame = inputs.beams[0]
    model = beam_model(inputs.profile)
    best = Best()
    for _ in range(repeats + 1):  # the first compiles
        start = time.perf_counter()
        grid = best.timed("density grid", lambda: calculation_grid(wanted, inputs.density_g_cc))
        anatomy = anatomy_of(grid.density_g_cc, device)
        way = PrimaryBeam(anatomy, model.spectrum, first_frame(plan_beam, inputs.plan.patient_position))
        signal = binned(frame.repaired)
        portal = best.timed("portal dose", lambda s=signal, w=way: transit_portal_dose(s, inputs.profile, w))
        fluence = best.timed("fluence", lambda p=portal, w=way: fluence_of(p, w))
        released = best.timed("released energy", lambda f=fluence, w=way: released_energy(w, f))
        dose = best.timed("superposition", lambda r=released, w=way: superposed(r, w))
        if refinement is not None:
            refined = best.timed("refinement", lambda d=dose, w=way: refinement.refine(d, w, energy=ENERGY))
            assert not refined.notes, refined.notes
        total = time.perf_counter() - start
        spent = sum(part[1] for name, part in best.parts.items() if name != "total")
        best.parts["total"] = (min(best.parts.get("total", (np.inf, 0.0))[0], total), spent)
        assert np.isfinite(dose).all()
        assert dose.max() > 0
    shape = " x ".join(str(n) for n in grid.density_g_cc.shape[::-1])
    print(f"{plan_beam.name}, grid {shape} of {grid.density_g_cc.spacing_mm[0]:g} mm")
    print(best.table())
    return best.parts["total"][0]


def _finer(grid: Grid, spacing_mm: float) -> Grid:
    extent = (np.array(grid.shape[::-1]) - 1) * np.array(grid.spacing_mm)
    counts = (extent / spacing_mm).astype(int) + 1
    affine = affine_from_axes(grid.origin_lps_mm, (spacing_mm,) * 3)
    return Grid(np.broadcast_to(np.float32(0), counts[::-1]), affine, grid.frame_of_reference_uid)


def arc(frames: int, device: Device) -> float:
    """Reconstruct an arc of a field that changes from frame to frame and predict its portal dose; returns the time."""
    profile = load_profile(PROFILE)
    lattice = Grid(np.zeros((60, 80, 110), np.float32), affine_from_axes((-163.5, -118.5, -88.5), (3, 3, 3)))
    x, y = lattice.positions()[..., 0], lattice.positions()[..., 1]
    density = np.where((x / 150) ** 2 + (y / 105) ** 2 < 1, 1.0, 0.0012)
    density = np.where((x - 70) ** 2 + y**2 < 45**2, 0.3, density).astype(np.float32)
    anatomy, spectrum = anatomy_of(lattice.with_values(density), device), beam_model(profile).spectrum

    def way_at(angle_deg: float) -> PrimaryBeam:
        return PrimaryBeam(anatomy, spectrum, beam_frame(angle_deg, (0, 0, 0)))

    angles = np.linspace(181.0, 539.0, frames)
    half_x_mm = 30 + 10 * np.sin(np.arange(frames) / 7)
    ways = [way_at(angle) for angle in angles]
    images = [_field(half, 35, 1 / frames) for half in half_x_mm]
    plan = _arc_plan(angles, half_x_mm)
    arc_dose(images[:2], ways[:2], profile, superposition_dose)  # compiles
    best = Best()
    made = best.timed("dose", lambda: arc_dose(images, ways, profile, superposition_dose))
    found = best.timed("forward check", lambda: _checked(made, plan, angles, profile, way_at))
    assert made.dose_gy.max() > 0
    assert found.directions == 18
    print(f"Arc of {frames} frames, grid 110 x 80 x 60 of 3 mm")
    print(best.table())
    return sum(wall for wall, _ in best.parts.values())


def _checked(
    made: ArcDose, plan: Beam, angles_deg: np.ndarray, profile: MachineProfile, way_at: Callable[[float], PrimaryBeam]
) -> Evidence:
    """Predict the arc stretch by stretch and compare, as the verification does."""
    frames = [DeliveryFrame(NO_IMAGE, str(n), gantry_angle_deg=a % 360) for n, a in enumerate(angles_deg.tolist())]
    parts = portal_parts(made.sectors, assign_frames(frames, plan), plan)
    whole, sectors = predicted_stretches(plan, parts, profile, way_at)
    return arc_evidence(Sector(whole, coarse(made.portal_gy), sectors[0].primary_beam), sectors, plan)


def _arc_plan(angles_deg: np.ndarray, half_x_mm: np.ndarray) -> Beam:
    """Plan of the arc: jaws that follow the images."""
    points = tuple(
        ControlPoint(
            n, float(n), angle % 360, 0.0, 0.0, 0.0, np.zeros(3), (-half, half), (-35.0, 35.0), gantry_rotation="CW"
        )
        for n, (angle, half) in enumerate(zip(angles_deg.tolist(), half_x_mm.tolist(), strict=True))
    )
    return Beam(1, "ARC", "LINAC", "PHOTON", 1000.0, 300.0, 1.0, points)


def _field(half_x_mm: float, half_y_mm: float, level: float) -> PortalImage:
    """Signal of a field with soft edges on 256 x 256 pixels of 1.62 mm."""
    axis = (np.arange(256) - 127.5) * 1.62 / 1.6
    along = [0.5 * (np.tanh((axis + half) / 2) - np.tanh((axis - half) / 2)) for half in (half_x_mm, half_y_mm)]
    first = (-127.5 * 1.62, 127.5 * 1.62)
    return PortalImage(level * np.outer(along[1], along[0]), first, (1.62, 1.62), 1600.0, 1000.0, unit="signal")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--frames", type=int, default=180)
    parser.add_argument("--study", type=Path)
    parser.add_argument("--refinement")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = physics_device(options.device)
    refinement = refinement_model(options.refinement, device=options.device) if options.refinement else None
    wanted_s = WANTED_REFINED_S if refinement else WANTED_BEAM_S
    with tempfile.TemporaryDirectory() as folder:
        study = options.study or unpack_sample(PROFILE.parent, Path(folder)) / "study"
        settings = VerificationSettings(study, Path("unused"), machine=PROFILE)
        inputs = read_inputs(select(scan(study)), settings)
        times = [beam(inputs, spacing, options.repeats, refinement, device) for spacing in (None, 2.5)]
    arc_s = arc(options.frames, device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"Peak memory {peak:.0f} MB (wanted: at most {WANTED_MB:.0f}); load {os.getloadavg()[0]:.1f}")
    print(f"A beam {min(times):.2f} to {max(times):.2f} s (wanted: {wanted_s:g})")
    print(f"The arc {arc_s:.0f} s (wanted: {WANTED_ARC_S:g})")


if __name__ == "__main__":
    main()
