"""Reconstructed against planned dose: gamma, DVH, points."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from intrepid_cli.verification.inputs import Inputs
from intrepid_cli.verification.settings import CUTOFF_PERCENT, VerificationSettings
from intrepid_dvh import DVH
from intrepid_dvh.compute import compute_dvh
from intrepid_dvh.slabs import common_slice_spacing_mm
from intrepid_gamma.gamma import gamma_indices
from intrepid_gamma.result import GammaResult
from intrepid_gamma.settings import GammaSettings
from intrepid_rt.errors import UnusableInput
from intrepid_rt.grids import DoseGrid
from intrepid_rt.plan import Plan
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.structure_mask import structure_mask
from intrepid_rt.structures import Structure, StructureSet
from intrepid_rt.verification import (
    DoseVolumeCurve,
    GammaOutcome,
    MetricOutcome,
    PointDose,
    StructureResult,
)

Criteria = Sequence[tuple[float, float]]  # dose in percent, distance in mm
REPORTED_METRICS = ("DMEAN", "D98%", "D50%", "D2%")
JUDGED_CRITERIA = (3.0, 2.0)  # TG-218 (Miften et al., Med. Phys. 45 (2018) e53)
TOLERANCE_PERCENT = 95.0


@dataclass(frozen=True, eq=False)
class Reference:
    """What a reconstructed dose is compared with.

    ``planned`` is the planned dose of ``fractions`` fractions, as many as were reconstructed; None with the reason.
    """

    plan: Plan
    structure_set: StructureSet | None
    planned: DoseGrid | None
    planned_reason: str = ""
    fractions: int = 1


def gamma_3d(reference: Reference, reconstructed: DoseGrid, criteria: Criteria) -> tuple[GammaOutcome, ...]:
    """Compare inside the patient outline; without a planned dose every outcome is absent with the reason."""
    planned = reference.planned
    if planned is None:
        return _absent(criteria, reference.planned_reason)
    external = reference.structure_set.external if reference.structure_set else None
    mask = structure_mask(external, planned) if external is not None and not external.is_empty else None
    norm_gy = float(np.nanmax(planned.values))
    try:
        results = gamma_indices(planned, reconstructed, _criteria(criteria, norm_gy), mask=mask)
    except UnusableInput as error:
        return _absent(criteria, str(error))
    return tuple(
        _outcome(result, external.name if mask is not None and external else "dose grid") for result in results
    )


def gamma_2d(
    planned: PortalImage | None, measured: PortalImage, settings: VerificationSettings
) -> tuple[GammaOutcome, ...]:
    """Compare portal doses with distances at the isocentre plane; nothing without a planned portal dose."""
    if planned is None:
        return ()
    reference, evaluated = at_isocentre(planned), at_isocentre(measured)
    try:
        results = gamma_indices(reference, evaluated, _criteria(settings.criteria, float(reference.values.max())))
    except UnusableInput as error:
        return _absent(settings.criteria, str(error))
    return tuple(_outcome(result, "field") for result in results)


def at_isocentre(image: PortalImage) -> PortalImage:
    """Scale an image from the imager plane to the isocentre plane."""
    scale = image.magnification
    return PortalImage(
        values=image.values,
        first_pixel_mm=(image.first_pixel_mm[0] / scale, image.first_pixel_mm[1] / scale),
        pixel_spacing_mm=(image.pixel_spacing_mm[0] / scale, image.pixel_spacing_mm[1] / scale),
        source_to_image_mm=image.source_to_axis_mm,
        source_to_axis_mm=image.source_to_axis_mm,
        gantry_angle_deg=image.gantry_angle_deg,
        unit=image.unit,
    )


def _criteria(criteria: Criteria, norm_gy: float) -> list[GammaSettings]:
    return [
        GammaSettings(dose, distance, cutoff_percent=CUTOFF_PERCENT, norm_gy=norm_gy) for dose, distance in criteria
    ]


def _outcome(result: GammaResult, region: str) -> GammaOutcome:
    judged = (result.dose_percent, result.distance_mm) == JUDGED_CRITERIA
    return GammaOutcome(
        dose_percent=result.dose_percent,
        distance_mm=result.distance_mm,
        norm_gy=result.norm_gy,
        cutoff_percent=result.settings.cutoff_percent,
        pass_rate_percent=result.pass_rate_percent,
        n_points=result.n_points,
        n_passed=result.n_passed,
        n_missing=result.n_missing,
        mean_gamma=result.mean_gamma,
        max_gamma=result.max_gamma,
        gamma=result.gamma,
        limit_percent=TOLERANCE_PERCENT if judged else None,
        region=region,
    )


def _absent(criteria: Criteria, reason: str) -> tuple[GammaOutcome, ...]:
    return tuple(GammaOutcome(dose, distance, reason=reason) for dose, distance in criteria)


def structure_results(
    reference: Reference, reconstructed: DoseGrid, progress: Callable[[str], None]
) -> tuple[tuple[StructureResult, ...], dict[str, tuple[DVH | None, DVH]]]:
    """DVHs of every structure in both doses; structures without volume or dose are absent with the reason.

    Returns
    -------
    results, and per structure name the (planned, reconstructed) DVHs for constraints.
    """
    results, curves = [], {}
    structures = reference.structure_set.structures if reference.structure_set else ()
    slice_spacing_mm = common_slice_spacing_mm(structures)
    for structure in structures:
        progress(f"DVH of {structure.name}")
        try:
            before = reference.planned
            planned = _dvh(reference, before, structure, slice_spacing_mm) if before is not None else None
            measured = _dvh(reference, reconstructed, structure, slice_spacing_mm)
        except UnusableInput as error:
            results.append(_without_dvh(structure, str(error)))
            continue
        curves[structure.name] = (planned, measured)
        results.append(_structure_result(structure, planned, measured))
    return tuple(results), curves


def _dvh(reference: Reference, dose: DoseGrid, structure: Structure, slice_spacing_mm: float | None) -> DVH:
    of_all, prescription = reference.plan.fractions_planned or 1, reference.plan.prescription_gy
    return compute_dvh(
        dose,
        structure,
        slice_spacing_mm=slice_spacing_mm,
        prescription_gy=prescription * reference.fractions / of_all if prescription else None,
        fractions=reference.fractions,
        plan=reference.plan.label,
    )


def _without_dvh(structure: Structure, reason: str) -> StructureResult:
    return StructureResult(
        structure.name, structure.colour_rgb, interpreted_type=structure.interpreted_type, reason=reason
    )


def _structure_result(structure: Structure, planned: DVH | None, measured: DVH) -> StructureResult:
    return StructureResult(
        name=structure.name,
        colour_rgb=structure.colour_rgb,
        volume_cc=measured.structure_volume_cc,
        volume_outside_dose_cc=measured.volume_outside_dose_cc,
        planned=_curve(planned) if planned is not None else None,
        reconstructed=_curve(measured),
        metrics=tuple(_metric(text, planned, measured) for text in REPORTED_METRICS),
        interpreted_type=structure.interpreted_type,
        reason="; ".join(measured.warnings),
    )


def _curve(dvh: DVH) -> DoseVolumeCurve:
    stated = dvh.stated
    return DoseVolumeCurve(dvh.dose_gy, dvh.volume_cc, stated.min_gy, stated.mean_gy, stated.max_gy)


def _metric(text: str, planned: DVH | None, measured: DVH) -> MetricOutcome:
    value = measured.metric(text)
    before = planned.metric(text) if planned is not None else None
    return MetricOutcome(text, value.unit, before.value if before else None, value.value, value.reason)


def isocentre_points(inputs: Inputs, reconstructed: DoseGrid) -> tuple[PointDose, ...]:
    """Dose at the isocentre and R, the ratio of reconstructed to planned dose there."""
    points = {tuple(np.round(beam.control_points[0].isocentre_lps_mm, 3)) for beam, _ in inputs.beams}
    results = []
    for number, position in enumerate(sorted(points), 1):
        name = "Isocentre" if len(points) == 1 else f"Isocentre {number}"
        results.append(point_dose(name, np.array(position), inputs.planned, reconstructed))
    return tuple(results)


def point_dose(name: str, position_lps_mm: np.ndarray, planned: DoseGrid | None, measured: DoseGrid) -> PointDose:
    """Dose of both distributions at one point."""
    value = float(measured.sample(position_lps_mm))
    if not np.isfinite(value):
        return PointDose(name, position_lps_mm, None, reason="The point lies outside the dose grid.")
    before = float(planned.sample(position_lps_mm)) if planned is not None else np.nan
    if not np.isfinite(before) or before <= 0:
        reason = "No planned dose there." if planned is None or not np.isfinite(before) else "The planned dose is 0."
        return PointDose(name, position_lps_mm, value, reason=reason)
    return PointDose(name, position_lps_mm, value, before, value / before)
