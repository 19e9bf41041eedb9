"""Training doses on disk: read, and put into the form in which a network is trained and judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_rt.errors import MissingObject

COUNTED_G_CC = 0.15  # below, dose is that of air and of no interest
_SIGMA_VOXELS = 2.0


@dataclass(frozen=True, eq=False)
class Case:
    """One beam: planes of its views (views, 4, nz, ny, nx), the true dose and its noise.

    ``level_gy`` is (views,). ``sigma_gy`` is smoothed over tissue, as ten batches tell it to 25 % only;
    ``weighting_sigma_gy`` over everything, so that voxels beside noisy air weigh less.
    """

    id: str
    kind: str
    split: str
    area_cm2: float
    planes: NDArray
    level_gy: NDArray
    truth_gy: NDArray
    sigma_gy: NDArray
    weighting_sigma_gy: NDArray

    @property
    def counted(self) -> NDArray:
        """Voxels with tissue that received anything."""
        return (self.planes[0, 1] > COUNTED_G_CC) & (self.planes[0, 0] > 1e-3) & (self.sigma_gy > 0)


def read_cases(folder: Path, splits: Sequence[str]) -> list[Case]:
    """Read the cases of some splits, in the order of their names.

    Raises
    ------
    MissingObject
        There are none.
    """
    cases = [case for path in sorted(folder.glob("*.npz")) if (case := _read(path)).split in splits]
    if not cases:
        raise MissingObject(f"{folder} holds no training doses for {', '.join(splits)}; see docs/refinement.md.")
    return cases


def _read(path: Path) -> Case:
    with np.load(path) as stored:
        planes, truth_gy = stored["planes"].astype(np.float32), stored["truth_gy"].astype(np.float32)
        variance = stored["sigma_gy"].astype(np.float32) ** 2
        dose_gy = planes[0, 0] * np.float32(stored["level_gy"][0])
        tissue = (planes[0, 1] > COUNTED_G_CC).astype(np.float32)
        per_dose = _smooth(tissue * variance) / np.maximum(_smooth(tissue * dose_gy), 1e-12)
        return Case(
            path.stem,
            str(stored["kind"]),
            str(stored["split"]),
            float(stored["area_cm2"]),
            planes,
            stored["level_gy"],
            truth_gy,
            np.sqrt(per_dose * np.maximum(dose_gy, 0)),
            np.sqrt(_smooth(variance)),
        )


def _smooth(values: NDArray) -> NDArray:
    return np.asarray(ndimage.gaussian_filter(values, _SIGMA_VOXELS))
