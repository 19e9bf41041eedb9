"""A small complete study for the tests of the chain: a water cylinder, two beams, images of an Elekta panel."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import builders
from builders import BeamSpec, Ids, Lattice, Roi
from chain_phantoms import soft_field
from intrepid_epid.machine_profile import FieldRecord, MachineProfile, SpreadTerm, Validity, save_profile


def _cubes(shape: tuple[int, int, int], position: tuple[float, float, float]) -> Lattice:
    offsets = tuple(7.0 * k for k in range(shape[0]))
    return Lattice(shape, position, row_spacing_mm=7.0, column_spacing_mm=7.0, offsets_mm=offsets)


CT = _cubes((12, 24, 28), (-94.5, -80.5, -38.5))
DOSE = _cubes((9, 15, 16), (-52.5, -49.0, -28.0))
RADIUS_MM = 65.0
FACTOR = 30000.0

PROFILE = MachineProfile(
    machine="LINAC1",
    energy="6 MV",
    created="2026-01-01T00:00:00+00:00",
    software_version="0",
    source_to_axis_mm=1000.0,
    source_to_image_mm=1600.0,
    dose_depth_mm=15.0,
    spread=(SpreadTerm(0.0, 0.35), SpreadTerm(8.0, 0.05)),
    radial_factors=(),
    fields=(FieldRecord("f", 30.0, 100.0, 1.0, 0.4, 0.5, ""),),
    valid_for=Validity((1600.0, 1600.0), (100.0, 100.0), (4.0, 100.0), 70.0),
)


def hounsfield() -> NDArray:
    position = CT.pixel_positions()
    inside = np.hypot(position[..., 0], position[..., 1]) < RADIUS_MM
    return np.where(inside, 0.0, -1000.0)


def image_pixels(level: float = 0.5) -> NDArray:
    """Field of 5 x 4 cm2 behind the phantom, 64 x 64 pixels of 6.4 mm."""
    return builders.elekta_pixels(level * soft_field(25, 20).values, FACTOR)


def portal_image(ids: Ids, number: int, gantry_deg: float, *, level: float = 0.5, **more: object):  # type: ignore[no-untyped-def]
    options = {"pixel_mm": (6.4, 6.4), "elekta_factor": FACTOR, **more}
    return builders.rtimage(image_pixels(level), ids, beam_number=number, gantry_deg=gantry_deg, **options)


def write_study(
    folder: Path,
    *,
    names: Sequence[str] = ("AP", "LAT"),
    gantry_deg: Sequence[float] = (0.0, 90.0),
    level: float = 0.5,
    planned_gy: float | None = 1.0,
    position: str = "HFS",
    ids: Ids | None = None,
) -> Ids:
    """Write CT, RTSTRUCT, RTPLAN, RTDOSE (a planned dose that is no truth) and one RTIMAGE per beam."""
    ids = ids or Ids()
    for number, one in enumerate(builders.ct_slices(hounsfield(), CT, ids, patient_position=position)):
        builders.save(one, folder / f"CT_{number:03d}.dcm")
    heights = [-38.5 + 7.0 * k for k in range(12)]
    rois = [
        Roi("BODY", [builders.ring((0, 0), RADIUS_MM, z) for z in heights], interpreted_type="EXTERNAL"),
        Roi("TARGET", [builders.ring((0, 0), 18, z) for z in heights[3:9]], interpreted_type="PTV"),
    ]
    builders.save(builders.rtstruct(rois, ids), folder / "RTSTRUCT.dcm")
    beams = [BeamSpec(name, (angle,)) for name, angle in zip(names, gantry_deg, strict=True)]
    builders.save(_without_couch_turn(builders.rtplan(beams, ids, patient_position=position)), folder / "RTPLAN.dcm")
    if planned_gy is not None:
        dose = planned_gy * np.exp(-np.sum(DOSE.pixel_positions() ** 2, axis=-1) / 3000.0)
        builders.save(builders.rtdose(np.maximum(dose, 1e-6), DOSE, ids), folder / "RTDOSE.dcm")
    for number, angle in enumerate(gantry_deg, 1):
        builders.save(portal_image(ids, number, angle, level=level), folder / f"RTIMAGE_{number}.dcm")
    return ids


def _without_couch_turn(plan):  # type: ignore[no-untyped-def]
    for beam in plan.BeamSequence:
        beam.ControlPointSequence[0].PatientSupportAngle = "0"
    return plan


def write_profile(path: Path) -> Path:
    """Write a profile that fits the images."""
    save_profile(PROFILE, path)
    return path
