"""The dose-volume histogram: a cumulative curve of a structure and what is known about its prescription and source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from intrepid_dvh.units import GY_PER_UNIT
from intrepid_rt.errors import InvalidSetting

if TYPE_CHECKING:
    from intrepid_dvh.metrics import Metric

# Neighbouring points of a step are set apart by this fraction of the largest value, so that each level has one dose.
_STEP = 1e-12


@dataclass(frozen=True)
class DoseStatistics:
    """Dose statistics in Gy as a planning system or the dose engine states them; None where it does not."""

    min_gy: float | None = None
    max_gy: float | None = None
    mean_gy: float | None = None
    median_gy: float | None = None
    mode_gy: float | None = None
    sd_gy: float | None = None


@dataclass(frozen=True, eq=False)
class DifferentialTable:
    """A differential histogram as a file holds it: bin mid-points (n,) and volume per bin or per unit dose (n,)."""

    dose_gy: np.ndarray
    dose_percent: np.ndarray
    volume_cc: np.ndarray
    volume_percent: np.ndarray


@dataclass(frozen=True, eq=False)
class DVH:
    """Cumulative dose-volume histogram of one structure, piecewise linear between its points.

    Parameters
    ----------
    dose_gy : (n,) float, ascending; all NaN when only percent of the prescription is known.
    volume_cc : (n,) float, non-increasing: what receives at least ``dose_gy``; NaN when only percent is known.
    structure_volume_cc : volume of the structure in cm3, including ``volume_outside_dose_cc``; None if unknown.
    prescription_isodose_percent : the percentage to which the prescription refers (``% for dose`` of some exports).
    stated : statistics given by the source; metrics such as ``DMEAN`` prefer them to the curve.
    stated_dose_percent, stated_volume_percent : (n,) relative columns as the source rounds them; else they are derived.
    dose_unit : ``GY``, ``CGY`` or ``EV/G``: the source's unit, in which metrics answer when none is asked for.
    volume_unit : ``CC`` or ``PERCENT``: what the source's volumes were.
    unstated_dose : (n,) numbers of a source that names no dose unit; ``dose_gy`` is then NaN and Gy are refused.
    header : the source's header fields as read.
    differential : the source's table when it was a differential one.
    warnings : what a reader of the numbers must know, one sentence each.

    Raises
    ------
    InvalidSetting
        The columns differ in length, are empty, or the dose descends.
    """

    structure: str
    dose_gy: np.ndarray
    volume_cc: np.ndarray
    structure_volume_cc: float | None = None
    volume_outside_dose_cc: float = 0.0
    prescription_gy: float | None = None
    prescription_isodose_percent: float = 100.0
    fractions: int | None = None
    patient_id: str = ""
    plan: str = ""
    stated: DoseStatistics = DoseStatistics()
    stated_dose_percent: np.ndarray | None = None
    stated_volume_percent: np.ndarray | None = None
    dose_unit: str = "GY"
    volume_unit: str = "CC"
    unstated_dose: np.ndarray | None = None
    header: Mapping[str, Any] = field(default_factory=dict)
    differential: DifferentialTable | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("dose_gy", "volume_cc", "stated_dose_percent", "stated_volume_percent", "unstated_dose"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _column(value, name, self.structure))
        columns = [c for c in (self.volume_cc, self.stated_dose_percent, self.stated_volume_percent) if c is not None]
        if self.dose_gy.size == 0 or any(c.size != self.dose_gy.size for c in columns):
            raise InvalidSetting(
                f"The DVH of {self.structure} has {self.dose_gy.size} doses and {self.volume_cc.size} volumes; "
                "give columns of one length, with at least one row."
            )
        _require_ascending(self.dose_native, self.structure)

    @classmethod
    def from_samples(
        cls, dose_gy: np.ndarray, volume_cc_per_sample: np.ndarray | float, *, structure: str, **known: Any
    ) -> DVH:
        """Build the exact cumulative curve of dose samples, without bins.

        Each sample stands for its volume around its dose, so the curve passes through the middle of its step;
        samples of the same dose are a real step (a flat dose has V = 100 % up to and including that dose).

        Parameters
        ----------
        dose_gy : (n,) dose samples in Gy, any order.
        volume_cc_per_sample : (n,) or scalar, the volume in cm3 for which each sample stands; zeros are dropped, but
            count for the minimum and maximum (samples on the surface).
        structure : name of the structure.
        **known : further fields of :class:`DVH`. ``structure_volume_cc`` defaults to the sampled volume plus
            ``volume_outside_dose_cc``; statistics missing in ``stated`` are computed from the samples.

        Raises
        ------
        InvalidSetting
            No sample has a volume, a volume is negative, or a sample is not finite.

        Examples
        --------
        >>> dvh = DVH.from_samples([10.0, 20.0, 30.0, 40.0], 2.0, structure="PTV")
        >>> dvh.structure_volume_cc, dvh.metric("DMEAN").value, round(dvh.metric("V25Gy").value, 6)
        (8.0, 25.0, 50.0)
        """
        dose, volume = _checked_samples(dose_gy, volume_cc_per_sample, structure)
        levels_gy, volumes_cc = _cumulate(dose, volume)
        total = float(volume.sum())
        known.setdefault("structure_volume_cc", total + known.get("volume_outside_dose_cc", 0.0))
        known["stated"] = _complete(known.get("stated", DoseStatistics()), dose, volume)
        return cls(structure, levels_gy, volumes_cc, **known)

    @property
    def dose_native(self) -> np.ndarray:
        """(n,) dose in ``dose_unit``, or the unstated numbers of a source without unit."""
        if self.unstated_dose is not None:
            return self.unstated_dose
        return self.dose_gy if self.dose_unit == "GY" else self._dose_in_source_unit

    @cached_property
    def _dose_in_source_unit(self) -> np.ndarray:
        return self.dose_gy / GY_PER_UNIT[self.dose_unit]

    @cached_property
    def dose_percent(self) -> np.ndarray:
        """(n,) dose in percent of the prescription; NaN when there is none."""
        if self.stated_dose_percent is not None:
            return self.stated_dose_percent
        if not self.prescription_gy:
            return np.full(self.dose_gy.size, np.nan)
        return self.dose_gy * (self.prescription_isodose_percent / self.prescription_gy)

    @cached_property
    def volume_percent(self) -> np.ndarray:
        """(n,) volume in percent of the structure; NaN when its volume is unknown."""
        if self.stated_volume_percent is not None:
            return self.stated_volume_percent
        if not self.structure_volume_cc:
            return np.full(self.dose_gy.size, np.nan)
        return 100.0 * self.volume_cc / self.structure_volume_cc

    @property
    def stated_dose_unit(self) -> str:
        """``dose_unit``, or an empty string when the source does not name one."""
        return "" if self.unstated_dose is not None else self.dose_unit

    @cached_property
    def memo(self) -> dict[Any, Any]:
        """Interpolation tables and statistics already made for this curve."""
        return {}

    def metric(self, text: str, *, interp: str = "linear", **model_args: Any) -> Metric:
        """Evaluate a metric such as ``D95%``, ``V20Gy_cc`` or ``DMEAN``; see :func:`intrepid_dvh.metrics.evaluate`."""
        from intrepid_dvh.metrics import evaluate

        return evaluate(self, text, interp=interp, **model_args)


def _column(values: Any, name: str, structure: str) -> np.ndarray:
    column = np.array(values, dtype=np.float64)
    if column.ndim != 1:
        raise InvalidSetting(f"{name} of {structure} has {column.ndim} dimensions; expected one column.")
    column.setflags(write=False)
    return column


def _require_ascending(dose: np.ndarray, structure: str) -> None:
    known = dose[~np.isnan(dose)]
    if np.any(np.diff(known) < 0):
        row = int(np.argmax(np.diff(known) < 0)) + 1
        raise InvalidSetting(
            f"The dose of {structure} falls from {known[row - 1]:g} to {known[row]:g} at row {row + 1}; "
            "a DVH must have ascending doses."
        )


def _checked_samples(dose_gy: Any, volume_cc: Any, structure: str) -> tuple[np.ndarray, np.ndarray]:
    dose = np.asarray(dose_gy, dtype=np.float64).ravel()
    volume = np.broadcast_to(np.asarray(volume_cc, dtype=np.float64), dose.shape)
    if not (np.isfinite(dose).all() and np.isfinite(volume).all() and (volume >= 0).all() and volume.any()):
        raise InvalidSetting(
            f"{structure} has {dose.size} dose samples, of which {int(np.isfinite(dose).sum())} are finite, and "
            f"{float(np.nansum(volume)):g} cm3; a DVH needs finite doses and positive volumes."
        )
    return dose, volume


def _cumulate(dose: np.ndarray, volume: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of the cumulative curve, from 0 Gy and full volume to just above the hottest sample."""
    counted = volume > 0
    levels, group, count = np.unique(dose[counted], return_inverse=True, return_counts=True)
    per_level = np.bincount(group, weights=volume[counted])
    at_least = np.cumsum(per_level[::-1])[::-1]
    above = np.append(at_least[1:], 0.0)
    step = _STEP * max(abs(dose.min()), abs(dose.max()), 1e-6)
    single = count == 1
    # A tied group drops from at_least to above; the drop ends a hair above the next level's volume, because two
    # doses of one volume would be taken for a plateau whose far end counts.
    lower = np.where(single, at_least - per_level / 2, above + _STEP * at_least[0] * (above > 0))
    doses = np.concatenate([[levels[0]], levels[~single], levels + step * ~single, [dose.max()]])
    volumes = np.concatenate([[at_least[0]], at_least[~single], lower, [0.0]])
    doses[0] = dose.min()
    order = np.lexsort((-volumes, doses))
    return _from_zero(_set_apart(doses[order], step), np.minimum.accumulate(volumes[order]))


