"""A verification as plain data: ``results.json`` and what ``--json`` prints."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from intrepid_rt.day_anatomy import DayAnatomy
from intrepid_rt.research_note import RESEARCH_NOTE
from intrepid_rt.verification import BeamResult, ForwardCheck, GammaOutcome, StructureResult, VerificationResult

DOSE_UNCERTAINTY = "dose_uncertainty.nrrd"


def as_results(result: VerificationResult) -> dict[str, Any]:
    """Return the numbers of a verification; what could not be computed is None with its reason."""
    return {
        "note": RESEARCH_NOTE,
        "verdict": asdict(result.verdict),
        "dose_unit": result.dose_unit,
        "patient_id": result.patient.patient_id,
        "plan": asdict(result.plan),
        "fraction": result.fraction,
        "machine_profile": asdict(result.profile),
        "beams": [_beam(beam, stem) for beam, stem in zip(result.beams, file_stems(result.beams), strict=True)],
        "gamma_3d": [gamma_numbers(outcome) for outcome in result.gamma_3d],
        "planned_reason": result.planned_reason,
        "dose_uncertainty": _uncertainty(result),
        "points": [asdict(point) for point in result.points],
        "dvh": [structure_numbers(structure) for structure in result.structures],
        "constraints": [asdict(constraint) for constraint in result.constraints],
        "anatomy": _anatomy(result.day),
        "warnings": list(result.warnings),
        "provenance": asdict(result.provenance),
        "seconds": dict(result.seconds),
    }


def _uncertainty(result: VerificationResult) -> Mapping[str, Any] | None:
    """Where the half-widths of the 95 % band lie, and their mean where the dose is high; None without a band."""
    percent = result.dose_uncertainty_percent
    return None if percent is None else {"file": DOSE_UNCERTAINTY, "high_dose_percent": percent}


def _anatomy(day: DayAnatomy | None) -> Mapping[str, Any] | None:
    if day is None:
        return None
    return {"acquired": day.acquired, "to_day": day.to_day.matrix.tolist(), **asdict(day.quality)}


def _beam(beam: BeamResult, stem: str) -> Mapping[str, Any]:
    return {
        "number": beam.number,
        "name": beam.name,
        "gantry_angle_deg": beam.gantry_angle_deg,
        "meterset_mu": beam.meterset_mu,
        "portal_image": beam.portal_image_file,
        "portal_dose": f"{stem}_portal_dose.nrrd",
        "portal_dose_max": float(beam.portal_dose.values.max()),
        "dose_max": float(beam.dose.values.max()),
        "gamma_2d": [gamma_numbers(outcome) for outcome in beam.gamma_2d],
        "planned_portal_source": beam.planned_portal_source,
        "forward_check": _forward(beam.forward_check) if beam.forward_check is not None else None,
        "delivery": asdict(beam.delivery) if beam.delivery is not None else None,
        "notes": list(beam.notes),
    }


def _forward(check: ForwardCheck) -> Mapping[str, Any]:
    return {
        "gamma": [gamma_numbers(outcome) for outcome in check.gamma],
        "causes": [asdict(cause) for cause in check.causes],
        "causes_sought": check.causes_sought,
        "evidence": dict(check.evidence),
        "notes": list(check.notes),
        "reason": check.reason,
    }


def gamma_rate(outcome: GammaOutcome) -> str:
    """Pass rate and number of points in words, or why there are none.

    >>> gamma_rate(GammaOutcome(3, 2, pass_rate_percent=97.25, n_points=10))
    '97.2 % of 10'
    >>> gamma_rate(GammaOutcome(3, 2, reason="No RTDOSE."))
    'No RTDOSE.'
    """
    return f"{outcome.pass_rate_percent:.1f} % of {outcome.n_points}" if outcome.n_points else outcome.reason


def gamma_numbers(outcome: GammaOutcome) -> Mapping[str, Any]:
    """Everything of a comparison but its map."""
    return {name: value for name, value in vars(outcome).items() if name != "gamma"}


def structure_numbers(structure: StructureResult) -> Mapping[str, Any]:
    """Volume, statistics and metrics of a structure, without its curves."""
    statistics = {
        name: {"min_gy": curve.min_gy, "mean_gy": curve.mean_gy, "max_gy": curve.max_gy} if curve is not None else None
        for name, curve in (("planned", structure.planned), ("reconstructed", structure.reconstructed))
    }
    return {
        "name": structure.name,
        "volume_cc": structure.volume_cc,
        "volume_outside_dose_cc": structure.volume_outside_dose_cc,
        **statistics,
        "metrics": [asdict(metric) for metric in structure.metrics],
        "reason": structure.reason,
    }


def file_stems(beams: Sequence[BeamResult]) -> list[str]:
    """Begin the file names of every beam with its name; where names coincide, with the beam number as well."""
    names = [safe_name(beam.name) for beam in beams]
    # File systems may not tell upper from lower case, and "total" is the name of the sum.
    if len({"total", *(name.casefold() for name in names)}) == len(names) + 1:
        return names
    return [f"{name}_{beam.number}" for name, beam in zip(names, beams, strict=True)]


def safe_name(beam_name: str) -> str:
    """Beam name as a file name: separators and control characters become underscores.

    >>> safe_name("AP 1/2"), safe_name("..")
    ('AP 1_2', '_')
    """
    cleaned = "".join("_" if c in '/\\:*?"<>|' or ord(c) < 32 else c for c in beam_name).strip()
    return cleaned if cleaned.strip(".") else "_"
