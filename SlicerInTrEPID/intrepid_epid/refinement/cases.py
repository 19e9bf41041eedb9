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
    """One beam: planes of its views (views, 4, nz, ny, nx), truth and its noise over the level of each view.

    ``truth`` and ``sigma`` are in Gy, ``level_gy`` (views,). ``sigma`` is smoothed, because ten batches tell it to 25 %
    only, and because a voxel whose batches happen to agree must not weigh more.
    """

    id: str
    kind: str
    split: str
    area_cm2: float
    planes: NDArray
    level_gy: NDArray
    truth_gy: NDArray
    sigma_gy: NDArray

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
        variance = ndimage.gaussian_filter(stored["sigma_gy"].astype(np.float32) ** 2, _SIGMA_VOXELS)
        return Case(
            path.stem,
            str(stored["kind"]),
            str(stored["split"]),
            float(stored["area_cm2"]),
            stored["planes"].astype(np.float32),
            stored["level_gy"],
            stored["truth_gy"].astype(np.float32),
            np.sqrt(variance),
        )
