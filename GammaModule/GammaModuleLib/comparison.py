"""One gamma comparison of two dose volume nodes, from nodes to nodes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from GammaModuleLib.inputs import reasons_against, segment_mask
from GammaModuleLib.outputs import fill_gamma_volume, fill_histogram, fill_regions, region_row
from intrepid_gamma import GammaResult, GammaSettings, gamma_indices
from intrepid_rt.errors import InvalidSetting
from SlicerInTrEPIDLib.dose_nodes import grid_of

ROLES = ("statistics", "histogram", "chart")


@dataclass(frozen=True, eq=False)
class Comparison:
    """The nodes that a comparison made or filled, and its result."""

    result: GammaResult
    gamma: Any
    statistics: Any
    histogram: Any
    chart: Any


def compare(
    scene: Any,
    reference: Any,
    evaluated: Any,
    settings: GammaSettings,
    *,
    segmentation: Any = None,
    segment_id: str = "",
    gamma_node: Any = None,
    progress: Callable[[float], None] | None = None,
) -> Comparison:
    """Compare two dose volumes and put the outcome into the scene.

    Parameters
    ----------
    scene : vtkMRMLScene
    reference, evaluated : vtkMRMLScalarVolumeNode
        Dose in one unit (Gy): the plan, and what was measured or reconstructed.
    segmentation, segment_id : vtkMRMLSegmentationNode and str, optional
        Only voxels of this segment are analysed. Without ``segment_id`` every segment gets a row in the table.
    gamma_node : vtkMRMLScalarVolumeNode, optional
        Filled, with the nodes it refers to, instead of new nodes.
    progress : callable, optional
        Called with the fraction done; an exception that it raises ends the computation, and the scene stays as it was.

    Raises
    ------
    InvalidSetting
        The nodes cannot be compared, for the reasons of `inputs.reasons_against`.
    """
    reasons = reasons_against(scene, reference, evaluated, segmentation, segment_id)
    if reasons:
        raise InvalidSetting(" ".join(reasons))
    grid = grid_of(reference)
    mask = segment_mask(scene, segmentation, segment_id, reference) if segmentation and segment_id else None
    result = gamma_indices(grid, grid_of(evaluated), [settings], mask=mask, progress=progress)[0]
    # Without the criteria, which change when the same volume is filled again; its attributes hold them.
    name = f"Gamma of {evaluated.GetName()}"
    gamma_node = gamma_node or scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    fill_gamma_volume(scene, gamma_node, result, reference, evaluated)
    statistics, histogram, chart = (
        _companion(scene, gamma_node, role, kind)
        for role, kind in zip(ROLES, ("vtkMRMLTableNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode"), strict=True)
    )
    fill_regions(statistics, _rows(scene, result, grid, reference, segmentation, segment_id))
    fill_histogram(scene, chart, histogram, result)
    return Comparison(result, gamma_node, statistics, histogram, chart)


def _companion(scene: Any, gamma_node: Any, role: str, kind: str) -> Any:
    """Return the node that belongs to a gamma volume in this role, made at first need."""
    role = f"InTrEPID.{role}"
    node = gamma_node.GetNodeReference(role)
    if node is None:
        node = scene.AddNewNodeByClass(kind, f"{gamma_node.GetName()} {role.split('.')[1]}")
        gamma_node.SetNodeReferenceID(role, node.GetID())
    return node


def _rows(
    scene: Any, result: GammaResult, grid: Any, reference: Any, segmentation: Any, segment_id: str
) -> list[dict[str, Any]]:
    if segmentation is None:
        return [region_row("All", result, None, grid)]
    segments = segmentation.GetSegmentation()
    if segment_id:
        return [region_row(segments.GetSegment(segment_id).GetName(), result, None, grid)]
    rows = [region_row("All", result, None, grid)]
    for one in segments.GetSegmentIDs():
        try:
            mask = segment_mask(scene, segmentation, one, reference)
        except InvalidSetting:
            continue  # a segment outside the dose has no row
        rows.append(region_row(segments.GetSegment(one).GetName(), result, mask, grid))
    return rows
