"""GammaModuleLib without Slicer: volume nodes in, gamma volume, table and chart out, as SlicerRT names them."""

import numpy as np
import pytest

pytest.importorskip("slicer")

from GammaModuleLib.comparison import compare
from GammaModuleLib.inputs import reasons_against, segment_mask
from intrepid_gamma import GammaSettings, gamma_index
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.grids import Grid, affine_from_axes
from SlicerInTrEPIDLib.dose_nodes import dose_unit
from SlicerInTrEPIDLib.headless import headless_scene
from SlicerInTrEPIDLib.volumes import add_grid, read_volume

SHAPE = (9, 10, 12)
SETTINGS = GammaSettings(3, 3, norm_gy=50.0)
AXES = np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]])  # sagittal planes: no axis where a swapped one would pass


@pytest.fixture
def scene():
    with headless_scene() as scene:
        yield scene


def dose_grid(offset_gy=0.0, origin_mm=(-20.0, 30.0, 400.0), seed=0):
    values = 40 + np.random.default_rng(seed).normal(size=SHAPE) + offset_gy
    return Grid(values.astype(np.float32), affine_from_axes(origin_mm, (2.0, 2.5, 3.0), AXES))


def add_pair(scene):
    return add_grid(scene, dose_grid(), "Planned"), add_grid(scene, dose_grid(seed=1), "Measured")


def add_segmentation(scene, reference, **voxels):
    """Segments as closed surfaces: boxes round these index ranges (k, j, i) of the reference volume."""
    import vtk

    import slicer

    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Structures")
    node.SetReferenceImageGeometryParameterFromVolumeNode(reference)
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    matrix = vtk.vtkMatrix4x4()
    reference.GetIJKToRASMatrix(matrix)
    for name, ranges in voxels.items():
        cube = vtk.vtkCubeSource()
        (k0, k1), (j0, j1), (i0, i1) = ranges
        cube.SetBounds(i0 - 0.5, i1 - 0.5, j0 - 0.5, j1 - 0.5, k0 - 0.5, k1 - 0.5)
        to_ras = vtk.vtkTransform()
        to_ras.SetMatrix(matrix)
        surface = vtk.vtkTransformPolyDataFilter()
        surface.SetTransform(to_ras)
        surface.SetInputConnection(cube.GetOutputPort())
        surface.Update()
        segment = slicer.vtkSegment()
        segment.SetName(name)
        segment.AddRepresentation("Closed surface", surface.GetOutput())
        node.GetSegmentation().AddSegment(segment, name)
    return node


def test_the_gamma_volume_is_what_the_library_computes_where_the_reference_is(scene):
    reference, evaluated = add_pair(scene)
    comparison = compare(scene, reference, evaluated, SETTINGS)
    expected = gamma_index(dose_grid(), dose_grid(seed=1), dose_percent=3, distance_mm=3, norm_gy=50.0)
    values, index_to_lps = read_volume(comparison.gamma)
    grid = Grid(values, index_to_lps)
    np.testing.assert_allclose(grid.sample(dose_grid().positions()), expected.gamma, atol=1e-5)
    assert comparison.result.n_points == expected.n_points


def test_slicerrt_recognises_the_gamma_volume(scene):
    reference, evaluated = add_pair(scene)
    gamma = compare(scene, reference, evaluated, SETTINGS).gamma
    assert gamma.GetAttribute("DoseComparison.GammaVolume") == "1"
    assert gamma.GetNodeReference("referenceDoseVolumeRef") is reference
    assert gamma.GetNodeReference("compareDoseVolumeRef") is evaluated
    assert gamma.GetDisplayNode().GetColorNode().GetName() == "Gamma_ColorTable"
    display = gamma.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 2.0)
    assert gamma.GetAttribute("InTrEPID.Points") == str(np.prod(SHAPE))


def test_the_gamma_volume_stands_in_the_study_of_the_reference(scene):
    tree = scene.GetSubjectHierarchyNode()
    study = tree.CreateStudyItem(tree.CreateSubjectItem(tree.GetSceneItemID(), "Patient"), "Study")
    tree.SetItemAttribute(study, "DicomRtImport.DoseUnitName", "GY")
    reference, evaluated = add_pair(scene)
    for node in (reference, evaluated):
        tree.CreateItem(study, node)
    gamma = compare(scene, reference, evaluated, SETTINGS).gamma
    assert tree.GetItemParent(tree.GetItemByDataNode(gamma)) == study
    assert dose_unit(scene, reference) == "GY"


def test_computing_again_fills_the_same_nodes(scene):
    reference, evaluated = add_pair(scene)
    first = compare(scene, reference, evaluated, SETTINGS)
    count = scene.GetNumberOfNodes()
    again = compare(scene, reference, evaluated, SETTINGS.with_criteria(1, 1), gamma_node=first.gamma)
    assert scene.GetNumberOfNodes() == count
    assert again.statistics is first.statistics
    rate = again.statistics.GetTable().GetValueByName(0, "Pass rate [%]").ToDouble()
    assert rate == pytest.approx(again.result.pass_rate_percent)
    assert again.chart.GetNumberOfPlotSeriesNodes() == 1


