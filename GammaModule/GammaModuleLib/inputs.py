"""What the nodes of a comparison hold, and every reason why they cannot be compared."""

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray

import slicer
from intrepid_gamma.distributions import paired
from intrepid_rt.errors import InvalidSetting, UnusableInput
from SlicerInTrEPIDLib.dose_nodes import dose_unit, grid_of
from SlicerInTrEPIDLib.volumes import read_volume


def reasons_against(
    scene: Any, reference: Any, evaluated: Any, segmentation: Any = None, segment_id: str = ""
) -> list[str]:
    """Return every reason, as a sentence with the way out, why these nodes cannot be compared; none if they can."""
    reasons = []
    if reference is None:
        reasons.append("Choose the reference dose: the plan.")
    if evaluated is None:
        reasons.append("Choose the evaluated dose: what was measured or reconstructed.")
    if reference is not None and evaluated is not None:
        reasons += _reasons_against_pair(scene, reference, evaluated)
    if segmentation is not None and segment_id and not _has_segment(segmentation, segment_id):
        reasons.append("The mask segment is no longer there. Choose another one, or none.")
    return reasons


def _reasons_against_pair(scene: Any, reference: Any, evaluated: Any) -> list[str]:
    if reference is evaluated:
        return ["Reference and evaluated dose are the same volume. Choose two different ones."]
    units = [dose_unit(scene, node) for node in (reference, evaluated)]
    if all(units) and units[0] != units[1]:
        return [f"The reference is in {units[0]}, the evaluated dose in {units[1]}. Choose doses of one unit."]
    try:
        paired(grid_of(reference), grid_of(evaluated))
    except UnusableInput as reason:
        return [str(reason)]
    return []


def segment_mask(scene: Any, segmentation: Any, segment_id: str, reference: Any) -> NDArray[np.bool_]:
    """Return which voxels (nz, ny, nx) of the reference volume belong to a segment, by their centres.

    Raises
    ------
    InvalidSetting
        The segment is empty or lies outside the reference volume.
    """
    labels = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "GammaMask")
    try:
        ids = vtk.vtkStringArray()
        ids.InsertNextValue(segment_id)
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        exported = logic.ExportSegmentsToLabelmapNode(segmentation, ids, labels, reference)
        mask = read_volume(labels)[0] != 0 if exported and labels.GetImageData() else np.zeros(1, bool)
    finally:
        _remove(scene, labels)
    if mask.shape != reference.GetImageData().GetDimensions()[::-1] or not mask.any():
        name = segmentation.GetSegmentation().GetSegment(segment_id).GetName()
        raise InvalidSetting(f"The segment {name} has no voxel in the reference dose. Choose another segment, or none.")
    return mask


def _remove(scene: Any, labels: Any) -> None:
    """Remove a label map with the colour table that the export made for it."""
    display = labels.GetDisplayNode()
    colours = display.GetColorNode() if display else None
    scene.RemoveNode(labels)
    if colours is not None and colours.GetName().startswith("GammaMask"):
        scene.RemoveNode(colours)


def _has_segment(segmentation: Any, segment_id: str) -> bool:
    return segmentation.GetSegmentation().GetSegment(segment_id) is not None
