"""Isodoses, radiographs, the layout's views and the joining of studies, on MRML nodes without the application."""

import numpy as np
import pytest

from chain_phantoms import water_box
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.day_anatomy import AnatomyQuality, DayAnatomy, StructureOverlap
from intrepid_rt.errors import MissingObject
from intrepid_rt.grids import CTGrid, DoseGrid, Grid, affine_from_axes
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.registration.displacement import Displacement
from intrepid_rt.registration.rigid_transform import IDENTITY, rigid_about

pytest.importorskip("slicer")

import vtk

from SlicerInTrEPIDLib.adoption import adopt
from SlicerInTrEPIDLib.day import add_day, checkerboard
from SlicerInTrEPIDLib.drr import radiograph
from SlicerInTrEPIDLib.headless import headless_scene
from SlicerInTrEPIDLib.hierarchy import RT
from SlicerInTrEPIDLib.isodoses import add_isodoses, show_isodoses
from SlicerInTrEPIDLib.layout import (
    GAMMA,
    IMAGER,
    LAYOUT_ID,
    LAYOUT_XML,
    UNCERTAINTY,
    face,
    fill_views,
    overlay_names,
    show_layout,
)
from SlicerInTrEPIDLib.portal import add_portal_volume
from SlicerInTrEPIDLib.volumes import add_grid, read_volume


@pytest.fixture
def scene():
    with headless_scene() as made:
        yield made


def ball_dose():
    """Dose that falls linearly with distance from a point, on an anisotropic, off-centre, turned lattice."""
    axes = ((0.8, 0.6, 0.0), (-0.6, 0.8, 0.0), (0.0, 0.0, 1.0))
    grid = DoseGrid(np.zeros((30, 40, 36), np.float32), affine_from_axes((-20.0, -60.0, -40.0), (2.0, 2.5, 3.0), axes))
    centre = grid.index_to_position((18, 20, 15))
    return grid.with_values(
        np.clip(50 - np.linalg.norm(grid.positions() - centre, axis=-1), 0, None).astype(np.float32)
    ), centre


def points_of(model):
    from vtk.util.numpy_support import vtk_to_numpy

    mesh = model.GetPolyData()
    return vtk_to_numpy(mesh.GetPoints().GetData()), vtk_to_numpy(mesh.GetPointData().GetArray("isolevels"))


def test_isodoses_lie_where_the_dose_is(scene):
    dose, centre = ball_dose()
    model = add_isodoses(scene, add_grid(scene, dose, "Dose"), 50.0)
    points, levels = points_of(model)
    assert model.GetAttribute("DicomRtImport.IsodoseModel") == "1"
    assert sorted(set(levels.tolist())) == [5.0, 10.0, 25.0, 40.0, 47.5]  # 105 % is not reached
    for level in (25.0, 40.0):
        away = np.linalg.norm(points[levels == level] - centre * [-1, -1, 1], axis=1)
        assert abs(away - (50 - level)).max() < 0.3
    assert model.GetDisplayNode().GetVisibility2D()


def test_a_dose_below_all_isodoses_says_so(scene):
    with pytest.raises(MissingObject, match="stays below"):
        add_isodoses(scene, add_grid(scene, ball_dose()[0], "Dose"), 5000.0)


def test_without_slicerrt_isodoses_are_our_own(scene):
    assert show_isodoses(scene, add_grid(scene, ball_dose()[0], "Dose"), 50.0, modules=object()) is not None


def test_a_radiograph_is_what_attenuation_says():
    """Water of 18 cm behind the source: exp(-0.05 * 18) on the axis, 1 beside it."""
    water = water_box().with_values(np.zeros((30, 30, 30), np.float32))
    image = PortalImage(np.zeros((40, 60), np.float32), (-295.0, 195.0), (10.0, 10.0), 1600.0, 1000.0)
    made = radiograph(water, beam_frame(0.0, (0.0, 0.0, 0.0)), image)
    assert made.sample(5.0, -5.0) == pytest.approx(np.exp(-0.05 * 18.0), rel=1e-4)
    assert made.values[0, 0] == 1.0


