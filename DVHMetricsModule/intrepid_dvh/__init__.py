"""Dose-volume histograms, metrics, constraints and radiobiology."""

import importlib
from typing import TYPE_CHECKING, Any

from intrepid_dvh.constraint_reading import read_constraints
from intrepid_dvh.constraints import Constraint, ConstraintResult, check_constraints, unmatched
from intrepid_dvh.curve import DVH, DoseStatistics
from intrepid_dvh.metrics import Metric, evaluate

if TYPE_CHECKING:
    from intrepid_dvh.compute import compute_dvh
    from intrepid_dvh.mean_dvh import mean_dvhs
    from intrepid_dvh.text.reading import read_dvh_files

# Imported on first use: the engine compiles, the readers are many, and checking a constraint needs neither.
_ON_FIRST_USE = {
    "compute_dvh": "intrepid_dvh.compute",
    "mean_dvhs": "intrepid_dvh.mean_dvh",
    "read_dvh_files": "intrepid_dvh.text.reading",
}

__all__ = [
    "DVH",
    "Constraint",
    "ConstraintResult",
    "DoseStatistics",
    "Metric",
    "check_constraints",
    "compute_dvh",
    "evaluate",
    "mean_dvhs",
    "read_constraints",
    "read_dvh_files",
    "unmatched",
]


def __getattr__(name: str) -> Any:
    if name in _ON_FIRST_USE:
        return getattr(importlib.import_module(_ON_FIRST_USE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
