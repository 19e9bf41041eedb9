"""One structure of an export on its way to a DVH: complete the columns, make the curve cumulative, judge the result."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from intrepid_dvh.curve import DVH
from intrepid_dvh.text.cumulative import bin_widths, is_cumulative, made_cumulative
from intrepid_dvh.text.record import HEADER_FIELDS, Columns, dvh_of, unknown
from intrepid_rt.errors import UnreadableFile

_LARGEST_NUMBER = 1e12
_BINS_MAY_MISS_PERCENT = 2.0  # stated volumes are rounded
_LEFT_AT_END = 1e-6  # of the volume: rounding


@dataclass(frozen=True, eq=False)
class Section:
    """What a file says about one structure.

    Parameters
    ----------
    header : fields by the names of :data:`HEADER_FIELDS`, doses in ``doseUnit``.
    columns : the table as read; columns that the file lacks are NaN.
    differential : what the file says the table is; None decides by shape.
    per_dose : a differential volume is per unit dose, else per bin.
    outside_percent : the part of the structure that the file says lies outside the dose grid.
    warnings : what a reader of the numbers must know.
    """

    header: dict[str, Any]
    columns: Columns
    differential: bool | None = None
    per_dose: bool = False
    outside_percent: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def is_differential(self) -> bool:
        """Whether the table is a differential histogram."""
        return not is_cumulative(self.columns) if self.differential is None else self.differential


def columns_of(rows: np.ndarray, **where: int | None) -> Columns:
    """Pick columns (n,) of a table (n, columns) by index, as ``dose=1, volume_percent=2``; others are unknown."""
    names = ("dose", "dose_percent", "volume_cc", "volume_percent")
    picked = (where.get(name) for name in names)
    return Columns(*(unknown(rows.shape[0]) if index is None else rows[:, index] for index in picked))


def table_volume(section: Section) -> float | None:
    """Return the structure volume that the table itself tells: its largest volume, or the sum of its bins."""
    volume = section.columns.volume_cc
    if volume.size == 0 or np.isnan(volume).any():
        return None
    if not section.is_differential:
        return float(volume.max())
    return float(np.sum(volume * (bin_widths(section.columns.dose) if section.per_dose else 1.0)))


def with_volume(section: Section, volume_cc: float | None) -> Section:
    """Return the section with its structure volume set."""
    return replace(section, header={**section.header, "structVol": volume_cc})


def with_larger_volume(section: Section) -> Section:
    """Return the section with the larger of the stated (rounded) volume and that of the table."""
    known = [v for v in (section.header.get("structVol"), table_volume(section)) if v is not None]
    return with_volume(section, max(known) if known else None)


def finished(sections: Iterable[Section], path: Path) -> list[DVH]:
    """Return the DVHs of a file; structures without a row are left out, and the others say so.

    Raises
    ------
    UnreadableFile : no structure is left, or a dose descends.
    """
    sections = list(sections)
    filled = [section for section in sections if section.columns.dose.size > 0]
    if not filled:
        raise UnreadableFile(f"{path} holds no structure with a table; found {len(sections)} without.")
    notes = _notes_on_all(sections, filled)
    return [_finished(section, notes, path) for section in filled]


def _notes_on_all(sections: list[Section], filled: list[Section]) -> tuple[str, ...]:
    empty = [s.header["structure"] for s in sections if s.columns.dose.size == 0]
    names = [s.header["structure"] for s in filled]
    double = sorted({name for name in names if names.count(name) > 1})
    notes = [f"{name} has an empty table and was left out." for name in empty]
    return (*notes, *(f"Several structures are called {name}." for name in double))


def _finished(section: Section, notes: tuple[str, ...], path: Path) -> DVH:
    header = {**dict.fromkeys(HEADER_FIELDS), **section.header}
    header["DVHtype"] = "differential" if section.is_differential else "cumulative"
    require_plausible(section.columns, header["structure"], path)
    columns = _completed(section.columns, header)
    require_ascending(columns, header["structure"], path)
    cumulative, differential = made_cumulative(columns, per_dose=section.per_dose, differential=section.is_differential)
    dvh = dvh_of(
        header,
        cumulative,
        differential=differential,
        warnings=(*section.warnings, *notes, *rises(cumulative), *breaks_off(cumulative), *_sum(section, cumulative)),
    )
    dvh = replace(dvh, volume_outside_dose_cc=(header["structVol"] or 0.0) * section.outside_percent / 100)
    if dvh.patient_id:
        return dvh
    anonymous = f"The file names no patient; {path.stem} stands in for the patient ID."
    return replace(dvh, patient_id=path.stem, warnings=(*dvh.warnings, anonymous))


def _completed(columns: Columns, header: dict[str, Any]) -> Columns:
    """Derive missing columns from the prescription and the structure volume."""
    prescription, volume = header.get("doseRx"), header.get("structVol")
    iso = header.get("isoDoseRx") or 100.0
    dose, dose_percent = columns.dose, columns.dose_percent
    volume_cc, volume_percent = columns.volume_cc, columns.volume_percent
    if prescription:
        dose_percent = dose * iso / prescription if np.isnan(dose_percent).all() else dose_percent
        dose = dose_percent * prescription / iso if np.isnan(dose).all() else dose
    if volume:
        volume_percent = 100 * volume_cc / volume if np.isnan(volume_percent).all() else volume_percent
        volume_cc = volume_percent * volume / 100 if np.isnan(volume_cc).all() else volume_cc
    return Columns(dose, dose_percent, volume_cc, volume_percent)


def require_plausible(columns: Columns, structure: str, path: Path) -> None:
    """Refuse numbers that no dose or volume can have.

    Raises
    ------
    UnreadableFile : there is one.
    """
    # Beyond this no dose or volume means anything in any unit, and sums of the numbers overflow.
    largest = max(np.abs(values[~np.isnan(values)]).max(initial=0.0) for values in vars(columns).values())
    if largest > _LARGEST_NUMBER:
        raise UnreadableFile(f"{path}: the table of {structure} holds {largest:g}; no dose or volume is that large.")


def require_ascending(columns: Columns, structure: str, path: Path) -> None:
    """Refuse a table whose doses fall.

    Raises
    ------
    UnreadableFile : they do; the row is named.
    """
    dose = columns.dose_percent if np.isnan(columns.dose).all() else columns.dose
    falls = np.flatnonzero(np.diff(dose) < 0)
    if falls.size:
        row = int(falls[0])
        raise UnreadableFile(
            f"{path}: the dose of {structure} falls from {dose[row]:g} to {dose[row + 1]:g} in row {row + 2} of its "
            "table; doses must not decrease."
        )


def rises(cumulative: Columns) -> tuple[str, ...]:
    """Note a cumulative curve that rises."""
    if is_cumulative(cumulative):
        return ()
    return ("The cumulative volume rises with dose in places; metrics there are not reliable.",)


def _sum(section: Section, cumulative: Columns) -> tuple[str, ...]:
    """Note a differential table whose bins do not add up to the structure."""
    whole = cumulative.volume_percent[0] if section.is_differential else 100.0
    if np.isnan(whole) or abs(whole - 100.0) <= _BINS_MAY_MISS_PERCENT:
        return ()
    return (f"The bins of the table add up to {whole:.4g} % of the structure: the file may be cut short.",)


def breaks_off(cumulative: Columns) -> tuple[str, ...]:
    """Note a curve that does not come down to zero: the file was cut short, or the system ends its tables early."""
    volume = cumulative.volume_cc if np.isnan(cumulative.volume_percent).all() else cumulative.volume_percent
    volume = volume[~np.isnan(volume)]  # a last line that is cut short holds no volume
    left = volume[-1] / volume.max() if volume.size and volume.max() > 0 else 0.0
    if not left > _LEFT_AT_END:
        return ()
    return (f"The curve ends with {100 * left:.2g} % of the volume left: the file may be cut short.",)
