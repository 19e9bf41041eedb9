"""Plan scorecards: each metric earns a score that is piecewise linear in its value."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from intrepid_dvh.constraint_schema import Library, Record
from intrepid_dvh.constraints import Constraint
from intrepid_dvh.curve import DVH
from intrepid_dvh.metrics import evaluate


@dataclass(frozen=True)
class Score:
    """The score of one metric of one DVH, None with the reason if the metric is missing."""

    record_id: str
    patient_id: str
    structure: str
    metric: str
    observed: float | None
    unit: str
    score: float | None
    best: float
    reason: str


@dataclass(frozen=True)
class Scorecard:
    """Scores and their sum; ``total`` is None as long as one of them is missing."""

    scores: tuple[Score, ...]

    @property
    def total(self) -> float | None:
        """Sum of the scores."""
        known = [score.score for score in self.scores if score.score is not None]
        return float(sum(known)) if self.scores and len(known) == len(self.scores) else None

    @property
    def best(self) -> float:
        """The sum that a perfect plan would earn."""
        return sum(score.best for score in self.scores)


def score_plan(dvhs: Iterable[DVH], library: Library) -> Scorecard:
    """Score the records of a library that have score points, on every DVH that they are for.

    A value between two points is interpolated linearly; beyond the outer points their score holds.
    """
    dvhs = list(dvhs)
    scored = [record for record in library.records if record.score]
    return Scorecard(tuple(score for record in scored for score in _scores(dvhs, record)))


def _scores(dvhs: Sequence[DVH], record: Record) -> list[Score]:
    scope = Constraint(record.metric, structure=record.organ, fractions=record.fractions)
    members = [dvh for dvh in dvhs if scope.applies_to(dvh)]
    best = max(points for _, points in record.score)
    if not members:
        reason = f"no structure matches {record.organ}"
        return [Score(record.id, "", record.organ, record.metric, None, record.unit, None, best, reason)]
    return [_score(dvh, record, best) for dvh in members]


def _score(dvh: DVH, record: Record, best: float) -> Score:
    separator = "" if "_" in record.metric or not record.unit else f"_{record.unit}"
    metric = evaluate(dvh, f"{record.metric}{separator}")
    score = None
    if metric.value is not None:
        values, points = zip(*record.score, strict=True)
        score = float(np.interp(metric.value, values, points))
    return Score(
        record_id=record.id,
        patient_id=dvh.patient_id,
        structure=dvh.structure,
        metric=metric.canonical or record.metric,
        observed=metric.value,
        unit=metric.unit,
        score=score,
        best=best,
        reason=metric.reason,
    )
