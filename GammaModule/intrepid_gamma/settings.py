"""What a gamma comparison is asked for, checked before anything is computed."""

import math
from dataclasses import dataclass, replace
from typing import Literal, Self

from intrepid_rt.errors import InvalidSetting

CutoffOn = Literal["reference", "evaluated", "either"]


@dataclass(frozen=True)
class GammaSettings:
    """Criteria and options of one gamma comparison.

    Parameters
    ----------
    dose_percent : float
        Dose criterion in percent of ``norm_gy`` or, with ``local``, of the reference dose at each point.
    distance_mm : float
        Distance criterion.
    cutoff_percent : float
        Points below this percentage of ``norm_gy`` are not analysed; a point exactly at it is.
    cutoff_on : "reference", "evaluated" or "either"
        Which dose the cut-off looks at; "either" analyses a point if one of the two reaches it.
    norm_gy : float or None
        Normalisation dose, e.g. the prescription; None is the maximum of the reference.
    local : bool
        Local normalisation of the dose criterion.
    max_gamma : float or None
        Values above are returned as this value, which saves time. None gives true values.
    interpolate : bool
        False searches the sample centres of the evaluated grid only, as older codes do.

    Raises
    ------
    InvalidSetting
        A criterion, the cap or the norm is not positive, the cut-off is negative, or a choice is unknown.
    """

    dose_percent: float
    distance_mm: float
    cutoff_percent: float = 10.0
    cutoff_on: CutoffOn = "reference"
    norm_gy: float | None = None
    local: bool = False
    max_gamma: float | None = None
    interpolate: bool = True

    def __post_init__(self) -> None:
        for name in ("dose_percent", "distance_mm", "norm_gy", "max_gamma"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InvalidSetting(f"{name} is {value:g}; it must be a number above 0.")
        if not (math.isfinite(self.cutoff_percent) and self.cutoff_percent >= 0):
            raise InvalidSetting(f"cutoff_percent is {self.cutoff_percent:g}; it must be 0 or above.")
        if self.cutoff_on not in ("reference", "evaluated", "either"):
            raise InvalidSetting(f"cutoff_on is {self.cutoff_on!r}; choose reference, evaluated or either.")

    def with_criteria(self, dose_percent: float, distance_mm: float) -> Self:
        """Return the same options with other criteria."""
        return replace(self, dose_percent=dose_percent, distance_mm=distance_mm)

    def with_norm(self, norm_gy: float | None) -> Self:
        """Return the same criteria and options with another normalisation dose."""
        return replace(self, norm_gy=norm_gy)
