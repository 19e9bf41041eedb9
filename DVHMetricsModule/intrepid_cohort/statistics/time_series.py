"""An endpoint over time: values, moving average and moving percentiles."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intrepid_cohort.statistics.charts import Chart, Series, with_unit
from intrepid_cohort.statistics.frames import Sample
from intrepid_rt.errors import InvalidSetting


@dataclass(frozen=True, eq=False)
class Trend:
    """Values in the order of time, and what the last ``window`` of them were like at each."""

    days: list[str]
    values: NDArray
    average: NDArray  # (n,), NaN before the window is full
    lower: NDArray
    upper: NDArray
    window: int
    labels: list[str]


def trend(sample: Sample, endpoint: str, *, time: str = "study_date", window: int = 10, band: float = 90.0) -> Trend:
    """Return the moving average and the middle ``band`` percent of an endpoint over the last ``window`` values.

    Parameters
    ----------
    time : column of days as `sample_of` makes them.

    Raises
    ------
    InvalidSetting
        The window is shorter than 2 or the band not between 0 and 100.
    """
    if window < 2 or not 0 < band < 100:
        raise InvalidSetting(f"Window {window}, band {band}: expected at least 2, and between 0 and 100 percent.")
    frame = sample.frame.sort_values([time, *(["pseudonym"] if "pseudonym" in sample.frame else [])])
    rolling = frame[endpoint].rolling(window)
    tail = (100 - band) / 200
    days = pd.to_datetime(frame[time], unit="D").dt.strftime("%Y-%m-%d").tolist()
    labels = frame["pseudonym"].astype(str).tolist() if "pseudonym" in frame else days
    return Trend(
        days,
        frame[endpoint].to_numpy(float),
        rolling.mean().to_numpy(),
        rolling.quantile(tail).to_numpy(),
        rolling.quantile(1 - tail).to_numpy(),
        window,
        labels,
    )


def chart_of(found: Trend, endpoint: str, notes: tuple[str, ...] = ()) -> Chart:
    """Draw values, moving average and band."""
    full = ~np.isnan(found.average)
    days = [day for day, known in zip(found.days, full, strict=True) if known]
    series = (
        Series("band", days, found.lower[full].tolist(), "moving percentiles", found.upper[full].tolist()),
        Series("dots", found.days, found.values.tolist(), endpoint, texts=found.labels),
        Series("line", days, found.average[full].tolist(), f"average of the last {found.window}", colour=1),
    )
    return Chart(f"{endpoint} over time", "Date", with_unit(endpoint), series, notes=notes)
