"""A chart as data: drawn by matplotlib into PNG, SVG and PDF, by Plotly into a page that needs no network."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intrepid_dvh.metric_grammar import DIMENSIONLESS, parse_metric
from intrepid_dvh.units import UNIT_LABEL
from intrepid_rt.atomic import replacing
from intrepid_rt.errors import InvalidSetting

COLOURS = ("#1f5f8b", "#c8553d", "#3f7d20", "#7b4b94", "#b8860b", "#4d4d4d")


@dataclass(frozen=True)
class Series:
    """One set of points: a ``line``, ``dots``, a ``band`` between ``y`` and ``upper``, ``bars``, or a ``box`` of y."""

    kind: str
    x: Sequence[Any]
    y: Sequence[float]
    name: str = ""
    upper: Sequence[float] = ()
    colour: int = 0
    dashed: bool = False
    strong: bool = False  # a band within another one
    texts: Sequence[str] = ()  # what a pointer over a point shows


@dataclass(frozen=True)
class Chart:
    """Series on common axes; or a ``matrix`` of numbers between -1 and 1 with its names."""

    title: str
    x_title: str
    y_title: str
    series: tuple[Series, ...] = ()
    matrix: Sequence[Sequence[float]] = ()
    matrix_names: Sequence[str] = ()
    notes: tuple[str, ...] = field(default=())


def with_unit(name: str) -> str:
    """Return what an axis says of a metric: its unit as well; the name of a column has its own.

    >>> [with_unit(name) for name in ("D95%", "V20Gy", "V20Gy_cc", "DMEAN", "DNTCP", "mean_gy")]
    ['D95% (Gy)', 'V20Gy (%)', 'V20Gy_cc (cc)', 'DMEAN (Gy)', 'DNTCP', 'mean_gy']
    """
    parsed = parse_metric(name)
    if parsed.letter not in ("D", "DC", "V", "CV") or not parsed.valid or parsed.quantity in DIMENSIONLESS:
        return name
    unit = parsed.output or ("GY" if parsed.letter in ("D", "DC") else "%")  # curves of a cohort are in Gy
    return f"{name} ({UNIT_LABEL[unit]})"


FILES = (".png", ".svg", ".pdf", ".html")


def save(chart: Chart, path: str | Path) -> None:
    """Draw a chart into a file, by the ending of its name.

    Raises
    ------
    InvalidSetting
        Another ending than .png, .svg, .pdf, .html.
    OutputNotWritable
    """
    path = Path(path)
    if path.suffix.lower() not in FILES:
        raise InvalidSetting(f"{path.name}: plots are written as {', '.join(FILES)}; expected one of these endings.")
    with replacing(path) as temporary:
        if path.suffix.lower() == ".html":
            from intrepid_cohort.statistics.plotly_charts import figure_of

            # The whole of Plotly goes into the file: it opens in ten years, and on a computer without network.
            figure_of(chart).write_html(temporary, include_plotlyjs=True)
        else:
            from intrepid_cohort.statistics.matplotlib_charts import draw

            draw(chart, temporary)