def _set_apart(doses: np.ndarray, step: float) -> np.ndarray:
    """Push points of one dose apart, so that volume is a function of dose."""
    ramp = step * np.arange(doses.size)
    pushed = np.maximum.accumulate(doses - ramp) + ramp
    return np.where(pushed - doses > step / 2, pushed, doses)  # rounding must not move the others


def _from_zero(doses: np.ndarray, volumes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if doses[0] <= 0:
        return doses, volumes
    return np.append(0.0, doses), np.append(volumes[0], volumes)


def _complete(stated: DoseStatistics, dose: np.ndarray, volume: np.ndarray) -> DoseStatistics:
    mean = float(np.average(dose, weights=volume))
    # E[d2] - E[d]2 cancels for nearly uniform doses; the centred form does not.
    sd = float(np.sqrt(np.average((dose - mean) ** 2, weights=volume)))
    return DoseStatistics(
        min_gy=float(dose.min()) if stated.min_gy is None else stated.min_gy,
        max_gy=float(dose.max()) if stated.max_gy is None else stated.max_gy,
        mean_gy=mean if stated.mean_gy is None else stated.mean_gy,
        median_gy=stated.median_gy,
        mode_gy=stated.mode_gy,
        sd_gy=sd if stated.sd_gy is None else stated.sd_gy,
    )
