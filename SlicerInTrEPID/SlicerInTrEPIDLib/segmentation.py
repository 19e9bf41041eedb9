"""A structure set as an MRML segmentation of closed surfaces."""

from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk

import slicer
from intrepid_rt.structures import Structure, StructureSet
from SlicerInTrEPIDLib.surfaces import distance_volume
from SlicerInTrEPIDLib.volumes import file_safe

CLOSED_SURFACE = "Closed surface"


def add_segmentation(
    scene: Any, structures: StructureSet, *, reference_volume: Any
) -> tuple[Any, dict[str, str], list[str]]:
    """Add one segment per structure, with its colour, and ``DicomRtImport.RoiNumber`` as SlicerRT tags it.

    Parameters
    ----------
    structures : StructureSet
    reference_volume : vtkMRMLScalarVolumeNode
        The CT; gives the geometry for later label maps and the slab of structures with a single contour.

    Returns
    -------
    node : vtkMRMLSegmentationNode
    segment_ids : dict of str to str
        ROIName to segment ID, of the structures that have a volume.
    left_out : list of str
        One sentence per structure without a surface.
    """
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", file_safe(structures.label or "Structures"))
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(reference_volume)
    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(CLOSED_SURFACE)
    segment_ids, left_out = {}, []
    for structure in structures.structures:
        reason = why_no_surface(structure)
        if reason:
            left_out.append(f"Structure {structure.name} is not in the scene: {reason}")
            continue
        surface = closed_surface(structure, thickness_mm=reference_volume.GetSpacing()[2])
        segment_ids[structure.name] = _add_segment(segmentation, structure, surface)
    _set_display(node, structures, segment_ids)
    return node, segment_ids, left_out


def why_no_surface(structure: Structure) -> str:
    """Say why a structure cannot become a surface; empty if it can."""
    if structure.is_empty:
        return "it has no closed contour."
    if any(np.ptp(contour[:, 2]) > 0.1 for contour in structure.contours):
        return "its contours are not in axial planes."
    return ""


def closed_surface(structure: Structure, *, thickness_mm: float) -> Any:
    """Return the surface as ``vtkPolyData`` in RAS mm; see ``surfaces`` for what a contour stands for."""
    x, y, z, field = distance_volume(structure, thickness_mm=thickness_mm)
    grid = vtk.vtkRectilinearGrid()
    grid.SetDimensions(x.size, y.size, z.size)
    for setter, values in ((grid.SetXCoordinates, x), (grid.SetYCoordinates, y), (grid.SetZCoordinates, z)):
        setter(numpy_to_vtk(np.ascontiguousarray(values), deep=True))
    grid.GetPointData().SetScalars(numpy_to_vtk(field.astype(np.float32).ravel(), deep=True))
    contour = vtk.vtkContourFilter()
    contour.SetInputData(grid)
    contour.SetValue(0, 0.0)
    contour.ComputeScalarsOff()
    contour.ComputeNormalsOff()
    turn = vtk.vtkTransform()
    turn.RotateZ(180)  # LPS to RAS
    to_ras = vtk.vtkTransformPolyDataFilter()
    to_ras.SetTransform(turn)
    to_ras.SetInputConnection(contour.GetOutputPort())
    normals = vtk.vtkPolyDataNormals()  # for smooth shading; the faces look outwards already
    normals.SetInputConnection(to_ras.GetOutputPort())
    normals.SplittingOff()
    normals.ConsistencyOff()
    normals.Update()
    return normals.GetOutput()


def _add_segment(segmentation: Any, structure: Structure, surface: Any) -> str:
    segment = slicer.vtkSegment()
    segment.SetName(structure.name)
    segment.SetColor(*(value / 255.0 for value in structure.colour_rgb))
    segment.SetTag("DicomRtImport.RoiNumber", str(structure.number))
    segment.AddRepresentation(CLOSED_SURFACE, surface)
    segment_id = segmentation.GenerateUniqueSegmentID(structure.name)
    segmentation.AddSegment(segment, segment_id)
    return segment_id


def _set_display(node: Any, structures: StructureSet, segment_ids: dict[str, str]) -> None:
    display = node.GetDisplayNode()
    display.SetPreferredDisplayRepresentationName2D(CLOSED_SURFACE)
    display.SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
    display.SetVisibility2DFill(False)
    external = structures.external
    for structure in structures.structures:
        if structure.name in segment_ids:
            # The outline encloses everything else: seen through, or it hides the rest.
            is_outline = external is not None and structure.name == external.name
            display.SetSegmentOpacity3D(segment_ids[structure.name], 0.15 if is_outline else 0.6)
