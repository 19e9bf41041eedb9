"""Rows of a query as a table of numbers, and what a reader of statistics on them must know."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from intrepid_rt.errors import InvalidSetting, MissingObject


@dataclass(frozen=True, eq=False)
class Sample:
    """Complete rows only; ``notes`` says what was left out, and why the rest may not be independent."""

    frame: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.frame)


def sample_of(rows: Iterable[Mapping[str, Any]], numbers: Sequence[str], labels: Sequence[str] = ()) -> Sample:
    """Return the rows that have all of some columns.

    Parameters
    ----------
    numbers : columns that must be numbers; ``date`` and ``study_date`` count as days since 1970.
    labels : further columns that must be there.

    Raises
    ------
    InvalidSetting
        A column holds other than numbers.
    MissingObject
        No row is complete.
    """
    frame = pd.DataFrame(list(rows))
    if frame.empty:
        raise MissingObject("No structure meets the conditions. Loosen them.")
    wanted = list(dict.fromkeys((*numbers, *labels)))
    lacking = [name for name in wanted if name not in frame]
    if lacking:
        raise InvalidSetting(f"Column {', '.join(lacking)} was not asked for; show it, or name it as a metric.")
    for name in numbers:
        frame[name] = _numbers(frame[name])
    complete = frame.dropna(subset=wanted).reset_index(drop=True)
    if complete.empty:
        raise MissingObject(f"No row has all of {', '.join(wanted)}.")
    return Sample(complete, tuple(_notes(frame, complete)))


def _numbers(column: pd.Series) -> pd.Series:
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        pass
    try:
        return (pd.to_datetime(column, format="ISO8601") - pd.Timestamp(1970, 1, 1)) / pd.Timedelta(days=1)
    except (ValueError, TypeError) as error:
        example = column.dropna().iloc[0]
        raise InvalidSetting(f"{column.name} holds {example!r}; expected numbers or dates.") from error


def _notes(frame: pd.DataFrame, complete: pd.DataFrame) -> Iterable[str]:
    if len(complete) < len(frame):
        yield f"{len(frame) - len(complete)} of {len(frame)} rows lack a value and are left out."
    if "pseudonym" in complete and (patients := complete["pseudonym"].nunique()) < len(complete):
        yield (
            f"{len(complete)} rows come from {patients} patients: those of one patient depend on each other, so p "
            "values are too small. Choose one structure of one dose per patient."
        )
