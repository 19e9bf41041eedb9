"""Results of ``intrepid reconstruct`` into a cohort: gamma per beam and for all, and R at the isocentre."""

import hashlib
import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from intrepid_cohort.database import translating_errors
from intrepid_cohort.schema import EpidResult, Patient, Plan, Study
from intrepid_rt.errors import InvalidSetting, UnreadableFile

ALL_BEAMS = -1


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
    path = Path(path).resolve()
    results, sha256 = _read(path)
    known = {
        "course": course, "fraction_number": fraction_number, "treatment_date": treatment_date,
        "results_path": str(path), "results_sha256": sha256,
    }  # fmt: skip
    with translating_errors(engine), Session(engine) as session:
        patient_id = _patient_id(session, results["plan"]["sop_instance_uid"])
        session.execute(delete(EpidResult).where(EpidResult.results_sha256 == sha256))
        rows = [EpidResult(patient_id=patient_id, **known, **row) for row in _rows(results)]
        session.add_all(rows)
        session.commit()
    return len(rows)


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        raw = path.read_bytes()
        results = json.loads(raw)
        if not results["plan"]["sop_instance_uid"] or not isinstance(results["gamma_3d"], list):
            raise KeyError("plan")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(
            f"{path} is no results.json of intrepid reconstruct ({type(error).__name__}). Give the file that it wrote."
        ) from error
    return results, hashlib.sha256(raw).hexdigest()


def _patient_id(session: Session, plan_uid: str) -> int:
    ids = set(session.scalars(select(Patient.id).join(Study).join(Plan).where(Plan.sop_instance_uid == plan_uid)))
    if len(ids) != 1:
        raise InvalidSetting(
            f"{len(ids)} patients of this database have plan {plan_uid}; expected one. Import the plan's DICOM first."
        )
    return ids.pop()


def _rows(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    provenance = results.get("provenance", {})
    shared = {
        "plan_uid": results["plan"]["sop_instance_uid"],
        "verdict": results.get("verdict", {}).get("status"),
        "machine_profile": (results.get("machine_profile") or {}).get("name"),
        "dose_unit": results.get("dose_unit"),
        "warnings": results.get("warnings", []),
        "software_version": provenance.get("versions", {}).get("slicer-intrepid"),
        "computed_at": _moment(provenance.get("created")),
    }
    ratio = next((point.get("ratio") for point in results.get("points", []) if point["name"] == "Isocentre"), None)
    for gamma in results["gamma_3d"]:
        yield shared | {"beam_number": ALL_BEAMS, "dose_ratio": ratio} | _gamma(gamma)
    for beam in results.get("beams", []):
        for gamma in beam.get("gamma_2d", []):
            yield shared | {"beam_number": beam["number"], "beam_name": beam["name"]} | _gamma(gamma)


def _gamma(gamma: dict[str, Any]) -> dict[str, Any]:
    return {
        "gamma_dose_percent": gamma["dose_percent"],
        "gamma_distance_mm": gamma["distance_mm"],
        "gamma_norm_gy": gamma.get("norm_gy"),
        "gamma_cutoff_percent": gamma.get("cutoff_percent"),
        "gamma_region": gamma.get("region"),
        "gamma_pass_rate_percent": gamma.get("pass_rate_percent"),
        "gamma_mean": gamma.get("mean_gamma"),
        "gamma_max": gamma.get("max_gamma"),
        "gamma_points": gamma.get("n_points"),
        "gamma_reason": gamma.get("reason") or None,
    }


def _moment(stated: str | None) -> datetime | None:
    return datetime.fromisoformat(stated) if stated else None
