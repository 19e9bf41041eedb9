"""Asking a cohort: conditions in words, DVHs and metrics of the structures that meet them."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    Select,
    and_,
    func,
    not_,
    select,
)
from sqlalchemy import or_ as any_of
from sqlalchemy.orm import Session, aliased

from intrepid_cohort.database import translating_errors
from intrepid_cohort.packing import stored_dvh
from intrepid_cohort.schema import (
    Beam,
    Dose,
    DoseVolumeHistogram,
    Patient,
    Plan,
    Prescription,
    Structure,
    StructureName,
    StructureSet,
    Study,
    TargetGeometry,
    Treatment,
)
from intrepid_rt.errors import InvalidSetting

# In this order a name that several tables have is looked up; "table.column" always says which is meant.
_JOINED = (Patient, Structure, DoseVolumeHistogram, Plan, Dose, TargetGeometry, Study, StructureSet, Treatment,
           StructureName)  # fmt: skip
# A plan has several of these; a condition asks whether any of them meets it.
_OF_PLAN = (Beam, Prescription)

SHOWN = ("pseudonym", "centre", "rt_plan_label", "dose_summation_type", "roi_name", "volume_cc",
         "min_gy", "mean_gy", "max_gy")  # fmt: skip

_CONDITION = re.compile(r"\s*(not\s+)?([a-z_0-9.]+)\s*(<=|>=|!=|=|<|>|~)\s*(.*?)\s*", re.IGNORECASE | re.DOTALL)


def query_dvhs(
    engine: Engine, conditions: Sequence[str] = (), *, show: Sequence[str] = SHOWN, metrics: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Yield one row per dose and structure that meets all conditions, with the columns and metrics asked for.

    Parameters
    ----------
    conditions : such as ``"roi_name ~ lung*"``, ``"mean_gy >= 5"``, ``"not centre = A|B"``, ``"beams.energy_max > 6"``,
        ``"approval_status = none"``. ``=`` takes alternatives separated by ``|``; ``~`` compares without regard to
        case, ``*`` standing for anything. A value that is not known meets no condition, with or without ``not``,
        except ``= none``.
    show : names of columns, see `column_names`.
    metrics : such as ``"D95%"``, ``"V20Gy"``; from the stored curve. What cannot be computed is None, and
        ``"<metric> reason"`` says why.

    Raises
    ------
    InvalidSetting
        A condition or name that cannot be understood.
    OutputNotWritable
        The database cannot be reached.
    """
    columns = {name: _column(name) for name in show}
    statement = _joined(list(columns.values())).where(*(_clause(text) for text in conditions))
    with translating_errors(engine), Session(engine) as session:
        for *values, prescription_gy, structure, dvh in session.execute(statement):
            row = {name: _plain(value) for name, value in zip(columns, values, strict=True)}
            yield row | _metrics(dvh, structure, prescription_gy, metrics)
            session.expunge_all()


def column_names() -> list[str]:
    """Names that conditions and ``show`` understand, as ``table.column``."""
    return [
        f"{model.__tablename__}.{column.name}"
        for model in (*_JOINED, *_OF_PLAN)
        for column in model.__table__.columns
        if column.name != "id" and not column.foreign_keys
    ]


def _joined(columns: list[Any]) -> Select:
    plan_study = aliased(Study)
    # A plan of another patient may carry the same UID, after careless de-identification for example.
    same_patient = and_(
        Plan.sop_instance_uid == Dose.referenced_plan_uid,
        Plan.study_id.in_(select(plan_study.id).where(plan_study.patient_id == Study.patient_id)),
    )
    mapped = and_(StructureName.centre == Patient.centre, StructureName.roi_name == Structure.roi_name)
    prescription_gy = func.coalesce(Treatment.prescription_dose_gy, Plan.prescription_dose_gy)
    return (
        select(*columns, prescription_gy, Structure.roi_name, DoseVolumeHistogram)
        .select_from(DoseVolumeHistogram)
        .join(Dose, DoseVolumeHistogram.dose_id == Dose.id)
        .join(Study, Dose.study_id == Study.id)
        .join(Patient, Study.patient_id == Patient.id)
        .join(Structure, DoseVolumeHistogram.structure_id == Structure.id)
        .join(StructureSet, Structure.structure_set_id == StructureSet.id)
        .outerjoin(TargetGeometry, TargetGeometry.structure_id == Structure.id)
        .outerjoin(Plan, same_patient)
        .outerjoin(Treatment, Treatment.dose_id == Dose.id)
        .outerjoin(StructureName, mapped)
        .order_by(Patient.pseudonym, Dose.sop_instance_uid, Structure.roi_number)
    )


