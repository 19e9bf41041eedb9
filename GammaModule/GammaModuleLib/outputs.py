"""Gamma as SlicerRT stores it, and its numbers as table and chart nodes."""

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk

from intrepid_gamma import GammaResult
from intrepid_rt.grids import Grid
from SlicerInTrEPIDLib.contents import GAMMA_STOPS, MAX_GAMMA_SHOWN, OURS
from SlicerInTrEPIDLib.hierarchy import place_beside
from SlicerInTrEPIDLib.tables import fill_table
from SlicerInTrEPIDLib.volumes import LPS_TO_RAS, add_colours, colour_ramp, show

COLOURS = "Gamma_ColorTable"  # the name of SlicerRT's own table


def fill_gamma_volume(scene: Any, node: Any, result: GammaResult, reference: Any, evaluated: Any) -> None:
    """Make ``node`` the gamma volume of two dose volumes: samples, geometry, attributes, colours, place in the tree.

    As in SlicerRT, a voxel that was not analysed holds 0. One without evaluated dose, which failed, holds the largest
    gamma found, at least `MAX_GAMMA_SHOWN`; how many these are is an attribute.
    """
    image = vtk.vtkImageData()
    image.SetDimensions(*result.gamma.shape[::-1])
    values = np.nan_to_num(result.gamma, nan=0.0, posinf=max(MAX_GAMMA_SHOWN, result.max_gamma or 0.0))
    image.GetPointData().SetScalars(numpy_to_vtk(values.astype(np.float32).ravel(), deep=True))
    matrix = vtk.vtkMatrix4x4()
    reference.GetIJKToRASMatrix(matrix)
    node.SetIJKToRASMatrix(matrix)
    node.SetAndObserveImageData(image)
    _describe(node, result, reference, evaluated)
    show(node, window=(0.0, MAX_GAMMA_SHOWN), colours=_colours(scene), hide_below=1e-6, interpolate=False)
    place_beside(scene, node, reference)


def region_row(name: str, result: GammaResult, mask: NDArray | None, grid: Grid) -> dict[str, Any]:
    """Return the table row of one region: its statistics and where (RAS, mm) its worst point lies.

    The worst point is the one without evaluated dose, if there is any, else that of the largest gamma.
    """
    gamma = result.gamma if mask is None else np.where(mask, result.gamma, np.nan)
    numbers = result.by_structure({name: ~np.isnan(gamma)})[0]
    worst: NDArray | tuple[None, ...] = (None, None, None)
    if numbers["n_points"]:
        at = np.unravel_index(np.nanargmax(gamma), gamma.shape)
        worst = LPS_TO_RAS[:3, :3] @ grid.index_to_position(np.array(at[::-1]))
    return {
        "Region": name,
        "Pass rate [%]": numbers["pass_rate_percent"],
        "Points": numbers["n_points"],
        "Missing": numbers["n_missing"],
        "Mean gamma": numbers["mean_gamma"],
        "Max gamma": numbers["max_gamma"],
        **dict(zip(("Worst R [mm]", "Worst A [mm]", "Worst S [mm]"), worst, strict=True)),
    }


def fill_regions(node: Any, rows: list[dict[str, Any]]) -> None:
    """Fill a table node with the rows of `region_row`."""
    fill_table(node, {title: [row[title] for row in rows] for title in rows[0]})


def fill_histogram(scene: Any, chart: Any, table: Any, result: GammaResult, *, n_bins: int = 40) -> None:
    """Fill a table (gamma, points) and a chart that shows it as steps; missing points are in the last bin."""
    top = max(MAX_GAMMA_SHOWN, min(result.max_gamma or 0.0, 10.0))
    edges = np.linspace(0.0, top, n_bins + 1)
    counts = result.histogram(edges)
    # Two rows per bin, at its edges, make steps of a line.
    steps = {"Gamma": np.repeat(edges, 2)[1:-1].tolist(), "Points": np.repeat(counts, 2).tolist()}
    fill_table(table, steps)
    series = chart.GetNthPlotSeriesNode(0) or scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", "Points per gamma")
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName("Gamma")
    series.SetYColumnName("Points")
    series.SetPlotType(series.PlotTypeScatter)
    series.SetMarkerStyle(series.MarkerStyleNone)
    series.SetColor(0.1, 0.35, 0.6)
    if not chart.GetNumberOfPlotSeriesNodes():
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle(f"Gamma {result.dose_percent:g} % / {result.distance_mm:g} mm")
    chart.SetXAxisTitle("Gamma")
    chart.SetYAxisTitle("Points")
    chart.SetLegendVisibility(False)


def _describe(node: Any, result: GammaResult, reference: Any, evaluated: Any) -> None:
    node.SetAttribute("DoseComparison.GammaVolume", "1")
    node.SetNodeReferenceID("referenceDoseVolumeRef", reference.GetID())
    node.SetNodeReferenceID("compareDoseVolumeRef", evaluated.GetID())
    settings = result.settings
    for name, value in {
        "DosePercent": settings.dose_percent,
        "DistanceMm": settings.distance_mm,
        "NormGy": result.norm_gy,
        "CutoffPercent": settings.cutoff_percent,
        "PassRatePercent": result.pass_rate_percent,
        "Points": result.n_points,
        "PointsPassed": result.n_passed,
        "PointsMissing": result.n_missing,
        "PointsReachingOutside": result.n_reach_outside,
    }.items():
        node.SetAttribute(OURS + name, repr(value))
    node.SetAttribute(OURS + "Normalisation", "local" if settings.local else "global")
    node.SetAttribute(OURS + "Interpolation", "linear" if settings.interpolate else "none")


def _colours(scene: Any) -> Any:
    return scene.GetFirstNode(COLOURS, "vtkMRMLColorTableNode") or add_colours(scene, COLOURS, colour_ramp(GAMMA_STOPS))
