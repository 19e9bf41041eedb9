"""DVH diagrams: curves, mean with bands, and constraints with the points of the curves closest to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intrepid_dvh.constraint_distance import nearest_point
from intrepid_dvh.constraint_grammar import ConstraintText, parse_constraint
from intrepid_dvh.constraints import Constraint
from intrepid_dvh.curve import DVH
from intrepid_dvh.mean_dvh import MeanDVH
from intrepid_dvh.plot_limits import Panel
from intrepid_rt.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Colour = Any
_ENTRIES_PER_LEGEND_COLUMN = 15
_MARKERS = "osD^vP*Xhp<>"
# Okabe and Ito's palette, told apart by people with any colour vision; dark enough on white.
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8B5A2B")
_DASHES = ("-", "--", "-.", ":")


def draw_panel(axes: Axes, panel: Panel, *, colours: Mapping[str, Colour] | None = None) -> None:
    """Draw a diagram into axes, which may already hold other curves.

    Parameters
    ----------
    colours : by structure or patient, for example those of the segments; others take the next of a palette.
    """
    for index, (name, (dose, volume)) in enumerate(zip(panel.names, panel.curves, strict=True)):
        dash = _DASHES[index // len(_PALETTE) % len(_DASHES)]
        axes.plot(dose, volume, color=_colour(name, index, colours), linestyle=dash, linewidth=1.6, label=name)
    axes.set(title=panel.title, xlabel=panel.dose_label, ylabel=_typeset(panel.volume_label))
    axes.set(xlim=panel.dose_range, ylim=panel.volume_range)
    axes.grid(visible=True, color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    _add_legend(axes)


def draw_spread(axes: Axes, panel: Panel) -> None:
    """Add the point-wise mean of a diagram's curves, dashed, with bands of one and two standard deviations."""
    dose, volumes = _on_common_grid(panel)
    mean, spread = np.mean(volumes, axis=0), np.std(volumes, axis=0, ddof=1) if len(volumes) > 1 else 0.0
    top = panel.volume_range[1]
    for deviations, shade in ((2, "0.88"), (1, "0.78")):
        low, high = mean - deviations * spread, np.minimum(mean + deviations * spread, top)
        axes.fill_between(dose, np.maximum(low, 0), high, color=shade, linewidth=0, zorder=0.5)
    axes.plot(dose, mean, color="black", linestyle="--", linewidth=1.6, label="mean, ±1 and ±2 SD")
    _add_legend(axes)


def draw_mean(
    axes: Axes, mean: MeanDVH, *, name: str, colour: Colour = "#0072B2", relative_volume: bool = True
) -> None:
    """Draw the mean curve of a group with its bands (mean and ``sd`` must have been computed)."""
    volumes = mean.volume_percent if relative_volume else mean.volume_cc
    centre, spread = volumes["mean"], np.nan_to_num(volumes["sd"])
    for deviations, alpha in ((2, 0.12), (1, 0.22)):
        low, high = np.maximum(centre - deviations * spread, 0), centre + deviations * spread
        axes.fill_between(
            mean.dose_gy, low, np.minimum(high, 100.0) if relative_volume else high, color=colour, alpha=alpha, lw=0
        )
    axes.plot(mean.dose_gy, centre, color=colour, linewidth=1.8, label=name)
    unit = "%" if relative_volume else "cm3"
    axes.set(xlabel="Dose (Gy)", ylabel=_typeset(f"Volume ({unit}/Gy)" if mean.differential else f"Volume ({unit})"))
    axes.grid(visible=True, color="0.9", linewidth=0.8)
    _add_legend(axes)


def draw_constraints(
    axes: Axes,
    panel: Panel,
    constraints: Iterable[str | Constraint],
    *,
    colours: Mapping[str, Colour] | None = None,
) -> list[str]:
    """Mark constraints in a diagram: an arrow into the permitted corner, and a line to the curve's closest point.

    Colour is that of the curve, the marker tells the constraint. The dose axis is widened to hold every constraint.

    Returns
    -------
    list of str : constraints that cannot be drawn, each with the reason.
    """
    constraints = list(constraints)
    for index, given in enumerate(constraints):
        marker = _MARKERS[index % len(_MARKERS)]
        drawn = False
        for position, parsed, point in _places(panel, given):
            if point is not None:
                colour = _colour(panel.names[position], position, colours)
                _mark(axes, panel.curves[position], point, parsed, marker, colour)
                _widen(axes, point[0])
                drawn = True
        if drawn:
            axes.plot([], [], marker=marker, color="0.35", linestyle="none", label=_text(given))
    _add_legend(axes)
    return not_drawn(panel, constraints)


def not_drawn(panel: Panel, constraints: Iterable[str | Constraint]) -> list[str]:
    """Return the constraints that cannot be drawn in a diagram, each with the reason."""
    return [
        f"{_text(given)}, {panel.names[place.position]}: {_why_not(place.parsed)}"
        for given in constraints
        for place in _places(panel, given)
        if place.point is None
    ]


def _text(constraint: str | Constraint) -> str:
    return constraint if isinstance(constraint, str) else constraint.text


class _Place(NamedTuple):
    """A constraint on one curve of a diagram, and its point on the axes, None if it has none there."""

    position: int
    parsed: ConstraintText
    point: tuple[float, float] | None


def _places(panel: Panel, given: str | Constraint) -> Iterator[_Place]:
    constraint = Constraint(given) if isinstance(given, str) else given
    for position, dvh in enumerate(panel.dvhs):
        if constraint.applies_to(dvh):
            parsed = parse_constraint(constraint.text, dvh.stated_dose_unit, dvh.volume_unit)
            yield _Place(position, parsed, _point_on_axes(panel, dvh, parsed))


