"""Minimum, maximum, mean, median, mode and standard deviation of the dose, read from the curve.

Where the source states a statistic, metrics use that; these stand in where it does not.
"""

from dataclasses import dataclass

import numpy as np

from intrepid_dvh.curve import DVH
from intrepid_dvh.missing import MissingValue
from intrepid_dvh.tables import table_of
from intrepid_dvh.units import GY_PER_UNIT

NODES = 5001


def dose_statistic(dvh: DVH, name: str, *, interp: str = "linear") -> float | None:
    """Return ``min``, ``max``, ``mean``, ``median`` or ``sd`` of the dose in the DVH's unit: as stated, or computed."""
    stated_gy = getattr(dvh.stated, f"{name}_gy")
    if stated_gy is not None:
        return stated_gy / GY_PER_UNIT[dvh.dose_unit]
    key = ("statistics", interp)
    if key not in dvh.memo:
        dvh.memo[key] = curve_statistics(dvh, interp=interp)
    return getattr(dvh.memo[key], name)


@dataclass(frozen=True)
class CurveStatistics:
    """Statistics in the curve's own dose unit; None where the curve does not tell."""

    min: float | None
    max: float | None
    mean: float | None
    median: float | None
    mode: float | None
    sd: float | None


@dataclass(frozen=True, eq=False)
class Bins:
    """A differential histogram in memory: mid-points (n,), volumes per bin (n,) in cm3 and percent, NaN if unknown."""

    dose: np.ndarray
    volume_cc: np.ndarray
    volume_percent: np.ndarray

    @property
    def volume(self) -> np.ndarray:
        """Absolute volumes (n,) in cm3 if the curve has them, else relative ones in percent."""
        return self.volume_percent if np.isnan(self.volume_cc).all() else self.volume_cc


def native_bins(dvh: DVH) -> Bins:
    """Return the bins between the curve's own points, doses in its own unit; rows with a missing dose are dropped.

    Rows of equal dose count once, with the largest volume.
    """
    dose = dvh.dose_native
    known = ~np.isnan(dose)
    dose, first = np.unique(dose[known], return_index=True)
    volume_cc, volume_percent = dvh.volume_cc[known][first], dvh.volume_percent[known][first]
    return Bins((dose[1:] + dose[:-1]) / 2, -np.diff(volume_cc), -np.diff(volume_percent))


def curve_statistics(dvh: DVH, *, interp: str = "linear", nodes: int = NODES) -> CurveStatistics:
    """Compute dose statistics from the curve.

    With ``interp="linear"`` the cumulative curve is resampled at equidistant doses (never fewer than its own rows)
    and differentiated; the extrema are the mid-points of the outermost bins with volume, so they lie half a fine bin
    inside. No check is made that the volumes reach 100 %: a truncated curve has a too small mean.

    Parameters
    ----------
    interp : ``linear``, or ``spline``, ``ksmooth``, ``smoothSpl``, which smooth the differential curve and are for
        comparison with other software only.
    nodes : number of equidistant doses.
    """
    bins = _bins(dvh, interp, nodes)
    dose, volume = bins.dose, bins.volume
    filled = np.flatnonzero(volume > 0)
    if filled.size == 0:
        return CurveStatistics(None, None, None, _median(dvh, interp, nodes), None, None)
    weight = bins.volume_percent / 100
    mean = None if np.isnan(weight).all() else float(np.sum(dose * weight))
    return CurveStatistics(
        min=float(dose[filled[0]]),
        max=float(dose[filled[-1]]),
        mean=mean,
        median=_median(dvh, interp, nodes),
        mode=float(dose[np.argmax(volume)]),
        sd=None if mean is None else float(np.sqrt(max(np.sum(dose**2 * weight) - mean**2, 0.0))),
    )


def _bins(dvh: DVH, interp: str, nodes: int) -> Bins:
    """Return the bins from which statistics are taken, none if the curve has none."""
    dose = dvh.dose_native
    if np.unique(dose[~np.isnan(dose)]).size < 2:
        return Bins(np.empty(0), np.empty(0), np.empty(0))
    if interp == "linear":
        return _resampled_bins(dvh, nodes)
    from intrepid_dvh.smoothed_statistics import smoothed_bins

    try:
        return smoothed_bins(dvh, interp, nodes)
    except MissingValue:
        return Bins(np.empty(0), np.empty(0), np.empty(0))


def _resampled_bins(dvh: DVH, nodes: int) -> Bins:
    dose = dvh.dose_native
    grid = np.linspace(np.nanmin(dose), np.nanmax(dose), max(nodes, dose.size))
    volumes = [_resampled(dvh, column, grid) for column in ("volume_cc", "volume_percent")]
    return Bins((grid[1:] + grid[:-1]) / 2, -np.diff(volumes[0]), -np.diff(volumes[1]))


def _resampled(dvh: DVH, column: str, grid: np.ndarray) -> np.ndarray:
    table = table_of(dvh, "dose_native", column)
    return np.interp(grid, table.x, table.y) if table.x.size else np.full(grid.size, np.nan)


def _median(dvh: DVH, interp: str, nodes: int) -> float | None:
    if interp in ("ksmooth", "smoothSpl"):
        from intrepid_dvh.smoothed_statistics import smoothed_median

        return smoothed_median(dvh, interp, nodes)
    table = table_of(dvh, "volume_percent", "dose_native")
    at = table.inside(50.0)
    return None if at is None else table.at(at, interp)
