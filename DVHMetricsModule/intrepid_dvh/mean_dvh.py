"""Point-wise statistics of several DVHs: mean, median, SD, percentiles, over patients or over structures."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from intrepid_dvh.conversions import resampled_volume
from intrepid_dvh.curve import DVH
from intrepid_rt.errors import InvalidSetting

_FEWEST_NODES = 100
_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda volumes: np.mean(volumes, axis=0),
    "median": lambda volumes: np.median(volumes, axis=0),
    "sd": lambda volumes: np.std(volumes, axis=0, ddof=1) if len(volumes) > 1 else np.full(volumes.shape[1], np.nan),
    "min": lambda volumes: np.min(volumes, axis=0),
    "max": lambda volumes: np.max(volumes, axis=0),
}


@dataclass(frozen=True, eq=False)
class MeanDVH:
    """Statistics of the volumes of several DVHs at the same doses.

    Parameters
    ----------
    dose_gy : (n,) equidistant from 0; mid-points of bins when ``differential``.
    volume_cc, volume_percent : per function, (n,); per Gy when ``differential``; NaN where a member lacks the column.
    prescription_gy : what all members share, else None.
    """

    structure: str
    patient_id: str
    members: tuple[str, ...]
    dose_gy: np.ndarray
    volume_cc: dict[str, np.ndarray]
    volume_percent: dict[str, np.ndarray]
    differential: bool
    structure_volume_cc: float | None
    prescription_gy: float | None

    @property
    def dose_percent(self) -> np.ndarray:
        """(n,) dose in percent of the prescription that all members share; NaN if they differ."""
        if not self.prescription_gy:
            return np.full(self.dose_gy.size, np.nan)
        return 100 * self.dose_gy / self.prescription_gy

    def as_dvh(self, function: str = "mean") -> DVH:
        """Return one of the statistics as an ordinary DVH.

        Raises
        ------
        InvalidSetting : the statistics are of differential histograms, or the function was not asked for.
        """
        if self.differential or function not in self.volume_cc:
            raise InvalidSetting(f"There is no cumulative {function} curve; there are {', '.join(self.volume_cc)}.")
        return DVH(
            structure=self.structure,
            patient_id=self.patient_id,
            dose_gy=self.dose_gy,
            volume_cc=self.volume_cc[function],
            stated_volume_percent=self.volume_percent[function],
            structure_volume_cc=self.structure_volume_cc,
            prescription_gy=self.prescription_gy,
        )


def mean_dvhs(
    dvhs: Iterable[DVH],
    *,
    over: str = "patients",
    functions: Sequence[str] = ("mean", "median", "sd"),
    differential: bool = False,
    thin: float = 1.0,
) -> dict[str, MeanDVH]:
    """Average DVHs over the patients of each structure, or over the structures of each patient.

    Parameters
    ----------
    over : ``patients`` (one result per structure) or ``structures`` (one per patient).
    functions : ``mean``, ``median``, ``sd`` (with n - 1), ``min``, ``max``, or percentiles such as ``p10``.
    thin : use a grid so many times coarser than the largest table, but never below 100 doses.

    Returns
    -------
    dict : by structure or patient, in the order of their first DVH.

    Raises
    ------
    InvalidSetting : a function is unknown, or a DVH has no dose in Gy.
    """
    if over not in ("patients", "structures"):
        raise InvalidSetting(f"DVHs are averaged over 'patients' or 'structures', not over '{over}'.")
    groups: dict[str, list[DVH]] = {}
    for dvh in dvhs:
        groups.setdefault(dvh.structure if over == "patients" else dvh.patient_id, []).append(dvh)
    return {
        key: mean_dvh(group, functions=functions, differential=differential, thin=thin) for key, group in groups.items()
    }


def mean_dvh(
    dvhs: Sequence[DVH],
    *,
    functions: Sequence[str] = ("mean", "median", "sd"),
    differential: bool = False,
    thin: float = 1.0,
) -> MeanDVH:
    """Average DVHs point by point on a common grid; curves are constant outside their own range of doses."""
    _require_gray(dvhs)
    nodes = max(_FEWEST_NODES, math.ceil(max(dvh.dose_gy.size for dvh in dvhs) / thin))
    grid = np.linspace(0.0, max(float(np.nanmax(dvh.dose_gy)) for dvh in dvhs), nodes)
    absolute = np.array([resampled_volume(dvh.dose_gy, dvh.volume_cc, grid) for dvh in dvhs])
    relative = np.array([resampled_volume(dvh.dose_gy, dvh.volume_percent, grid) for dvh in dvhs])
    if differential:
        absolute, relative = (-np.diff(volumes, axis=1) / np.diff(grid) for volumes in (absolute, relative))
        grid = (grid[1:] + grid[:-1]) / 2
    return MeanDVH(
        structure=_joined(dvh.structure for dvh in dvhs),
        patient_id=_joined(dvh.patient_id for dvh in dvhs),
        members=tuple(f"{dvh.patient_id}/{dvh.structure}" for dvh in dvhs),
        dose_gy=grid,
        volume_cc={name: _function(name)(absolute) for name in functions},
        volume_percent={name: _function(name)(relative) for name in functions},
        differential=differential,
        structure_volume_cc=_shared([dvh.structure_volume_cc for dvh in dvhs]),
        prescription_gy=_shared([dvh.prescription_gy for dvh in dvhs]),
    )


def _require_gray(dvhs: Sequence[DVH]) -> None:
    without = [dvh.structure for dvh in dvhs if np.isnan(dvh.dose_gy).all() or dvh.stated_dose_unit == "EV/G"]
    if not dvhs or without:
        raise InvalidSetting(
            f"Averaging needs DVHs with doses in Gy; without are {', '.join(without) or 'all (none given)'}."
        )


def _function(name: str) -> Callable[[np.ndarray], np.ndarray]:
    percentile = re.fullmatch(r"p(\d+(?:\.\d+)?)", name)
    if percentile and float(percentile[1]) <= 100:
        return lambda volumes: np.percentile(volumes, float(percentile[1]), axis=0)
    if name not in _FUNCTIONS:
        raise InvalidSetting(
            f"'{name}' is no statistic; choose from {', '.join(_FUNCTIONS)} or a percentile such as p10."
        )
    return _FUNCTIONS[name]


def _joined(names: Iterable[str]) -> str:
    return "_".join(dict.fromkeys(names))


def _shared(values: Sequence[float | None]) -> float | None:
    return values[0] if all(value == values[0] for value in values) else None
