"""The founding study's table: mean, standard error, median and worst of error and pass rates, for groups of samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from intrepid_cli.evaluation.samples import CRITERIA, Sample


@dataclass(frozen=True)
class Spread:
    """Mean, standard error of the mean (None for one sample), median and worst of one quantity."""

    mean: float
    standard_error: float | None
    median: float
    worst: float


@dataclass(frozen=True)
class Row:
    """One line of a table: a group of samples."""

    name: str
    n: int
    mae_percent: Spread
    pass_rates_percent: tuple[Spread, ...]  # in the order of CRITERIA
    coverage_percent: float | None
    half_width_percent: float | None


def overall(samples: Sequence[Sample]) -> Row:
    """All samples as one group."""
    return _row("all", samples)


def by_phantom_and_field(samples: Sequence[Sample]) -> list[Row]:
    """One line per phantom and field."""
    return _grouped(samples, lambda sample: f"{sample.pair.phantom} {sample.pair.field}")


def by_family(samples: Sequence[Sample]) -> list[Row]:
    """One line per family of phantoms."""
    return _grouped(samples, lambda sample: sample.pair.family)


def _grouped(samples: Sequence[Sample], key: Callable[[Sample], str]) -> list[Row]:
    names = sorted({key(sample) for sample in samples})
    return [_row(name, [sample for sample in samples if key(sample) == name]) for name in names]


def _row(name: str, samples: Sequence[Sample]) -> Row:
    rates = [_spread([s.pass_rates_percent[i] for s in samples], worst=min) for i in range(len(CRITERIA))]
    return Row(
        name=name,
        n=len(samples),
        mae_percent=_spread([s.mae_percent for s in samples], worst=max),
        pass_rates_percent=tuple(rates),
        coverage_percent=_mean([s.coverage_percent for s in samples]),
        half_width_percent=_mean([s.half_width_percent for s in samples]),
    )


def _spread(values: Sequence[float], *, worst: Callable[[Sequence[float]], float]) -> Spread:
    """Summarise numbers.

    >>> _spread([1.0, 2.0, 6.0], worst=max)
    Spread(mean=3.0, standard_error=1.527..., median=2.0, worst=6.0)
    """
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return Spread(float(np.mean(values)), error, float(np.median(values)), float(worst(values)))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