def new_figure(count: int = 1, *, width_inch: float = 7.0, height_inch: float = 5.0) -> tuple[Figure, list[Axes]]:
    """Return a figure with ``count`` diagrams side by side, without touching pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inch * count, height_inch), layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, count)))


def show_panels(
    panels: Sequence[Panel],
    *,
    constraints: Sequence[str | Constraint] = (),
    colours: Mapping[str, Colour] | None = None,
    spread: bool = False,
) -> list[Figure]:
    """Return one figure per diagram."""
    figures = []
    for panel in panels:
        figure, [axes] = new_figure()
        draw_panel(axes, panel, colours=colours)
        if spread:
            draw_spread(axes, panel)
        if constraints:
            draw_constraints(axes, panel, constraints, colours=colours)
        figures.append(figure)
    return figures


def save_figures(figures: Sequence[Figure], panels: Sequence[Panel], path: str | Path, *, dpi: int = 150) -> list[Path]:
    """Write ``<stem>_<panel>.<extension>`` for each figure, the format by the extension (png, svg, pdf)."""
    path = Path(path)
    written = []
    for figure, panel in zip(figures, panels, strict=True):
        name = "".join(letter if letter.isalnum() else "_" for letter in panel.title.partition(" ")[2])
        target = path.with_name(f"{path.stem}_{name}{path.suffix}")
        with replacing(target) as temporary:
            figure.savefig(temporary, dpi=dpi, format=path.suffix.removeprefix(".").lower())
        written.append(target)
    return written


def _colour(name: str, index: int, colours: Mapping[str, Colour] | None) -> Colour:
    return (colours or {}).get(name, _PALETTE[index % len(_PALETTE)])


def _typeset(label: str) -> str:
    return label.replace("cm3", "cm³")


def _add_legend(axes: Axes) -> None:
    entries = len(axes.get_legend_handles_labels()[0])
    if entries:
        axes.legend(ncols=-(-entries // _ENTRIES_PER_LEGEND_COLUMN), fontsize="small", framealpha=0.85)


def _on_common_grid(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    nodes = max(100, -(-max(dose.size for dose, _ in panel.curves) // 3))
    grid = np.linspace(0.0, max(float(np.nanmax(dose)) for dose, _ in panel.curves), nodes)
    return grid, np.array([np.interp(grid, dose, volume) for dose, volume in panel.curves])


def _point_on_axes(panel: Panel, dvh: DVH, constraint: ConstraintText) -> tuple[float, float] | None:
    """Return the constraint point in the units of the axes, None if it has none or they cannot be converted."""
    if not constraint.inverse or constraint.missing:
        return None
    (dose, dose_unit), (volume, volume_unit) = constraint.dose, constraint.volume
    dose_scale = _scale(dvh.dose_native, dvh.dose_percent, panel.relative_dose, dose_unit == "%")
    if dose_scale is not None and not panel.relative_dose and dvh.dose_unit == "CGY":
        dose_scale /= 100
    volume_scale = _scale(dvh.volume_cc, dvh.volume_percent, panel.relative_volume, volume_unit == "%")
    if dose_scale is None or volume_scale is None:
        return None
    height = volume * volume_scale
    if constraint.metric.letter in ("DC", "CV"):
        height = panel_maximum(panel, dvh) - height
    return dose * dose_scale, height


def panel_maximum(panel: Panel, dvh: DVH) -> float:
    """Return the whole volume of a DVH in the unit of a diagram."""
    return float(np.nanmax(dvh.volume_percent if panel.relative_volume else dvh.volume_cc))


def _scale(absolute: np.ndarray, relative: np.ndarray, axis_relative: bool, value_relative: bool) -> float | None:
    """Return the factor from a value's kind to the axis' kind, taken from the DVH's own two columns."""
    if axis_relative == value_relative:
        return 1.0
    both = np.isfinite(absolute) & np.isfinite(relative) & (absolute != 0)
    if not both.any():
        return None
    row = int(np.argmax(np.where(both, np.abs(absolute), -1.0)))
    percent_per_unit = float(relative[row] / absolute[row])
    return percent_per_unit if axis_relative else 1 / percent_per_unit


def _why_not(constraint: ConstraintText) -> str:
    if constraint.problem or constraint.missing:
        return constraint.problem or constraint.missing
    return "its units do not convert to those of the axes" if constraint.inverse else "it is no point of the diagram"


def _mark(
    axes: Axes,
    curve: tuple[np.ndarray, np.ndarray],
    point: tuple[float, float],
    constraint: ConstraintText,
    marker: str,
    colour: Colour,
) -> None:
    permitted = -1 if constraint.comparator.startswith("<") else 1
    if constraint.metric.letter in ("DC", "CV"):
        permitted = -permitted
    axes.annotate(
        "",
        xy=point,
        xytext=(-permitted * 22, -permitted * 22),
        textcoords="offset points",
        arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 4},
    )
    nearest = nearest_point(*curve, *point)
    if nearest is not None:
        axes.plot([point[0], nearest.dose], [point[1], nearest.volume], color=colour, linestyle=":", linewidth=1.2)
        axes.plot(nearest.dose, nearest.volume, marker=marker, markersize=6, color=colour, markerfacecolor="white")
    axes.plot(*point, marker=marker, markersize=8, color=colour, linestyle="none")


def _widen(axes: Axes, dose: float) -> None:
    low, high = axes.get_xlim()
    axes.set_xlim(low, max(high, 1.05 * dose))
