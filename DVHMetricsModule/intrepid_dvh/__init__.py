"""Dose-volume histograms, metrics, constraints and radiobiology."""

from intrepid_dvh.constraint_reading import read_constraints
from intrepid_dvh.constraints import Constraint, ConstraintResult, check_constraints, unmatched
from intrepid_dvh.curve import DVH, DoseStatistics
from intrepid_dvh.metrics import Metric, evaluate

__all__ = [
    "DVH",
    "Constraint",
    "ConstraintResult",
    "DoseStatistics",
    "Metric",
    "check_constraints",
    "evaluate",
    "read_constraints",
    "unmatched",
]
