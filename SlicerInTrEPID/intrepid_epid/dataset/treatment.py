"""Plan and CT that lie beside an image: how thick the phantom is in front of every pixel, and what the field opened."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.aperture import open_area_cm2, open_share
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.ray_tracing import Anatomy, mass_thickness_g_cm2
from intrepid_epid.transit import anatomy_of
from intrepid_rt.beam_frame import BeamFrame, beam_frame
from intrepid_rt.ct_curve import CTCurve, default_ct_curve
from intrepid_rt.dicom_ct import read_ct
from intrepid_rt.errors import UnusableInput
from intrepid_rt.plan import Beam, Plan
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.scan import scan
from intrepid_rt.study import Study


@dataclass(frozen=True, eq=False)
class KnownTreatment:
    """What the files beside an image tell of its beam; None where they tell nothing, ``notes`` say why."""

    plan_label: str = ""
    beam: Beam | None = None
    thickness_g_cm2: NDArray | None = None
    field_map: NDArray | None = None
    notes: tuple[str, ...] = ()

    @property
    def area_cm2(self) -> float | None:
        """Mean open area of the beam."""
        return open_area_cm2(self.beam) if self.beam and self.field_map is not None else None


def known_treatment(image: Path, geometry: PortalImage, profile: MachineProfile) -> KnownTreatment:
    """Find the beam of an image in the folder it lies in, and put thickness and field onto ``geometry``'s pixels."""
    found = _linked(image)
    if found is None:
        return KnownTreatment(notes=("No plan names this image: its field and the thickness are not known.",))
    study, plan, beam = found
    if beam.is_arc:
        return KnownTreatment(plan.label, beam, notes=("An arc has no one thickness or field: neither is given.",))
    notes = []
    try:
        field_map = open_share(beam, geometry).values
    except UnusableInput as error:
        field_map = None
        notes.append(f"The field is not given: {error}")
    thickness = None
    if len(study.ct_series) == 1:
        anatomy = _anatomy(tuple(study.ct_series[0].paths), _curve(profile))
        thickness = _thickness(anatomy, _frame(beam, plan), geometry)
    else:
        notes.append(f"{len(study.ct_series)} CT series beside the image: the thickness is not given.")
    return KnownTreatment(plan.label, beam, thickness, field_map, tuple(notes))


def _linked(image: Path) -> tuple[Study, Plan, Beam] | None:
    for study in _studies(image.parent):
        for file in study.portal_images:
            plan = study.plan_with_uid(file.plan_uid) if file.path == image and file.link else None
            beam = plan.plan.beam_numbered(file.beam_number or 0) if plan else None
            if plan and beam:
                return study, plan.plan, beam
    return None


# The pairs of a folder come one after the other.
@lru_cache(maxsize=1)
def _studies(folder: Path) -> list[Study]:
    return scan(folder)


@lru_cache(maxsize=1)
def _anatomy(slices: tuple[Path, ...], curve: CTCurve) -> Anatomy:
    ct = read_ct(slices)
    return anatomy_of(ct.with_values(curve.density(ct.values).astype(np.float32)))


@lru_cache(maxsize=1)
def _curve(profile: MachineProfile) -> CTCurve:
    if not profile.ct_curve:
        return default_ct_curve()
    points = np.array([(p.hu, p.density_g_cc, p.relative_electron_density) for p in profile.ct_curve])
    hu, density, electrons = points.T
    return CTCurve("machine profile", hu, density, electrons, source=profile.ct_curve_source)


def _frame(beam: Beam, plan: Plan) -> BeamFrame:
    point = beam.control_points[0]
    return beam_frame(
        point.gantry_angle_deg,
        point.isocentre_lps_mm,
        couch_angle_deg=point.couch_angle_deg,
        patient_position=plan.patient_position,
        source_to_axis_mm=beam.source_to_axis_mm,
    )


def _thickness(anatomy: Anatomy, frame: BeamFrame, geometry: PortalImage) -> NDArray:
    x, y = np.meshgrid(geometry.x_mm, geometry.y_mm)
    z = np.full_like(x, frame.source_to_axis_mm - geometry.source_to_image_mm)
    ends = frame.to_lps(np.stack([x, y, z], axis=-1))
    return mass_thickness_g_cm2(anatomy, frame.source_lps_mm, ends).sum(axis=-1)
