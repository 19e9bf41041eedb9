"""Tables of numbers, the DVH tables and the DVH chart, named and linked as SlicerRT's DVH module does."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import vtk

from intrepid_rt.verification import DoseVolumeCurve, StructureResult
from SlicerInTrEPIDLib.volumes import file_safe

DVH = "DoseVolumeHistogram."


def add_table(scene: Any, name: str, columns: dict[str, Sequence]) -> Any:
    """Add a table node: columns of numbers stay numbers, None becomes NaN; all else becomes text, None empty."""
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", file_safe(name))
    for title, values in columns.items():
        node.AddColumn(_column(title, values))
    return node


def fill_table(node: Any, columns: dict[str, Sequence]) -> None:
    """Replace the columns of a table node by such as `add_table` makes, for reading only, their titles above them."""
    node.SetLocked(False)
    node.RemoveAllColumns()
    for title, values in columns.items():
        node.AddColumn(_column(title, values))
    # Else titles are row 0 of a table view. Slicer 5.10 has the setting under an older name.
    titles_on_top = getattr(node, "SetUseColumnTitleAsColumnHeader", None) or node.SetUseColumnNameAsColumnHeader
    titles_on_top(True)
    node.SetLocked(True)


def _column(title: str, values: Sequence) -> Any:
    is_number = all(v is None or isinstance(v, int | float | np.number) for v in values)
    column = vtk.vtkDoubleArray() if is_number else vtk.vtkStringArray()
    column.SetName(title)
    for value in values:
        column.InsertNextValue(float("nan" if value is None else value) if is_number else _words(value))
    return column


def _words(value: object) -> str:
    return "" if value is None else str(value)


class DvhTables:
    """Collects DVHs of one segmentation in SlicerRT's layout: one table and one chart series per structure and dose.

    SlicerRT finds a table by its attribute ``DoseVolumeHistogram.DVH``, and what it belongs to by node references.
    """

    def __init__(self, scene: Any, segmentation: Any, *, dose_unit: str) -> None:
        self.scene, self.segmentation, self.dose_unit = scene, segmentation, dose_unit
        self.rows: list[tuple[str, str, StructureResult, DoseVolumeCurve]] = []
        self.tables: list[Any] = []
        self.metrics = scene.AddNewNodeByClass("vtkMRMLTableNode", "DvhMetrics")
        self.chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", "DvhChart")
        self.chart.SetTitle("Dose Volume Histogram")
        self.chart.SetXAxisTitle(f"Dose [{dose_unit}]")
        self.chart.SetYAxisTitle("Fractional volume [%]")

    def add(
        self, structure: StructureResult, segment_id: str, curve: DoseVolumeCurve, dose: Any, *, planned: bool
    ) -> None:
        """Add the curve of one structure in one dose volume node; ``planned`` curves are dashed."""
        name = f"{segment_id}_DvhTable" + ("_planned" if planned else "")
        table = add_table(self.scene, name, {"Dose": list(curve.dose_gy), "Volume": list(curve.volume_percent)})
        table.SetAttribute(DVH + "DVH", "1")
        table.SetAttribute(DVH + "SegmentID", segment_id)
        table.SetAttribute(DVH + "TableRow", str(len(self.rows)))
        table.SetAttribute(DVH + "DoseVolumeOversamplingFactor", "-1")
        table.SetAttribute(DVH + "Volume (cc)", repr(float(curve.volume_cc[0])))
        table.SetNodeReferenceID("doseVolumeRef", dose.GetID())
        table.SetNodeReferenceID("segmentationRef", self.segmentation.GetID())
        table.SetNodeReferenceID("dvhMetricsTableRef", self.metrics.GetID())
        role = f"{DVH}{dose.GetID()}_{self.segmentation.GetID()}_{segment_id}"
        self.metrics.SetNodeReferenceID(role, table.GetID())
        for owner in (dose, self.segmentation):
            owner.AddNodeReferenceID(DVH + "createdDvhArrayRef", table.GetID())
        self.rows.append((structure.name, dose.GetName(), structure, curve))
        self.tables.append(table)
        self._add_series(table, structure, planned=planned)

    def _add_series(self, table: Any, structure: StructureResult, *, planned: bool) -> None:
        title = f"{structure.name} (planned)" if planned else structure.name
        series = self.scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", title)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName("Dose")
        series.SetYColumnName("Volume")
        series.SetPlotType(series.PlotTypeScatter)
        series.SetMarkerStyle(series.MarkerStyleNone)
        series.SetLineStyle(series.LineStyleDash if planned else series.LineStyleSolid)
        series.SetColor(*(value / 255.0 for value in structure.colour_rgb))
        table.SetNodeReferenceID(DVH + "dvhPlotSeries", series.GetID())
        self.chart.AddAndObservePlotSeriesNodeID(series.GetID())

    def finish(self) -> None:
        """Fill the metrics table; all its columns but ``Show`` are text, as SlicerRT reads them by position."""
        show = vtk.vtkBitArray()
        show.SetName("Show")
        for _ in self.rows:
            show.InsertNextValue(1)
        self.metrics.AddColumn(show)
        unit = self.dose_unit
        columns = {
            "Structure": [name for name, *_ in self.rows],
            "Volume name": [dose for _, dose, *_ in self.rows],
            "Volume (cc)": [_text(curve.volume_cc[0]) for *_, curve in self.rows],
            f"Mean dose ({unit})": [_text(curve.mean_gy) for *_, curve in self.rows],
            f"Min dose ({unit})": [_text(curve.min_gy) for *_, curve in self.rows],
            f"Max dose ({unit})": [_text(curve.max_gy) for *_, curve in self.rows],
        }
        for title, values in columns.items():
            column = vtk.vtkStringArray()
            column.SetName(title)
            for value in values:
                column.InsertNextValue(value)
            self.metrics.AddColumn(column)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
