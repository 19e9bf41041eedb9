"""Which DVHs share a diagram, and its title, axis labels and limits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intrepid_dvh.conversions import differential
from intrepid_dvh.curve import DVH
from intrepid_rt.errors import InvalidSetting

_ROOM = 1.03  # above the highest curve
_DOSE_ROOM = 1.05  # beyond the last dose that matters
_LOWEST_MAXIMUM = 0.1


@dataclass(frozen=True, eq=False)
class Panel:
    """One diagram: its curves as (dose, volume) pairs in the units of the axes, and what stands around them."""

    title: str
    dose_label: str
    volume_label: str
    dose_range: tuple[float, float]
    volume_range: tuple[float, float]
    names: tuple[str, ...]
    curves: tuple[tuple[np.ndarray, np.ndarray], ...]
    dvhs: tuple[DVH, ...]
    relative_dose: bool
    relative_volume: bool
    warnings: tuple[str, ...] = ()


def panels(
    dvhs: Sequence[DVH],
    *,
    by: str = "patient",
    relative_volume: bool = True,
    differential_curves: bool = False,
    dose_range: float | tuple[float, float] | None = None,
    threshold_percent: float | None = 1.0,
) -> list[Panel]:
    """Sort DVHs into diagrams: one per patient with a line per structure, or one per structure with a line per patient.

    Parameters
    ----------
    by : ``patient`` or ``structure``.
    relative_volume : percent, else cm3. If a curve lacks the kind asked for, the diagram shows the other and says so.
    dose_range : highest dose, or lowest and highest, in Gy; by default ``threshold_percent`` decides.
    threshold_percent : the dose axis ends a little beyond the highest dose that still reaches so much of a structure;
        None shows every dose of the tables.

    Raises
    ------
    InvalidSetting : ``by`` is neither, there are no DVHs, or no kind of volume or dose is known for all of a diagram.
    """
    if by not in ("patient", "structure"):
        raise InvalidSetting(f"Diagrams are made by 'patient' or by 'structure', not by '{by}'.")
    groups: dict[str, list[DVH]] = {}
    for dvh in dvhs:
        groups.setdefault(dvh.patient_id if by == "patient" else dvh.structure, []).append(dvh)
    if not groups:
        raise InvalidSetting("There are no DVHs to show.")
    return [
        _panel(
            f"{by.capitalize()} {name}",
            members,
            tuple(dvh.structure if by == "patient" else dvh.patient_id for dvh in members),
            *(relative_volume, differential_curves, dose_range, threshold_percent),
        )
        for name, members in groups.items()
    ]


def _panel(
    title: str,
    dvhs: list[DVH],
    names: tuple[str, ...],
    relative_volume: bool,
    differential_curves: bool,
    dose_range: float | tuple[float, float] | None,
    threshold_percent: float | None,
) -> Panel:
    relative_volume, volume_warnings = _available(dvhs, "volume_percent", "volume_cc", relative_volume, title)
    relative_dose, dose_warnings = _available(dvhs, "dose_percent", "dose_gy", False, title)
    curves = tuple(_curve(dvh, relative_dose, relative_volume, differential_curves) for dvh in dvhs)
    highest = max((float(np.nanmax(volume)) for _, volume in curves), default=0.0) * _ROOM
    unit = "%" if relative_volume else "cm3"
    dose_unit = "%" if relative_dose else "Gy"
    return Panel(
        title=title,
        dose_label=f"Dose ({dose_unit})",
        volume_label=f"Volume ({unit}/{dose_unit})" if differential_curves else f"Volume ({unit})",
        dose_range=_dose_range(dvhs, relative_dose, dose_range, threshold_percent),
        volume_range=(0.0, min(100 * _ROOM, highest) if relative_volume else highest),
        names=names,
        curves=curves,
        dvhs=tuple(dvhs),
        relative_dose=relative_dose,
        relative_volume=relative_volume,
        warnings=(*volume_warnings, *dose_warnings),
    )


def _available(
    dvhs: list[DVH], relative: str, absolute: str, wish_relative: bool, title: str
) -> tuple[bool, tuple[str, ...]]:
    """Return whether to show the relative column, given what all curves of a diagram have."""
    known = {name: all(np.isfinite(getattr(dvh, name)).any() for dvh in dvhs) for name in (relative, absolute)}
    if known[relative if wish_relative else absolute]:
        return wish_relative, ()
    if not known[absolute if wish_relative else relative]:
        raise InvalidSetting(f"{title}: neither {relative} nor {absolute} is known for all of its curves.")
    missing, shown = (relative, absolute) if wish_relative else (absolute, relative)
    return not wish_relative, (f"{title}: {missing} is unknown for some curves; {shown} is shown.",)


def _curve(
    dvh: DVH, relative_dose: bool, relative_volume: bool, differential_curves: bool
) -> tuple[np.ndarray, np.ndarray]:
    if not differential_curves:
        dose = dvh.dose_percent if relative_dose else dvh.dose_gy
        return dose, dvh.volume_percent if relative_volume else dvh.volume_cc
    table = differential(dvh)
    per_native_to_per_gy = np.ptp(dvh.dose_native) / np.ptp(dvh.dose_percent if relative_dose else dvh.dose_gy)
    volume = table.volume_percent if relative_volume else table.volume_cc
    return (table.dose_percent if relative_dose else table.dose_gy), volume * per_native_to_per_gy


def _dose_range(
    dvhs: list[DVH],
    relative_dose: bool,
    wanted: float | tuple[float, float] | None,
    threshold_percent: float | None,
) -> tuple[float, float]:
    if isinstance(wanted, tuple):
        return wanted
    if wanted is not None:
        return 0.0, max(wanted, _LOWEST_MAXIMUM)
    last = max(_last_dose(dvh, relative_dose, threshold_percent) for dvh in dvhs)
    return 0.0, max(_DOSE_ROOM * last, _LOWEST_MAXIMUM)


def _last_dose(dvh: DVH, relative_dose: bool, threshold_percent: float | None) -> float:
    """Return the highest dose of the table that still reaches the threshold."""
    dose = dvh.dose_percent if relative_dose else dvh.dose_gy
    if threshold_percent is None:
        return float(np.nanmax(dose))
    share = dvh.volume_percent
    if np.isnan(share).all():
        share = 100 * dvh.volume_cc / np.nanmax(dvh.volume_cc)
    reached = share >= threshold_percent
    return float(np.nanmax(dose[reached])) if reached.any() else float(np.nanmax(dose))
