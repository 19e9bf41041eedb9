"""A patient without symmetry, as planned and as imaged on another day after a known motion or deformation."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

import builders
from builders import BeamSpec, Ids, Lattice, Roi
from chain_study import portal_image
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.registration.rigid_transform import IDENTITY, RigidTransform

ISOCENTRE = (10.0, -6.0, 4.0)
HALF_AXES_MM = (110.0, 75.0)
Z_MM = (-74.0, 76.0)
# Centre, radius (stretched along z) and HU of what makes the patient recognisable; the last one counts.
ORGANS = (
    ((-50, -8, 10), 32, -750),
    ((56, 2, -8), 28, -720),
    ((2, 52, 0), 11, 600),
    ((10, -30, 24), 15, 70),
    ((-14, -20, -36), 14, 130),
    ((30, -46, 44), 9, -110),
    ((-44, 40, 30), 9, 350),
    ((12, 0, -30), 12, 90),
)
PLANNING = Lattice((38, 58, 84), (-124.5, -86.0, -74.0), row_spacing_mm=3.0, column_spacing_mm=3.0,
                   offsets_mm=tuple(4.0 * k for k in range(38)))  # fmt: skip
DOSE = Lattice((15, 18, 22), (-54.0, -66.0, -38.0), row_spacing_mm=6.0, column_spacing_mm=6.0,
               offsets_mm=tuple(6.0 * k for k in range(15)))  # fmt: skip
TUMOUR = ((10.0, -30.0, 24.0), 15.0)


def hounsfield(position_lps_mm: NDArray) -> NDArray:
    """HU of the planned patient at positions (..., 3): an elliptical body with lungs, spine and nodes, edges 1.5 mm."""
    x, y, z = np.moveaxis(np.asarray(position_lps_mm, float), -1, 0)
    outline = (np.hypot(x / HALF_AXES_MM[0], y / HALF_AXES_MM[1]) - 1.0) * min(HALF_AXES_MM)
    beyond = np.maximum(np.abs(z - np.mean(Z_MM)) - np.ptp(Z_MM) / 2, outline)
    made = -1000.0 + 1020.0 * _inside(beyond)
    for (cx, cy, cz), radius, value in ORGANS:
        share = _inside(np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + ((z - cz) / 1.3) ** 2) - radius)
        made += (value - made) * share * (beyond < 3)
    return made


def _inside(distance_mm: NDArray) -> NDArray:
    return 1.0 / (1.0 + np.exp(np.clip(distance_mm / 1.0, -50, 50)))


def day_lattice(*, turned_deg: tuple[float, float, float] = (2.0, -3.0, 4.0), n: int = 44) -> Lattice:
    """Planes of another scanner: anisotropic, off-centre and turned."""
    axes = Rotation.from_euler("xyz", turned_deg, degrees=True).as_matrix().T
    return Lattice(
        (n, 70, 80), (-125.0, -95.0, -88.0), (*axes[0], *axes[1]), row_spacing_mm=2.7, column_spacing_mm=3.3,
        offsets_mm=tuple(3.9 * k for k in range(n)),
    )  # fmt: skip


def planning_grid() -> Grid:
    """Planning CT without DICOM."""
    affine = affine_from_axes(PLANNING.position, (3.0, 3.0, 4.0))
    return Grid(hounsfield(PLANNING.pixel_positions()).astype(np.float32), affine)


def day_grid(motion: RigidTransform, *, seed: int = 0, noise_hu: float = 15.0, lattice: Lattice | None = None) -> Grid:
    """Image of the moved patient without DICOM, noisy."""
    lattice = lattice or day_lattice()
    spacing = (lattice.column_spacing_mm, lattice.row_spacing_mm, float(np.diff(lattice.offsets)[0]))
    values = hounsfield(motion.inverse.apply(lattice.pixel_positions()))
    values += np.random.default_rng(seed).normal(0.0, noise_hu, values.shape)
    return Grid(values.astype(np.float32), affine_from_axes(lattice.position, spacing, lattice.axes))


def write_plan(folder: Path, ids: Ids, *, isocentre: tuple[float, float, float] = ISOCENTRE, level: float = 0.5) -> Ids:
    """Write planning CT, structures, plan, dose (no truth) and the images of two beams."""
    for number, one in enumerate(builders.ct_slices(hounsfield(PLANNING.pixel_positions()), PLANNING, ids)):
        builders.save(one, folder / f"CT_{number:03d}.dcm")
    builders.save(builders.rtstruct(rois(PLANNING.position[2] + PLANNING.offsets), ids), folder / "RTSTRUCT.dcm")
    gantry = {"AP": 0.0, "LAO": 40.0}
    plan = builders.rtplan([BeamSpec(name, (angle,), isocentre=isocentre) for name, angle in gantry.items()], ids)
    for beam in plan.BeamSequence:
        beam.ControlPointSequence[0].PatientSupportAngle = "0"
    builders.save(plan, folder / "RTPLAN.dcm")
    dose = 1.5 * np.exp(-np.sum((DOSE.pixel_positions() - isocentre) ** 2, axis=-1) / 3000.0)
    builders.save(builders.rtdose(np.maximum(dose, 1e-6), DOSE, ids), folder / "RTDOSE.dcm")
    for number, angle in enumerate(gantry.values(), 1):
        builders.save(portal_image(ids, number, angle, level=level), folder / f"RTIMAGE_{number}.dcm")
    return ids


def rois(heights_mm: NDArray, moved: Callable[[NDArray], NDArray] = lambda points: points) -> list[Roi]:
    """Body and tumour as axial contours; ``moved`` shifts points within their planes."""
    turn = 2 * np.pi * np.arange(72) / 72
    around = np.stack([HALF_AXES_MM[0] * np.cos(turn), HALF_AXES_MM[1] * np.sin(turn)], axis=1)
    inside = [z for z in heights_mm if Z_MM[0] <= z <= Z_MM[1]]
    body = [moved(np.column_stack([around, np.full(72, z)])) for z in inside]
    (x, y, z0), radius = TUMOUR
    cut = [(z, np.sqrt(max(0.0, radius**2 - ((z - z0) / 1.3) ** 2))) for z in heights_mm]
    tumour = [moved(builders.ring((x, y), r, z)) for z, r in cut if r > 2]
    return [Roi("BODY", body, interpreted_type="EXTERNAL"), Roi("TUMOUR", tumour, interpreted_type="GTV")]


def write_day(
    folder: Path,
    ids: Ids,
    lattice: Lattice | None = None,
    *,
    motion: RigidTransform = IDENTITY,
    undeformed: Callable[[NDArray], NDArray] = lambda points: points,
    scale: float = 1.0,
    offset_hu: float = 0.0,
    noise_hu: float = 10.0,
    round_mm: float | None = None,
    description: str = "",
) -> Path:
    """Write the CT of the day.

    Parameters
    ----------
    motion : RigidTransform
        How the patient moved.
    undeformed : callable
        Points of the aligned patient of the day to those of the planned one.
    scale, offset_hu, noise_hu : float
        What the scanner makes of the HU.
    round_mm : float
        Radius of a round field of view about the middle of the image.
    """
    lattice = lattice or day_lattice()
    position = lattice.pixel_positions()
    values = scale * hounsfield(undeformed(motion.inverse.apply(position))) + offset_hu
    values += np.random.default_rng(7).normal(0.0, noise_hu, values.shape)
    if round_mm is not None:
        row, column = np.indices(values.shape[1:]) - (np.array(values.shape[1:])[:, None, None] - 1) / 2
        away = np.hypot(row * lattice.row_spacing_mm, column * lattice.column_spacing_mm) > round_mm
        values[:, away] = -1024
    for number, one in enumerate(builders.ct_slices(np.maximum(values, -1024), lattice, ids)):
        one.SeriesDescription, one.AcquisitionDate = description, "20260105"
        builders.save(one, folder / f"DAY_{number:03d}.dcm")
    return folder
