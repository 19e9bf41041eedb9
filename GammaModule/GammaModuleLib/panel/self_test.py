"""Self-test of the module: run by developers from the panel and by ctest."""

import vtk
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

import slicer
from GammaModuleLib.panel.logic import GammaModuleLogic
from SlicerInTrEPIDLib.panel.interruptible import CancelledError


class GammaModuleTest(ScriptedLoadableModuleTest):
    """Self-test: run by developers from the panel and by ctest."""

    def runTest(self):
        """Run every step on an empty scene."""
        for step in (self.test_comparison, self.test_mask, self.test_reasons, self.test_panel, self.test_cancel):
            slicer.mrmlScene.Clear()
            step()
        self.delayDisplay("All tests passed")

    def addDose(self, name, dose_gy, *, shift_mm=0.0):
        """Add a dose volume of 2 x 2.5 x 3 mm voxels, (nz, ny, nx)."""
        ijkToRAS = vtk.vtkMatrix4x4()
        for axis, (spacing_mm, sign) in enumerate(((2.0, -1), (2.5, -1), (3.0, 1))):
            ijkToRAS.SetElement(axis, axis, sign * spacing_mm)
            ijkToRAS.SetElement(axis, 3, 40.0 + shift_mm)
        node = slicer.util.addVolumeFromArray(dose_gy, ijkToRAS, name)
        node.SetAttribute("DicomRtImport.DoseVolume", "1")
        return node

    def addGradients(self):
        """Add two doses of 0.5 Gy/mm along R that differ by 1 Gy: gamma = 1 / sqrt(DD^2 + (0.5 DTA)^2)."""
        import numpy as np

        dose_gy = np.broadcast_to(40.0 + np.arange(24.0), (10, 12, 24)).astype(np.float32)
        return self.addDose("Planned", dose_gy), self.addDose("Measured", dose_gy + np.float32(1.0))

    def parameters(self, reference, evaluated):
        """Return parameters for two doses: 2 % of 50 Gy, 2 mm, so that gamma is 1 / sqrt(2) in the gradients."""
        parameters = GammaModuleLogic().getParameterNode()
        parameters.referenceVolume, parameters.evaluatedVolume = reference, evaluated
        parameters.dosePercent, parameters.distanceMm = 2.0, 2.0
        parameters.norm, parameters.normGy = "given dose", 50.0
        return parameters

    def test_comparison(self):
        """The volume holds what can be written down, where the reference is, as SlicerRT names it."""
        reference, evaluated = self.addGradients()
        comparison = GammaModuleLogic().compute(slicer.mrmlScene, self.parameters(reference, evaluated))
        gamma = slicer.util.arrayFromVolume(comparison.gamma)
        assert abs(gamma[:, :, 4:-4] - 0.5**0.5).max() < 1e-5
        assert comparison.gamma.GetAttribute("DoseComparison.GammaVolume") == "1"
        assert comparison.gamma.GetNodeReference("referenceDoseVolumeRef") is reference
        assert comparison.gamma.GetOrigin() == reference.GetOrigin()
        assert comparison.result.n_points == gamma.size

    def test_mask(self):
        """Only voxels of the segment are analysed, and the table names it."""
        import numpy as np

        reference, evaluated = self.addGradients()
        segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(reference)
        segmentation.GetSegmentation().AddEmptySegment("Before", "Before")
        segmentID = segmentation.GetSegmentation().AddEmptySegment("PTV", "PTV")
        voxels = np.zeros((10, 12, 24), np.uint8)
        voxels[2:6, 3:7, 8:13] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, segmentation, segmentID, reference)
        parameters = self.parameters(reference, evaluated)
        parameters.segmentation, parameters.segmentID = segmentation, segmentID
        comparison = GammaModuleLogic().compute(slicer.mrmlScene, parameters)
        assert comparison.result.n_points == voxels.sum()
        assert comparison.statistics.GetTable().GetValueByName(0, "Region").ToString() == "PTV"
        # A panel that showed something else takes the mask over as it is.
        widget = slicer.util.getModuleWidget("GammaModule")
        widget.setParameterNode(None)
        widget.ui.maskSelector.setCurrentNode(None)
        widget.setParameterNode(parameters)
        assert parameters.segmentID == widget.ui.maskSelector.currentSegmentID() == segmentID

    def test_reasons(self):
        """Each wrong choice says what to change."""
        reference, evaluated = self.addGradients()
        logic = GammaModuleLogic()
        assert len(logic.reasonsNotReady(self.parameters(None, None))) == 2
        assert "same volume" in logic.reasonsNotReady(self.parameters(reference, reference))[0]
        far = self.addDose("Elsewhere", slicer.util.arrayFromVolume(evaluated), shift_mm=500.0)
        assert "do not overlap" in logic.reasonsNotReady(self.parameters(reference, far))[0]
        parameters = self.parameters(reference, evaluated)
        assert logic.reasonsNotReady(parameters) == []
        parameters.gammaVolume = reference
        assert "overwrite" in logic.reasonsNotReady(parameters)[0]
        parameters.gammaVolume = None
        tree = slicer.mrmlScene.GetSubjectHierarchyNode()
        study = tree.CreateStudyItem(tree.GetSceneItemID(), "Relative doses")
        tree.SetItemAttribute(study, "DicomRtImport.DoseUnitName", "RELATIVE")
        for node in (reference, evaluated):
            tree.SetItemParent(tree.GetItemByDataNode(node), study)
        assert "relative" in logic.reasonsNotReady(parameters)[0]
        parameters.norm = "maximum of the reference"
        assert logic.reasonsNotReady(parameters) == []
        details = logic.describe(logic.compute(slicer.mrmlScene, parameters).result, parameters)[2]
        assert "(relative)" in details[0]

    def test_panel(self):
        """A click on Compute shows the pass rate and its verdict; the same volume twice disables the button."""
        widget = slicer.util.getModuleWidget("GammaModule")
        parameters = self.parameters(*self.addGradients())
        widget.setParameterNode(parameters)
        widget.ui.presetBox.currentText = "2 % / 2 mm"
        widget.ui.computeButton.click()
        assert widget.ui.passRateLabel.text == "100.00 %"
        assert "Within" in widget.ui.verdictLabel.text
        widget.ui.presetBox.currentText = "SRS: 1 % / 1 mm"
        assert parameters.dosePercent == 1.0
        widget.ui.computeButton.click()
        assert widget.ui.passRateLabel.text == "0.00 %"
        assert "action limit" in widget.ui.verdictLabel.text
        widget.logic.jumpToWorst(widget.ui.statisticsTable.mrmlTableNode(), 0)
        parameters.evaluatedVolume = parameters.referenceVolume
        assert not widget.ui.computeButton.enabled
        assert "same volume" in widget.ui.computeButton.toolTip

    def test_cancel(self):
        """A cancelled comparison leaves no node behind."""
        parameters = self.parameters(*self.addGradients())
        nodes = slicer.mrmlScene.GetNumberOfNodes()

        def cancel(fraction):
            raise CancelledError

        try:
            GammaModuleLogic().compute(slicer.mrmlScene, parameters, cancel)
        except CancelledError:
            pass
        else:
            raise AssertionError("not cancelled")
        assert slicer.mrmlScene.GetNumberOfNodes() == nodes
