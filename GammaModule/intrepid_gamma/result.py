"""The outcome of a gamma comparison and its statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intrepid_gamma.settings import GammaSettings

# The computed gamma lies at most 5e-7 above the true one, so that a value this near 1 cannot be told from 1.
PASS_LIMIT = 1.0 + 1e-6


@dataclass(frozen=True, eq=False)
class GammaResult:
    """Gamma at the points of the reference and what follows from it.

    Parameters
    ----------
    gamma : ndarray of float64, shape of the reference
        NaN where not analysed; inf where the evaluated distribution has no dose at the point's position, which counts
        as failed. At most ``ERROR_BOUND`` (5e-7) above the true minimum, never below it.
    settings : GammaSettings
        As asked for.
    norm_gy : float
        The normalisation dose that was used.
    n_reach_outside : int
        Points whose search reached beyond the evaluated grid: there, unseen dose might have made gamma smaller.
    n_reference_invalid, n_evaluated_invalid : int
        Samples of each distribution that are not finite numbers. These of the reference are not analysed; a point
        within evaluated ones is missing.
    """

    gamma: NDArray
    settings: GammaSettings
    norm_gy: float
    n_reach_outside: int = 0
    n_reference_invalid: int = 0
    n_evaluated_invalid: int = 0

    def __post_init__(self) -> None:
        view = self.gamma.view()
        view.flags.writeable = False
        object.__setattr__(self, "gamma", view)

    @cached_property
    def _numbers(self) -> dict[str, Any]:
        return _count(self.gamma)

    @property
    def dose_percent(self) -> float:
        """Dose criterion."""
        return self.settings.dose_percent

    @property
    def distance_mm(self) -> float:
        """Distance criterion."""
        return self.settings.distance_mm

    @property
    def n_points(self) -> int:
        """Reference points analysed."""
        return self._numbers["n_points"]

    @property
    def n_passed(self) -> int:
        """Points with gamma at most 1, within the error bound."""
        return self._numbers["n_passed"]

    @property
    def n_missing(self) -> int:
        """Points without evaluated dose at their position; they count as failed."""
        return self._numbers["n_missing"]

    @property
    def pass_rate_percent(self) -> float:
        """``100 n_passed / n_points``."""
        return 100.0 * self.n_passed / self.n_points

    @property
    def mean_gamma(self) -> float | None:
        """Mean over the points that are not missing; None if all are."""
        return self._numbers["mean_gamma"]

    @property
    def max_gamma(self) -> float | None:
        """Largest gamma of the points that are not missing; None if all are."""
        return self._numbers["max_gamma"]

    def summary(self) -> dict[str, Any]:
        """Everything but the gamma array, as reports and JSON want it."""
        settings = self.settings
        return {
            "dose_percent": settings.dose_percent,
            "distance_mm": settings.distance_mm,
            "local": settings.local,
            "norm_gy": self.norm_gy,
            "cutoff_percent": settings.cutoff_percent,
            "cutoff_on": settings.cutoff_on,
            "gamma_cap": settings.max_gamma,
            "interpolation": "linear" if settings.interpolate else "none",
            "pass_rate_percent": self.pass_rate_percent,
            **self._numbers,
            "n_reach_outside": self.n_reach_outside,
            "n_reference_invalid": self.n_reference_invalid,
            "n_evaluated_invalid": self.n_evaluated_invalid,
        }

    def quantiles(self, fractions: Sequence[float] = (0.5, 0.95, 0.99)) -> dict[float, float]:
        """Gamma below which these fractions of the points that are not missing lie; empty if all are missing."""
        found = self.gamma[np.isfinite(self.gamma)]
        return dict(zip(fractions, np.quantile(found, fractions).tolist(), strict=True)) if found.size else {}

    def histogram(self, edges: ArrayLike) -> NDArray:
        """Count the points in bins (n - 1,) of ``edges`` (n,) ascending; the last bin takes all above, missing too."""
        edges = np.array(edges, float)
        edges[-1] = np.inf
        return np.histogram(self.gamma[~np.isnan(self.gamma)], edges)[0]

    def by_structure(self, masks: Mapping[str, NDArray]) -> list[dict[str, Any]]:
        """Statistics within each mask (shape of the reference); ``pass_rate_percent`` is None without a point in it."""
        rows = []
        for name, mask in masks.items():
            numbers = _count(self.gamma[mask])
            rate = 100.0 * numbers["n_passed"] / numbers["n_points"] if numbers["n_points"] else None
            rows.append({"structure": name, "pass_rate_percent": rate, **numbers})
        return rows


def _count(gamma: NDArray) -> dict[str, Any]:
    n_points = gamma.size - int(np.count_nonzero(np.isnan(gamma)))
    is_missing = np.isinf(gamma)
    n_missing = int(np.count_nonzero(is_missing))
    found = {"where": ~(is_missing | np.isnan(gamma)), "dtype": np.float64}
    any_found = n_points > n_missing
    return {
        "n_points": n_points,
        "n_passed": int(np.count_nonzero(gamma <= PASS_LIMIT)),
        "n_missing": n_missing,
        "mean_gamma": float(np.mean(gamma, **found)) if any_found else None,
        "max_gamma": float(np.max(gamma, initial=0.0, where=found["where"])) if any_found else None,
    }
