"""Results of ``intrepid reconstruct`` into a cohort: gamma per beam and for all, and R at the isocentre."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from intrepid_cohort.database import translating_errors
from intrepid_cohort.headers import file_sha256
from intrepid_cohort.schema import EpidResult, Patient, Plan, Study
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.small_files import read_struct

ALL_BEAMS = -1
Share = Annotated[float, msgspec.Meta(ge=0.0, le=100.0)]
Least0 = Annotated[float, msgspec.Meta(ge=0.0)]


class _Plan(msgspec.Struct, frozen=True):
    sop_instance_uid: Annotated[str, msgspec.Meta(min_length=1)]


class _Gamma(msgspec.Struct, frozen=True, kw_only=True):
    dose_percent: Least0
    distance_mm: Least0
    norm_gy: Least0 | None = None
    cutoff_percent: Least0 | None = None
    region: str | None = None
    pass_rate_percent: Share | None = None
    mean_gamma: Least0 | None = None
    max_gamma: Least0 | None = None
    n_points: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] | None = None
    reason: str | None = None


class _Beam(msgspec.Struct, frozen=True, kw_only=True):
    number: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    name: str
    gamma_2d: tuple[_Gamma, ...] = ()


class _Point(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    ratio: Least0 | None = None


class _Verdict(msgspec.Struct, frozen=True):
    status: str | None = None


class _Profile(msgspec.Struct, frozen=True):
    name: str | None = None


class _Provenance(msgspec.Struct, frozen=True):
    created: datetime | None = None
    versions: dict[str, str] = {}


class _Results(msgspec.Struct, frozen=True, kw_only=True):
    """What a cohort takes from ``results.json``."""

    plan: _Plan
    gamma_3d: tuple[_Gamma, ...]
    beams: tuple[_Beam, ...] = ()
    points: tuple[_Point, ...] = ()
    verdict: _Verdict = _Verdict()
    machine_profile: _Profile | None = None
    dose_unit: str | None = None
    warnings: tuple[str, ...] = ()
    provenance: _Provenance = _Provenance()


def add_results(
    engine: Engine,
    path: str | Path,
    *,
    course: str | None = None,
    fraction_number: int | None = None,
    treatment_date: date | None = None,
) -> int:
    """Add one ``results.json`` to the patient who has its plan; adding it again replaces its rows. Return their number.

    Raises
    ------
    UnreadableFile
        It is no result of a reconstruction.
    InvalidSetting
        No patient of the database has its plan, or several do.
    OutputNotWritable
    """
    path = Path(path).absolute()
    results = read_struct(
        path, _Results, complaint="no results.json of intrepid reconstruct", advice="Give the file that it wrote."
    )
    sha256 = file_sha256(path)
    known = {
        "course": course, "fraction_number": fraction_number, "treatment_date": treatment_date,
        "results_path": str(path), "results_sha256": sha256,
    }  # fmt: skip
    with translating_errors(engine), Session(engine) as session:
        patient_id = _patient_id(session, results.plan.sop_instance_uid)
        session.execute(delete(EpidResult).where(EpidResult.results_sha256 == sha256))
        rows = [EpidResult(patient_id=patient_id, **known, **row) for row in _rows(results)]
        session.add_all(rows)
        session.commit()
    return len(rows)


def _patient_id(session: Session, plan_uid: str) -> int:
    ids = set(session.scalars(select(Patient.id).join(Study).join(Plan).where(Plan.sop_instance_uid == plan_uid)))
    if len(ids) != 1:
        raise InvalidSetting(
            f"{len(ids)} patients of this database have plan {plan_uid}; expected one. Import the plan's DICOM first."
        )
    return ids.pop()


def _rows(results: _Results) -> Iterator[dict[str, Any]]:
    shared = {
        "plan_uid": results.plan.sop_instance_uid,
        "verdict": results.verdict.status,
        "machine_profile": results.machine_profile.name if results.machine_profile else None,
        "dose_unit": results.dose_unit,
        "warnings": list(results.warnings),
        "software_version": results.provenance.versions.get("slicer-intrepid"),
        "computed_at": results.provenance.created,
    }
    ratio = next((point.ratio for point in results.points if point.name == "Isocentre"), None)
    for gamma in results.gamma_3d:
        yield shared | {"beam_number": ALL_BEAMS, "dose_ratio": ratio} | _gamma(gamma)
    for beam in results.beams:
        for gamma in beam.gamma_2d:
            yield shared | {"beam_number": beam.number, "beam_name": beam.name} | _gamma(gamma)


def _gamma(gamma: _Gamma) -> dict[str, Any]:
    return {
        "gamma_dose_percent": gamma.dose_percent,
        "gamma_distance_mm": gamma.distance_mm,
        "gamma_norm_gy": gamma.norm_gy,
        "gamma_cutoff_percent": gamma.cutoff_percent,
        "gamma_region": gamma.region,
        "gamma_pass_rate_percent": gamma.pass_rate_percent,
        "gamma_mean": gamma.mean_gamma,
        "gamma_max": gamma.max_gamma,
        "gamma_points": gamma.n_points,
        "gamma_reason": gamma.reason or None,
    }
