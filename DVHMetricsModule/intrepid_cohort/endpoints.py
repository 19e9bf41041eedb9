"""Metrics of stored DVHs, read off the curves once and kept beside them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, Select, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, aliased

from intrepid_cohort.joins import PRESCRIPTION_GY, joined
from intrepid_cohort.packing import stored_dvh
from intrepid_cohort.schema import Dose, DoseVolumeHistogram, Endpoint, Structure
from intrepid_dvh.metric_grammar import parse_metric
from intrepid_rt.errors import InvalidSetting

# Read off every curve at import; any other metric is read off and stored when it is first asked for.
DEFAULT_METRICS = ("D98%", "D95%", "D50%", "D2%", "D1cc", "V5Gy", "V10Gy", "V20Gy", "V30Gy", "V40Gy", "V95%", "V107%")

_AT_ONCE = 1000
_OF_MODELS = {"EUD": ("EUD",), "NTCP": ("EUD", "NTCP"), "TCP": ("EUD", "TCP", "NTCPs")}


def endpoint_name(metric: str, model_arguments: Mapping[str, Any] | None = None) -> str:
    """Return the name under which a metric is stored; a model's parameters belong to it.

    >>> endpoint_name("d 95 %"), endpoint_name("DEUD", {"EUDa": 8, "TCPm": 0.1})
    ('D95%', 'DEUD {"EUDa": 8}')

    Raises
    ------
    InvalidSetting
        The text is no metric.
    """
    parsed = parse_metric(metric)
    if not parsed.valid:
        raise InvalidSetting(parsed.problem)
    own = _OF_MODELS.get(parsed.quantity, ())
    used = {key: value for key, value in (model_arguments or {}).items() if key.startswith(own)} if own else {}
    return f"{parsed.canonical} {json.dumps(used, sort_keys=True)}" if used else parsed.canonical


def read_off(
    row: DoseVolumeHistogram, metrics: Sequence[str], *, structure: str, prescription_gy: float | None, **model: Any
) -> list[dict[str, Any]]:
    """Return rows of `Endpoint` for some metrics of one DVH; ``model`` holds parameters of DEUD, DNTCP and DTCP."""
    known: dict[str, Any] = {"dvh_id": row.id, "prescription_gy": prescription_gy}
    names = [endpoint_name(metric, model) for metric in metrics]
    if row.reason is not None:
        return [known | {"metric": name, "value": None, "reason": row.reason} for name in names]
    curve = stored_dvh(row, structure=structure, prescription_gy=prescription_gy)
    found = [curve.metric(metric, **model) for metric in metrics]
    return [
        known | {"metric": name, "value": metric.value, "reason": metric.reason or None}
        for name, metric in zip(names, found, strict=True)
    ]


def add_default_endpoints(dose: Dose, prescription_gy: float | None) -> None:
    """Read the default metrics off all DVHs of a dose that is not yet in any database."""
    for row in dose.dvhs:
        made = read_off(row, DEFAULT_METRICS, structure=row.structure.roi_name, prescription_gy=prescription_gy)
        row.endpoints = [Endpoint(**{k: v for k, v in one.items() if k != "dvh_id"}) for one in made]


def joined_endpoints(query: Select, metrics: Sequence[str], model: Mapping[str, Any]) -> Select:
    """Add to a query of `joined` tables three columns per metric: key, value and reason.

    The key is empty where no value is stored that was made with the present prescription.
    """
    for metric in metrics:
        stored = aliased(Endpoint)
        same = stored.prescription_gy.is_not_distinct_from(PRESCRIPTION_GY)
        named = (stored.dvh_id == DoseVolumeHistogram.id) & (stored.metric == endpoint_name(metric, model))
        query = query.outerjoin(stored, named & same).add_columns(stored.dvh_id, stored.value, stored.reason)
    return query


def make_endpoints(
    session: Session, prescriptions_gy: Mapping[int, float | None], metrics: Sequence[str], model: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Read metrics off the curves of some DVHs; ``prescriptions_gy`` by ``dvhs.id``."""
    query = select(DoseVolumeHistogram, Structure.roi_name).join(Structure)
    made = []
    for row, structure in session.execute(query.where(DoseVolumeHistogram.id.in_(list(prescriptions_gy)))):
        made += read_off(row, metrics, structure=structure, prescription_gy=prescriptions_gy[row.id], **model)
    session.expunge_all()
    return made


def keep(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store values for the next query; whoever may only read, or comes second, loses nothing but time."""
    from sqlalchemy.dialects import postgresql, sqlite

    if not rows:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    insert = dialect.insert(Endpoint)
    replaced = {name: insert.excluded[name] for name in ("value", "prescription_gy", "reason")}
    try:
        session.execute(insert.on_conflict_do_update(index_elements=["dvh_id", "metric"], set_=replaced), rows)
        session.commit()
    except DBAPIError:
        session.rollback()


def store_endpoints(engine: Engine, metrics: Sequence[str], **model: Any) -> int:
    """Read metrics off all curves that lack them, and store them; return the number of values made."""
    count = 0
    with Session(engine) as session:
        for metric in metrics:
            query = joined_endpoints(joined(DoseVolumeHistogram.id, PRESCRIPTION_GY), [metric], model)
            query = query.where(query.selected_columns[2].is_(None)).order_by(DoseVolumeHistogram.id)
            lacking = [(row[0], row[1]) for row in session.execute(query)]
            for start in range(0, len(lacking), _AT_ONCE):
                keep(session, make_endpoints(session, dict(lacking[start : start + _AT_ONCE]), [metric], model))
            count += len(lacking)
    return count


def drop_endpoints(engine: Engine, names: Sequence[str]) -> int:
    """Remove stored endpoints by name, for example ``D95%``; return how many values went."""
    with Session(engine) as session:
        count = session.query(Endpoint).where(Endpoint.metric.in_(names)).delete()
        session.commit()
    return count
