"""DVHMetricsModuleLib without Slicer: dose and segmentation nodes in, tables and chart out, as SlicerRT names them."""

import numpy as np
import pytest

pytest.importorskip("slicer")

import vtk

import slicer
from DVHMetricsModuleLib.computation import Settings, compute, constraint_dose_gy, constraint_point, reasons_against
from DVHMetricsModuleLib.export import cells, for_clipboard, save
from DVHMetricsModuleLib.outputs import MARK, remove_outputs, set_mark
from DVHMetricsModuleLib.segments import samples_of_segment
from intrepid_dvh.constraints import Constraint
from intrepid_rt.errors import InvalidSetting, MissingObject
from intrepid_rt.grids import DoseGrid, affine_from_axes
from SlicerInTrEPIDLib.headless import headless_scene
from SlicerInTrEPIDLib.volumes import add_grid

# A box of 20 x 24 x 30 mm (LPS 20..40, -32..-8, 100..130) in 30 Gy + 1 Gy/mm along x: 20 to 40 mm are 50 to 70 Gy.
BOX_LPS_MM = ((20.0, 40.0), (-32.0, -8.0), (100.0, 130.0))


@pytest.fixture
def scene():
    with headless_scene() as scene:
        yield scene


def add_dose(scene, name="Dose", *, offset_gy=0.0, reach_mm=60.0):
    """A dose on coronal planes: no axis where a swapped one would pass."""
    affine = affine_from_axes((-10.0, 20.0, 160.0), (2.0, 3.0, 2.5), [[1, 0, 0], [0, 0, -1], [0, -1, 0]])
    grid = DoseGrid(np.zeros((32, 28, round(reach_mm / 2) + 1)), affine)
    dose = grid.with_values(30.0 + offset_gy + grid.positions()[..., 0])
    node = add_grid(scene, dose, name)
    node.SetAttribute("DicomRtImport.DoseVolume", "1")
    return node


def add_segmentation(scene, **surfaces):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Structures")
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    for name, surface in surfaces.items():
        segment = slicer.vtkSegment()
        segment.SetName(name)
        segment.SetColor(1.0, 0.5, 0.0)
        segment.AddRepresentation("Closed surface", surface)
        node.GetSegmentation().AddSegment(segment, name)
    return node


def box():
    (x0, x1), (y0, y1), (z0, z1) = BOX_LPS_MM
    cube = vtk.vtkCubeSource()
    cube.SetBounds(-x1, -x0, -y1, -y0, z0, z1)
    cube.Update()
    return cube.GetOutput()


def planar_contours(*, spacing_mm=3.0):
    """The box as SlicerRT imports contours: closed lines in RAS."""
    (x0, x1), (y0, y1), (z0, z1) = BOX_LPS_MM
    points, lines = vtk.vtkPoints(), vtk.vtkCellArray()
    for z in np.arange(z0 + spacing_mm / 2, z1, spacing_mm):
        line = vtk.vtkPolyLine()
        for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)):
            line.GetPointIds().InsertNextId(points.InsertNextPoint(-x, -y, z))
        lines.InsertNextCell(line)
    contours = vtk.vtkPolyData()
    contours.SetPoints(points)
    contours.SetLines(lines)
    return contours


def numbers(outcome):
    dvh = outcome.rows[0].dvh
    metrics = ("D95%", "D50%", "D5%", "V60Gy", "V60Gy_cc")
    return dvh.structure_volume_cc, [float(dvh.metric(m).value) for m in metrics]


EXPECTED = (14.4, [51.0, 60.0, 69.0, 50.0, 7.2])


def test_closed_surface_has_the_histogram_of_its_box(scene):
    volume_cc, metrics = numbers(compute(scene, add_dose(scene), add_segmentation(scene, PTV=box()), Settings()))
    assert volume_cc == pytest.approx(EXPECTED[0], rel=1e-5)
    assert metrics == pytest.approx(EXPECTED[1], abs=0.02)


def test_planar_contours_are_taken_as_drawn(scene):
    segmentation = add_segmentation(scene, PTV=box())
    segment = segmentation.GetSegmentation().GetSegment("PTV")
    segment.AddRepresentation("Planar contour", planar_contours())
    volume_cc, metrics = numbers(compute(scene, add_dose(scene), segmentation, Settings()))
    assert volume_cc == pytest.approx(EXPECTED[0], rel=1e-5)
    assert metrics == pytest.approx(EXPECTED[1], abs=0.02)
    without_caps = samples_of_segment(segmentation, "PTV", end_caps="none")
    assert without_caps.structure_volume_cc == pytest.approx(14.4 * 27 / 30, rel=1e-5)


