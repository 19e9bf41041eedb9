"""Registration inside the application by Slicer's own BRAINSFit; without it the command line registers by itself."""

from pathlib import Path
from typing import Any

from intrepid_rt.errors import MissingObject, UnusableInput

SHARE_OF_VOXELS = 0.02
KNOTS_MM = 32.0


def can_register(modules: Any) -> bool:
    """Whether this application has BRAINSFit (``modules`` is ``slicer.modules``)."""
    return hasattr(modules, "brainsfit")


def ct_pair(scene: Any) -> tuple[Any, Any] | None:
    """Return planning CT and CT of the day if the scene holds exactly these two.

    The planning CT is the one that a segmentation refers to, or that is called "CT".
    """
    nodes = scene.GetNodesByClass("vtkMRMLScalarVolumeNode")
    nodes.UnRegister(None)
    tree = scene.GetSubjectHierarchyNode()
    volumes = [nodes.GetItemAsObject(number) for number in range(nodes.GetNumberOfItems())]
    found = [node for node in volumes if tree and _modality(tree, node) == "CT"]
    if len(found) != 2:
        return None
    structures = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    reference = structures.GetNodeReference("referenceImageGeometryRef") if structures else None
    planning = next((node for node in found if node is reference or node.GetName() == "CT"), None)
    return None if planning is None else (planning, next(node for node in found if node is not planning))


def _modality(tree: Any, node: Any) -> str:
    item = tree.GetItemByDataNode(node)
    return (tree.GetItemAttribute(item, "DICOM.Modality") or "") if item else ""


def brainsfit_parameters(planning: Any, day: Any, transform: Any, *, deformable: bool) -> dict[str, Any]:
    """Return what BRAINSFit is asked: from points of the planning CT (fixed) to those of the image of the day."""
    steps = {"useRigid": True, "linearTransform": transform.GetID()}
    if deformable:
        extent = [n * s for n, s in zip(planning.GetImageData().GetDimensions(), planning.GetSpacing(), strict=True)]
        knots = ",".join(str(max(3, round(length / KNOTS_MM))) for length in extent)
        steps = {"useRigid": True, "useBSpline": True, "splineGridSize": knots, "bsplineTransform": transform.GetID()}
    return {
        "fixedVolume": planning.GetID(),
        "movingVolume": day.GetID(),
        "samplingPercentage": SHARE_OF_VOXELS,
        "initializeTransformMode": "useMomentsAlign",
        "costMetric": "MMI",
        **steps,
    }


def register(scene: Any, cli: Any, modules: Any, planning: Any, day: Any, *, deformable: bool) -> Any:
    """Register two volume nodes by BRAINSFit; returns the transform node, which carries the day to the plan.

    Parameters
    ----------
    cli : module
        ``slicer.cli``.

    Raises
    ------
    MissingObject
        The application has no BRAINSFit.
    UnusableInput
        It failed.
    """
    if not can_register(modules):
        raise MissingObject("This Slicer has no BRAINSFit (General Registration). The reconstruction registers itself.")
    kind = "vtkMRMLBSplineTransformNode" if deformable else "vtkMRMLLinearTransformNode"
    transform = scene.AddNewNodeByClass(kind, "Day to plan (BRAINSFit)")
    parameters = brainsfit_parameters(planning, day, transform, deformable=deformable)
    node = cli.runSync(modules.brainsfit, None, parameters)
    if node.GetStatus() & node.ErrorsMask:
        scene.RemoveNode(transform)
        raise UnusableInput(f"BRAINSFit could not register the images: {node.GetErrorText()[-300:]}")
    return transform


def save_transform(transform: Any, path: Path) -> Path:
    """Write a transform node as the file that ``intrepid reconstruct --registration`` reads.

    Raises
    ------
    UnusableInput
        It cannot be written.
    """
    storage = transform.GetScene().AddNewNodeByClass("vtkMRMLTransformStorageNode")
    try:
        storage.SetFileName(str(path))
        if not storage.WriteData(transform):
            raise UnusableInput(f"{path} could not be written. Check the folder and the free space.")
    finally:
        transform.GetScene().RemoveNode(storage)
    return path
