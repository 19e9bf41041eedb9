"""Quality checks of a whole cohort: numbers against expected ranges and against the other patients."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import Engine, Select, delete, select
from sqlalchemy.orm import Session, aliased

from intrepid_cohort.database import translating_errors
from intrepid_cohort.schema import (
    Collection,
    Dose,
    DoseVolumeHistogram,
    Finding,
    Patient,
    Series,
    Structure,
    StructureSet,
    Study,
    Treatment,
)

# 1.4826 times the median deviation is the standard deviation of a normal distribution.
_ROBUST_SD = 1.4826


class CheckLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a check takes for usual."""

    max_dose_percent: tuple[float, float] = (100.0, 120.0)
    """Maximum of a treatment's dose over its prescription."""
    target_median_percent: tuple[float, float] = (95.0, 107.0)
    """Median dose of PTVs over the prescription."""
    expected_share_percent: float = 80.0
    """A structure that at least this share of a centre's treatments has is expected in all of them."""
    outlier_sd: float = 4.0
    """Robust standard deviations beyond which a volume or place is an outlier."""
    least_patients: int = 8
    """Fewer patients with a structure tell nothing of outliers."""


def check_collection(engine: Engine, collection: str, limits: CheckLimits | None = None) -> list[dict[str, Any]]:
    """Check all included treatments of a collection, store what is found in place of earlier findings, and return it.

    Raises
    ------
    OutputNotWritable
    """
    limits = limits or CheckLimits()
    with translating_errors(engine), Session(engine) as session:
        rows = _rows(session, collection)
        found = [
            *_doses(rows, limits),
            *_missing(rows, limits),
            *_outliers(rows, limits),
            *_duplicates(rows),
            *_missing_slices(_image_rows(session, collection)),
        ]
        session.execute(delete(Finding).where(Finding.collection == collection))
        now = datetime.now(UTC)
        session.add_all(
            Finding(collection=collection, found_at=now, **{k: v for k, v in one.items() if k != "pseudonym"})
            for one in found
        )
        session.commit()
    return found


def _treatments(collection: str, *columns: Any) -> Select:
    """Return a query of the treatments of a collection that have a dose, with their patient and dose."""
    return (
        select(*columns)
        .select_from(Treatment)
        .join(Collection, Treatment.collection_id == Collection.id)
        .join(Patient, Treatment.patient_id == Patient.id)
        .join(Dose, Treatment.dose_id == Dose.id)
        .where(Collection.name == collection)
    )


def _rows(session: Session, collection: str) -> list[dict[str, Any]]:
    """One row per structure of the clinical set of each included treatment, with its dose."""
    query = (
        _treatments(collection, Patient.id, Patient.pseudonym, Patient.centre, Treatment.prescription_dose_gy,
                    Dose.max_gy, Structure, DoseVolumeHistogram.median_gy, DoseVolumeHistogram.mean_gy)
        .join(DoseVolumeHistogram, DoseVolumeHistogram.dose_id == Dose.id)
        .join(Structure, DoseVolumeHistogram.structure_id == Structure.id)
        .join(StructureSet, Structure.structure_set_id == StructureSet.id)
        .where(StructureSet.sop_instance_uid == Dose.referenced_structure_set_uid)
        .order_by(Patient.pseudonym, Structure.roi_number)
    )  # fmt: skip
    return [
        {
            "patient_id": patient_id, "pseudonym": pseudonym, "centre": centre, "prescription_gy": prescription,
            "max_gy": max_gy, "name": structure.institutional_category or structure.roi_name,
            "type": structure.rt_roi_interpreted_type or "", "volume_cc": structure.volume_cc,
            "centroid_mm": (structure.centroid_x_mm, structure.centroid_y_mm, structure.centroid_z_mm),
            "median_gy": median, "mean_gy": mean,
        }
        for patient_id, pseudonym, centre, prescription, max_gy, structure, median, mean in session.execute(query)
    ]  # fmt: skip


def _image_rows(session: Session, collection: str) -> list[dict[str, Any]]:
    """One row per included treatment and series that its structures were drawn on; none where no CT was imported."""
    image_study = aliased(Study)  # the CT may lie in another study of the patient
    query = (
        _treatments(collection, Patient.id, Patient.pseudonym, Series.series_instance_uid, Series.missing_image_count,
                    StructureSet.missing_image_count, Series.image_count)
        .join(Study, Study.patient_id == Patient.id)
        .join(StructureSet, StructureSet.study_id == Study.id)
        .join(image_study, image_study.patient_id == Patient.id)
        .join(Series, Series.study_id == image_study.id)
        .where(
            StructureSet.sop_instance_uid == Dose.referenced_structure_set_uid,
            Series.series_instance_uid == StructureSet.referenced_series_uid,
        )
        .order_by(Patient.pseudonym, Series.series_instance_uid)
    )  # fmt: skip
    names = ("patient_id", "pseudonym", "series_uid", "in_gaps", "named", "image_count")
    return [dict(zip(names, row, strict=True)) for row in session.execute(query).unique()]


def _finding(row: dict[str, Any], check: str, subject: str, severity: str, message: str, **evidence: Any) -> dict:
    return {"patient_id": row["patient_id"], "pseudonym": row["pseudonym"], "check_name": check, "subject": subject,
            "severity": severity, "message": message, "evidence": evidence}  # fmt: skip


