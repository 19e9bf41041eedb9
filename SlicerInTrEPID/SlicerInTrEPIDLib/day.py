"""The anatomy of the day in the scene: its image and dose under transform nodes that carry them to the planning CT."""

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk

from intrepid_cli.report.day_text import day_rows
from intrepid_rt.day_anatomy import DayAnatomy
from intrepid_rt.grids import CTGrid, Grid
from intrepid_rt.registration.coarse import coarsened_grid
from intrepid_rt.registration.displacement import Displacement, carried
from intrepid_rt.registration.rigid_transform import moved_grid
from SlicerInTrEPIDLib.hierarchy import Hierarchy
from SlicerInTrEPIDLib.segmentation import add_segmentation
from SlicerInTrEPIDLib.tables import add_table
from SlicerInTrEPIDLib.volumes import LPS_TO_RAS, add_colours, add_grid, show, to_vtk_matrix

OURS = "InTrEPID."
BOARD_MM, CUBE_MM = 2.0, 25.0
COMPLETED_RGB = (1.0, 0.55, 0.0)


def add_day(scene: Any, tree: Hierarchy, day: DayAnatomy, colours: Any, maximum: float, *, planning: CTGrid) -> Any:
    """Add image and dose of the day with their transforms, and how good these are; returns the image's node.

    The image keeps the coordinates of its own scanner and stands under "Day to plan (rigid)", which stands under
    "Day to plan (deformable)" if the patient deformed; so every view shows it where the planning CT is.
    """
    folder = tree.folder("Anatomy of the day")
    rigid = _add_rigid(scene, day)
    nodes = [rigid]
    if day.displacement is not None:
        deformable = add_deformation(scene, day.displacement, "Day to plan (deformable)")
        rigid.SetAndObserveTransformNodeID(deformable.GetID())
        nodes.append(deformable)
    image = add_grid(scene, moved_grid(day.ct, day.to_day), "CT of the day")
    show(image, window=(-1000.0, 400.0))
    image.SetAndObserveTransformNodeID(rigid.GetID())
    tree.place(image, parent=folder, modality="CT", series_uid=day.series_uid)
    for node in nodes:
        tree.place(node, parent=folder)
    if day.dose is not None and day.displacement is not None:
        # Without deformation it is the reconstructed dose itself. Not marked as a dose: two for one would mislead.
        dose = add_grid(scene, day.dose, "Dose on the anatomy of the day")
        show(dose, window=(0.0, 1.1 * maximum), colours=colours, hide_below=0.05 * maximum)
        dose.SetAndObserveTransformNodeID(deformable.GetID())
        tree.place(dose, parent=folder)
    if day.structures is not None:
        segmentation = add_segmentation(scene, day.structures, reference_volume=image)[0]
        segmentation.SetName("Structures of the day")
        segmentation.SetAndObserveTransformNodeID(rigid.GetID())
        tree.place(segmentation, parent=folder)
    if day.completed is not None:
        tree.place(_add_completed(scene, day.completed), parent=folder)
    board = add_grid(scene, checkerboard(planning, day), "Checkerboard planning and day")
    show(board, window=(-1000.0, 400.0), interpolate=False)
    rows = day_rows(day.quality)
    table = add_table(
        scene,
        "Registration of the day",
        {"What": [name for name, _ in rows], "Value": [text for _, text in rows]},
    )
    for node in (board, table, *_add_overlaps(scene, day)):
        tree.place(node, parent=folder)
    return image


def checkerboard(planning: CTGrid, day: DayAnatomy) -> Grid:
    """Cubes of the planning CT and of the carried image of the day in turn, on the planning lattice."""
    lattice = coarsened_grid(planning, BOARD_MM)
    i, j, k = (np.arange(n) * s // CUBE_MM for n, s in zip(lattice.shape[::-1], lattice.spacing_mm, strict=True))
    is_day = (k[:, None, None] + j[:, None] + i) % 2 == 1
    today = carried(day.ct, lattice, day.displacement, outside=-1000.0).values
    return lattice.with_values(np.where(is_day, today, lattice.values).astype(np.float32))


def _add_overlaps(scene: Any, day: DayAnatomy) -> list[Any]:
    structures = day.quality.structures
    if not structures:
        return []
    columns = {
        "Structure": [one.name for one in structures],
        "Compared with": [one.against for one in structures],
        "Dice as imaged": [one.before for one in structures],
        "Dice carried over": [one.carried for one in structures],
    }
    return [add_table(scene, "Dice of the day", columns)]


def _add_rigid(scene: Any, day: DayAnatomy) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Day to plan (rigid)")
    node.SetMatrixTransformToParent(to_vtk_matrix(LPS_TO_RAS @ day.to_day.inverse.matrix @ LPS_TO_RAS))
    node.SetAttribute(OURS + "Registration", day.quality.registration)
    return node


def add_deformation(scene: Any, displacement: Displacement, name: str) -> Any:
    """Add a grid transform node: from its parent (the plan) a point x goes to x + u(x)."""
    lattice = displacement.lattice
    ijk_to_ras = LPS_TO_RAS @ lattice.index_to_lps
    image = vtk.vtkImageData()
    image.SetDimensions(*lattice.shape[::-1])
    image.SetSpacing(*lattice.spacing_mm)
    image.SetOrigin(*ijk_to_ras[:3, 3])
    vectors = numpy_to_vtk(_ras(displacement.u_mm), deep=True)
    image.GetPointData().SetScalars(vectors)
    grid = _oriented_grid()
    grid.SetDisplacementGridData(image)
    grid.SetInterpolationModeToLinear()
    grid.SetGridDirectionMatrix(_directions(ijk_to_ras))
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", name)
    node.SetAndObserveTransformFromParent(grid)
    return node


def _oriented_grid() -> Any:
    import slicer

    return slicer.vtkOrientedGridTransform()


def _ras(u_mm: NDArray) -> NDArray:
    return np.ascontiguousarray((u_mm * np.array([-1.0, -1.0, 1.0])).reshape(-1, 3), np.float64)


def _directions(ijk_to_ras: NDArray) -> Any:
    matrix = np.eye(4)
    matrix[:3, :3] = ijk_to_ras[:3, :3] / np.linalg.norm(ijk_to_ras[:3, :3], axis=0)
    return to_vtk_matrix(matrix)


def _add_completed(scene: Any, completed: Grid) -> Any:
    node = add_grid(scene, completed, "Taken from the planning CT")
    node.SetAttribute(OURS + "Completed", "1")
    show(
        node,
        window=(0.0, 1.0),
        colours=add_colours(scene, "InTrEPID_Completed", np.array([(0.0, 0.0, 0.0), COMPLETED_RGB])),
        hide_below=0.5,
        interpolate=False,
    )
    return node
