"""Dose volumes of a scene: which there are, their unit, and what they hold."""

from typing import Any

from intrepid_rt.errors import InvalidSetting
from intrepid_rt.grids import Grid
from SlicerInTrEPIDLib.volumes import read_volume

DOSE_VOLUME = "DicomRtImport.DoseVolume"  # SlicerRT's attribute of every dose volume


def dose_volumes(scene: Any) -> list[Any]:
    """Return the volume nodes of a scene that SlicerRT would take for doses, in the order of the scene."""
    count = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    volumes = [scene.GetNthNodeByClass(n, "vtkMRMLScalarVolumeNode") for n in range(count)]
    return [node for node in volumes if node.GetAttribute(DOSE_VOLUME) is not None]


def dose_unit(scene: Any, node: Any) -> str:
    """Return the dose unit that SlicerRT keeps at the study of a volume, upper case ("GY"); empty if not stated."""
    tree = scene.GetSubjectHierarchyNode()
    item = tree.GetItemByDataNode(node) if tree else 0
    if not item:
        return ""
    return (tree.GetAttributeFromItemAncestor(item, "DicomRtImport.DoseUnitName", "Study") or "").upper()


def grid_of(node: Any) -> Grid:
    """Return the grid of a volume node, its samples shared with the node.

    Raises
    ------
    InvalidSetting
        The node is empty, has several values per voxel, or stands under a transform.
    """
    image = node.GetImageData()
    if image is None or not image.GetNumberOfPoints():
        raise InvalidSetting(f"{node.GetName()} holds no image. Load it again, or choose another volume.")
    if image.GetNumberOfScalarComponents() != 1:
        raise InvalidSetting(f"{node.GetName()} has several values per voxel. Choose a dose volume.")
    if node.GetParentTransformNode() is not None:
        raise InvalidSetting(f"{node.GetName()} stands under a transform. Harden it (Data module) first.")
    return Grid(*read_volume(node))
