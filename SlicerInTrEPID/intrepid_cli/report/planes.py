"""Three planes through the isocentre: CT, isodoses, structures, dose difference and gamma."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from intrepid_cli.report import style
from intrepid_rt.grids import Grid
from intrepid_rt.structures import Structure
from intrepid_rt.verification import GammaOutcome, VerificationResult

ISODOSE_PERCENT = (10, 20, 50, 80, 95)
ISODOSE_COLOURS = ("#5b8ff9", "#36c5f0", "#3ddc84", "#ffd43b", "#ff4d4f")
SAMPLES = 260  # along the longer side of a plane
DIFFERENCE_LIMIT_PERCENT = 5.0
CT_WINDOW_HU = (-1000.0, 400.0)


@dataclass(frozen=True, eq=False)
class Plane:
    """Positions in one patient plane; ``across`` and ``up`` are the LPS axes (0, 1, 2) drawn to the right and up."""

    name: str
    across: int
    up: int
    labels: tuple[str, str, str, str]  # left, right, bottom, top
    across_mm: NDArray
    up_mm: NDArray
    positions: NDArray  # (n_up, n_across, 3)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top in mm; rows start at the bottom."""
        return self.across_mm[0], self.across_mm[-1], self.up_mm[0], self.up_mm[-1]


# As a reader looks at films: axial from the feet, coronal from the front, sagittal from the patient's left.
_VIEWS = (
    ("Axial", 0, 1, ("R", "L", "P", "A")),
    ("Coronal", 0, 2, ("R", "L", "I", "S")),
    ("Sagittal", 1, 2, ("A", "P", "I", "S")),
)


def planes_through_isocentre(result: VerificationResult) -> list[Plane]:
    """Return the three planes, cut to the dose grid and, where there is an outline, to the patient."""
    low, high = _box(result)
    step_mm = float((high - low).max() / SAMPLES)
    planes = []
    for name, across, up, labels in _VIEWS:
        axes = [np.arange(low[a], high[a] + step_mm, step_mm) for a in (across, up)]
        if name == "Axial":
            axes[1] = axes[1][::-1]  # anterior, -y, is up
        positions = np.tile(np.asarray(result.isocentre_lps_mm, float), (axes[1].size, axes[0].size, 1))
        positions[..., across], positions[..., up] = axes[0], axes[1][:, None]
        planes.append(Plane(name, across, up, labels, axes[0], axes[1], positions))
    return planes


def _box(result: VerificationResult) -> tuple[NDArray, NDArray]:
    low, high = _corners(result.reconstructed)
    outline = result.structure_set.external if result.structure_set else None
    if outline is not None and not outline.is_empty:
        points, margin_mm = np.concatenate(outline.contours), 10.0
        low, high = np.maximum(low, points.min(axis=0) - margin_mm), np.minimum(high, points.max(axis=0) + margin_mm)
    isocentre = result.isocentre_lps_mm  # always in view, also where nothing was computed
    return np.minimum(low, isocentre - 20.0), np.maximum(high, isocentre + 20.0)


def _corners(grid: Grid) -> tuple[NDArray, NDArray]:
    nz, ny, nx = grid.shape
    ends = np.array([[i, j, k] for i in (0, nx - 1) for j in (0, ny - 1) for k in (0, nz - 1)])
    corners = grid.index_to_position(ends)
    return corners.min(axis=0), corners.max(axis=0)


_COLUMNS = ("Planned", "Reconstructed", "Reconstructed − planned, in the patient")
_EDGES = ((0.02, 0.5), (0.98, 0.5), (0.5, 0.02), (0.5, 0.98))  # left, right, bottom, top of a panel
_ALIGNED = (("left", "center"), ("right", "center"), ("center", "bottom"), ("center", "top"))


def dose_figure(result: VerificationResult, planes: list[Plane]) -> Figure:
    """Planned and reconstructed dose and their difference, one row per plane; without a plan one row of planes."""
    if result.planned is None:
        return _reconstructed_figure(result, planes)
    maximum = float(np.nanmax(result.planned.values)) or 1.0
    heights = [np.ptp(p.up_mm) / np.ptp(p.across_mm) for p in planes]
    with style.drawing(style.WIDTH_INCHES / 3.0 * sum(heights) + 0.9) as figure:
        grid = figure.add_gridspec(4, 3, height_ratios=[*heights, 0.05])  # the last row: legend and colour bar
        for row, plane in enumerate(planes):
            axes = [figure.add_subplot(grid[row, column]) for column in range(3)]
            ct = result.anatomy.sample(plane.positions, outside=-1000.0)
            for ax, title in zip(axes, _COLUMNS, strict=True):
                _draw_anatomy(ax, plane, ct, result, title if row == 0 else "")
            planned, reconstructed = (d.sample(plane.positions) for d in (result.planned, result.reconstructed))
            _draw_isodoses(axes[0], plane, planned, maximum)
            _draw_isodoses(axes[1], plane, reconstructed, maximum)
            difference = np.where(inside_outline(result, plane), reconstructed - planned, np.nan)
            colours = _draw_difference(axes[2], plane, 100.0 * difference / maximum)
            axes[0].set_ylabel(plane.name, fontweight="bold", color=style.INK, fontsize=9.5)
        bar = figure.colorbar(colours, cax=figure.add_subplot(grid[3, 2]), orientation="horizontal")
        bar.set_label("difference in % of the planned maximum")
        figure.legend(handles=_isodose_legend(maximum, result.dose_unit), loc="outside lower left", ncols=5)
    return figure


