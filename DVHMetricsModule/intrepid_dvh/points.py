"""Points of the cumulative curve: the dose of a volume and the volume of a dose, in any of their units."""

import numpy as np

from intrepid_dvh.curve import DVH
from intrepid_dvh.missing import MissingValue
from intrepid_dvh.statistics import dose_statistic
from intrepid_dvh.tables import table_of
from intrepid_dvh.units import UNIT_LABEL, dose_factor

# Rounding in unit conversions must not put the maximum dose above itself.
_ROUNDING = 1e-12


def dose_at_volume(
    dvh: DVH, volume: float, *, unit: str, output: str = "", interp: str = "linear", coldest: bool = False
) -> float:
    """Return the dose that the hottest ``volume`` gets at least.

    Parameters
    ----------
    volume : in ``unit``, ``%`` of the structure or ``CC``.
    output : ``GY``, ``CGY``, ``%`` of the prescription; empty for the DVH's own unit.
    coldest : return instead the dose that the coldest ``volume`` gets at most.

    Raises
    ------
    MissingValue : the volume lies outside the curve, or the DVH lacks a column.
    """
    table = table_of(dvh, _volume_column(unit), "dose_percent" if output == "%" else "dose_native")
    if table.x.size == 0:
        raise MissingValue(_why_empty(dvh, relative_volume=unit == "%", relative_dose=output == "%"))
    wanted = _whole_volume(dvh, unit) - volume if coldest else volume
    at = table.inside(wanted)
    if at is None:
        raise MissingValue(
            f"{wanted:g} {UNIT_LABEL[unit]} is outside the curve of {dvh.structure}, which covers "
            f"{table.x[0]:g} to {table.x[-1]:g} {UNIT_LABEL[unit]}"
        )
    dose = table.at(at, interp)
    return dose if output in ("%", "") else dose * dose_factor(dvh.stated_dose_unit, output)


def volume_at_dose(
    dvh: DVH, dose: float, *, unit: str, output: str = "%", interp: str = "linear", below: bool = False
) -> tuple[float, str]:
    """Return the volume that gets at least ``dose``, and a note when that is 0 because no dose is so high.

    Parameters
    ----------
    dose : in ``unit``: ``GY``, ``CGY`` or ``%`` of the prescription.
    output : ``%`` of the structure or ``CC``.
    below : return instead the volume that gets less than ``dose``.

    Raises
    ------
    MissingValue : the curve starts above the dose, a unit does not convert, or the DVH lacks a column.
    """
    relative_dose = unit == "%"
    if not relative_dose:
        dose = dose * dose_factor(unit, dvh.stated_dose_unit)
    if _is_above_all(dvh, dose, relative_dose):
        volume, note = 0.0, f"no dose of {dvh.structure} is so high"
    else:
        volume, note = _volume_inside(dvh, dose, relative_dose, output, interp), ""
    return (_whole_volume(dvh, output) - volume if below else volume), note


def _is_above_all(dvh: DVH, dose: float, relative_dose: bool) -> bool:
    highest = _highest_percent(dvh) if relative_dose else dose_statistic(dvh, "max")
    return highest is not None and dose > highest * (1 + _ROUNDING)


def _highest_percent(dvh: DVH) -> float | None:
    if "highest_percent" not in dvh.memo:
        known = dvh.dose_percent[~np.isnan(dvh.dose_percent)]
        dvh.memo["highest_percent"] = float(known[-1]) if known.size else None
    return dvh.memo["highest_percent"]


def _volume_inside(dvh: DVH, dose: float, relative_dose: bool, output: str, interp: str) -> float:
    table = table_of(dvh, "dose_percent" if relative_dose else "dose_native", _volume_column(output))
    if table.x.size == 0:
        raise MissingValue(_why_empty(dvh, relative_volume=output == "%", relative_dose=relative_dose))
    if dose > table.x[-1]:
        return 0.0
    at = table.inside(dose)
    if at is None:
        raise MissingValue(f"the curve of {dvh.structure} starts at {table.x[0]:g}, above the dose asked for")
    return table.at(at, interp)


def _whole_volume(dvh: DVH, unit: str) -> float:
    """Return the volume of the structure if the curve knows the dose of all of it, as complements need."""
    known = getattr(dvh, _volume_column(unit))
    if np.isnan(known).all():
        raise MissingValue(_why_empty(dvh, relative_volume=unit == "%", relative_dose=False))
    covered = float(np.nanmax(known))
    whole = 100.0 if unit == "%" else dvh.structure_volume_cc
    if whole is None or abs(whole - covered) > 1e-3 * whole:
        raise MissingValue(f"the dose of {dvh.structure} is known for {covered:g} {UNIT_LABEL[unit]} only, not for all")
    return covered


def _volume_column(unit: str) -> str:
    return "volume_percent" if unit == "%" else "volume_cc"


def _why_empty(dvh: DVH, *, relative_volume: bool, relative_dose: bool) -> str:
    if relative_dose and np.isnan(dvh.dose_percent).all():
        return f"{dvh.structure} has no relative dose; its prescription is unknown"
    if relative_volume and np.isnan(dvh.volume_percent).all():
        return f"{dvh.structure} has no relative volume; its structure volume is unknown"
    if not relative_volume and np.isnan(dvh.volume_cc).all():
        return f"{dvh.structure} has no absolute volume, only percent"
    return f"{dvh.structure} has no absolute dose, only percent"
