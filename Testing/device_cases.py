"""The loops of the physics on small, oblique, off-centre cases, on any device.

    NUMBA_ENABLE_CUDASIM=1 NUMBA_DISABLE_JIT=1 python Testing/device_cases.py cuda OUT.npz

writes what numba's CUDA simulator makes of them (without a CUDA device), or a real one without those variables.
"""

import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from typing import Any
from unittest.mock import patch

import numpy as np
from numba import typeof, types
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from intrepid_epid import superposition
from intrepid_epid.beam_model import generic_spectrum, readings_gy_cm2
from intrepid_epid.compute.device import Cpu, Device, Loop, physics_device
from intrepid_epid.delivery.arc_dose import arc_dose
from intrepid_epid.dose_engine.collapsed_cone import superpose
from intrepid_epid.dose_engine.cone_kernel import ConeKernel, collapsed_cone_kernel
from intrepid_epid.machine_profile import relative_profile
from intrepid_epid.patient_scatter import single_scatter
from intrepid_epid.ray_tracing import Anatomy, mass_thickness_g_cm2
from intrepid_epid.terma import released_energy
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.portal_image import PortalImage

TURNED = Rotation.from_euler("zyx", [25, -40, 70], degrees=True).as_matrix()


def results(device: Device) -> dict[str, NDArray]:
    """Compute every case; the names say which loops took part."""
    return {
        "rays": rays(device),
        "single scatter": single_scatter(
            beam(device), image(8, 60.0).with_values(np.ones((8, 8))), image(8, 60.0), readings_gy_cm2
        ),
        "released energy": released(device),
        "superposition": superposition_on_random_grid(device),
        "arc": arc(device),
    }


class Recorder(Cpu):
    """The CPU in the place of a CUDA device: notes the kernels asked for, with their types, and the memory held."""

    sums = 1

    def __init__(self) -> None:
        self.kernels: dict[tuple[Loop, int, types.Type], None] = {}
        self.most_bytes = 0
        self._held: dict[int, int] = {}

    def put(self, array: NDArray) -> NDArray:
        held = np.array(array, order="C")
        self._held[id(held)] = held.nbytes
        weakref.finalize(held, self._held.pop, id(held))
        self.most_bytes = max(self.most_bytes, sum(self._held.values()))
        return held

    @contextmanager
    def updated(self, array: NDArray) -> Iterator[NDArray]:
        held = self.put(array)
        yield held
        array[...] = held

    def run(self, loop: Loop, turns: int, *arguments: Any, scratch: int = 0, at_once: int | None = None) -> None:
        is_new = [isinstance(a, np.ndarray) and id(a) not in self._held for a in arguments]
        held = tuple(self.put(a) if new else a for a, new in zip(arguments, is_new, strict=True))
        self.kernels[loop, scratch, types.Tuple([typeof(a) for a in held])] = None
        super().run(loop, turns, *held, scratch=scratch, at_once=at_once)

    def side_by_side(self, lines: int) -> int:
        return min(lines, 1)


def rays(device: Device) -> NDArray:
    """Rays of all directions through a turned random grid, some along its axes, some past it."""
    random, shape = np.random.default_rng(5), (6, 7, 8)
    grid = Grid(
        random.random(shape).astype(np.float32), affine_from_axes((-31.5, 12.25, 40.0), (1.1, 2.3, 3.7), TURNED)
    )
    anatomy = Anatomy(grid, random.integers(0, 3, shape).astype(np.uint8), ("a", "b", "c"), device)
    centre = grid.index_to_position((np.array(shape[::-1]) - 1) / 2)
    along = grid.index_to_position(list(product((-3.0, 4.0), (2.0,), (3.0,))))
    ends = np.concatenate([centre + random.normal(size=(40, 3)) * 15, along])
    return np.stack(
        [mass_thickness_g_cm2(anatomy, centre + source, ends) for source in random.normal(size=(3, 3)) * 40]
    )


def beam(device: Device, gantry_deg: float = 35.0) -> PrimaryBeam:
    """An oblique beam on an off-centre body of water with lung and bone, in voxels of 23 x 31 x 37 mm."""
    random, shape = np.random.default_rng(7), (5, 6, 7)
    density = random.choice([0.0, 0.3, 1.0, 1.0, 1.6], shape).astype(np.float32)
    grid = Grid(density, affine_from_axes((-55.0, -90.0, -80.0), (23.0, 31.0, 37.0)))
    return PrimaryBeam(
        anatomy_of(grid, device), generic_spectrum(), beam_frame(gantry_deg, (4.0, -7.0, 3.0), couch_angle_deg=20)
    )


def image(pixels: int, pixel_mm: float) -> PortalImage:
    first = (pixels - 1) / 2 * pixel_mm
    return PortalImage(np.zeros((pixels, pixels)), (-first, first), (pixel_mm, pixel_mm), 1600.0, 1000.0, unit="signal")


def field(pixels: int = 12, pixel_mm: float = 25.0) -> PortalImage:
    """Signal of a field off the axis with a slope in it."""
    plane = image(pixels, pixel_mm)
    x, y = np.meshgrid(plane.x_mm, plane.y_mm)
    return plane.with_values(np.where((abs(x - 20) < 90) & (abs(y + 10) < 70), 1.0 + x / 500, 0.0))


def released(device: Device) -> NDArray:
    at_isocentre = replace(field(), source_to_image_mm=1000.0)
    made = released_energy(beam(device), at_isocentre.with_values(1e9 * at_isocentre.values, unit="photons/cm2"))
    return np.stack([made.primary_gy, made.scatter_gy])


def few_directions(kernel: ConeKernel) -> ConeKernel:
    """The kernel with two to three directions per cone: the simulator takes a millisecond per thread."""
    return replace(kernel, directions=(1, 2, 2, 3, 2, 2, 3, 2, 2, 3, 2))


def superposition_on_random_grid(device: Device) -> NDArray:
    random, shape = np.random.default_rng(3), (5, 6, 7)
    primary, scatter, density = random.random((3, *shape), np.float32)
    primary[:, :2] = scatter[:, :2] = 0
    return superpose(
        primary, scatter, 0.2 + density, spacing_mm=(4.0, 3.0, 5.0), source_mm=(300.0, -800.0, 50.0),
        kernel=few_directions(collapsed_cone_kernel([2.0], [1.0])), device=device,
    )  # fmt: skip


def arc(device: Device) -> NDArray:
    """Everything between images and dose for two frames: portal dose, scatter, fluence, energy, superposition."""
    kernel = few_directions(superposition.spectrum_kernel(generic_spectrum()))
    ways = [beam(device), beam(device, 215.0)]
    with patch.object(superposition, "spectrum_kernel", lambda spectrum: kernel):
        made = arc_dose([field(), field()], ways, relative_profile("simulated"), superposition.superposition_dose)
    assert made.dose_gy.max() > 0
    return made.dose_gy


if __name__ == "__main__":
    chosen = physics_device(sys.argv[1])
    np.savez(sys.argv[2], device=chosen.name, **results(chosen))