def _reconstructed_figure(result: VerificationResult, planes: list[Plane]) -> Figure:
    maximum = float(np.nanmax(result.reconstructed.values)) or 1.0
    with _row_of_planes(result, planes) as (figure, axes):
        for ax, plane in zip(axes, planes, strict=True):
            _draw_isodoses(ax, plane, result.reconstructed.sample(plane.positions), maximum)
        figure.legend(handles=_isodose_legend(maximum, result.dose_unit), loc="outside lower left", ncols=5)
    return figure


def gamma_figure(result: VerificationResult, planes: list[Plane], outcome: GammaOutcome) -> Figure:
    """Gamma in the three planes, with the colour scale; bare anatomy where nothing was analysed."""
    assert outcome.gamma is not None  # the caller chose such an outcome
    assert result.planned is not None
    gamma = Grid(outcome.gamma, result.planned.index_to_lps)
    with _row_of_planes(result, planes) as (figure, axes):
        for ax, plane in zip(axes, planes, strict=True):
            # Nearest voxel: interpolating would blend analysed and not analysed points.
            values = gamma.sample(plane.positions, order=0)
            image = ax.imshow(
                values, extent=plane.extent, origin="lower", cmap=style.GAMMA_COLOURS, vmin=0, vmax=2, alpha=0.75
            )
        bar = figure.colorbar(image, ax=axes, location="bottom", fraction=0.06, pad=0.02, aspect=60, extend="max")
        bar.set_label(f"γ {outcome.criteria}    (green ≤ 1 passes)")
    return figure


@contextmanager
def _row_of_planes(result: VerificationResult, planes: list[Plane]) -> Iterator[tuple[Figure, NDArray]]:
    shapes = [np.ptp(p.across_mm) / np.ptp(p.up_mm) for p in planes]  # panels of one height
    with style.drawing(0.97 * style.WIDTH_INCHES / sum(shapes) + 0.95) as figure:
        axes = figure.subplots(1, 3, gridspec_kw={"width_ratios": shapes})
        for ax, plane in zip(axes, planes, strict=True):
            _draw_anatomy(ax, plane, result.anatomy.sample(plane.positions, outside=-1000.0), result, plane.name)
        yield figure, axes


def _draw_anatomy(ax: Axes, plane: Plane, ct: NDArray, result: VerificationResult, title: str) -> None:
    low, high = CT_WINDOW_HU
    ax.imshow(ct, extent=plane.extent, origin="lower", cmap="gray", vmin=low, vmax=high, interpolation="bilinear")
    for structure in result.structure_set.structures if result.structure_set else ():
        _draw_structure(ax, plane, structure, np.asarray(result.isocentre_lps_mm, float))
    ax.plot(*(result.isocentre_lps_mm[a] for a in (plane.across, plane.up)), "+", color="white", ms=7, mew=1.0)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlim(*plane.extent[:2])
    ax.set_ylim(*plane.extent[2:])
    for label, (x, y), (horizontal, vertical) in zip(plane.labels, _EDGES, _ALIGNED, strict=True):
        text = ax.text(x, y, label, transform=ax.transAxes, ha=horizontal, va=vertical, color="white", fontsize=7.5)
        text.set_path_effects([withStroke(linewidth=1.6, foreground="black")])
    if title:
        ax.set_title(title)


def _draw_structure(ax: Axes, plane: Plane, structure: Structure, at_mm: NDArray) -> None:
    by_slice = structure.contours_by_plane()
    colour = tuple(value / 255.0 for value in structure.colour_rgb)
    if plane.name == "Axial":
        for contour in nearest_contours(by_slice, at_mm[2]):
            ax.fill(contour[:, 0], contour[:, 1], fill=False, edgecolor=colour, linewidth=0.9, alpha=0.9)
    elif by_slice:
        z_mm, inside = upright_cut(by_slice, plane.across, at_mm[1 - plane.across], plane.across_mm)
        if inside.any():
            ax.contour(plane.across_mm, z_mm, inside, [0.5], colors=[colour], linewidths=0.9, alpha=0.9)


def inside_outline(result: VerificationResult, plane: Plane) -> NDArray:
    """Whether the points of a plane lie in the patient, as the structure set says; all do without an outline.

    Returns
    -------
    ndarray of bool, (n_up, n_across)
    """
    outline = result.structure_set.external if result.structure_set else None
    inside = np.ones((plane.up_mm.size, plane.across_mm.size), bool)
    if outline is None or outline.is_empty:
        return inside
    by_slice, isocentre = outline.contours_by_plane(), np.asarray(result.isocentre_lps_mm, float)
    for row, up_mm in enumerate(plane.up_mm):
        z_mm, fixed_mm = (isocentre[2], up_mm) if plane.up == 1 else (up_mm, isocentre[1 - plane.across])
        contours = nearest_contours(by_slice, z_mm)
        inside[row] = inside_on_line(contours, plane.across, fixed_mm, plane.across_mm) if contours else False
    return inside


