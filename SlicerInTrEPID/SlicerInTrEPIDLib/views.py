"""How the scene looks when it is opened: CT with dose in three planes through the isocentre, 3D and the DVH chart."""

from typing import Any

from numpy.typing import NDArray

import slicer

SLICES = (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal"))
DOSE_OPACITY = 0.4


def set_views(scene: Any, isocentre_lps_mm: NDArray, *, background: Any, foreground: Any) -> None:
    """Set slice views, layout and the isocentre's marker."""
    x, y, z = (float(v) for v in isocentre_lps_mm)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    for name, orientation in SLICES:
        composite = _add_singleton(scene, "vtkMRMLSliceCompositeNode", name)
        composite.SetLayoutName(name)
        composite.SetBackgroundVolumeID(background.GetID())
        composite.SetForegroundVolumeID(foreground.GetID())
        composite.SetForegroundOpacity(DOSE_OPACITY)
        view = _add_singleton(scene, "vtkMRMLSliceNode", name)
        view.SetLayoutName(name)
        view.SetLayoutLabel(name[0])
        view.SetOrientation(orientation)
        view.JumpSliceByCentering(-x, -y, z)
    _add_isocentre(scene, (-x, -y, z))
    layout = _add_singleton(scene, "vtkMRMLLayoutNode", "vtkMRMLLayoutNode")
    layout.SetViewArrangement(layout.SlicerLayoutFourUpPlotView)


def plot_view(scene: Any, tag: str) -> Any:
    """Return the view node of a panel's own chart, made at first need."""
    return scene.GetSingletonNode(tag, "vtkMRMLPlotViewNode") or _add_singleton(scene, "vtkMRMLPlotViewNode", tag)


def _add_singleton(scene: Any, class_name: str, tag: str) -> Any:
    # Made by the scene, a node starts from the scene's defaults (orientations); Slicer merges equal tags on opening.
    node = scene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    node.SetSingletonTag(tag)
    node.SetName(tag)
    return scene.AddNode(node)


def _add_isocentre(scene: Any, position_ras_mm: tuple[float, float, float]) -> None:
    markups = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Isocentre")
    markups.AddControlPoint(*position_ras_mm, "Isocenter")  # SlicerRT's spelling of the point's name
    markups.SetLocked(True)
    markups.CreateDefaultDisplayNodes()
