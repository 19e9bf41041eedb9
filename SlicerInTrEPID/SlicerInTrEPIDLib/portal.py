"""Portal images in 3D: the imager plane as a one-slice volume and as a coloured sheet that every 3D view shows."""

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk

from intrepid_rt.beam_frame import BeamFrame
from intrepid_rt.portal_image import PortalImage
from SlicerInTrEPIDLib.volumes import LPS_TO_RAS, add_volume, file_safe

MAX_SHEET_POINTS = 192  # per side: the sheet is for looking, the volume has every pixel


def pixel_to_lps(image: PortalImage, frame: BeamFrame) -> NDArray:
    """Return the (4, 4) affine from pixel (column, row, 0) to LPS mm of the pixel centre on the imager plane.

    The image's own distance places the plane; its third axis points away from the source, which makes the frame
    right-handed.
    """
    height_mm = frame.source_to_axis_mm - image.source_to_image_mm  # Z_g of the plane, below the isocentre
    row_spacing_mm, column_spacing_mm = image.pixel_spacing_mm
    affine = np.eye(4)
    affine[:3, 0] = frame.x_axis * column_spacing_mm
    affine[:3, 1] = -frame.y_axis * row_spacing_mm
    affine[:3, 2] = -frame.towards_source
    affine[:3, 3] = frame.to_lps((*image.first_pixel_mm, height_mm))
    return affine


def add_portal_volume(
    scene: Any, image: PortalImage, frame: BeamFrame, name: str, *, values: NDArray | None = None
) -> Any:
    """Add the image, or other ``values`` on its pixels, as a one-slice volume on the imager plane."""
    shown = np.asarray(image.values if values is None else values, np.float32)
    return add_volume(scene, shown[None], pixel_to_lps(image, frame), name)


def add_portal_sheet(scene: Any, image: PortalImage, frame: BeamFrame, name: str, colours: Any) -> Any:
    """Add a flat model on the imager plane whose points carry the image; needs no extension to be seen in 3D."""
    step = max(1, int(np.ceil(max(image.values.shape) / MAX_SHEET_POINTS)))
    values = np.ascontiguousarray(image.values[::step, ::step], np.float32)
    row, column = np.meshgrid(*(step * np.arange(n) for n in values.shape), indexing="ij")
    affine = LPS_TO_RAS @ pixel_to_lps(image, frame)
    points = np.stack([column, row, np.zeros_like(row)], axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    model = scene.AddNewNodeByClass("vtkMRMLModelNode", file_safe(name))
    model.SetAndObserveMesh(_sheet(points, values))
    model.CreateDefaultDisplayNodes()
    display = model.GetDisplayNode()
    display.SetActiveScalarName("values")
    display.SetAndObserveColorNodeID(colours.GetID())
    display.SetScalarRangeFlag(display.UseManualScalarRange)
    display.SetScalarRange(0.0, float(np.nanmax(values)) or 1.0)
    display.SetScalarVisibility(True)
    display.SetBackfaceCulling(False)
    display.SetLighting(False)
    display.SetVisibility2D(False)
    return model


def _sheet(points: NDArray, values: NDArray) -> Any:
    rows, columns = values.shape
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    quads = np.stack([corner, corner + 1, corner + columns + 1, corner + columns], axis=-1)
    cells = vtk.vtkCellArray()
    cells.SetData(4, numpy_to_vtk(quads.astype(np.int64).ravel(), deep=True, array_type=vtk.VTK_ID_TYPE))
    mesh, vertices = vtk.vtkPolyData(), vtk.vtkPoints()
    vertices.SetData(numpy_to_vtk(np.ascontiguousarray(points, np.float32).reshape(-1, 3), deep=True))
    mesh.SetPoints(vertices)
    mesh.SetPolys(cells)
    scalars = numpy_to_vtk(values.ravel(), deep=True)
    scalars.SetName("values")
    mesh.GetPointData().SetScalars(scalars)
    return mesh
