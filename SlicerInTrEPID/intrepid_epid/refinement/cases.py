"""Training doses on disk: read, and put into the form in which a network is trained and judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_rt.errors import MissingObject

COUNTED_G_CC = 0.15  # below, dose is that of air and of no interest
_LEAST_G_CC = 1e-3  # air
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
    def imaged(self) -> range:
        """Views of the physics from an image; the first is from the known fluence."""
        return range(1, len(self.planes))

    def truth_over_level(self, view: int) -> NDArray:
        """Return the truth of a view, (nz, ny, nx), over its level: mean over the voxels on which its physics worked.

        Dose on a grid is the mean over its voxels, in the physics as in a Monte Carlo. Seen on the lattice along the
        beam it is spread once more, over a voxel of the lattice; the truth, scored on that lattice, has to be spread by
        the voxels of the physics likewise, or the network learns to undo them: edges too sharp, shoulders too high.
        """
        shares = self._shares(view)
        mass = np.maximum(self.planes[view, 1], _LEAST_G_CC)  # of a voxel: dose is energy over mass
        mean_gy = _spread(self.truth_gy * mass, shares) / _spread(mass, shares)
        return mean_gy / np.float32(self.level_gy[view])

    def sigma_over_level(self, view: int) -> NDArray:
        """Return the noise of `truth_over_level`: a mean over several voxels has less of it."""
        left = sum(share**2 for share in self._shares(view)) ** (self.truth_gy.ndim / 2)
        return self.sigma_gy * np.float32(left / self.level_gy[view])

    def _shares(self, view: int) -> tuple[float, float, float]:
        """Return what a voxel of the lattice takes of its neighbour, itself and its other neighbour along an axis.

        Their variance is that of a cubic voxel of the physics, which is the same whatever way it is turned.
        """
        beside = float(self.planes[view, 3].flat[0]) ** 2 / 24
        return beside, 1 - 2 * beside, beside

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


def _spread(values: NDArray, shares: tuple[float, float, float]) -> NDArray:
    for axis in range(values.ndim):
        values = ndimage.convolve1d(values, shares, axis, mode="nearest")
    return values


def _smooth(values: NDArray) -> NDArray:
    return np.asarray(ndimage.gaussian_filter(values, _SIGMA_VOXELS))
