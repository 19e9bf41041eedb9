"""DVHs as nodes: SlicerRT's tables and chart, our table of numbers, and the constraints with their verdicts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from intrepid_dvh.constraints import ConstraintResult
from intrepid_dvh.curve import DVH
from intrepid_dvh.metrics import Metric
from intrepid_rt.verification import DoseVolumeCurve, StructureResult
from SlicerInTrEPIDLib.tables import DVH as RT_DVH
from SlicerInTrEPIDLib.tables import DvhTables, fill_table

VERDICTS = {True: "met", False: "VIOLATED", None: "not evaluated"}
RESULTS, CONSTRAINTS, CHART, MARK = (
    "InTrEPID.results",
    "InTrEPID.constraints",
    "InTrEPID.chart",
    "InTrEPID.mark",
)


def add_to_chart(
    tables: DvhTables, dvh: DVH, segment_id: str, colour: tuple[float, float, float], dose: Any, *, dashed: bool
) -> None:
    """Add one DVH to SlicerRT's tables and chart."""
    rgb = tuple(round(255 * value) for value in colour)
    curve = DoseVolumeCurve(dvh.dose_gy, dvh.volume_cc, dvh.stated.min_gy, dvh.stated.mean_gy, dvh.stated.max_gy)
    tables.add(StructureResult(dvh.structure, (rgb[0], rgb[1], rgb[2])), segment_id, curve, dose, planned=dashed)


def fill_results(node: Any, rows: Sequence[tuple[str, DVH, dict[str, Metric]]]) -> None:
    """Fill the table of numbers: one row per structure and dose, what is missing as NaN."""
    columns: dict[str, list[Any]] = {
        "Structure": [dvh.structure for _, dvh, _ in rows],
        "Dose": [dose for dose, _, _ in rows],
        "Volume [cc]": [dvh.structure_volume_cc for _, dvh, _ in rows],
        "Outside dose [cc]": [dvh.volume_outside_dose_cc for _, dvh, _ in rows],
        "Min [Gy]": [dvh.stated.min_gy for _, dvh, _ in rows],
        "Mean [Gy]": [dvh.stated.mean_gy for _, dvh, _ in rows],
        "Max [Gy]": [dvh.stated.max_gy for _, dvh, _ in rows],
    }
    for text in rows[0][2] if rows else ():
        unit = next((found[text].unit for _, _, found in rows if found[text].value is not None), "")
        columns[f"{text} [{unit}]" if unit else text] = [found[text].value for _, _, found in rows]
    fill_table(node, columns)


def fill_constraints(node: Any, results: Sequence[tuple[str, ConstraintResult]]) -> None:
    """Fill the table of constraints: dose volume name and result of each."""
    fill_table(
        node,
        {
            "Structure": [r.structure for _, r in results],
            "Dose": [dose for dose, _ in results],
            "Constraint": [r.shown for _, r in results],
            "Observed": [r.observed for _, r in results],
            "Unit": [r.unit for _, r in results],
            "Verdict": [VERDICTS[r.compliance] for _, r in results],
            "Deviation": [r.delta for _, r in results],
            "Reason": [r.reason for _, r in results],
            "Source": [r.citation for _, r in results],
        },
    )


def add_mark(scene: Any, chart: Any) -> Any:
    """Add a chart series for the constraint that is looked at; it is hidden until it is set."""
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "Constraint point")
    series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", "Constraint")
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName("Dose")
    series.SetYColumnName("Volume")
    series.SetPlotType(series.PlotTypeScatter)
    series.SetMarkerStyle(series.MarkerStyleNone)
    series.SetLineWidth(3)
    series.SetColor(0.75, 0.1, 0.1)
    chart.SetNodeReferenceID(MARK, series.GetID())
    return series


def set_mark(chart: Any, point: tuple[float, float] | None, label: str = "") -> None:
    """Show the constraint's point (dose in Gy, volume in percent) in the chart; None takes it away."""
    series = chart.GetNodeReference(MARK)
    if series is None:
        return
    if point is None:
        if chart.HasPlotSeriesNodeID(series.GetID()):
            chart.RemovePlotSeriesNodeID(series.GetID())
        return
    # A cross drawn as one line: shown alike by all chart views, unlike markers.
    doses = chart.GetNthPlotSeriesNode(0).GetTableNode().GetTable().GetColumnByName("Dose")
    arms = np.array([(-1, 0), (1, 0), (0, 0), (0, -1), (0, 1)]) * (0.02 * doses.GetRange()[1], 3.0)
    cross = np.clip(np.array(point) + arms, 0.0, (np.inf, 100.0))
    fill_table(series.GetTableNode(), {"Dose": cross[:, 0].tolist(), "Volume": cross[:, 1].tolist()})
    series.SetName(label)
    if not chart.HasPlotSeriesNodeID(series.GetID()):
        chart.AddAndObservePlotSeriesNodeID(series.GetID())


def remove_outputs(scene: Any, metrics: Any) -> None:
    """Remove the nodes of an earlier computation, found from its metrics table."""
    if metrics is None or not scene.IsNodePresent(metrics):
        return
    tables = _referenced(metrics, RT_DVH)
    series = [table.GetNodeReference(RT_DVH + "dvhPlotSeries") for table in tables]
    ours = [metrics.GetNodeReference(role) for role in (RESULTS, CONSTRAINTS)]
    chart = metrics.GetNodeReference(CHART)
    mark = chart.GetNodeReference(MARK) if chart else None
    marks = [mark.GetTableNode(), mark] if mark else []
    for node in (*tables, *series, *ours, *marks, chart, metrics):
        if node is not None and scene.IsNodePresent(node):
            scene.RemoveNode(node)


def _referenced(node: Any, prefix: str) -> list[Any]:
    roles = [node.GetNthNodeReferenceRole(n) for n in range(node.GetNumberOfNodeReferenceRoles())]
    found = [node.GetNodeReference(role) for role in roles if role.startswith(prefix)]
    return [each for each in found if each is not None]
