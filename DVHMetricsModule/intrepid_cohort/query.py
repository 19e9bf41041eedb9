"""Asking a cohort: the structures that meet conditions, with columns and metrics, alone or in groups."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, partial
from typing import Any

from sqlalchemy import ColumnElement, Engine, select
from sqlalchemy.orm import Session

from intrepid_cohort.conditions import clause_of, comparison, leaf_names
from intrepid_cohort.database import translating_errors
from intrepid_cohort.endpoints import (
    endpoint_name,
    joined_endpoints,
    keep,
    make_endpoints,
    store_endpoints,
)
from intrepid_cohort.joins import NAME, ORDER, PRESCRIPTION_GY, joined
from intrepid_cohort.schema import (
    Beam,
    Dose,
    DoseVolumeHistogram,
    Endpoint,
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
from intrepid_dvh.metric_grammar import parse_metric
from intrepid_rt.errors import InvalidSetting

# In this order a name that several tables have is looked up; "table.column" always says which is meant.
_JOINED = (Patient, Structure, DoseVolumeHistogram, Plan, Dose, TargetGeometry, Study, StructureSet, Treatment,
           StructureName)  # fmt: skip
# A plan has several of these; a condition asks whether any of them meets it.
_OF_PLAN = (Beam, Prescription)

# Short words for what is asked most; "name" is the mapped name where there is one.
WORDS: Mapping[str, Any] = {
    "patient": Patient.pseudonym,
    "sex": Patient.patient_sex,
    "age": Plan.age_at_study_date_years,
    "date": Study.study_date,
    "plan": Plan.rt_plan_label,
    "fractions": Plan.fractions_planned,
    "prescription": PRESCRIPTION_GY,
    "type": Structure.rt_roi_interpreted_type,
    "name": NAME,
}

SHOWN = ("pseudonym", "centre", "rt_plan_label", "dose_summation_type", "roi_name", "volume_cc",
         "min_gy", "mean_gy", "max_gy")  # fmt: skip

_AT_ONCE = 2000
_MOST_KEPT = 200_000  # values; what one query cannot keep, the next one does


def query_dvhs(
    engine: Engine,
    conditions: Sequence[str] = (),
    *,
    show: Sequence[str] = SHOWN,
    metrics: Sequence[str] = (),
    **model_arguments: Any,
) -> Iterator[dict[str, Any]]:
    """Yield one row per dose and structure that meets all conditions, with the columns and metrics asked for.

    Parameters
    ----------
    conditions : such as ``"name ~ lung* and mean_gy = 5..10"``, ``"not centre = A|B"``, ``"beams.energy_max > 6"``,
        ``"D95% >= 47.5"``; see `intrepid_cohort.conditions`. A value that is not known meets no condition, with or
        without ``not``, except ``= none``.
    show : names of columns, see `column_names`.
    metrics : such as ``"D95%"``, ``"V20Gy"``, ``"DEUD"``; from the stored curve. What cannot be computed is None, and
        ``"<metric> reason"`` says why.
    **model_arguments : parameters of DEUD, DNTCP and DTCP, such as ``EUDa=8``; see `intrepid_dvh.metrics.evaluate`.

    Raises
    ------
    InvalidSetting
        A condition or name that cannot be understood.
    OutputNotWritable
        The database cannot be reached.
    """
    # A metric that is none is a missing value with its reason: a typing slip must not lose a table of results.
    slips = {text: parse_metric(text).problem for text in metrics if not parse_metric(text).valid}
    read = [text for text in metrics if text not in slips]
    asked = _Asked(list(show), [_column(name) for name in show], read, model_arguments)
    missing = dict.fromkeys(slips) | {f"{text} reason": problem for text, problem in slips.items()}
    with translating_errors(engine), engine.connect() as connection, Session(engine) as session:
        _store_compared(engine, conditions, model_arguments)
        clauses = [clause_of(text, partial(leaf, model_arguments=model_arguments)) for text in conditions]
        query = joined(DoseVolumeHistogram.id, PRESCRIPTION_GY, *asked.columns).where(*clauses).order_by(*ORDER)
        query = joined_endpoints(query, asked.metrics, model_arguments)
        made: list[dict[str, Any]] = []
        with connection.execute(query.execution_options(yield_per=_AT_ONCE)) as result:
            for piece in result.partitions():
                yield from (row | missing for row in _rows(session, piece, asked, made))
        connection.rollback()  # lets go of the file, so that it can be written
        keep(session, made)


def query_groups(
    engine: Engine, groups: Mapping[str, Sequence[str]], conditions: Sequence[str] = (), **asked: Any
) -> Iterator[dict[str, Any]]:
    """Yield the rows of several groups, each with ``group`` in front; a row that is in two groups comes twice.

    Parameters
    ----------
    groups : conditions by name of the group, on top of the common ``conditions``.
    **asked : as of `query_dvhs`.
    """
    for name, own in groups.items():
        for row in query_dvhs(engine, [*conditions, *own], **asked):
            yield {"group": name} | row


def is_column(name: str) -> bool:
    """Whether a name is a column that can be shown; else it may be a metric."""
    return _find(name, _JOINED) is not None


def column_names() -> list[str]:
    """Names that conditions and ``show`` understand: short words, then ``table.column``."""
    return [
        *WORDS,
        *(
            f"{model.__tablename__}.{column.name}"
            for model in (*_JOINED, *_OF_PLAN)
            for column in model.__table__.columns
            if column.name != "id" and not column.foreign_keys
        ),
    ]


@dataclass(frozen=True)
class _Asked:
    """What a row is to hold."""

    show: list[str]
    columns: list[Any]
    metrics: list[str]
    model_arguments: Mapping[str, Any]

    @cached_property
    def dated(self) -> list[str]:
        """Columns whose values become text."""
        pairs = zip(self.show, self.columns, strict=True)
        return [name for name, column in pairs if column.type.python_type in (date, datetime)]

    @cached_property
    def names(self) -> dict[str, str]:
        """Metric by the name under which it is stored."""
        return {endpoint_name(metric, self.model_arguments): metric for metric in self.metrics}


def _rows(
    session: Session, piece: Sequence[Any], asked: _Asked, made: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield rows; what no endpoint is stored for is read off the curves and, up to a limit, added to ``made``."""
    keys, first = [*asked.show, *asked.metrics], 2 + len(asked.show)
    lacking = {row[0]: row[1] for row in piece if None in row[first::3]}
    new = make_endpoints(session, lacking, asked.metrics, asked.model_arguments) if lacking else []
    made += new if len(made) < _MOST_KEPT else []
    read_now: dict[int, list[tuple[str, float | None, str | None]]] = {}
    for one in new:
        read_now.setdefault(one["dvh_id"], []).append((asked.names[one["metric"]], one["value"], one["reason"]))
    for row in piece:
        shown = dict(zip(keys, (*row[2:first], *row[first + 1 :: 3]), strict=True))
        for name in asked.dated:
            shown[name] = shown[name].isoformat() if shown[name] is not None else None
        reasons = zip(asked.metrics, row[first + 1 :: 3], row[first + 2 :: 3], strict=True)
        for metric, value, reason in read_now.get(row[0], reasons):
            shown[metric] = value
            if value is None:
                shown[f"{metric} reason"] = reason
        yield shown


