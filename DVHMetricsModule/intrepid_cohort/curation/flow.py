"""The flow of a cohort as a diagram: patients found, who leaves at which step, who stays (after CONSORT)."""

from collections.abc import Sequence
from pathlib import Path

from intrepid_rt.atomic import replacing
from intrepid_rt.errors import InvalidSetting

_STEP, _BOX_WIDTH, _BOX_HEIGHT = 1.5, 4.6, 0.9


def draw_flow(flow: Sequence[tuple[str, int]], path: str | Path, *, title: str = "") -> None:
    """Draw counts, as `intrepid_cohort.curation.curate.CurationResult.flow` gives them, to an SVG, PNG or PDF file.

    Raises
    ------
    InvalidSetting
        The ending of the file is another one.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    path = Path(path)
    if path.suffix.lower() not in (".svg", ".png", ".pdf"):
        raise InvalidSetting(f"{path.name}: a diagram is written as .svg, .png or .pdf.")
    leaving = flow[1:-1]
    steps = len(leaving) + 2
    figure = Figure(figsize=(9.0, 0.8 * steps + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(-0.2, 10.6)
    axes.set_ylim(-_STEP * (steps - 1) - 0.8, 0.9)
    if title:
        axes.set_title(title, loc="left")
    _box(axes, 0.0, 0.0, f"{flow[0][1]} patients in the database")
    left = flow[0][1]
    for place, (reason, count) in enumerate(leaving, 1):
        y = -_STEP * place
        left -= count
        _box(axes, 5.6, y + _STEP / 2, f"{count} " + reason.replace(": ", ":\n", 1))
        _arrow(axes, (_BOX_WIDTH / 2, y + _STEP / 2), (5.6, y + _STEP / 2))
    last = -_STEP * (steps - 1)
    _arrow(axes, (_BOX_WIDTH / 2, -_BOX_HEIGHT / 2), (_BOX_WIDTH / 2, last + _BOX_HEIGHT / 2))
    _box(axes, 0.0, last, f"{flow[-1][1]} treatments included")
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=130)


def _box(axes: object, x: float, y: float, text: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    box = FancyBboxPatch(
        (x, y - _BOX_HEIGHT / 2),
        _BOX_WIDTH,
        _BOX_HEIGHT,
        boxstyle="round,pad=0.05",
        facecolor="#f3f6f8",
        edgecolor="#37474f",
        linewidth=1.0,
    )
    axes.add_patch(box)  # type: ignore[attr-defined]
    axes.text(x + _BOX_WIDTH / 2, y, text, ha="center", va="center", fontsize=10)  # type: ignore[attr-defined]


def _arrow(axes: object, start: tuple[float, float], end: tuple[float, float]) -> None:
    arrow = {"arrowstyle": "-|>", "color": "#37474f", "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=arrow)  # type: ignore[attr-defined]
