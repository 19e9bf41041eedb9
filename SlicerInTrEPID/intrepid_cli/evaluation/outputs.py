"""Evaluation as CSV, JSON and one HTML page."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from intrepid_cli.console import plain
from intrepid_cli.evaluation.pictures import pass_rate_figure, sample_figure
from intrepid_cli.evaluation.samples import CRITERIA, Sample
from intrepid_cli.evaluation.summary import Row, by_family, by_phantom_and_field, overall
from intrepid_cli.report import style
from intrepid_rt.research_note import RESEARCH_NOTE

N_WORST = 5
# The founding study, 22 measured test images (docs/training.md): mean, standard error, median; percent.
FOUNDING_STUDY = {"3/3": (94.53, 2.08, 98.03), "5/5": (99.55, 0.25, 100.0)}


def criteria_name(dose_percent: float, distance_mm: float) -> str:
    """Short name of criteria.

    >>> criteria_name(3.0, 2.0)
    '3/2'
    """
    return f"{dose_percent:g}/{distance_mm:g}"


def as_json(samples: Sequence[Sample], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything as plain JSON types."""
    return plain(
        {
            **about,
            "criteria": [{"dose_percent": dose, "distance_mm": distance} for dose, distance in CRITERIA],
            "overall": _row(overall(samples)),
            "by_family": [_row(row) for row in by_family(samples)],
            "by_phantom_and_field": [_row(row) for row in by_phantom_and_field(samples)],
            "samples": [_sample(sample) for sample in samples],
        }
    )


def worst(samples: Sequence[Sample]) -> list[Sample]:
    """Return the five samples that pass fewest points by the first criteria; the error decides between equals."""
    return sorted(samples, key=lambda s: (s.pass_rates_percent[0], -s.mae_percent))[:N_WORST]


def write_evaluation(folder: Path, samples: Sequence[Sample], about: Mapping[str, Any], pixel_mm: float) -> None:
    """Write ``samples.csv``, ``summary.csv``, ``evaluation.json`` and ``evaluation.html``."""
    _write_csv(folder / "samples.csv", [_flat(_sample(sample)) for sample in samples])
    tables = {"overall": [overall(samples)], "family": by_family(samples), "field": by_phantom_and_field(samples)}
    rows = [{"table": table, **_flat(_row(row))} for table, found in tables.items() for row in found]
    _write_csv(folder / "summary.csv", rows)
    text = json.dumps(as_json(samples, about), indent=1, allow_nan=False)
    (folder / "evaluation.json").write_text(text + "\n", encoding="utf-8")
    (folder / "evaluation.html").write_text(page(samples, about, pixel_mm), encoding="utf-8")


def page(samples: Sequence[Sample], about: Mapping[str, Any], pixel_mm: float) -> str:
    """Return the evaluation as one self-contained HTML page."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = files("intrepid_cli.evaluation").joinpath("evaluation.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        about=about,
        criteria=[criteria_name(*one) for one in CRITERIA],
        overall=overall(samples),
        families=by_family(samples),
        fields=by_phantom_and_field(samples),
        study=FOUNDING_STUDY,
        worst=[(sample, style.as_image(sample_figure(sample, pixel_mm))) for sample in worst(samples)],
        rates=style.as_svg(pass_rate_figure(samples)),
        outside=[sample for sample in samples if sample.outside],
        note=RESEARCH_NOTE,
    )


def _sample(sample: Sample) -> dict[str, Any]:
    pair = sample.pair
    return {
        "id": pair.id,
        "phantom": pair.phantom,
        "family": pair.family,
        "field": pair.field,
        "plan": pair.plan,
        "split": pair.split,
        "mae_gy": sample.mae_gy,
        "mae_percent": sample.mae_percent,
        "mean_error_90_percent": sample.mean_error_90_percent,
        "pass_rate_percent": _by_criteria(sample.pass_rates_percent),
        "coverage_percent": sample.coverage_percent,
        "half_width_percent": sample.half_width_percent,
        "outside": "; ".join(sample.outside),
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "n": row.n,
        "mae_percent": asdict(row.mae_percent),
        "pass_rate_percent": _by_criteria([asdict(spread) for spread in row.pass_rates_percent]),
        "coverage_percent": row.coverage_percent,
        "half_width_percent": row.half_width_percent,
    }


def _by_criteria(values: Sequence[Any]) -> dict[str, Any]:
    return {criteria_name(*one): value for one, value in zip(CRITERIA, values, strict=True)}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key} ") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