def nearest_contours(by_slice: dict[float, list[NDArray]], z_mm: float) -> list[NDArray]:
    """Return the contours whose slab holds ``z_mm``; none beyond the structure."""
    slices_mm = np.array(list(by_slice))
    if not slices_mm.size or np.abs(slices_mm - z_mm).min() > slab_mm(slices_mm) / 2 + 1e-6:
        return []
    return by_slice[float(slices_mm[np.abs(slices_mm - z_mm).argmin()])]


def slab_mm(slices_mm: NDArray) -> float:
    """Thickness one contour stands for: the usual distance of the structure's slices, 3 mm if there is only one."""
    return float(np.median(np.diff(slices_mm))) if slices_mm.size > 1 else 3.0


def upright_cut(
    by_slice: dict[float, list[NDArray]], along: int, fixed_mm: float, at_mm: NDArray
) -> tuple[NDArray, NDArray]:
    """Cut a structure by a plane parallel to z.

    Parameters
    ----------
    by_slice : contours by patient z.
    along : axis 0 or 1 of ``at_mm``; the plane lies at ``fixed_mm`` on the other one.

    Returns
    -------
    z_mm : ndarray, (n,)
        The slices, and empty ones where the structure ends or a slice is missing.
    inside : ndarray of bool, (n, len(at_mm))
    """
    slices_mm = np.array(list(by_slice))
    slab = slab_mm(slices_mm)
    cut = {float(z): inside_on_line(by_slice[float(z)], along, fixed_mm, at_mm) for z in slices_mm}
    for z in slices_mm:
        for neighbour in (z - slab, z + slab):
            if np.abs(slices_mm - neighbour).min() > 0.5 * slab:
                cut[float(neighbour)] = np.zeros(at_mm.size, bool)
    z_mm = np.array(sorted(cut))
    return z_mm, np.array([cut[float(z)] for z in z_mm])


def inside_on_line(contours: list[NDArray], along: int, fixed_mm: float, at_mm: NDArray) -> NDArray:
    """Which points of a line parallel to axis ``along`` (0 or 1) lie inside contours by the even-odd rule.

    >>> square = np.array([[0.0, 0.0, 5.0], [4.0, 0.0, 5.0], [4.0, 4.0, 5.0], [0.0, 4.0, 5.0]])
    >>> inside_on_line([square], 0, 2.0, np.array([-1.0, 1.0, 3.0, 5.0]))
    array([False,  True,  True, False])
    """
    crossings = []
    for contour in contours:
        start, end = contour, np.roll(contour, -1, axis=0)
        u0, u1, v0, v1 = start[:, along], end[:, along], start[:, 1 - along], end[:, 1 - along]
        crosses = (v0 <= fixed_mm) != (v1 <= fixed_mm)
        share = (fixed_mm - v0[crosses]) / (v1[crosses] - v0[crosses])
        crossings.append(u0[crosses] + share * (u1[crosses] - u0[crosses]))
    return np.searchsorted(np.sort(np.concatenate(crossings)), at_mm) % 2 == 1


def _draw_isodoses(ax: Axes, plane: Plane, dose: NDArray, maximum: float) -> None:
    shown = np.ma.masked_less(np.nan_to_num(dose), 0.05 * maximum)
    ax.imshow(
        shown, extent=plane.extent, origin="lower", cmap=style.DOSE_COLOURS, vmin=0, vmax=1.05 * maximum, alpha=0.35
    )
    levels = [maximum * percent / 100.0 for percent in ISODOSE_PERCENT]
    if np.nanmax(np.nan_to_num(dose)) > levels[0]:
        ax.contour(plane.across_mm, plane.up_mm, np.nan_to_num(dose), levels, colors=ISODOSE_COLOURS, linewidths=1.1)


def _draw_difference(ax: Axes, plane: Plane, difference_percent: NDArray) -> Any:
    size = np.nan_to_num(np.abs(difference_percent))
    limit = DIFFERENCE_LIMIT_PERCENT
    image = ax.imshow(
        np.nan_to_num(difference_percent),
        extent=plane.extent,
        origin="lower",
        cmap=style.DIFFERENCE_COLOURS,
        vmin=-limit,
        vmax=limit,
        alpha=np.clip(size / 2.0, 0.0, 0.85),  # where the doses agree, the anatomy shows
    )
    return ScalarMappable(image.norm, image.cmap)


def _isodose_legend(maximum: float, unit: str) -> list[Line2D]:
    return [
        Line2D(
            [], [], color=colour, label=f"{percent} %  ({maximum * percent / 100:.2f}{' Gy' if unit == 'Gy' else ''})"
        )
        for percent, colour in zip(ISODOSE_PERCENT, ISODOSE_COLOURS, strict=True)
    ]