def test_missing_points_are_shown_as_failed_and_counted(scene):
    moved = dose_grid(origin_mm=(-20.0, 30.0, 394.0))
    comparison = compare(scene, add_grid(scene, dose_grid(), "Planned"), add_grid(scene, moved, "Measured"), SETTINGS)
    values = read_volume(comparison.gamma)[0]
    assert comparison.result.n_missing > 0
    assert np.isfinite(values).all()
    assert (values > 1).sum() >= comparison.result.n_missing
    assert comparison.gamma.GetAttribute("InTrEPID.PointsMissing") == str(comparison.result.n_missing)


def test_a_segment_is_the_mask(scene):
    reference, evaluated = add_pair(scene)
    node = add_segmentation(scene, reference, PTV=((2, 6), (3, 7), (4, 9)))
    mask = segment_mask(scene, node, "PTV", reference)
    expected = np.zeros(SHAPE, bool)
    expected[2:6, 3:7, 4:9] = True
    if np.linalg.det(dose_grid().index_to_lps[:3, :3]) < 0:
        mask = mask[::-1]
    np.testing.assert_array_equal(mask, expected)
    comparison = compare(scene, reference, evaluated, SETTINGS, segmentation=node, segment_id="PTV")
    assert comparison.result.n_points == expected.sum()
    assert not [n for n in range(scene.GetNumberOfNodes()) if "GammaMask" in (scene.GetNthNode(n).GetName() or "")]


def test_every_segment_has_its_row_with_its_worst_point(scene):
    reference, evaluated = add_pair(scene)
    node = add_segmentation(
        scene, reference, PTV=((2, 6), (3, 7), (4, 9)), Cord=((0, 2), (0, 9), (0, 3)), Elsewhere=((50, 52),) * 3
    )
    comparison = compare(scene, reference, evaluated, SETTINGS, segmentation=node)
    table = comparison.statistics.GetTable()
    assert [table.GetValueByName(n, "Region").ToString() for n in range(table.GetNumberOfRows())] == [
        "All", "PTV", "Cord",
    ]  # fmt: skip
    gamma = Grid(*read_volume(comparison.gamma))
    for row in range(3):
        ras = [table.GetValueByName(row, f"Worst {axis} [mm]").ToDouble() for axis in "RAS"]
        found = gamma.sample(np.array([-ras[0], -ras[1], ras[2]]))
        assert found == pytest.approx(table.GetValueByName(row, "Max gamma").ToDouble(), abs=1e-5)


def test_the_histogram_counts_every_point_once(scene):
    comparison = compare(scene, *add_pair(scene), SETTINGS)
    table = comparison.histogram.GetTable()
    counts = [table.GetValueByName(row, "Points").ToDouble() for row in range(0, table.GetNumberOfRows(), 2)]
    assert sum(counts) == comparison.result.n_points


@pytest.mark.parametrize(
    ("choose", "message"),
    [
        (lambda planned, measured, scene: (planned, planned), "the same volume"),
        (lambda planned, measured, scene: (None, measured), "Choose the reference dose"),
        (lambda planned, measured, scene: (planned, _far(scene)), "do not overlap"),
        (lambda planned, measured, scene: (planned, _empty(scene)), "holds no image"),
        (lambda planned, measured, scene: (planned, _transformed(scene, measured)), "Harden it"),
    ],
)
def test_a_wrong_choice_says_what_to_change(scene, choose, message):
    pair = choose(*add_pair(scene), scene)
    reasons = reasons_against(scene, *pair)
    assert len(reasons) == 1
    assert message in reasons[0]
    with pytest.raises(InvalidSetting, match=message):
        compare(scene, *pair, SETTINGS)


def test_doses_of_different_units_are_refused(scene):
    tree = scene.GetSubjectHierarchyNode()
    pair = add_pair(scene)
    for node, unit in zip(pair, ("GY", "RELATIVE"), strict=True):
        study = tree.CreateStudyItem(tree.GetSceneItemID(), unit)
        tree.SetItemAttribute(study, "DicomRtImport.DoseUnitName", unit)
        tree.CreateItem(study, node)
    assert "in GY, the evaluated dose in RELATIVE" in reasons_against(scene, *pair)[0]


def test_an_empty_segment_says_what_to_change(scene):
    reference, evaluated = add_pair(scene)
    node = add_segmentation(scene, reference, Elsewhere=((50, 52),) * 3)
    with pytest.raises(InvalidSetting, match="Elsewhere has no voxel"):
        compare(scene, reference, evaluated, SETTINGS, segmentation=node, segment_id="Elsewhere")


def test_cancelling_leaves_the_scene_as_it_was(scene):
    class CancelledError(Exception):
        pass

    def cancel(fraction):
        raise CancelledError

    pair = add_pair(scene)
    count = scene.GetNumberOfNodes()
    with pytest.raises(CancelledError):
        compare(scene, *pair, SETTINGS, progress=cancel)
    assert scene.GetNumberOfNodes() == count


def _far(scene):
    return add_grid(scene, dose_grid(origin_mm=(900.0, 0.0, 0.0)), "Far")


def _empty(scene):
    return scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")


def _transformed(scene, node):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetAndObserveTransformNodeID(transform.GetID())
    return node
