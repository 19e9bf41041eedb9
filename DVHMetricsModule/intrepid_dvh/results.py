"""Results as plain mappings, in the shape that the command line prints and reports show."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from intrepid_dvh.constraints import ConstraintResult
from intrepid_dvh.curve import DVH
from intrepid_dvh.metrics import evaluate
from intrepid_dvh.statistics import dose_statistic
from intrepid_dvh.units import GY_PER_UNIT
from intrepid_rt.errors import InvalidSetting


def structure_result(
    dvh: DVH, metrics: Iterable[str] = (), *, interp: str = "linear", model_args: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a structure's volume, dose statistics and metrics; what is unknown is None."""
    return {
        "name": dvh.structure,
        "patient_id": dvh.patient_id,
        "volume_cc": dvh.structure_volume_cc,
        "volume_outside_dose_cc": dvh.volume_outside_dose_cc,
        "min_gy": _statistic_gy(dvh, "min"),
        "max_gy": _statistic_gy(dvh, "max"),
        "mean_gy": _statistic_gy(dvh, "mean"),
        "metrics": {text: metric_result(dvh, text, interp=interp, model_args=model_args) for text in metrics},
        "warnings": list(dvh.warnings),
    }


def metric_result(
    dvh: DVH, text: str, *, interp: str = "linear", model_args: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return value and unit of a metric, its canonical text, and the reason if there is something to say."""
    metric = evaluate(dvh, text, interp=interp, **(model_args or {}))
    result = {"value": metric.value, "unit": metric.unit, "canonical": metric.canonical}
    return result | ({"reason": metric.reason} if metric.reason else {})


def curve_result(dvh: DVH) -> dict[str, Any]:
    """Return header and curve as read, in the units of the source, and the differential table if that was read."""
    relative = dvh.dose_percent
    if dvh.differential is not None:
        # The edge at 0 Gy was added when the bins were summed up, and 0 Gy is 0 % of any prescription.
        relative = np.where((dvh.dose_native == 0) & np.isnan(relative), 0.0, relative)
    result = {
        "header": dict(dvh.header),
        "curve": {
            "dose": dvh.dose_native,
            "dose_relative": relative,
            "volume": dvh.volume_cc,
            "volume_relative": dvh.volume_percent,
        },
    }
    if dvh.differential is not None:
        table = dvh.differential
        result["differential"] = {
            "dose": table.dose_gy / GY_PER_UNIT[dvh.dose_unit],
            "dose_relative": table.dose_percent,
            "volume": table.volume_cc,
            "volume_relative": table.volume_percent,
        }
    return result


def constraint_result(result: ConstraintResult) -> dict[str, Any]:
    """Return a constraint's outcome: the keys of the command line, then those of DVHmetrics' table."""
    return {
        "patient_id": result.patient_id,
        "structure": result.structure,
        "constraint": result.constraint,
        "observed": result.observed,
        "unit": result.unit,
        "compliance": result.compliance,
        "delta": result.delta,
        "distance": result.distance,
        "deltaV": result.delta_volume,
        "deltaVpc": _json_percent(result.delta_volume_percent),
        "deltaD": result.delta_dose,
        "deltaDpc": _json_percent(result.delta_dose_percent),
        "dstMin": result.distance,
        "dstMinRel": _json_percent(result.distance_percent),
        "ptMinD": result.nearest_dose,
        "ptMinV": result.nearest_volume,
        "reason": result.reason,
        "level": result.level,
        "citation": result.citation,
    }


def _json_percent(value: float | None) -> float | str | None:
    """Return percent of zero as the text ``Inf`` or ``-Inf``, because JSON has no such number."""
    if value is None or math.isfinite(value):
        return value
    return "Inf" if value > 0 else "-Inf"


def selected(
    dvhs: Sequence[DVH], *, patients: Sequence[str] = (), structures: Sequence[str] = (), regex: bool = False
) -> list[DVH]:
    """Return the DVHs of the given patients and structures.

    Parameters
    ----------
    patients, structures : exact names, or with ``regex`` expressions of which one must be found; empty means all.

    Raises
    ------
    InvalidSetting : an expression is malformed, or nothing is left.
    """
    left = [d for d in dvhs if _chosen(d.patient_id, patients, regex) and _chosen(d.structure, structures, regex)]
    if not left:
        raise InvalidSetting(
            f"No DVH is left: asked for patients {', '.join(patients) or 'any'} and structures "
            f"{', '.join(structures) or 'any'}, found {', '.join(sorted({d.structure for d in dvhs})) or 'none'}."
        )
    return left


def _chosen(name: str, wanted: Sequence[str], regex: bool) -> bool:
    if not wanted:
        return True
    if not regex:
        return name.strip() in {text.strip() for text in wanted}
    try:
        return any(re.search(expression, name) for expression in wanted)
    except re.error as error:
        raise InvalidSetting(f"{error.pattern!r} is no regular expression: {error.msg}.") from None


def _statistic_gy(dvh: DVH, name: str) -> float | None:
    if dvh.unstated_dose is not None:
        return None
    value = dose_statistic(dvh, name)
    return None if value is None else value * GY_PER_UNIT[dvh.dose_unit]
