"""Self-test of the module: run by developers from the panel and by ctest."""

import pathlib

import vtk
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

import slicer
from DVHMetricsModuleLib.panel.logic import DVHMetricsModuleLogic
from SlicerInTrEPIDLib.panel.interruptible import CancelledError


class DVHMetricsModuleTest(ScriptedLoadableModuleTest):
    """Self-test: run by developers from the panel and by ctest."""

    def runTest(self):
        """Run every step on an empty scene."""
        for step in (
            self.test_numbers,
            self.test_tables,
            self.test_reasons,
            self.test_panel,
            self.test_cancel,
            self.test_cohort,
        ):
            slicer.mrmlScene.Clear()
            step()
        self.delayDisplay("All tests passed")

    def addGradient(self, name="Dose", *, offset_gy=0.0):
        """Add a dose of 1 Gy/mm along R, 0 Gy (plus offset) at R = -40 mm, on voxels of 2 x 2.5 x 3 mm."""
        import numpy as np

        ijkToRAS = vtk.vtkMatrix4x4()
        for axis, (spacing_mm, n) in enumerate(((2.0, 41), (2.5, 33), (3.0, 27))):
            ijkToRAS.SetElement(axis, axis, spacing_mm)
            ijkToRAS.SetElement(axis, 3, -spacing_mm * (n - 1) / 2)
        dose = np.broadcast_to(2.0 * np.arange(41.0) + offset_gy, (27, 33, 41)).astype(np.float32)
        node = slicer.util.addVolumeFromArray(dose, ijkToRAS, name)
        node.SetAttribute("DicomRtImport.DoseVolume", "1")
        return node

    def addBox(self):
        """Add a box of 20 x 24 x 30 mm round the origin as a closed surface: 14.4 cm3, 30 to 50 Gy."""
        cube = vtk.vtkCubeSource()
        cube.SetBounds(-10, 10, -12, 12, -15, 15)
        cube.Update()
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Structures")
        node.GetSegmentation().SetSourceRepresentationName("Closed surface")
        segment = slicer.vtkSegment()
        segment.SetName("PTV")
        segment.SetColor(1.0, 0.0, 0.0)
        segment.AddRepresentation("Closed surface", cube.GetOutput())
        node.GetSegmentation().AddSegment(segment, "PTV")
        return node

    def parameters(self):
        """Return parameters for the box in the gradient."""
        parameters = DVHMetricsModuleLogic().getParameterNode()
        parameters.doseVolume, parameters.segmentation = self.addGradient(), self.addBox()
        parameters.metrics = "D95%, D50%, V40Gy, V40Gy_cc"
        return parameters

    def test_numbers(self):
        """A box in a gradient has its histogram on paper."""
        outcome = DVHMetricsModuleLogic().compute(slicer.mrmlScene, self.parameters())
        dvh = outcome.rows[0].dvh
        assert abs(dvh.structure_volume_cc - 14.4) < 1e-3
        for text, expected in (("D95%", 31.0), ("D50%", 40.0), ("D5%", 49.0), ("V40Gy", 50.0), ("V40Gy_cc", 7.2)):
            assert abs(dvh.metric(text).value - expected) < 0.02, (text, dvh.metric(text))
        assert abs(dvh.stated.min_gy - 30.0) < 1e-3
        assert abs(dvh.stated.max_gy - 50.0) < 1e-3
        assert max(abs(c) for c in outcome.rows[0].centre_ras_mm) < 0.1

    def test_tables(self):
        """Tables and chart are named and linked as SlicerRT does; a second computation replaces them."""
        logic, parameters = DVHMetricsModuleLogic(), self.parameters()
        parameters.comparedVolume = self.addGradient("Plan", offset_gy=1.0)
        outcome = logic.compute(slicer.mrmlScene, parameters)
        tables = [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLTableNode")
            if node.GetAttribute("DoseVolumeHistogram.DVH")
        ]
        assert len(tables) == outcome.chart.GetNumberOfPlotSeriesNodes() == 2
        assert tables[0].GetNodeReference("doseVolumeRef") is parameters.doseVolume
        assert tables[0].GetTable().GetColumnName(1) == "Volume"
        count = slicer.mrmlScene.GetNumberOfNodes()
        again = logic.compute(slicer.mrmlScene, parameters)
        assert slicer.mrmlScene.GetNumberOfNodes() == count
        assert again.results.GetTable().GetNumberOfRows() == 2

    def test_reasons(self):
        """Each wrong choice says what to change."""
        logic, parameters = DVHMetricsModuleLogic(), self.parameters()
        assert logic.reasonsNotReady(parameters) == []
        parameters.metrics = "D95%, Q7"
        assert "Q7" in logic.reasonsNotReady(parameters)[0]
        parameters.metrics, parameters.skippedSegmentIDs = "D95%", ["PTV"]
        assert "ticked" in logic.reasonsNotReady(parameters)[0]
        parameters.skippedSegmentIDs, parameters.comparedVolume = [], parameters.doseVolume
        assert "same volume" in logic.reasonsNotReady(parameters)[0]
        parameters.doseVolume = parameters.comparedVolume = parameters.segmentation = None
        assert len(logic.reasonsNotReady(parameters)) == 2

    def test_panel(self):
        """A click on Compute shows numbers and coloured verdicts; a click on a constraint marks it in the chart."""
        import tempfile

        widget = slicer.util.getModuleWidget("DVHMetricsModule")
        parameters = self.parameters()
        with tempfile.TemporaryDirectory() as folder:
            constraints = pathlib.Path(folder) / "constraints.txt"
            text = '"constraint"\t"structure"\n"D95% > 30Gy"\t"PTV"\n"V45Gy < 10%"\t"PTV"\n'
            constraints.write_text(text, encoding="utf-8")
            parameters.constraintsFile = constraints
            widget.setParameterNode(parameters)
            assert widget.ui.segmentList.count == 1
            assert widget.ui.computeButton.enabled, widget.ui.computeButton.toolTip
            widget.ui.computeButton.click()
            assert widget.ui.constraintsTable.rowCount == 2
            verdicts = [widget.ui.constraintsTable.item(row, 4).text() for row in (0, 1)]
            assert verdicts == ["met", "VIOLATED"]
            chart = DVHMetricsModuleLogic().chartView().GetPlotChartNode()
            widget.patient.onConstraintClicked(1)
            assert chart.GetNumberOfPlotSeriesNodes() == 2
            parameters.csvFile = pathlib.Path(folder) / "results.csv"
            widget.ui.saveButton.click()
            assert "PTV" in (pathlib.Path(folder) / "results.csv").read_text(encoding="utf-8")
        parameters.metrics = "D95%, nonsense"
        assert "nonsense" in widget.ui.metricsProblemLabel.text
        assert not widget.ui.computeButton.enabled

    def test_cohort(self):
        """A patient of a database is found, asked about and opened."""
        from DVHMetricsModuleLib.panel.cohort_self_test import run

        run(slicer.util.getModuleWidget("DVHMetricsModule"))

    def test_cancel(self):
        """A cancelled computation leaves no node behind."""
        parameters = self.parameters()
        nodes = slicer.mrmlScene.GetNumberOfNodes()

        def cancel(fraction, structure):
            raise CancelledError

        try:
            DVHMetricsModuleLogic().compute(slicer.mrmlScene, parameters, cancel)
        except CancelledError:
            pass
        else:
            raise AssertionError("not cancelled")
        assert slicer.mrmlScene.GetNumberOfNodes() == nodes
