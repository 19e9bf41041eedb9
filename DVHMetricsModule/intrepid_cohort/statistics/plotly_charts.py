"""Charts that answer to the pointer."""

from typing import Any

from intrepid_cohort.statistics.charts import COLOURS, Chart, Series
from intrepid_rt.research_note import RESEARCH_NOTE


def figure_of(chart: Chart) -> Any:
    """Return a chart as a Plotly figure."""
    import plotly.graph_objects as go

    figure = go.Figure()
    if chart.matrix:
        figure.add_trace(go.Heatmap(z=chart.matrix, x=list(chart.matrix_names), y=list(chart.matrix_names), zmin=-1,
                                    zmax=1, colorscale="RdBu_r", texttemplate="%{z:.2f}"))  # fmt: skip
    for one in chart.series:
        figure.add_traces(_traces(go, one))
    title = "<br>".join((chart.title, *(f"<sub>{note}</sub>" for note in (*chart.notes, RESEARCH_NOTE))))
    figure.update_layout(title=title, xaxis_title=chart.x_title, yaxis_title=chart.y_title, template="plotly_white")
    return figure


def _traces(go: Any, one: Series) -> list[Any]:
    colour = COLOURS[one.colour % len(COLOURS)]
    known = {"name": one.name, "showlegend": bool(one.name)}
    x, y = list(one.x), list(one.y)
    if one.kind == "line":
        line = {"color": colour, "dash": "dash" if one.dashed else "solid"}
        return [go.Scatter(x=x, y=y, mode="lines", line=line, **known)]
    if one.kind == "dots":
        texts = list(one.texts) or None
        return [go.Scatter(x=x, y=y, mode="markers", marker={"color": colour}, hovertext=texts, **known)]
    if one.kind == "band":
        outline = [*y, *reversed(list(one.upper))]
        return [go.Scatter(x=[*x, *reversed(x)], y=outline, fill="toself", mode="none", fillcolor=colour,
                           opacity=0.5 if one.strong else 0.25, hoverinfo="skip", **known)]  # fmt: skip
    if one.kind == "bars":
        return [go.Bar(y=x, x=y, orientation="h", marker={"color": colour}, **known)]
    return [go.Box(y=y, name=one.name, marker={"color": colour}, boxpoints="all")]
