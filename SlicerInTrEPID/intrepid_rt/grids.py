"""Regular grids in the DICOM patient frame: the one geometry that every module shares."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

from intrepid_rt.errors import UnsupportedGeometry

FloatArray = NDArray[np.floating]


def _mapped(affine: FloatArray, points: ArrayLike) -> FloatArray:
    # Contiguous: a slice of the affine itself took many points 29 ms instead of 0.5 (65,536 points of an image).
    return np.asarray(points, float) @ np.ascontiguousarray(affine[:3, :3].T) + affine[:3, 3]


@dataclass(frozen=True, eq=False)
class Grid:
    """A scalar quantity sampled on a regular grid in the DICOM patient frame (LPS, mm).

    Any orientation, handedness and spacing is an ordinary affine. The array is read-only, so that grids can be
    shared without copies.

    Parameters
    ----------
    values : ndarray, (nz, ny, nx)
        Slowest axis first, C order: ``values[k, j, i]`` is the sample at voxel index (i, j, k).
    index_to_lps : ndarray, (4, 4)
        Voxel index (i, j, k) to the LPS position in mm of the voxel centre.
    frame_of_reference_uid : str
        DICOM Frame of Reference UID; grids with different UIDs must not be compared.

    Raises
    ------
    UnsupportedGeometry
        The array is not three-dimensional or empty, or the affine is singular or not affine.

    Examples
    --------
    >>> grid = Grid(np.zeros((2, 3, 4), np.float32), affine_from_axes((10.0, 20.0, 30.0), (1.0, 2.0, 3.0)), "1.2.3")
    >>> grid.spacing_mm
    (1.0, 2.0, 3.0)
    >>> grid.index_to_position([3, 0, 0])
    array([13., 20., 30.])
    """

    values: NDArray
    index_to_lps: FloatArray
    frame_of_reference_uid: str = ""

    def __post_init__(self) -> None:
        values, affine = np.asarray(self.values), np.array(self.index_to_lps, float)
        if values.ndim != 3 or 0 in values.shape:
            raise UnsupportedGeometry(
                f"A grid needs three axes with at least one sample each; found shape {values.shape}."
            )
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.allclose(affine[3], (0, 0, 0, 1)):
            raise UnsupportedGeometry("index_to_lps must be a finite 4 x 4 affine with last row 0 0 0 1.")
        if abs(np.linalg.det(affine[:3, :3])) < 1e-12:
            raise UnsupportedGeometry("index_to_lps is singular: two grid axes coincide or a spacing is zero.")
        view = values.view()
        view.flags.writeable = affine.flags.writeable = False
        object.__setattr__(self, "values", view)
        object.__setattr__(self, "index_to_lps", affine)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of samples (nz, ny, nx)."""
        nz, ny, nx = self.values.shape
        return nz, ny, nx

    @property
    def origin_lps_mm(self) -> FloatArray:
        """Position of the centre of voxel (0, 0, 0)."""
        return self.index_to_lps[:3, 3]

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring samples along i, j and k (x, y, z order)."""
        x, y, z = (float(v) for v in np.linalg.norm(self.index_to_lps[:3, :3], axis=0))
        return x, y, z

    @cached_property
    def lps_to_index(self) -> FloatArray:
        """(4, 4) affine from LPS mm to continuous voxel index (i, j, k)."""
        return np.linalg.inv(self.index_to_lps)

    @cached_property
    def voxel_volume_cc(self) -> float:
        """Volume of one voxel in cubic centimetres."""
        return float(abs(np.linalg.det(self.index_to_lps[:3, :3])) / 1000.0)

    def index_to_position(self, index: ArrayLike) -> FloatArray:
        """Map voxel indices (..., 3) in (i, j, k) order to LPS positions (..., 3) in mm."""
        return _mapped(self.index_to_lps, index)

    def position_to_index(self, position_lps_mm: ArrayLike) -> FloatArray:
        """Map LPS positions (..., 3) in mm to continuous voxel indices (..., 3) in (i, j, k) order."""
        return _mapped(self.lps_to_index, position_lps_mm)

    def positions(self) -> FloatArray:
        """LPS positions (nz, ny, nx, 3) in mm of all voxel centres."""
        k, j, i = np.meshgrid(*(np.arange(n) for n in self.shape), indexing="ij")
        return self.index_to_position(np.stack([i, j, k], axis=-1))

    def plane_positions(self, k: int) -> FloatArray:
        """LPS positions (ny, nx, 3) in mm of the voxel centres of one plane: all of a CT at once take gigabytes."""
        j, i = np.meshgrid(np.arange(self.shape[1]), np.arange(self.shape[2]), indexing="ij")
        return self.index_to_position(np.stack([i, j, np.full_like(i, k)], axis=-1))

    def sample(self, position_lps_mm: ArrayLike, *, outside: float = np.nan, order: int = 1) -> FloatArray:
        """Interpolate at LPS positions (..., 3) in mm; positions beyond the outermost voxel centres give ``outside``.

        ``order`` 1 is trilinear, 0 nearest neighbour.
        """
        index = self.position_to_index(position_lps_mm)
        size = np.array(self.shape[::-1])
        # Positions that rounding puts a hair outside the outermost centre belong to the grid.
        inside = ((index >= -1e-6) & (index <= size - 1 + 1e-6)).all(axis=-1)
        coordinates = np.clip(index, 0, size - 1).reshape(-1, 3).T[::-1]
        # A double result, not a double copy of the grid: callers ask plane by plane, and a CT has 50 million voxels.
        sampled = map_coordinates(self.values, coordinates, output=np.float64, order=order, mode="nearest")
        return np.where(inside, sampled.reshape(inside.shape), outside)

    def resampled_to(self, other: "Grid", *, outside: float = np.nan) -> FloatArray:
        """Interpolate this grid at the voxel centres of ``other``; plane by plane, which saves memory."""
        result = np.empty(other.shape, np.float32)
        for k in range(other.shape[0]):
            result[k] = self.sample(other.plane_positions(k), outside=outside)
        return result

    def same_lattice(self, other: "Grid", *, tolerance_mm: float = 1e-3) -> bool:
        """Whether both grids have the same shape and voxel centres within ``tolerance_mm``."""
        if self.shape != other.shape:
            return False
        corners = np.array(
            [[i, j, k] for i in (0, self.shape[2] - 1) for j in (0, self.shape[1] - 1) for k in (0, self.shape[0] - 1)]
        )
        return bool(np.abs(self.index_to_position(corners) - other.index_to_position(corners)).max() <= tolerance_mm)

    def with_values(self, values: NDArray) -> Self:
        """Return a grid of the same kind and geometry with other samples (nz, ny, nx).

        Raises
        ------
        UnsupportedGeometry : the samples have another shape.
        """
        if np.shape(values) != self.shape:
            raise UnsupportedGeometry(f"Expected values of shape {self.shape}, found {np.shape(values)}.")
        return replace(self, values=values)


@dataclass(frozen=True, eq=False)
class DoseGrid(Grid):
    """Absorbed dose in Gy on a regular grid; ``values`` is the dose."""

    @property
    def dose_gy(self) -> NDArray:
        """Absorbed dose in Gy, shape (nz, ny, nx)."""
        return self.values

    def __mul__(self, factor: float) -> "DoseGrid":
        return self.with_values(self.values * np.float32(factor))

    __rmul__ = __mul__


@dataclass(frozen=True, eq=False)
class CTGrid(Grid):
    """CT numbers in Hounsfield units on a regular grid; ``values`` is HU."""

    @property
    def hounsfield(self) -> NDArray:
        """CT numbers in HU, shape (nz, ny, nx)."""
        return self.values


def affine_from_axes(
    origin_lps_mm: ArrayLike,
    spacing_mm: ArrayLike,
    axes_lps: ArrayLike = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
) -> FloatArray:
    """Build index_to_lps from the first voxel centre, the spacing (x, y, z) and the unit directions of i, j and k.

    >>> affine_from_axes((1, 2, 3), (4, 5, 6))[:3]
    array([[4., 0., 0., 1.],
           [0., 5., 0., 2.],
           [0., 0., 6., 3.]])
    """
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(axes_lps, float).T * np.asarray(spacing_mm, float)
    affine[:3, 3] = np.asarray(origin_lps_mm, float)
    return affine