def _column(name: str) -> Any:
    found = _find(name, _JOINED)
    if found is None:
        raise InvalidSetting(f"{name!r} is no column to show. Known are, for example: {', '.join(SHOWN)}.")
    return found


def _find(name: str, models: Sequence[Any]) -> Any:
    table, _, column = name.rpartition(".")
    for model in models:
        if table in ("", model.__tablename__) and column in model.__table__.columns:
            return getattr(model, column)
    return None


def _clause(text: str) -> ColumnElement[bool]:
    matched = _CONDITION.fullmatch(text)
    if matched is None:
        raise InvalidSetting(f"{text!r} is no condition; expected for example: roi_name ~ lung*, mean_gy >= 5.")
    negated, name, operator, value = matched.groups()
    column = _find(name.lower(), (*_JOINED, *_OF_PLAN))
    if column is None:
        raise InvalidSetting(f"{name!r} in {text!r} is no column. List them with: intrepid cohort query --columns")
    clause = _comparison(column, operator, value, text)
    if column.class_ in _OF_PLAN:
        clause = Plan.id.in_(select(column.class_.plan_id).where(clause))
    return not_(clause) if negated else clause


def _comparison(column: Any, operator: str, value: str, text: str) -> ColumnElement[bool]:
    if value.lower() == "none" and operator in ("=", "!="):
        return column.is_(None) if operator == "=" else column.is_not(None)
    if operator == "~":
        # Translated here: LIKE differs between databases, and a name may hold % or _.
        return any_of(*(_like(column, pattern.strip()) for pattern in value.split("|")))
    values = [_typed(column, part.strip(), text) for part in value.split("|")]
    if operator in ("=", "!="):
        return column.in_(values) if operator == "=" else column.not_in(values)
    if len(values) > 1:
        raise InvalidSetting(f"{text!r}: alternatives are for = and ~ only.")
    return {"<": column < values[0], "<=": column <= values[0], ">": column > values[0], ">=": column >= values[0]}[
        operator
    ]


def _like(column: Any, pattern: str) -> ColumnElement[bool]:
    escaped = re.sub(r"([\\%_])", r"\\\1", pattern.lower()).replace("*", "%")
    return func.lower(column).like(escaped, escape="\\")


def _typed(column: Any, value: str, text: str) -> Any:
    kind = column.type.python_type
    try:
        if kind is bool:
            return {"true": True, "false": False}[value.lower()]
        return kind.fromisoformat(value) if kind in (date, datetime) else kind(value)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidSetting(f"{value!r} in {text!r} is no {kind.__name__}; dates are written 2026-01-31.") from error


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


def _metrics(
    dvh: DoseVolumeHistogram, structure: str, prescription_gy: float | None, metrics: Sequence[str]
) -> dict[str, Any]:
    if not metrics:
        return {}
    if dvh.reason is not None:
        return {name: value for text in metrics for name, value in ((text, None), (f"{text} reason", dvh.reason))}
    curve = stored_dvh(dvh, structure=structure, prescription_gy=prescription_gy)
    found: dict[str, Any] = {}
    for text in metrics:
        metric = curve.metric(text)
        found[text] = metric.value
        if metric.value is None:
            found[f"{text} reason"] = metric.reason
    return found
