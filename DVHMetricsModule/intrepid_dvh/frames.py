"""Results as pandas data frames; pandas is needed only here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from intrepid_dvh.curve import DVH
from intrepid_rt.errors import InvalidSetting

if TYPE_CHECKING:
    import pandas as pd


def as_frame(rows: Sequence[Any]) -> pd.DataFrame:
    """Return metric rows, constraint results or scores as a frame with a column per field; missing values are NaN.

    Raises
    ------
    InvalidSetting : pandas is not installed.
    """
    return _pandas().DataFrame([asdict(row) for row in rows])


def curves_frame(dvhs: Sequence[DVH]) -> pd.DataFrame:
    """Return the points of curves as a long frame: patient, structure, dose and volume, absolute and relative."""
    pandas = _pandas()
    return pandas.concat(
        [
            pandas.DataFrame(
                {
                    "patient_id": np.repeat(dvh.patient_id, dvh.dose_gy.size),
                    "structure": np.repeat(dvh.structure, dvh.dose_gy.size),
                    "dose_gy": dvh.dose_gy,
                    "dose_percent": dvh.dose_percent,
                    "volume_cc": dvh.volume_cc,
                    "volume_percent": dvh.volume_percent,
                }
            )
            for dvh in dvhs
        ],
        ignore_index=True,
    )


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise InvalidSetting("Data frames need pandas; install it with: pip install pandas.") from None
    return pandas