def test_the_anatomy_of_the_day_stands_under_its_transforms(scene):
    """A point of the image of the day is shown where the same tissue is in the planning CT, rigidly and deformed."""
    motion = rigid_about((5.0, 6.0, 7.0), shift_mm=(4.0, -3.0, 2.0), rotation_deg=(3.0, -2.0, 5.0))
    grid, _ = ball_dose()
    lattice = Grid(np.zeros((6, 7, 8), np.float32), affine_from_axes((-60, -60, -60), (18.0, 20.0, 22.0)))
    u = lattice.positions() * np.array([0.02, 0.01, -0.03]) + np.array([1.0, -2.0, 0.5])
    ct = CTGrid(grid.values, grid.index_to_lps)
    zero = (0.0, 0.0, 0.0)
    dice = (StructureOverlap("BODY", None, 0.97, "patient found in the image"),)
    quality = AnatomyQuality("CT", "deformable", zero, zero, "", zero, zero, structures=dice)
    day = DayAnatomy(
        ct=ct, density_g_cc=grid, patient=grid, to_day=motion, setup=motion, quality=quality,
        displacement=Displacement(lattice, u.astype(np.float32)), completed=grid, dose=grid,
    )  # fmt: skip
    image = add_day(scene, _Tree(scene), day, scene.AddNewNodeByClass("vtkMRMLColorTableNode"), 50.0, planning=ct)
    names = [scene.GetNthNode(number).GetName() for number in range(scene.GetNumberOfNodes())]
    assert {"CT of the day", "Dose on the anatomy of the day", "Taken from the planning CT"} <= set(names)
    assert {"Checkerboard planning and day", "Registration of the day", "Dice of the day"} <= set(names)
    planned = np.array([3.0, -7.0, 11.0])
    in_scanner = motion.apply(planned + day.displacement.at(planned))
    to_world = vtk.vtkGeneralTransform()
    image.GetParentTransformNode().GetTransformToWorld(to_world)
    shown = np.array(to_world.TransformPoint(*(in_scanner * [-1, -1, 1]))) * [-1, -1, 1]
    np.testing.assert_allclose(shown, planned, atol=0.01)
    _, index_to_lps = read_volume(image)
    np.testing.assert_allclose(index_to_lps[:3, 3], motion.apply(ct.origin_lps_mm), atol=1e-6)


def test_a_checkerboard_shows_both_images_in_turn():
    """Cubes of 25 mm: 1 where the planning CT is, 2 where the image of the day is, shifted onto it."""
    lattice = affine_from_axes((-50.0, -40.0, -30.0), (2.0, 2.5, 5.0))
    planning = CTGrid(np.full((20, 40, 50), 1.0, np.float32), lattice)
    zero = (0.0, 0.0, 0.0)
    quality = AnatomyQuality("CT", "rigid", zero, zero, "", zero, zero)
    today = CTGrid(np.full((30, 60, 80), 2.0, np.float32), affine_from_axes((-70.0, -60.0, -60.0), (2.0, 2.5, 5.0)))
    day = DayAnatomy(today, today, today, IDENTITY, IDENTITY, quality)
    board = checkerboard(planning, day)
    assert [board.sample(at) for at in ((-45, -35, -25), (-20, -35, -25), (-20, -10, -25), (-45, -35, 0))] == [
        1,
        2,
        1,
        2,
    ]


class _Tree:
    """Folders and places of a result, without patient and study."""

    def __init__(self, scene):
        self.tree = scene.GetSubjectHierarchyNode()

    def folder(self, name):
        return self.tree.CreateFolderItem(self.tree.GetSceneItemID(), name)

    def place(self, node, *, parent, **identity):
        return self.tree.CreateItem(parent, node)


def study(scene, unit, name):
    tree = scene.GetSubjectHierarchyNode() or scene.AddNewNodeByClass("vtkMRMLSubjectHierarchyNode")
    patient = tree.CreateSubjectItem(tree.GetSceneItemID(), f"Patient {name}")
    tree.SetItemUID(patient, "DICOM", "P1")
    item = tree.CreateStudyItem(patient, f"Study {name}")
    tree.SetItemUID(item, "DICOM", "1.2.3")
    if unit:
        tree.SetItemAttribute(item, RT + "DoseUnitName", unit)
    node = add_grid(scene, ball_dose()[0], f"Dose {name}")
    return tree, item, tree.CreateItem(item, node)


