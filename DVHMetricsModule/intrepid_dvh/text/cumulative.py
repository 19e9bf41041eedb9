"""From a differential table to the cumulative curve."""

import numpy as np

from intrepid_dvh.text.record import Columns


def is_cumulative(columns: Columns) -> bool:
    """Tell by shape: a cumulative volume (relative if complete, else absolute) never increases."""
    volume = columns.volume_percent if not np.isnan(columns.volume_percent).any() else columns.volume_cc
    return bool(np.all(np.diff(volume[~np.isnan(volume)]) <= 0))


def made_cumulative(
    columns: Columns, *, per_dose: bool, differential: bool | None = None
) -> tuple[Columns, Columns | None]:
    """Return the cumulative table and, if the input was differential, the input.

    Parameters
    ----------
    per_dose : a differential volume is per unit dose, else per bin.
    differential : what the file says it is; None decides by shape.
    """
    if differential is None:
        differential = not is_cumulative(columns)
    return (_accumulated(columns, per_dose), columns) if differential else (columns, None)


def bin_widths(centre: np.ndarray) -> np.ndarray:
    """Return bin widths (n,): twice the first centre, then the distances of the centres; exact on an even grid only."""
    return np.diff(centre, prepend=-centre[0])


def _accumulated(bins: Columns, per_dose: bool) -> Columns:
    relative_only = np.isnan(bins.dose).all()
    width = bin_widths(bins.dose_percent if relative_only else bins.dose) if per_dose else np.ones(bins.dose.size)
    return Columns(
        dose=_edges(bins.dose),
        dose_percent=_edges(bins.dose_percent),
        volume_cc=_remaining(bins.volume_cc * width),
        volume_percent=_remaining(bins.volume_percent * width),
    )


def _edges(centre: np.ndarray) -> np.ndarray:
    """Return 0, the mid-points between centres, and half a bin beyond the last: (n,) to (n + 1,)."""
    if np.isnan(centre).all():
        return np.full(centre.size + 1, np.nan)
    if centre.size < 2:
        return np.concatenate([[0.0], 2 * centre])
    return np.concatenate([[0.0], (centre[1:] + centre[:-1]) / 2, [centre[-1] + (centre[-1] - centre[-2]) / 2]])


def _remaining(volume: np.ndarray) -> np.ndarray:
    total = np.sum(volume)
    return np.append(total, total - np.cumsum(volume))
