"""Bringing two distributions, 3D grids or planar images, to the one form that the search takes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.errors import FrameOfReferenceMismatch, UnsupportedGeometry
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.portal_image import PortalImage

Distribution = Grid | PortalImage

_COPLANAR_MM = 0.01
_SAME_PLANE_DISTANCE_MM = 1.0


class Pair(NamedTuple):
    """Reference and evaluated distribution as grids, with the affine (3, 4) between their indices (k, j, i)."""

    reference: Grid
    evaluated: Grid
    to_evaluated: NDArray


def as_grid(distribution: Distribution) -> Grid:
    """Return a portal image as a grid of one plane: X_g along x, Y_g along y, z = 0; a grid as it is."""
    if isinstance(distribution, Grid):
        return distribution
    row_mm, column_mm = distribution.pixel_spacing_mm
    axes = ((1, 0, 0), (0, -1, 0), (0, 0, 1))
    affine = affine_from_axes((*distribution.first_pixel_mm, 0.0), (column_mm, row_mm, 1.0), axes)
    return Grid(np.asarray(distribution.values)[None], affine)


def paired(reference: Distribution, evaluated: Distribution) -> Pair:
    """Check that two distributions can be compared and relate their indices.

    Raises
    ------
    FrameOfReferenceMismatch
        Both state a frame of reference and these differ.
    UnsupportedGeometry
        A planar image against a volume, planes that differ, an evaluated grid whose axes are not at right angles, or no
        overlap at all.
    """
    _check_same_kind(reference, evaluated)
    first, second = as_grid(reference), as_grid(evaluated)
    require_one_frame(first, second, "Reference and evaluated dose")
    _check_right_angles(second)
    _check_planes(first, second)
    to_evaluated = _index_affine(first, second)
    _check_overlap(first, second, to_evaluated)
    return Pair(first, second, to_evaluated)


def require_one_frame(one: Grid, other: Grid, names: str) -> None:
    """Refuse two grids, called ``names`` in the message, that state different frames of reference.

    Raises
    ------
    FrameOfReferenceMismatch
    """
    uids = {uid for uid in (one.frame_of_reference_uid, other.frame_of_reference_uid) if uid}
    if len(uids) > 1:
        raise FrameOfReferenceMismatch(
            f"{names} are in different frames of reference ({' and '.join(sorted(uids))}). "
            "Register them, or choose objects of the same plan."
        )


def comparable_values(pair: Pair) -> tuple[NDArray, NDArray]:
    """Values (nz, ny, nx) of both, C order, float32 if that holds them exactly, else float64; copied only if needed."""
    dtype = np.result_type(pair.reference.values, pair.evaluated.values, np.float32)
    views = [np.ascontiguousarray(grid.values, dtype).view() for grid in (pair.reference, pair.evaluated)]
    for view in views:
        view.flags.writeable = False  # always, because the compiler makes another program for a writeable array
    return views[0], views[1]


def _check_same_kind(reference: Distribution, evaluated: Distribution) -> None:
    planar = [isinstance(d, PortalImage) for d in (reference, evaluated)]
    if all(planar):
        distances = [d.source_to_image_mm for d in (reference, evaluated) if isinstance(d, PortalImage)]
        if abs(distances[0] - distances[1]) > _SAME_PLANE_DISTANCE_MM:
            raise UnsupportedGeometry(
                f"The portal images lie {distances[0]:g} and {distances[1]:g} mm from the source. "
                "Bring both to one plane."
            )
    elif any(planar):
        raise UnsupportedGeometry("One distribution is a portal image and the other is not. Compare like with like.")


def _check_right_angles(grid: Grid) -> None:
    axes = grid.index_to_lps[:3, :3] / np.array(grid.spacing_mm)
    if np.abs(axes.T @ axes - np.eye(3)).max() > 1e-4:
        raise UnsupportedGeometry(
            "The axes of the evaluated grid are not at right angles. Resample it to a grid without shear."
        )


def _check_planes(reference: Grid, evaluated: Grid) -> None:
    """Refuse an evaluated grid of one plane, which holds dose in that plane only, if the reference leaves it."""
    for axis in np.flatnonzero(np.array(evaluated.shape[::-1]) == 1):
        normal = evaluated.index_to_lps[:3, axis] / evaluated.spacing_mm[axis]
        distance_mm = np.abs((_corners(reference) - evaluated.origin_lps_mm) @ normal).max()
        if distance_mm > _COPLANAR_MM:
            raise UnsupportedGeometry(
                f"The evaluated distribution is one plane, and the reference extends {distance_mm:.3g} mm out of it. "
                "Compare planes in the same position, or resample the reference to that plane."
            )


def _check_overlap(reference: Grid, evaluated: Grid, to_evaluated: NDArray) -> None:
    corners = _index_corners(reference) @ to_evaluated[:, :3].T + to_evaluated[:, 3]
    outside = (corners.max(axis=0) < -1e-3) | (corners.min(axis=0) > np.array(evaluated.shape) - 1 + 1e-3)
    if outside.any():
        raise UnsupportedGeometry(
            f"The two distributions do not overlap: the reference lies round {_centre_text(reference)}, the "
            f"evaluated one round {_centre_text(evaluated)} (LPS, mm). Choose doses of the same patient and position."
        )


def _index_affine(reference: Grid, evaluated: Grid) -> NDArray:
    affine = (evaluated.lps_to_index @ reference.index_to_lps)[:3]
    swapped = np.column_stack([affine[::-1, 2::-1], affine[::-1, 3]])
    # A plane has no thickness: what is left of the distance to it was found to be none.
    swapped[np.array(evaluated.shape) == 1] = 0.0
    return np.ascontiguousarray(swapped)


def _index_corners(grid: Grid) -> NDArray:
    """Corner indices (8, 3) in array order (k, j, i)."""
    return np.array(
        [[k, j, i] for k in (0, grid.shape[0] - 1) for j in (0, grid.shape[1] - 1) for i in (0, grid.shape[2] - 1)]
    )


def _corners(grid: Grid) -> NDArray:
    return grid.index_to_position(_index_corners(grid)[:, ::-1])


def _centre_text(grid: Grid) -> str:
    return "({:.0f}, {:.0f}, {:.0f})".format(*_corners(grid).mean(axis=0))
