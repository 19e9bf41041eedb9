"""Readers that no single command line reaches quickly: what they return, as numbers and warnings."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def _read(_path: Path, study: Path) -> dict[str, object]:
    """Select and read everything that a verification computes with."""
    from intrepid_cli.verification.inputs import read_inputs
    from intrepid_cli.verification.selection import select
    from intrepid_cli.verification.settings import VerificationSettings
    from intrepid_epid.delivery.assignment import assign_frames
    from intrepid_rt.scan import scan

    studies = scan(study)
    found = read_inputs(select(studies), VerificationSettings(study, study))
    frames = [frame for _, frame in found.beams]
    placed = [assign_frames(found.frames[beam.number].frames, beam) for beam, _ in found.beams
              if beam.number in found.frames]  # fmt: skip
    structures = found.structure_set.structures if found.structure_set else ()
    numbers = {
        "ct": [*_digest(found.ct.grid.values), *found.ct.grid.index_to_lps.ravel().tolist()],
        "dose": [*_digest(found.planned.values), *found.planned.index_to_lps.ravel().tolist()] if found.planned else [],
        "images": [_digest(frame.image.values) for frame in frames],
        "places": [[*frame.image.first_pixel_mm, *frame.image.pixel_spacing_mm] for frame in frames],
        "contours": {s.name: _digest(np.concatenate([*s.contours, np.zeros((1, 3))])) for s in structures},
        "frames": {str(number): _frames(series) for number, series in found.frames.items()},
        "placed": [[one.gantry_angle_deg, one.meterset_weight] for each in placed for one in each.frames],
        "beams": [_beam(beam) for beam, _ in found.beams],
    }
    said = [*found.notes, *(str(warning) for frame in frames for warning in frame.warnings)]
    said += [note for structure in (found.structure_set,) if structure for note in structure.notes]
    said += [note for each in placed for note in each.notes]
    # As verification.verify does: what was not used is a warning of the report.
    said += [f"{path.name} was not used: {reason}" for one in studies for path, reason in one.unused]
    return {**numbers, "warnings": said}


def _frames(series: object) -> list[list[float | None]]:
    return [
        [frame.gantry_angle_deg, frame.time_s, frame.meterset_mu, *_digest(frame.image.values)]
        for frame in series.frames
    ]


def _digest(values: np.ndarray) -> list[float]:
    values = np.asarray(values, float)
    return [float(values.min()), float(values.max()), float(values.sum()), float((values**2).sum())]


def _beam(beam: object) -> list[float | None]:
    points = beam.control_points
    angles = [(p.gantry_angle_deg, p.collimator_angle_deg, p.couch_angle_deg, p.cumulative_meterset_weight,
               *p.isocentre_lps_mm.tolist(), *(p.jaw_x_mm or ()), *(p.jaw_y_mm or ())) for p in points]  # fmt: skip
    return [beam.meterset_mu, beam.source_to_axis_mm, *(number for point in angles for number in point)]


def _parcels(_path: Path, study: Path) -> dict[str, object]:
    from intrepid_rt.network.outbox import parcels

    found, left = parcels([study])
    return {"found": len(found), "warnings": [reason for _, reason in left]}


def _receipts(path: Path, _study: Path) -> dict[str, object]:
    from intrepid_rt.network.outbox import Receipts

    Receipts("PEER@127.0.0.1:1", path)
    return {"warnings": []}


def _day(_path: Path, study: Path) -> dict[str, object]:
    from fuzz.corpus_deliveries import IDS
    from intrepid_cli.verification.day_files import read_day_files, stated_motion

    files = read_day_files(study, patient_id=IDS.patient)
    grid = files.series.grid
    motion = stated_motion(files, IDS.frame)
    return {
        "ct": [*_digest(grid.values), *grid.index_to_lps.ravel().tolist()],
        "motion": motion.matrix.ravel().tolist(),
        "warnings": list(files.notes),
    }


def _transform(path: Path, _study: Path) -> dict[str, object]:
    from intrepid_rt.grids import Grid, affine_from_axes
    from intrepid_rt.registration.transform_file import read_transform

    planning = Grid(np.zeros((4, 5, 6)), affine_from_axes((-50.0, -40.0, -30.0), (20.0, 20.0, 20.0)))
    motion, field = read_transform(path, planning)
    return {"motion": motion.matrix.ravel().tolist(), "field": _digest(field.u_mm) if field else [], "warnings": []}


def _planned(_path: Path, study: Path) -> dict[str, object]:
    from intrepid_cli.verification.planned_portal import planned_portal_dose
    from intrepid_rt.portal_image import PortalImage

    geometry = PortalImage(np.ones((2, 2)), (0.0, 0.0), (1.0, 1.0), 1600.0, 1000.0)
    doses = {}
    for number, name in enumerate(("AP", "LAT"), 1):
        beam = SimpleNamespace(number=number, name=name, portal_dose=geometry, gantry_angle_deg=0.0)
        dose = planned_portal_dose(study, beam, name)
        doses[name] = [*_digest(dose.values), *dose.first_pixel_mm, *dose.pixel_spacing_mm, dose.source_to_image_mm]
    return {"doses": doses, "warnings": []}


def _curve(path: Path, _study: Path) -> dict[str, object]:
    from intrepid_rt.ct_curve import read_ct_curve

    curve = read_ct_curve(path)
    columns = (curve.hu, curve.density_g_cc, curve.relative_electron_density)
    return {"points": [column.tolist() for column in columns], "warnings": []}


def _dataset(_path: Path, study: Path) -> dict[str, object]:
    """Build a dataset, leaving out what is refused: the planes of all pairs as numbers."""
    from dataclasses import fields

    from intrepid_epid.dataset.build import BuildSettings, build_dataset
    from intrepid_epid.dataset.manifest import DatasetGrid
    from intrepid_epid.dataset.pair_file import read_pair
    from intrepid_epid.machine_profile import load_profile

    settings = BuildSettings(grid=DatasetGrid(32, 6.0), leave_out=True)
    built = build_dataset([study], study.parent / "out", load_profile(study / "profile.json"), settings)
    planes = {}
    for pair in built.manifest.pairs:
        arrays = read_pair(study.parent / "out", pair, settings.grid)
        made = [getattr(arrays, one.name) for one in fields(arrays)]
        planes[pair.id] = [[*_digest(plane)] for plane in made if plane is not None] + [pair.meterset_mu]
    return {"pairs": planes, "warnings": [reason for _, reason in built.refused]}


def _refine(_path: Path, study: Path) -> dict[str, object]:
    """Refine the dose of a beam through a small phantom."""
    from intrepid_epid.refinement.refinement_model import refinement_model
    from toy_refinement import toy_beam

    dose_gy, beam = toy_beam()
    refined = refinement_model(str(study)).refine(dose_gy, beam, energy="6 MV")
    band = [] if refined.half_width_gy is None else _digest(refined.half_width_gy)
    return {"dose": _digest(refined.dose_gy), "band": band, "warnings": list(refined.notes)}


READERS: dict[str, Callable[[Path, Path], dict[str, object]]] = {
    "read": _read,
    "parcels": _parcels,
    "receipts": _receipts,
    "day": _day,
    "transform": _transform,
    "planned": _planned,
    "ct-curve": _curve,
    "dataset-build": _dataset,
    "refine": _refine,
}
