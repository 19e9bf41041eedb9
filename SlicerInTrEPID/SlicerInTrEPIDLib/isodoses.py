"""Isodose surfaces, whose cuts are isodose lines in the slice views: by SlicerRT where it is, else by our own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from intrepid_rt.errors import MissingObject
from SlicerInTrEPIDLib.hierarchy import RT
from SlicerInTrEPIDLib.volumes import LPS_TO_RAS, add_colours, file_safe, read_volume, to_vtk_matrix

PERCENT = (10.0, 20.0, 50.0, 80.0, 95.0, 105.0)
COLOURS = (
    (0.36, 0.56, 0.98), (0.21, 0.77, 0.94), (0.24, 0.86, 0.52), (1.0, 0.83, 0.23), (1.0, 0.3, 0.31), (0.8, 0.1, 0.8),
)  # fmt: skip
OPACITY_3D = 0.3


def add_isodoses(scene: Any, dose: Any, reference_gy: float, *, percent: Sequence[float] = PERCENT) -> Any:
    """Add the isodoses of a dose volume node as one model whose scalars ``isolevels`` are the doses in Gy.

    Parameters
    ----------
    dose : vtkMRMLScalarVolumeNode
    reference_gy : float
        100 %: the prescription, or the planned maximum.

    Raises
    ------
    MissingObject
        The dose reaches none of the levels.
    """
    levels_gy = [reference_gy * p / 100.0 for p in percent]
    surfaces = [(level, _surface(dose, level)) for level in levels_gy]
    drawn = [(level, surface) for level, surface in surfaces if surface.GetNumberOfPoints()]
    if not drawn:
        raise MissingObject(f"{dose.GetName()} reaches no isodose: it stays below {min(levels_gy):.3g} Gy.")
    joined = vtk.vtkAppendPolyData()
    for level, surface in drawn:
        values = numpy_to_vtk(np.full(surface.GetNumberOfPoints(), level, np.float32), deep=True)
        values.SetName("isolevels")
        surface.GetPointData().SetScalars(values)
        joined.AddInputData(surface)
    joined.Update()
    name = file_safe(f"{dose.GetName()}_IsodoseLevels")
    model = scene.AddNewNodeByClass("vtkMRMLModelNode", name)
    model.SetAndObserveMesh(joined.GetOutput())
    model.SetAttribute(RT + "IsodoseModel", "1")
    model.SetNodeReferenceID("doseVolumeRef", dose.GetID())
    _show(scene, model, levels_gy)
    _place(scene, model, dose)
    return model


def _surface(dose: Any, level_gy: float) -> Any:
    """Surface of one level in RAS; smoothing would move a dose, so there is none."""
    values, index_to_lps = read_volume(dose)
    image = vtk.vtkImageData()
    # A layer of nothing around the grid closes surfaces where it ends.
    padded = np.pad(values.astype(np.float32), 1)
    image.SetDimensions(*padded.shape[::-1])
    image.SetOrigin(-1.0, -1.0, -1.0)
    image.GetPointData().SetScalars(numpy_to_vtk(padded.ravel(), deep=True))
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, level_gy)
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    contour.ComputeScalarsOff()
    placed, transform = vtk.vtkTransformPolyDataFilter(), vtk.vtkTransform()
    transform.SetMatrix(to_vtk_matrix(LPS_TO_RAS @ index_to_lps))
    placed.SetTransform(transform)
    placed.SetInputConnection(contour.GetOutputPort())
    placed.Update()
    return placed.GetOutput()


def _show(scene: Any, model: Any, levels_gy: Sequence[float]) -> None:
    low, high = min(levels_gy), max(levels_gy)
    # Levels are not evenly spaced but a table is: each of its colours is that of the nearest level.
    at = np.linspace(low, high, 256)
    nearest = np.abs(at[:, None] - np.array(levels_gy)).argmin(axis=1)
    colours = add_colours(scene, "InTrEPID_Isodoses", np.array(COLOURS)[np.minimum(nearest, len(COLOURS) - 1)])
    model.CreateDefaultDisplayNodes()
    display = model.GetDisplayNode()
    display.SetActiveScalarName("isolevels")
    display.SetAndObserveColorNodeID(colours.GetID())
    display.SetScalarRangeFlag(display.UseManualScalarRange)
    display.SetScalarRange(low, high)
    display.SetScalarVisibility(True)
    display.SetOpacity(OPACITY_3D)
    display.SetBackfaceCulling(False)
    display.SetVisibility2D(True)
    display.SetSliceIntersectionThickness(2)


def _place(scene: Any, model: Any, dose: Any) -> None:
    tree = scene.GetSubjectHierarchyNode()
    item = tree.GetItemByDataNode(dose) if tree else 0
    if item:
        tree.CreateItem(tree.GetItemParent(item), model)


def show_isodoses(scene: Any, dose: Any, reference_gy: float, modules: Any = None) -> Any:
    """Show isodoses by SlicerRT's module if it is in ``modules`` (``slicer.modules``), else by `add_isodoses`.

    Returns
    -------
    The model node; None if SlicerRT keeps it to itself.
    """
    if modules is None or not hasattr(modules, "isodose"):
        return add_isodoses(scene, dose, reference_gy)
    logic = modules.isodose.logic()
    parameters = scene.AddNewNodeByClass("vtkMRMLIsodoseNode")
    parameters.SetAndObserveDoseVolumeNode(dose)
    parameters.SetAndObserveColorTableNode(logic.SetupColorTableNodeForDoseVolumeNode(dose))
    parameters.SetReferenceDoseValue(reference_gy)
    if not logic.CreateIsodoseSurfaces(parameters):
        return add_isodoses(scene, dose, reference_gy)
    return parameters.GetIsosurfacesModelNode() if hasattr(parameters, "GetIsosurfacesModelNode") else None


def maximum_gy(dose: Any) -> float:
    """Return the largest value of a dose volume node."""
    return float(np.nanmax(read_volume(dose)[0]))
