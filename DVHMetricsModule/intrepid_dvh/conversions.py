"""Other forms of a DVH: differential, resampled, in another unit; and several sets as one."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from intrepid_dvh.curve import DVH, DifferentialTable
from intrepid_dvh.interpolation import Table
from intrepid_dvh.units import DOSE_UNITS
from intrepid_rt.errors import InvalidSetting


def differential(dvh: DVH, *, per_dose: bool = True, nodes: int | None = None) -> DifferentialTable:
    """Return the differential histogram, with bins between the curve's points.

    Parameters
    ----------
    per_dose : volume per Gy (or per cGy, if that is the DVH's unit), else per bin.
    nodes : first resample the curve at so many equidistant doses.

    Returns
    -------
    DifferentialTable : mid-points (n - 1,) and volumes (n - 1,) between n distinct doses.

    Raises
    ------
    InvalidSetting : with ``nodes``, what `resampled` refuses.
    """
    if nodes is not None:
        dvh = resampled(dvh, nodes=nodes)
    known = ~np.isnan(dvh.dose_gy)
    # Of several rows at one dose the one with the largest volume counts, which is the first.
    _, first = np.unique(dvh.dose_native[known], return_index=True)
    columns = (dvh.dose_gy, dvh.dose_percent, dvh.volume_cc, dvh.volume_percent)
    dose, dose_percent, volume_cc, volume_percent = (column[known][first] for column in columns)
    width = np.diff(dvh.dose_native[known][first]) if per_dose else 1.0
    return DifferentialTable(
        _middle(dose), _middle(dose_percent), -np.diff(volume_cc) / width, -np.diff(volume_percent) / width
    )


def _middle(edges: np.ndarray) -> np.ndarray:
    return (edges[1:] + edges[:-1]) / 2


def resampled(dvh: DVH, *, nodes: int, range_gy: tuple[float, float] | None = None) -> DVH:
    """Return the DVH at equidistant doses, linear between its points and constant outside them.

    Parameters
    ----------
    range_gy : lowest and highest dose; by default the curve's own.

    Raises
    ------
    InvalidSetting : fewer than two nodes, a range that ends before it starts, or a DVH without doses in Gy.
    """
    if np.isnan(dvh.dose_gy).all():
        raise InvalidSetting(f"{dvh.structure} has no doses in Gy, so it cannot be resampled.")
    low, high = range_gy or (float(np.nanmin(dvh.dose_gy)), float(np.nanmax(dvh.dose_gy)))
    if nodes < 2 or not high > low:
        raise InvalidSetting(
            f"Cannot resample at {nodes} doses from {low:g} to {high:g} Gy; give 2 or more, ascending."
        )
    grid = np.linspace(low, high, nodes)
    relative = dvh.dose_percent[-1] / dvh.dose_gy[-1] if dvh.dose_gy[-1] else np.nan
    return replace(
        dvh,
        dose_gy=grid,
        volume_cc=resampled_volume(dvh.dose_gy, dvh.volume_cc, grid),
        stated_dose_percent=grid * relative if dvh.stated_dose_percent is not None else None,
        stated_volume_percent=resampled_volume(dvh.dose_gy, dvh.volume_percent, grid),
        differential=None,
    )


def resampled_volume(dose: np.ndarray, volume: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return a volume column at other doses (n,); NaN if the column is unknown."""
    table = Table(dose, volume, merge="mean")
    return np.interp(grid, table.x, table.y) if table.x.size else np.full(grid.size, np.nan)


def in_unit(dvh: DVH, unit: str) -> DVH:
    """Return the same DVH answering in another dose unit, ``GY`` or ``CGY``.

    Raises
    ------
    InvalidSetting : the DVH's own unit does not convert.
    """
    unit = unit.upper()
    if unit not in DOSE_UNITS or {unit, dvh.stated_dose_unit} not in ({"GY"}, {"CGY"}, {"GY", "CGY"}):
        raise InvalidSetting(
            f"{dvh.structure} is in {dvh.stated_dose_unit or 'an unstated unit'}, not to be shown in {unit}."
        )
    return replace(dvh, dose_unit=unit)


def merged(*sets: Iterable[DVH]) -> tuple[list[DVH], list[str]]:
    """Return the DVHs of several sets as one list, and a warning for each patient ID that occurs in two of them."""
    groups = [list(one) for one in sets]
    together = [dvh for group in groups for dvh in group]
    return together, _repeated_patients(groups)


def _repeated_patients(groups: Sequence[Sequence[DVH]]) -> list[str]:
    ids = [patient for group in groups for patient in {dvh.patient_id for dvh in group if dvh.patient_id}]
    repeated = sorted({patient for patient in ids if ids.count(patient) > 1})
    return [f"Patient {patient} occurs in several sets; constraints apply to all of them." for patient in repeated]