def label_map(scene, representation, fraction):
    """The box as voxels of 1 x 2 x 3 mm whose extent does not begin at 0."""
    (x0, _), (y0, _), (z0, _) = BOX_LPS_MM
    image = slicer.vtkOrientedImageData()
    image.SetExtent(5, 24, 7, 18, 9, 18)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR if fraction is None else vtk.VTK_CHAR, 1)
    image.GetPointData().GetScalars().Fill(1 if fraction is None else round(-108 + 216 * fraction))
    matrix = vtk.vtkMatrix4x4()
    for axis, (spacing, first, sign) in enumerate(((1.0, x0 + 0.5, -1), (2.0, y0 + 1.0, -1), (3.0, z0 + 1.5, 1))):
        matrix.SetElement(axis, axis, sign * spacing)
        matrix.SetElement(axis, 3, sign * (first - spacing * (5, 7, 9)[axis]))
    image.SetGeometryFromImageToWorldMatrix(matrix)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Labels")
    node.GetSegmentation().SetSourceRepresentationName(representation)
    segment = slicer.vtkSegment()
    segment.SetName("PTV")
    segment.AddRepresentation(representation, image)
    node.GetSegmentation().AddSegment(segment, "PTV")
    return node


def test_binary_label_map_keeps_its_voxels(scene):
    volume_cc, metrics = numbers(compute(scene, add_dose(scene), label_map(scene, "Binary labelmap", None), Settings()))
    assert volume_cc == pytest.approx(EXPECTED[0], rel=1e-6)
    assert metrics == pytest.approx(EXPECTED[1], abs=0.05)


def test_fractional_label_map_counts_fractions(scene):
    segmentation = label_map(scene, "Fractional labelmap", 0.25)
    dvh = compute(scene, add_dose(scene), segmentation, Settings()).rows[0].dvh
    assert dvh.structure_volume_cc == pytest.approx(14.4 / 4, rel=1e-6)
    assert dvh.metric("D50%").value == pytest.approx(60.0, abs=0.05)


def test_slicerrt_finds_the_tables(scene):
    tree = scene.GetSubjectHierarchyNode()
    study = tree.CreateStudyItem(tree.CreateSubjectItem(tree.GetSceneItemID(), "Patient"), "Study")
    tree.SetItemAttribute(study, "DicomRtImport.DoseUnitName", "GY")
    dose, segmentation = add_dose(scene), add_segmentation(scene, PTV=box())
    tree.CreateItem(study, dose)
    outcome = compute(scene, dose, segmentation, Settings())
    role = f"DoseVolumeHistogram.{dose.GetID()}_{segmentation.GetID()}_PTV"
    table = outcome.metrics.GetNodeReference(role)
    assert table.GetName() == "PTV_DvhTable"
    assert table.GetAttribute("DoseVolumeHistogram.DVH") == "1"
    assert float(table.GetAttribute("DoseVolumeHistogram.Volume (cc)")) == pytest.approx(14.4, rel=1e-4)
    assert [table.GetTable().GetColumnName(n) for n in range(2)] == ["Dose", "Volume"]
    assert [table.GetTable().GetValue(0, n).ToDouble() for n in range(2)] == [0.0, 100.0]
    titles = [outcome.metrics.GetTable().GetColumnName(n) for n in range(7)]
    assert titles[0] == "Show"
    assert titles[3:] == ["Volume (cc)", "Mean dose (GY)", "Min dose (GY)", "Max dose (GY)"]
    series = outcome.chart.GetNthPlotSeriesNode(0)
    assert series.GetColor() == pytest.approx((1.0, 0.5, 0.0), abs=0.01)
    assert tree.GetItemParent(tree.GetItemByDataNode(outcome.chart)) == study


def test_two_doses_side_by_side_and_a_second_computation_in_place(scene):
    dose, plan = add_dose(scene), add_dose(scene, "Plan", offset_gy=2.0)
    segmentation = add_segmentation(scene, PTV=box())
    outcome = compute(scene, dose, segmentation, Settings(metrics=("D50%",)), compared=plan)
    rows = cells(outcome.results)
    assert rows[0][:3] == ["Structure", "Dose", "Volume [cc]"]
    assert rows[0][-1] == "D50% [Gy]"
    assert [row[1] for row in rows[1:]] == ["Dose", "Plan"]
    assert [float(row[-1]) for row in rows[1:]] == pytest.approx([60.0, 62.0], abs=0.02)
    before = scene.GetNumberOfNodes()
    again = compute(scene, dose, segmentation, Settings(), compared=plan)
    remove_outputs(scene, outcome.metrics)
    assert scene.GetNumberOfNodes() == before
    assert scene.IsNodePresent(again.chart)


