"""From what a file says about one structure to a DVH: the common last step of every reader.

A header keeps the field names and the unit of its source (``doseRx`` in ``doseUnit``), so that it can be shown as read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from intrepid_dvh.curve import DVH, DifferentialTable, DoseStatistics
from intrepid_dvh.units import GY_PER_UNIT

HEADER_FIELDS = (
    *("patName", "patID", "date", "DVHtype", "plan", "course", "structure", "structVol", "doseUnit", "volumeUnit"),
    *("doseRx", "doseRxUnit", "isoDoseRx", "doseMin", "doseMax", "doseAvg", "doseMed", "doseMode", "doseSD"),
)


@dataclass(frozen=True, eq=False)
class Columns:
    """The four columns of a table in the units of the file, each (n,), NaN where the file has no number."""

    dose: np.ndarray
    dose_percent: np.ndarray
    volume_cc: np.ndarray
    volume_percent: np.ndarray

    def in_gy(self, unit: str) -> DifferentialTable:
        """Return the table with its doses in Gy."""
        return DifferentialTable(
            self.dose * GY_PER_UNIT.get(unit, np.nan), self.dose_percent, self.volume_cc, self.volume_percent
        )


def unknown(count: int) -> np.ndarray:
    """Return a column (count,) of which nothing is known: NaN."""
    return np.full(count, np.nan)


def dvh_of(
    header: Mapping[str, Any],
    cumulative: Columns,
    *,
    differential: Columns | None = None,
    warnings: tuple[str, ...] = (),
) -> DVH:
    """Build the DVH of a cumulative table and its header."""
    unit = header.get("doseUnit") or ""
    gray = GY_PER_UNIT.get(unit)
    fractions = header.get("fractionN")
    return DVH(
        structure=header["structure"],
        dose_gy=unknown(cumulative.dose.size) if gray is None else cumulative.dose * gray,
        volume_cc=cumulative.volume_cc,
        structure_volume_cc=header.get("structVol"),
        prescription_gy=_gy(header, "doseRx", gray),
        prescription_isodose_percent=header.get("isoDoseRx") or 100.0,
        fractions=None if fractions is None else round(fractions),
        patient_id=header.get("patID") or "",
        plan=header.get("plan") or "",
        stated=_statistics(header, gray),
        stated_dose_percent=cumulative.dose_percent,
        stated_volume_percent=cumulative.volume_percent,
        dose_unit=unit if gray is not None else "GY",
        volume_unit=header.get("volumeUnit") or "CC",
        unstated_dose=cumulative.dose if gray is None and not np.isnan(cumulative.dose).all() else None,
        header=dict(header),
        differential=None if differential is None else differential.in_gy(unit),
        warnings=warnings,
    )


def _gy(header: Mapping[str, Any], field: str, gray: float | None) -> float | None:
    value = header.get(field)
    return None if value is None or gray is None else value * gray


def _statistics(header: Mapping[str, Any], gray: float | None) -> DoseStatistics:
    return DoseStatistics(
        min_gy=_gy(header, "doseMin", gray),
        max_gy=_gy(header, "doseMax", gray),
        mean_gy=_gy(header, "doseAvg", gray),
        median_gy=_gy(header, "doseMed", gray),
        mode_gy=_gy(header, "doseMode", gray),
        sd_gy=_gy(header, "doseSD", gray),
    )
