"""A structure given as voxels: a label map, or the fraction of each voxel that belongs to it."""

import math

import numpy as np
from numpy.typing import NDArray

from intrepid_dvh.structure_samples import TARGET_SAMPLES, StructureSamples
from intrepid_rt.errors import MissingObject, UnsupportedGeometry
from intrepid_rt.grids import Grid

# A voxel is cut at most into this many parts per axis; beyond, its own size limits what it can tell.
_FINEST_CUT = 8
# From this fraction on a voxel counts as inside where a yes or no is needed.
_HALF = 0.5


def samples_of_mask(name: str, fraction: Grid) -> StructureSamples:
    """Fill the voxels of a structure with samples.

    A voxel is taken as the box it is drawn as: volume and dose come from the same boxes, with their corners sampled for
    extrema. A contour made into a label map has lost the partial voxels; use the contours where they are at hand.

    Parameters
    ----------
    fraction : Grid, values (nz, ny, nx) in 0..1; a binary label map has 0 and 1.

    Raises
    ------
    MissingObject
        No voxel belongs to the structure.
    UnsupportedGeometry
        A value is outside 0..1.
    """
    values = np.asarray(fraction.values, float)
    if not (values.min() >= 0 and values.max() <= 1):
        raise UnsupportedGeometry(
            f"The label map of {name} has values from {values.min():g} to {values.max():g}; expected fractions, 0 to 1."
        )
    index = np.argwhere(values > 0)[:, ::-1]
    if not len(index):
        raise MissingObject(f"{name} has no voxel, hence no volume and no DVH.")
    cuts = min(_FINEST_CUT, max(1, round(math.cbrt(TARGET_SAMPLES / len(index)))))
    parts = np.array(np.meshgrid(*[np.arange(cuts)] * 3, indexing="ij")).reshape(3, -1).T
    n = len(index) * len(parts)
    within = (np.tile(parts, (len(index), 1)) + np.random.default_rng(n).random((n, 3))) / cuts
    inner = np.repeat(index, len(parts), axis=0) - 0.5 + within
    share = np.repeat(values[tuple(index[:, ::-1].T)], len(parts)) * fraction.voxel_volume_cc / len(parts)
    corners = _surface_corners(values >= _HALF)
    positions = fraction.index_to_position(np.concatenate([inner, corners]))
    volume_cc = np.concatenate([share, np.zeros(len(corners))])
    return StructureSamples(name, positions, volume_cc, min(fraction.spacing_mm) / cuts, _MaskEnclosure(fraction))


class _MaskEnclosure:
    """Whether a position lies in a voxel of which at least half belongs to the structure."""

    def __init__(self, fraction: Grid) -> None:
        self.fraction = fraction

    def __call__(self, positions_lps_mm: NDArray) -> NDArray:
        index = np.round(self.fraction.position_to_index(positions_lps_mm)).astype(int)
        size = np.array(self.fraction.shape[::-1])
        within = ((index >= 0) & (index < size)).all(axis=1)
        i, j, k = np.clip(index, 0, size - 1).T
        return within & (np.asarray(self.fraction.values)[k, j, i] >= _HALF)


def _surface_corners(mask: NDArray) -> NDArray:
    """Corners (n, 3), in index units, that touch voxels inside and voxels outside."""
    padded = np.pad(mask, 1)
    shape = tuple(n + 1 for n in mask.shape)
    touched = np.zeros((8, *shape), bool)
    for n, (k, j, i) in enumerate(np.ndindex(2, 2, 2)):
        touched[n] = padded[k : k + shape[0], j : j + shape[1], i : i + shape[2]]
    return np.argwhere(touched.any(axis=0) & ~touched.all(axis=0))[:, ::-1] - 0.5
