"""Photon spectrum of a treatment beam."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.errors import UnreadableFile
from intrepid_rt.small_files import read_small_text


class _Bin(Protocol):
    @property
    def low_mev(self) -> float: ...
    @property
    def high_mev(self) -> float: ...
    @property
    def weight(self) -> float: ...


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Relative photon number per energy bin; ``weight`` sums to 1."""

    low_mev: NDArray
    high_mev: NDArray
    weight: NDArray

    @property
    def energy_mev(self) -> NDArray:
        """Bin centres."""
        return (self.low_mev + self.high_mev) / 2

    @classmethod
    def from_bins(cls, bins: Iterable[_Bin]) -> "Spectrum":
        """Build from (low, high, weight) records; weights are normalised."""
        low, high, weight = np.array([(b.low_mev, b.high_mev, b.weight) for b in bins], float).T
        return cls(low, high, weight / weight.sum())


def read_spectrum(path: str | Path) -> Spectrum:
    """Read a beam model: a CSV file with the columns ``e_low_mev, e_high_mev, weight``.

    Raises
    ------
    UnreadableFile
        A column is missing, a number is not finite, energies are not positive and ascending, or all weights are 0.
    """
    path = Path(path)
    try:
        rows = list(csv.DictReader(read_small_text(path).splitlines()))
        table = np.array([[float(row[c]) for c in ("e_low_mev", "e_high_mev", "weight")] for row in rows])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(
            f"{path}: a beam model needs numeric columns e_low_mev, e_high_mev, weight; problem with {error}."
        ) from error
    if table.size == 0 or not np.isfinite(table).all() or (table[:, 1] <= table[:, 0]).any() or (table < 0).any():
        raise UnreadableFile(f"{path}: every bin needs 0 <= e_low_mev < e_high_mev and a weight of at least 0.")
    if table[:, 2].sum() <= 0:
        raise UnreadableFile(f"{path}: all weights are 0; a spectrum needs photons.")
    return Spectrum(table[:, 0], table[:, 1], table[:, 2] / table[:, 2].sum())
