"""Criteria files of CERR's Radiotherapy Outcomes Estimator (ROE), read into and written from our records.

References
----------
A. Iyer et al., Comput. Methods Programs Biomed. (2023) 107833; format: wiki of cerr/CERR, "JSON settings for ROE".
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from intrepid_dvh.constraint_schema import SCHEMA, LeftOut, Library, Record, check_library
from intrepid_dvh.metric_grammar import parse_metric
from intrepid_rt.atomic import write_text
from intrepid_rt.errors import InvalidSetting, UnreadableFile

_STATISTICS = {"maxDose": "DMAX", "minDose": "DMIN", "meanDose": "DMEAN", "medianDose": "DMEDIAN", "stdDevDose": "DSD"}
_LEVELS = {"criteria": "mandatory", "guidelines": "ideal"}


def looks_like_roe(content: Any) -> bool:
    """Tell a ROE criteria file by its structures."""
    return isinstance(content, dict) and isinstance(content.get("structures"), dict)


def library_from_roe(content: dict[str, Any], source: str) -> Library:
    """Return the limits on dose and volume as records; limits on NTCP models are kept in ``left_out``.

    Criteria become mandatory limits, guidelines ideal ones; all are upper limits, as ROE takes them.

    Raises
    ------
    UnreadableFile : a criterion lacks its function or limit, or a number is none.
    """
    records: list[Record] = []
    left_out: list[LeftOut] = []
    fractions = content.get("numFrx")
    for organ, rules in content["structures"].items():
        for group, level in _LEVELS.items():
            for name, rule in _object(_object(rules, f"{source}: {organ}").get(group), f"{source}: {organ}").items():
                metric, unit, scale = _metric(rule, f"{source}: {organ}, {name}")
                if metric is None:
                    left_out.append(LeftOut(organ, f"{name} ({rule['function']}) <= {rule.get('limit')}", level))
                    continue
                limit = _number(rule.get("limit"), f"{source}: {organ}, {name}") * scale
                record = Record(
                    id=f"{organ}-{level}-{name}".replace(" ", "_"),
                    organ=organ,
                    metric=metric,
                    comparator="<=",
                    unit=unit,
                    fractions_min=fractions,
                    fractions_max=fractions,
                    alpha_beta_gy=rules.get("abRatio"),
                    mandatory=limit if level == "mandatory" else None,
                    ideal=limit if level == "ideal" else None,
                )
                records.append(record)
    name = content.get("name", source)
    return _checked(Library(schema=SCHEMA, name=name, records=tuple(records), left_out=tuple(left_out)), source)


def _checked(library: Library, source: str) -> Library:
    """Check types as well: the numbers of fractions and the names came from the file as they were."""
    try:
        msgspec.convert(msgspec.to_builtins(library), Library)
        check_library(library)
    except (msgspec.ValidationError, InvalidSetting) as error:
        raise UnreadableFile(f"{source}: {error}") from error
    return library


def _object(value: Any, place: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnreadableFile(f"{place} holds {value!r:.40}; expected an object.")
    return value


def _metric(rule: dict[str, Any], place: str) -> tuple[str | None, str, float]:
    """Return metric, unit of the limit and its factor; None as metric if it is none of dose or volume."""
    function = str(_object(rule, place).get("function", "")).removeprefix("calc_")
    if not function:
        raise UnreadableFile(f"{place} has no function.")
    if function in _STATISTICS:
        return _STATISTICS[function], "Gy", 1.0
    parameters = _object(rule.get("parameters"), place)
    if function == "Vx":
        relative = _parameter(parameters, "volumeType", place) == 1
        metric = f"V{_parameter(parameters, 'x', place):.15g}Gy"
        return (metric, "%", 100.0) if relative else (metric, "cc", 1.0)
    if function == "Dx":
        return f"D{_parameter(parameters, 'x', place):.15g}%", "Gy", 1.0
    return None, "", 1.0


def _parameter(parameters: dict[str, Any], name: str, place: str) -> float:
    place = f"{place}, parameter {name}"
    return _number(_object(parameters.get(name), place).get("val"), place)


def _number(value: Any, place: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise UnreadableFile(f"{place} is {value!r}; expected a number.")


def write_roe(path: str | Path, library: Library) -> list[str]:
    """Write what ROE can hold, and return what it cannot: lower limits, complements, other levels, doses in percent.

    Raises
    ------
    InvalidSetting : the records hold for different numbers of fractions, of which a ROE file states one.
    OutputNotWritable : the file cannot be written.
    """
    structures: dict[str, Any] = {}
    left_out: list[str] = []
    numbers = {record.fractions for record in library.records}
    for record in library.records:
        rule = _rule(record)
        if rule is None or record.comparator not in ("<", "<=") or record.acceptable is not None:
            left_out.append(record.id)
            continue
        entry = structures.setdefault(record.organ, {})
        if record.alpha_beta_gy is not None:
            entry["abRatio"] = record.alpha_beta_gy
        for group, level in _LEVELS.items():
            limit = getattr(record, level)
            if limit is not None:
                entry.setdefault(group, {})[record.id] = rule | {"limit": limit / (100 if record.unit == "%" else 1)}
    content: dict[str, Any] = {"name": library.name}
    shared = numbers.pop() if len(numbers) == 1 else None
    if shared and shared[0] == shared[1]:
        content["numFrx"] = shared[0]
    elif shared or numbers:
        raise InvalidSetting("A ROE file holds one number of fractions; split the library by fractionation first.")
    write_text(path, json.dumps(content | {"structures": structures}, indent=2) + "\n")
    return left_out


def _rule(record: Record) -> dict[str, Any] | None:
    metric = parse_metric(record.metric)
    names = {text: function for function, text in _STATISTICS.items()}
    if metric.canonical in names and record.unit == "Gy":
        return {"function": f"calc_{names[metric.canonical]}"}
    if metric.letter == "V" and metric.unit == "GY" and not metric.output:
        volume_type = 1 if record.unit == "%" else 0
        return {"function": "calc_Vx", "parameters": {"x": {"val": metric.number}, "volumeType": {"val": volume_type}}}
    if metric.letter == "D" and metric.unit == "%" and not metric.named and record.unit == "Gy":
        return {"function": "calc_Dx", "parameters": {"x": {"val": metric.number}}}
    return None