def test_one_study_loaded_twice_becomes_one(scene):
    tree, first, own = study(scene, "", "SlicerRT")
    _, second, ours = study(scene, "GY", "ours")
    assert adopt(scene) > 0
    assert tree.GetItemParent(ours) == tree.GetItemParent(own) == first
    assert tree.GetItemAttribute(first, RT + "DoseUnitName") == "GY"
    assert tree.GetItemByUID("DICOM", "1.2.3") == first
    assert second not in (first, tree.GetItemParent(ours))
    assert adopt(scene) == 0


def test_relative_doses_stay_apart_from_gray(scene):
    tree, _, _ = study(scene, "GY", "SlicerRT")
    _, second, ours = study(scene, "RELATIVE", "ours")
    adopt(scene)
    assert tree.GetItemParent(ours) == second


def test_the_layout_has_every_view_and_is_xml(scene):
    import xml.etree.ElementTree as ElementTree

    tags = [view.get("singletontag") for view in ElementTree.fromstring(LAYOUT_XML).iter("view")]
    assert {"Red", "Green", IMAGER, GAMMA} <= set(tags)
    node = scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    show_layout(node)
    assert node.GetViewArrangement() == LAYOUT_ID


def test_the_imager_view_faces_the_panel(scene):
    """For every gantry angle the view's right is the columns' direction and its up is against the rows'."""
    import slicer

    image = PortalImage(np.zeros((8, 10), np.float32), (-9.0, 7.0), (2.0, 2.0), 1600.0, 1000.0)
    for gantry_deg in (0.0, 40.0, 90.0, 215.0):
        frame = beam_frame(gantry_deg, (10.0, -20.0, 30.0), couch_angle_deg=15.0)
        volume = add_portal_volume(scene, image, frame, f"EPID {gantry_deg:g}")
        view = slicer.vtkMRMLSliceNode()
        face(view, volume)
        matrix = view.GetSliceToRAS()
        right, up = ([matrix.GetElement(row, column) for row in range(3)] for column in (0, 1))
        np.testing.assert_allclose(right, frame.x_axis * [-1, -1, 1], atol=1e-6)
        np.testing.assert_allclose(up, frame.y_axis * [-1, -1, 1], atol=1e-6)
        middle = frame.to_lps((0.0, 0.0, -600.0)) * [-1, -1, 1]
        np.testing.assert_allclose([matrix.GetElement(row, 3) for row in range(3)], middle, atol=1e-6)


def test_views_are_filled_with_what_is_there(scene):
    import slicer

    dose, _ = ball_dose()
    names = {name: add_grid(scene, dose, name).GetID() for name in ("CT", "Dose reconstructed", "Gamma 3 percent 2 mm")}
    image = PortalImage(np.zeros((8, 10), np.float32), (-9.0, 7.0), (2.0, 2.0), 1600.0, 1000.0)
    epid = add_portal_volume(scene, image, beam_frame(0.0, (0.0, 0.0, 0.0)), "EPID AP")
    composites = {}
    for name in ("Red", "Green", IMAGER, GAMMA):
        for class_name in ("vtkMRMLSliceCompositeNode", "vtkMRMLSliceNode"):
            node = scene.CreateNodeByClass(class_name)
            node.UnRegister(None)
            node.SetLayoutName(name)
            node.SetSingletonTag(name)
            scene.AddNode(node)
            composites.setdefault(name, node)
    fill_views(scene, "AP")
    assert composites["Red"].GetForegroundVolumeID() == names["Dose reconstructed"]
    assert composites[GAMMA].GetForegroundVolumeID() == names["Gamma 3 percent 2 mm"]
    assert composites[IMAGER].GetBackgroundVolumeID() == epid.GetID()
    assert composites[IMAGER].GetForegroundVolumeID() is None  # no radiograph in this scene
    band = add_grid(scene, dose, UNCERTAINTY)
    add_grid(scene, dose, "Gamma AP 3 percent 2 mm")
    assert overlay_names(scene) == ["Gamma 3 percent 2 mm", UNCERTAINTY]
    fill_views(scene, "AP", UNCERTAINTY)
    assert composites[GAMMA].GetForegroundVolumeID() == band.GetID()
    assert slicer