def test_constraints_with_verdict_and_their_point_in_the_chart(scene, tmp_path):
    constraints = (
        Constraint("D95% > 50Gy", structure="PTV"),
        Constraint("V65Gy < 10%", structure="PTV"),
        Constraint("D2cc < 1Gy", structure="Heart"),
    )
    settings = Settings(metrics=("D95%",), constraints=constraints)
    outcome = compute(scene, add_dose(scene), add_segmentation(scene, PTV=box()), settings)
    assert [result.compliance for _, result in outcome.constraints] == [True, False]
    assert [row[5] for row in cells(outcome.constraint_table)] == ["Verdict", "met", "VIOLATED"]
    assert "Heart" in outcome.left_out[0]
    assert constraint_point(*outcome.constraints[0]) == (50.0, 95.0)
    assert constraint_point(*outcome.constraints[1]) == (65.0, 10.0)
    set_mark(outcome.chart, (65.0, 10.0), "V65Gy")
    assert outcome.chart.GetNumberOfPlotSeriesNodes() == 2
    assert outcome.chart.GetNodeReference(MARK).GetName() == "V65Gy"
    set_mark(outcome.chart, None)
    assert outcome.chart.GetNumberOfPlotSeriesNodes() == 1
    assert "VIOLATED" in for_clipboard([outcome.results, outcome.constraint_table])
    save(tmp_path / "out.html", [outcome.constraint_table], title="A < B", notes=["one"])
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "class='violated'" in page
    assert "A &lt; B" in page
    with pytest.raises(InvalidSetting, match=r"neither \.csv nor \.html"):
        save(tmp_path / "out.pdf", [], title="", notes=[])


def test_constraints_of_two_doses_follow_each_other_and_know_their_dose(scene):
    texts = ("D95% > 50Gy", "DMEAN < 6100cGy", "V50% > 10%", "D10 < 20Gy", "DHI < 0.5")
    settings = Settings(metrics=("D95%",), constraints=tuple(map(Constraint, texts)), prescription_gy=40.0)
    dose, plan = add_dose(scene), add_dose(scene, "Plan", offset_gy=2.0)
    outcome = compute(scene, dose, add_segmentation(scene, PTV=box()), settings, compared=plan)
    assert [row.dose for row, _ in outcome.constraints] == [dose, plan] * 5
    assert [result.compliance for _, result in outcome.constraints[:4]] == [True, True, True, False]
    doses_gy = [constraint_dose_gy(*entry) for entry in outcome.constraints[::2]]
    assert doses_gy == [50.0, pytest.approx(61.0), 20.0, None, None]
    assert [row[2] for row in cells(outcome.constraint_table)][7] == "D10 < 20Gy"


def test_what_lies_outside_the_dose_is_said(scene):
    outcome = compute(scene, add_dose(scene, reach_mm=40.0), add_segmentation(scene, PTV=box()), Settings())
    assert outcome.rows[0].dvh.volume_outside_dose_cc == pytest.approx(7.2, rel=1e-2)
    assert "outside the dose grid" in outcome.rows[0].dvh.warnings[0]


def test_every_reason_against(scene):
    dose, segmentation = add_dose(scene), add_segmentation(scene, PTV=box())
    assert reasons_against(scene, dose, segmentation) == []
    assert len(reasons_against(scene, None, None)) == 2
    assert "same volume" in reasons_against(scene, dose, segmentation, dose)[0]
    empty = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Empty")
    assert "no segment" in reasons_against(scene, dose, empty)[0]
    tree = scene.GetSubjectHierarchyNode()
    study = tree.CreateStudyItem(tree.CreateSubjectItem(tree.GetSceneItemID(), "Patient"), "Study")
    tree.SetItemAttribute(study, "DicomRtImport.DoseUnitName", "RELATIVE")
    tree.CreateItem(study, dose)
    assert "RELATIVE" in reasons_against(scene, dose, segmentation)[0]
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Couch")
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(InvalidSetting, match="stands under a transform"):
        samples_of_segment(segmentation, "PTV")


def test_empty_segments_are_left_out_by_name(scene):
    segmentation = add_segmentation(scene, PTV=box(), Void=vtk.vtkPolyData())
    outcome = compute(scene, add_dose(scene), segmentation, Settings())
    assert [row.segment_id for row in outcome.rows] == ["PTV"]
    assert outcome.left_out == ("Void is empty, so it has no volume and no DVH.",)
    with pytest.raises(MissingObject, match="Void is empty"):
        samples_of_segment(segmentation, "Void")
