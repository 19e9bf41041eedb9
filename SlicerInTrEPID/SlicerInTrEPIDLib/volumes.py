"""Grids as MRML volumes and back: the one place where LPS becomes RAS on the way to Slicer."""

import re
from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from intrepid_rt.errors import UnsupportedGeometry
from intrepid_rt.grids import Grid

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def file_safe(name: str) -> str:
    """Return a node name that is a file name on every system: nodes are stored under their names.

    >>> file_safe("Lat <270>/a")
    'Lat _270__a'
    """
    return re.sub(r'[<>:"/\\|?*%\x00-\x1f]', "_", name)


def add_volume(scene: Any, values: NDArray, index_to_lps: NDArray, name: str) -> Any:
    """Add a scalar volume node.

    Parameters
    ----------
    values : ndarray, (nz, ny, nx)
        Kept in their type; a left-handed grid is stored with its k axis reversed, because SlicerRT needs right-handed
        lattices. Every sample keeps its place in the patient.
    index_to_lps : ndarray, (4, 4)
        Voxel index (i, j, k) to LPS mm.

    Raises
    ------
    UnsupportedGeometry
        The axes are not perpendicular, which an MRML volume cannot hold.
    """
    values, index_to_lps = _right_handed(np.asarray(values), np.asarray(index_to_lps, float))
    _refuse_shear(index_to_lps, name)
    image = vtk.vtkImageData()
    image.SetDimensions(*values.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(values).ravel(), deep=True))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", file_safe(name))
    node.SetIJKToRASMatrix(to_vtk_matrix(LPS_TO_RAS @ index_to_lps))
    node.SetAndObserveImageData(image)
    return node


def add_grid(scene: Any, grid: Grid, name: str) -> Any:
    """Add a grid (CT, dose) as a scalar volume node."""
    values = grid.values if np.issubdtype(grid.values.dtype, np.integer) else grid.values.astype(np.float32)
    return add_volume(scene, values, grid.index_to_lps, name)


def read_volume(node: Any) -> tuple[NDArray, NDArray]:
    """Return values (nz, ny, nx) and index_to_lps (4, 4) of a volume node."""
    image = node.GetImageData()
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    ijk_to_ras = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
    return values, LPS_TO_RAS @ ijk_to_ras


def to_vtk_matrix(array: NDArray) -> Any:
    """Convert a (4, 4) array to ``vtkMatrix4x4``."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy([float(v) for v in np.asarray(array).ravel()])
    return matrix


def show(
    node: Any,
    *,
    window: tuple[float, float],
    colours: Any = None,
    hide_below: float | None = None,
    interpolate: bool = True,
) -> None:
    """Give a volume its display: grey values or ``colours`` over ``window`` (low, high), nothing below a threshold."""
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(*window)
    # Slicer's own grey table is not in a headless scene, but its name is the same in every Slicer.
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey" if colours is None else colours.GetID())
    display.SetInterpolate(interpolate)
    if hide_below is not None:
        display.SetLowerThreshold(hide_below)
        display.SetUpperThreshold(np.finfo(np.float32).max)
        display.SetApplyThreshold(True)


def add_colours(scene: Any, name: str, rgb: NDArray) -> Any:
    """Add a colour table from (n, 3) values between 0 and 1."""
    node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", name)
    node.SetTypeToUser()
    node.SetNumberOfColors(len(rgb))
    for index, colour in enumerate(rgb):
        node.SetColor(index, f"{index / (len(rgb) - 1):.3f}", *(float(v) for v in colour), 1.0)
    node.SetHideFromEditors(False)  # else nobody can pick the table for another volume
    return node


def colour_ramp(stops: tuple[tuple[float, tuple[float, float, float]], ...], *, n: int = 256) -> NDArray:
    """Interpolate (position 0 to 1, rgb) stops linearly to (n, 3).

    >>> colour_ramp(((0.0, (0, 0, 0)), (1.0, (1, 0.5, 0))), n=3)
    array([[0.  , 0.  , 0.  ],
           [0.5 , 0.25, 0.  ],
           [1.  , 0.5 , 0.  ]])
    """
    positions = [position for position, _ in stops]
    colours = np.array([colour for _, colour in stops], float)
    at = np.linspace(0.0, 1.0, n)
    return np.stack([np.interp(at, positions, colours[:, c]) for c in range(3)], axis=-1)


def _right_handed(values: NDArray, index_to_lps: NDArray) -> tuple[NDArray, NDArray]:
    if np.linalg.det(index_to_lps[:3, :3]) > 0:
        return values, index_to_lps
    flip = np.diag([1.0, 1.0, -1.0, 1.0])
    flip[2, 3] = values.shape[0] - 1
    return values[::-1], index_to_lps @ flip


def _refuse_shear(index_to_lps: NDArray, name: str) -> None:
    axes = index_to_lps[:3, :3] / np.linalg.norm(index_to_lps[:3, :3], axis=0)
    if np.abs(axes.T @ axes - np.eye(3)).max() > 1e-4:
        raise UnsupportedGeometry(
            f"{name}: the grid's axes are not perpendicular (tilted gantry?), which a Slicer volume cannot hold. "
            "Resample it to a perpendicular grid first."
        )
