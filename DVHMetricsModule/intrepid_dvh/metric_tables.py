"""Tables of metrics over many DVHs: sorted, split, and as text with decimal point or comma."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from intrepid_dvh.curve import DVH
from intrepid_dvh.metrics import evaluate
from intrepid_rt.errors import InvalidSetting


@dataclass(frozen=True)
class MetricRow:
    """One metric of one DVH; ``observed`` is None with the reason if it is missing."""

    patient_id: str
    structure: str
    metric: str
    observed: float | None
    unit: str
    reason: str


_KEYS = ("observed", "patient_id", "structure", "metric")


def metric_rows(
    dvhs: Iterable[DVH],
    metrics: Sequence[str],
    *,
    sort_by: Sequence[str] = (),
    interp: str = "linear",
    model_args: Mapping[str, Any] | None = None,
) -> list[MetricRow]:
    """Evaluate metrics on DVHs.

    Parameters
    ----------
    sort_by : any of ``observed``, ``patient_id``, ``structure``, ``metric``; ascending, missing values last.

    Raises
    ------
    InvalidSetting : a key of ``sort_by`` is unknown.
    """
    _require_keys(sort_by)
    rows = []
    for dvh in dvhs:
        for text in metrics:
            metric = evaluate(dvh, text, interp=interp, **(model_args or {}))
            name = metric.canonical or text.strip()
            rows.append(MetricRow(dvh.patient_id, dvh.structure, name, metric.value, metric.unit, metric.reason))
    return sorted(rows, key=lambda row: [_sortable(getattr(row, key)) for key in sort_by])


def split_rows(rows: Iterable[MetricRow], by: Sequence[str]) -> dict[str, list[MetricRow]]:
    """Split rows into tables named by the values of the keys, joined with a point."""
    _require_keys(by)
    parts: dict[str, list[MetricRow]] = {}
    for row in rows:
        parts.setdefault(".".join(str(getattr(row, key)) for key in by), []).append(row)
    return parts


def table_text(rows: Sequence[Any], *, separator: str = "\t", decimal: str = ".") -> str:
    """Return rows of any result dataclass as text with a title line; missing values are ``NA``.

    Raises
    ------
    InvalidSetting : separator and decimal mark are the same, or the mark is neither point nor comma.
    """
    if decimal not in (".", ",") or separator == decimal or not rows:
        raise InvalidSetting(f"Cannot write {len(rows)} rows separated by '{separator}' with decimal mark '{decimal}'.")
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, lineterminator="\n")
    names = [field.name for field in fields(rows[0])]
    writer.writerow(names)
    writer.writerows([_shown(getattr(row, name), decimal) for name in names] for row in rows)
    return buffer.getvalue()


def _shown(value: Any, decimal: str) -> str:
    if value is None:
        return "NA"
    return f"{value:.15g}".replace(".", decimal) if isinstance(value, float) else str(value)


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is None, "" if value is None else value


def _require_keys(keys: Sequence[str]) -> None:
    for key in keys:
        if key not in _KEYS:
            raise InvalidSetting(f"'{key}' is no column to sort or split by; choose from {', '.join(_KEYS)}.")
