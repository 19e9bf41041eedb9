"""Charts as pictures."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from intrepid_cohort.statistics.charts import COLOURS, Chart, Series
from intrepid_rt.research_note import RESEARCH_NOTE


def draw(chart: Chart, path: Path) -> None:
    """Draw a chart into a PNG, SVG or PDF file."""
    from matplotlib.figure import Figure  # without pyplot: no window, no state shared between threads

    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.add_subplot()
    if chart.matrix:
        _matrix(figure, axes, chart)
    for one in chart.series:
        _series(axes, one)
    axes.set(title=chart.title, xlabel=chart.x_title, ylabel=chart.y_title)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=8)
    figure.supxlabel("\n".join((*chart.notes, RESEARCH_NOTE)), fontsize=7, color="#555555")
    figure.savefig(path, dpi=150, format=path.suffix.lstrip(".").lower())


def _series(axes: Any, one: Series) -> None:
    colour = COLOURS[one.colour % len(COLOURS)]
    x = [date.fromisoformat(value) for value in one.x] if one.x and _is_date(one.x[0]) else one.x
    if one.kind == "line":
        axes.plot(x, one.y, "--" if one.dashed else "-", color=colour, label=one.name or None, linewidth=1.5)
    elif one.kind == "dots":
        axes.plot(x, one.y, "o", color=colour, label=one.name or None, markersize=4, alpha=0.8)
    elif one.kind == "band":
        alpha = 0.45 if one.strong else 0.2
        axes.fill_between(x, one.y, one.upper, color=colour, alpha=alpha, label=one.name or None, linewidth=0)
    elif one.kind == "bars":
        axes.barh(list(x), one.y, color=colour, label=one.name or None)
    else:
        axes.boxplot([one.y], positions=[one.colour], tick_labels=[one.name], widths=0.5)


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 10 and value[4] == value[7] == "-"


def _matrix(figure: Any, axes: Any, chart: Chart) -> None:
    values = np.array(chart.matrix)
    shown = axes.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set_xticks(range(len(chart.matrix_names)), chart.matrix_names, rotation=45, ha="right")
    axes.set_yticks(range(len(chart.matrix_names)), chart.matrix_names)
    for (row, column), value in np.ndenumerate(values):
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8)
    figure.colorbar(shown)
