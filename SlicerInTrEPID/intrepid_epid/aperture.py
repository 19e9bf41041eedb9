"""What the beam limiting devices of a plan leave open, as a share of the meterset per pixel of the isocentre plane.

Jaws and leaves are followed through the control points; between two of them leaves move linearly with the meterset, so
a point under a moving leaf is open for part of it. Shares are areas: a pixel that an edge cuts in half counts half.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.errors import MissingObject, UnsupportedGeometry
from intrepid_rt.plan import Beam, ControlPoint
from intrepid_rt.portal_image import PortalImage

WIDEST_MM = 250.0  # stands for a device the machine does not have; no field at the isocentre plane is wider than 40 cm
JAW_STEPS = 16  # a segment in which jaws move is taken in as many steps
SUBPIXELS = 4


@dataclass(frozen=True, eq=False)
class LeafOpening:
    """What is open at one control point: rows between ``boundary_mm`` (n + 1,), each from ``low_mm`` to ``high_mm``.

    Rows are stacked across the direction in which leaves move (``along``, "X" or "Y" of the beam limiting device).
    ``limit_mm`` are the jaws along that direction; jaws across it already cut the boundaries.
    """

    along: str
    boundary_mm: NDArray
    low_mm: NDArray
    high_mm: NDArray
    limit_mm: tuple[float, float]


def open_share(beam: Beam, geometry: PortalImage) -> PortalImage:
    """Return the share of the meterset, 0 to 1, during which each pixel is open, in the isocentre plane.

    Parameters
    ----------
    beam : Beam
        Its collimator must not turn.
    geometry : PortalImage
        Its pixels, projected from the source, are those of the result.

    Returns
    -------
    PortalImage : at the isocentre plane. Exact areas when the collimator stands at a multiple of 90 degrees; else each
        pixel is the mean of 4 x 4 points of an exact map of a quarter of the pixel.

    Raises
    ------
    UnsupportedGeometry
        The collimator turns while the beam is on, or leaves move along both axes.
    MissingObject
        The plan states neither jaws nor leaves.
    """
    points = beam.control_points
    if np.ptp(np.unwrap([p.collimator_angle_deg for p in points], period=360.0)) > 0.1:
        raise UnsupportedGeometry(f"Beam {beam.name} turns the collimator during the beam, which is not supported.")
    plane = at_isocentre_plane(geometry)
    turn_deg = points[0].collimator_angle_deg % 360.0
    quarter, rest = divmod(turn_deg + 1e-3, 90.0)
    if rest < 2e-3:
        x_mm, y_mm = _turned_axes(plane, int(quarter) % 4)
        share = _share(beam, _edges(x_mm), _edges(y_mm))
        return replace(plane, values=_turned_back(share, int(quarter) % 4), unit="share")
    return replace(plane, values=_resampled(beam, plane, np.deg2rad(turn_deg)), unit="share")


def open_area_cm2(beam: Beam) -> float:
    """Return the mean open area over the meterset, cm2 at the isocentre plane."""
    step_mm = 2 * WIDEST_MM
    edges = np.array([-step_mm, step_mm])
    return float(_share(beam, edges, edges)[0, 0] * (2 * step_mm) ** 2 / 100)


def at_isocentre_plane(geometry: PortalImage) -> PortalImage:
    """Project the pixels of an imager from the source onto the isocentre plane."""
    scale = geometry.magnification
    return replace(
        geometry,
        first_pixel_mm=(geometry.first_pixel_mm[0] / scale, geometry.first_pixel_mm[1] / scale),
        pixel_spacing_mm=(geometry.pixel_spacing_mm[0] / scale, geometry.pixel_spacing_mm[1] / scale),
        source_to_image_mm=geometry.source_to_axis_mm,
    )


def leaf_boundaries_mm(beam: Beam) -> tuple[str, NDArray] | None:
    """Direction in which the leaves move and their side boundaries; None without a multileaf collimator."""
    leaves = [mlc for point in beam.control_points for mlc in point.mlc]
    if not leaves:
        return None
    return leaves[0].direction, np.unique(np.concatenate([mlc.leaf_boundaries_mm for mlc in leaves]))


def _share(beam: Beam, x_edges: NDArray, y_edges: NDArray) -> NDArray:
    """Open share (len(y) - 1, len(x) - 1) of pixels between ascending edges in axes of the beam limiting device."""
    total = np.zeros((len(y_edges) - 1, len(x_edges) - 1))
    segments = _segments(beam)
    weights = np.array([weight for weight, _, _ in segments])
    for weight, first, last in segments:
        for part, start, end in _jaw_steps(first, last):
            total += weight / weights.sum() * part * _segment_share(start, end, x_edges, y_edges)
    return total


def _segments(beam: Beam) -> list[tuple[float, LeafOpening, LeafOpening]]:
    """Meterset, opening at start and at end of every part of the beam that delivers dose."""
    points = beam.control_points
    openings = [_opening(beam, point) for point in points]
    meterset = np.diff([point.cumulative_meterset_weight for point in points])
    if len(points) == 1 or meterset.sum() <= 0:
        return [(1.0, openings[0], openings[0])]
    return [
        (float(weight), first, last)
        for weight, first, last in zip(meterset, openings[:-1], openings[1:], strict=True)
        if weight > 0
    ]


def _opening(beam: Beam, point: ControlPoint) -> LeafOpening:
    if point.jaw_x_mm is None and point.jaw_y_mm is None and not point.mlc:
        raise MissingObject(f"Beam {beam.name} states neither jaws nor leaves, so its field is unknown.")
    directions = {mlc.direction for mlc in point.mlc} or {"X"}
    if len(directions) > 1:
        raise UnsupportedGeometry(f"Beam {beam.name} has leaves along both axes, which is not supported.")
    along = directions.pop()
    everywhere = (-WIDEST_MM, WIDEST_MM)
    jaws = {"X": point.jaw_x_mm or everywhere, "Y": point.jaw_y_mm or everywhere}
    across = jaws["Y" if along == "X" else "X"]
    inner = [b for mlc in point.mlc for b in mlc.leaf_boundaries_mm if across[0] < b < across[1]]
    boundary = np.unique([across[0], *inner, max(across)])
    middle = (boundary[1:] + boundary[:-1]) / 2
    low, high = np.full(len(middle), -WIDEST_MM), np.full(len(middle), WIDEST_MM)
    for mlc in point.mlc:
        pair = np.searchsorted(mlc.leaf_boundaries_mm, middle) - 1
        covered = (pair >= 0) & (pair < len(mlc.bank_1_mm))
        low[covered] = np.maximum(low[covered], mlc.bank_1_mm[pair[covered]])
        high[covered] = np.minimum(high[covered], mlc.bank_2_mm[pair[covered]])
    return LeafOpening(along, boundary, low, np.maximum(low, high), jaws[along])


def _jaw_steps(first: LeafOpening, last: LeafOpening) -> list[tuple[float, LeafOpening, LeafOpening]]:
    """Cut a segment into steps in which the jaws stand still, at where they are in the middle of the step."""
    still = first.boundary_mm.shape == last.boundary_mm.shape and np.allclose(first.boundary_mm, last.boundary_mm)
    if still and np.allclose(first.limit_mm, last.limit_mm):
        return [(1.0, first, replace(last, boundary_mm=first.boundary_mm))]
    steps = (np.arange(JAW_STEPS) + 0.5) / JAW_STEPS
    return [(1 / JAW_STEPS, state, state) for state in (_between(first, last, part) for part in steps)]


def _between(first: LeafOpening, last: LeafOpening, part: float) -> LeafOpening:
    def mixed(a: NDArray, b: NDArray) -> NDArray:
        return (1 - part) * np.asarray(a) + part * np.asarray(b)

    ends = mixed(first.boundary_mm[[0, -1]], last.boundary_mm[[0, -1]])
    inner = np.union1d(first.boundary_mm[1:-1], last.boundary_mm[1:-1])
    boundary = np.unique([ends[0], *inner[(inner > ends[0]) & (inner < ends[1])], ends[1]])
    middle = (boundary[1:] + boundary[:-1]) / 2
    rows = [np.clip(np.searchsorted(o.boundary_mm, middle) - 1, 0, len(o.low_mm) - 1) for o in (first, last)]
    low, high = (mixed(a[rows[0]], b[rows[1]]) for a, b in ((first.low_mm, last.low_mm), (first.high_mm, last.high_mm)))
    limit = mixed(np.array(first.limit_mm), np.array(last.limit_mm))
    return LeafOpening(first.along, boundary, low, high, (float(limit[0]), float(limit[1])))


def _segment_share(start: LeafOpening, end: LeafOpening, x_edges: NDArray, y_edges: NDArray) -> NDArray:
    along, across = (x_edges, y_edges) if start.along == "X" else (y_edges, x_edges)
    overlap = _overlap(start.boundary_mm, across)  # (rows of leaves, pixels across)
    limit = start.limit_mm[0], max(start.limit_mm)
    at = np.clip(along, *limit)
    opened = _passed(at, start.low_mm, end.low_mm) - _passed(at, start.high_mm, end.high_mm)
    share = overlap.T @ (np.diff(opened, axis=1) / np.diff(along))
    return share if start.along == "X" else share.T


def _overlap(boundary_mm: NDArray, edges: NDArray) -> NDArray:
    """Share of each pixel (columns) that lies in each row of leaves (rows)."""
    low = np.maximum(boundary_mm[:-1, None], edges[None, :-1])
    high = np.minimum(boundary_mm[1:, None], edges[None, 1:])
    return np.clip(high - low, 0, None) / np.diff(edges)


def _passed(at_mm: NDArray, first_mm: NDArray, last_mm: NDArray) -> NDArray:
    """Mean of max(0, at - leaf) while each leaf moves linearly from first to last: (leaves, positions)."""
    a, b = at_mm[None, :] - first_mm[:, None], at_mm[None, :] - last_mm[:, None]
    moved = a - b
    still = np.abs(moved) < 1e-6
    squares = (np.clip(a, 0, None) ** 2 - np.clip(b, 0, None) ** 2) / 2
    return np.where(still, np.clip((a + b) / 2, 0, None), squares / np.where(still, 1.0, moved))


def _edges(centre_mm: NDArray) -> NDArray:
    half = (centre_mm[1] - centre_mm[0]) / 2
    return np.append(centre_mm - half, centre_mm[-1] + half)


def _turned_axes(plane: PortalImage, quarter: int) -> tuple[NDArray, NDArray]:
    """Ascending X_bld and Y_bld of the pixels when the collimator stands at ``quarter`` times 90 degrees."""
    x, y = plane.x_mm, plane.y_mm[::-1]
    return ((x, y), (y, -x[::-1]), (-x[::-1], -y[::-1]), (-y[::-1], x))[quarter]


def _turned_back(share: NDArray, quarter: int) -> NDArray:
    """Rows along Y_bld and columns along X_bld, both ascending, to rows along -Y_g and columns along X_g."""
    by_gantry = (share, share[::-1].T, share[::-1, ::-1], share[:, ::-1].T)[quarter]  # rows ascend with Y_g
    return by_gantry[::-1]


def _resampled(beam: Beam, plane: PortalImage, turn_rad: float) -> NDArray:
    row_mm, column_mm = plane.pixel_spacing_mm
    fine_mm = min(row_mm, column_mm) / SUBPIXELS
    reach = np.hypot(np.abs(plane.x_mm).max() + column_mm, np.abs(plane.y_mm).max() + row_mm)
    axis = np.arange(-np.ceil(reach / fine_mm), np.ceil(reach / fine_mm) + 1) * fine_mm
    share = _share(beam, _edges(axis), _edges(axis))
    fine = replace(plane, values=share[::-1], first_pixel_mm=(axis[0], axis[-1]), pixel_spacing_mm=(fine_mm, fine_mm))
    total = np.zeros(plane.values.shape)
    offsets = (np.arange(SUBPIXELS) + 0.5) / SUBPIXELS - 0.5
    for dx, dy in ((dx, dy) for dx in offsets * column_mm for dy in offsets * row_mm):
        x, y = np.meshgrid(plane.x_mm + dx, plane.y_mm + dy)
        x_bld = x * np.cos(turn_rad) + y * np.sin(turn_rad)
        y_bld = y * np.cos(turn_rad) - x * np.sin(turn_rad)
        total += fine.sample(x_bld, y_bld, outside=0.0)
    return total / SUBPIXELS**2