def _store_compared(engine: Engine, conditions: Sequence[str], model_arguments: Mapping[str, Any]) -> None:
    """Make the endpoints that conditions compare."""
    unknown = [name for text in conditions for name in leaf_names(text) if _find(name) is None]
    metrics = [name for name in unknown if parse_metric(name).valid]
    if metrics:
        store_endpoints(engine, metrics, **model_arguments)


def _column(name: str) -> Any:
    found = _find(name, _JOINED)
    if found is None:
        raise InvalidSetting(f"{name!r} is no column to show. Known are, for example: {', '.join(SHOWN)}.")
    return found


def _find(name: str, models: Sequence[Any] = (*_JOINED, *_OF_PLAN)) -> Any:
    table, _, column = name.lower().rpartition(".")
    if not table and column in WORDS:
        return WORDS[column]
    for model in models:
        if table in ("", model.__tablename__) and column in model.__table__.columns:
            return getattr(model, column)
    return None


def leaf(name: str, operator: str, value: str, model_arguments: Mapping[str, Any]) -> ColumnElement[bool]:
    """Return the SQL of one comparison of a column or metric.

    Raises
    ------
    InvalidSetting
        The name is neither, or the value does not suit the column.
    """
    column = _find(name)
    if column is None and parse_metric(name).valid:
        endpoint = (Endpoint.dvh_id == DoseVolumeHistogram.id) & (
            Endpoint.metric == endpoint_name(name, model_arguments)
        )
        return select(Endpoint.dvh_id).where(endpoint, comparison(Endpoint.value, operator, value)).exists()
    if column is None:
        raise InvalidSetting(
            f"{name!r} is no column and no metric. List the names with: intrepid cohort query --columns"
        )
    clause = comparison(column, operator, value)
    if getattr(column, "class_", None) in _OF_PLAN:
        return Plan.id.in_(select(column.class_.plan_id).where(clause))
    return clause