def _doses(rows: list[dict[str, Any]], limits: CheckLimits) -> Iterator[dict[str, Any]]:
    seen: set[int] = set()
    for row in rows:
        prescribed = row["prescription_gy"]
        if not prescribed:
            continue
        if row["patient_id"] not in seen:
            seen.add(row["patient_id"])
            yield from _range(row, "maximum dose", "dose", 100 * row["max_gy"] / prescribed, limits.max_dose_percent)
        if row["type"] == "PTV" and row["median_gy"] is not None:
            share = 100 * row["median_gy"] / prescribed
            yield from _range(row, "target median", row["name"], share, limits.target_median_percent)


def _range(
    row: dict[str, Any], check: str, subject: str, percent: float, allowed: tuple[float, float]
) -> Iterator[dict[str, Any]]:
    if allowed[0] <= percent <= allowed[1]:
        return
    factor = percent / 100
    # A hundred times too much or too little is cGy taken for Gy; a fraction dose is that of one fraction.
    wrong_unit = factor > 20 or factor < 0.05
    hint = " The unit may be wrong, or the dose may be of one fraction." if wrong_unit else ""
    yield _finding(
        row, check, subject, "error" if wrong_unit else "warning",
        f"{check} is {percent:.1f} % of the prescription, expected {allowed[0]:g} to {allowed[1]:g} %.{hint}",
        percent=round(percent, 3),
    )  # fmt: skip


def _missing(rows: list[dict[str, Any]], limits: CheckLimits) -> Iterator[dict[str, Any]]:
    by_centre: dict[str, dict[int, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_centre[row["centre"]][row["patient_id"]].append(row)
    for patients in by_centre.values():
        counts: dict[str, int] = defaultdict(int)
        for members in patients.values():
            for name in {row["name"] for row in members}:
                counts[name] += 1
        usual = {n for n, count in counts.items() if 100 * count >= limits.expected_share_percent * len(patients)}
        for members in patients.values() if len(patients) >= limits.least_patients else ():
            for name in sorted(usual - {row["name"] for row in members}):
                message = f"{name} is missing; {counts[name]} of {len(patients)} patients of the centre have it."
                yield _finding(members[0], "missing structure", name, "warning", message)


def _outliers(rows: list[dict[str, Any]], limits: CheckLimits) -> Iterator[dict[str, Any]]:
    """Find volumes, and places relative to the outer contour, that are far from those of the other patients."""
    body = {
        row["patient_id"]: row["centroid_mm"]
        for row in rows
        if row["type"] == "EXTERNAL" and None not in row["centroid_mm"]
    }
    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["volume_cc"]:
            by_name[row["name"]].append(row)
    for name, members in by_name.items():
        yield from _far(members, "volume outlier", [np.log(row["volume_cc"]) for row in members], limits,
                        lambda row, name=name: f"{name} has {row['volume_cc']:.1f} cm3")  # fmt: skip
        placed = [row for row in members if row["patient_id"] in body and None not in row["centroid_mm"]]
        for axis, letter in enumerate("xyz"):
            offsets = [row["centroid_mm"][axis] - body[row["patient_id"]][axis] for row in placed]
            yield from _far(placed, f"position outlier {letter}", offsets, limits,
                            lambda row, name=name, letter=letter: f"{name} lies far off along {letter}")  # fmt: skip


def _far(
    members: list[dict[str, Any]], check: str, values: list[float], limits: CheckLimits, says: Any
) -> Iterator[dict[str, Any]]:
    if len(values) < limits.least_patients:
        return
    array = np.array(values, float)
    middle = float(np.median(array))
    spread = _ROBUST_SD * float(np.median(np.abs(array - middle)))
    if spread <= 1e-9:
        return
    for row, value in zip(members, array, strict=True):
        deviation = (value - middle) / spread
        if abs(deviation) > limits.outlier_sd:
            yield _finding(row, check, row["name"], "warning", f"{says(row)}, {deviation:+.1f} standard deviations.",
                           deviation=round(float(deviation), 2))  # fmt: skip


def _duplicates(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Find treatments whose structures are those of another patient to the last digit: one person imported twice."""
    shapes: dict[tuple, dict[str, Any]] = {}
    by_patient: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_patient[row["patient_id"]].append(row)
    for members in by_patient.values():
        key = tuple((row["volume_cc"], row["centroid_mm"], row["mean_gy"]) for row in members)
        other = shapes.setdefault(key, members[0])
        if other["patient_id"] != members[0]["patient_id"]:
            yield _finding(members[0], "duplicate", other["pseudonym"], "error",
                           f"All structures and doses are those of {other['pseudonym']}: one person?")  # fmt: skip


def _missing_slices(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Find planning CTs with gaps, or with fewer images than the structure set names."""
    for row in rows:
        in_gaps, named = row["in_gaps"] or 0, row["named"] or 0
        if in_gaps or named:
            yield _finding(
                row, "missing CT slices", row["series_uid"], "warning",
                f"The planning CT has {row['image_count']} slices; {in_gaps} more would fill its gaps, and {named} "
                "that the structure set names are missing. Export the series again.",
                in_gaps=in_gaps, named=named,
            )  # fmt: skip
