"""The gamma module of 3D Slicer: gathers two doses and criteria, calls the comparison, shows the outcome."""

import math
from typing import Annotated

import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

VERDICT_COLOURS = {"pass": "#1b7f4b", "investigate": "#8a6100", "act": "#b3261e"}


class GammaModule(ScriptedLoadableModule):
    """What Slicer shows of the module in its menus."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("InTrEPID Gamma")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Radiotherapy")]
        parent.dependencies = []
        parent.contributors = ["InTrEPID contributors"]
        parent.helpText = _(
            "Compares an evaluated with a reference dose by the gamma index, computed exactly for the interpolated "
            "dose. Research software, not cleared for clinical decisions."
        )
        parent.acknowledgementText = _(
            "Definition: Low et al., Med. Phys. 25 (1998) 656. Gamma volumes carry SlicerRT's attributes. "
            "Licensed under the Apache License, Version 2.0."
        )


@parameterNodeWrapper
class GammaModuleParameterNode:
    """Saved with the scene; starts with the criteria of AAPM TG-218."""

    referenceVolume: vtkMRMLScalarVolumeNode
    evaluatedVolume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    segmentID: str = ""
    gammaVolume: vtkMRMLScalarVolumeNode
    dosePercent: Annotated[float, WithinRange(0.1, 100)] = 3.0
    distanceMm: Annotated[float, WithinRange(0.1, 50)] = 2.0
    cutoffPercent: Annotated[float, WithinRange(0, 100)] = 10.0
    norm: Annotated[str, Choice(["maximum of the reference", "given dose"])] = "maximum of the reference"
    normGy: Annotated[float, WithinRange(0.01, 1000)] = 2.0
    cutoffOn: Annotated[str, Choice(["reference", "evaluated", "either"])] = "reference"
    local: bool = False
    voxelCentresOnly: bool = False
    useCap: bool = False
    maxGamma: Annotated[float, WithinRange(0.1, 1000)] = 2.0
    tolerancePercent: Annotated[float, WithinRange(0, 100)] = 95.0
    actionPercent: Annotated[float, WithinRange(0, 100)] = 90.0


class CancelledError(Exception):
    """The user stopped the computation."""


class GammaModuleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: it gathers, calls and shows; it computes nothing."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._running = self._cancelled = False
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def setup(self):
        """Build the panel once."""
        from GammaModuleLib.presets import CUSTOM, PRESETS

        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/GammaModule.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.ui.presetBox.addItems([preset.name for preset in PRESETS] + [CUSTOM])
        self.logic = GammaModuleLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.presetBox.connect("currentTextChanged(QString)", self.onPreset)
        self.ui.maskSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onMask)
        self.ui.maskSelector.connect("currentSegmentChanged(QString)", self.onMask)
        self.ui.computeButton.connect("clicked(bool)", self.onCompute)
        self.ui.cancelButton.connect("clicked(bool)", self.onCancel)
        self.ui.statisticsTable.connect("clicked(QModelIndex)", self.onRegion)
        self.showResult(None)
        self.initializeParameterNode()

    def cleanup(self):
        """Stop a computation under way and let go of the scene."""
        self._cancelled = True
        self.removeObservers()

    def enter(self):
        """Take up the parameter node, which another scene may have brought."""
        self.initializeParameterNode()

    def exit(self):
        """Stop following the parameter node."""
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        """Let go of nodes that are about to vanish."""
        self.setParameterNode(None)
        self.showResult(None)

    def onSceneEndClose(self, caller, event):
        """Start afresh if the panel is in view."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        """Follow the scene's parameter node; with two doses in the scene, propose them."""
        node = self.logic.getParameterNode()
        self.logic.proposeDoses(node)
        self.setParameterNode(node)

    def setParameterNode(self, node):
        """Connect widgets and node, after disconnecting the old one."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParameters)
        self._parameterNode = node
        if node:
            self._parameterNodeGuiTag = node.connectGui(self.ui)
            self.ui.maskSelector.setCurrentNode(node.segmentation)
            self.ui.maskSelector.setCurrentSegmentID(node.segmentID)
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParameters)
            self.onParameters()

    def onParameters(self, caller=None, event=None):
        """Enable what can be done; a disabled button says every reason in its tooltip."""
        from GammaModuleLib.presets import name_of_criteria

        node = self._parameterNode
        preset = name_of_criteria(node.dosePercent, node.distanceMm, node.cutoffPercent)
        if self.ui.presetBox.currentText != preset:
            wasBlocked = self.ui.presetBox.blockSignals(True)
            self.ui.presetBox.currentText = preset
            self.ui.presetBox.blockSignals(wasBlocked)
        self.ui.normDoseBox.enabled = node.norm == "given dose"
        self.ui.capValueBox.enabled = node.useCap
        reasons = [_("A comparison is running.")] if self._running else self.logic.reasonsNotReady(node)
        self.ui.computeButton.enabled = not reasons
        self.ui.computeButton.toolTip = "\n".join(reasons) if reasons else _("Compare the doses.")
        self.ui.cancelButton.enabled = self._running

    def onPreset(self, name):
        """Take over the criteria and limits of a preset."""
        from GammaModuleLib.presets import preset_named

        preset = preset_named(name)
        if preset is None or not self._parameterNode:
            return
        with slicer.util.NodeModify(self._parameterNode.parameterNode):
            self._parameterNode.dosePercent = preset.dose_percent
            self._parameterNode.distanceMm = preset.distance_mm
            self._parameterNode.cutoffPercent = preset.cutoff_percent
            self._parameterNode.tolerancePercent = preset.tolerance_percent
            self._parameterNode.actionPercent = preset.action_percent

    def onMask(self, changed=None):
        """Keep the mask in the parameter node, which cannot follow this selector by itself."""
        if self._parameterNode:
            self._parameterNode.segmentation = self.ui.maskSelector.currentNode()
            self._parameterNode.segmentID = self.ui.maskSelector.currentSegmentID()

    def onCompute(self):
        """Run the comparison; events are processed at each step, so that Cancel works."""
        with slicer.util.tryWithErrorDisplay(_("Could not compare the doses."), waitCursor=True):
            from SlicerInTrEPIDLib.panel.packages import packages_ready

            if not packages_ready(self.resourcePath("requirements.txt")):
                return
            self.setRunning(True)
            try:
                self.showResult(None)
                self.ui.statusLabel.text = self.logic.startMessage()
                slicer.app.processEvents()
                self.showResult(self.logic.compute(slicer.mrmlScene, self._parameterNode, self.onProgress))
            except CancelledError:
                self.ui.statusLabel.text = _("Cancelled.")
            finally:
                self.setRunning(False)

    def setRunning(self, running):
        """Switch between computing and waiting for the user."""
        self._running, self._cancelled = running, False
        self.ui.progressBar.visible = running
        self.ui.progressBar.value = 0
        if self._parameterNode:
            self.onParameters()

    def onProgress(self, fraction):
        """Show the fraction done and look whether the user wants to stop."""
        self.ui.progressBar.value = round(100 * fraction)
        slicer.app.processEvents()
        if self._cancelled:
            raise CancelledError

    def onCancel(self):
        """Stop at the next step."""
        self._cancelled = True

    def showResult(self, comparison):
        """Show pass rate, verdict, table and histogram; None clears them."""
        self.ui.resultBox.visible = comparison is not None
        self.ui.progressBar.visible = self._running
        self.ui.statusLabel.text = ""
        self.ui.statisticsTable.setMRMLTableNode(comparison.statistics if comparison else None)
        if comparison is None:
            return
        kind, words, details = self.logic.describe(comparison.result, self._parameterNode)
        self.ui.passRateLabel.text = f"{comparison.result.pass_rate_percent:.2f} %"
        self.ui.passRateLabel.styleSheet = f"font-size: 32px; font-weight: bold; color: {VERDICT_COLOURS[kind]};"
        self.ui.verdictLabel.text = words
        self.ui.verdictLabel.styleSheet = f"font-size: 16px; color: {VERDICT_COLOURS[kind]};"
        self.ui.detailLabel.text = "\n".join(details)
        self.ui.statisticsTable.resizeColumnsToContents()
        view = self.logic.histogramView()
        view.SetPlotChartNodeID(comparison.chart.GetID())
        self.ui.histogramView.setMRMLPlotViewNode(view)
        slicer.util.setSliceViewerLayers(foreground=comparison.gamma, foregroundOpacity=0.6)

    def onRegion(self, index):
        """Jump to the worst point of the region in the row that was clicked."""
        self.logic.jumpToWorst(self.ui.statisticsTable.mrmlTableNode(), index.row())


class GammaModuleLogic(ScriptedLoadableModuleLogic):
    """Parameters to a comparison and back; everything it does works without a panel."""

    def getParameterNode(self):
        """Return the scene's parameters, typed."""
        return GammaModuleParameterNode(super().getParameterNode())

    def proposeDoses(self, parameters):
        """Propose the only two dose volumes of a scene, as reference the one whose name speaks of a plan."""
        doses = [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            if node.GetAttribute("DicomRtImport.DoseVolume") is not None
        ]
        if len(doses) == 2 and parameters.referenceVolume is None and parameters.evaluatedVolume is None:
            doses.sort(key=lambda node: "plan" not in node.GetName().lower())
            parameters.referenceVolume, parameters.evaluatedVolume = doses

    def reasonsNotReady(self, parameters):
        """Every reason why a comparison cannot start."""
        from GammaModuleLib.inputs import reasons_against

        reasons = reasons_against(
            slicer.mrmlScene,
            parameters.referenceVolume,
            parameters.evaluatedVolume,
            parameters.segmentation,
            parameters.segmentID,
        )
        doses = (parameters.referenceVolume, parameters.evaluatedVolume)
        if parameters.gammaVolume and parameters.gammaVolume in doses:
            reasons.append(_("The gamma volume is one of the doses, which it would overwrite. Choose another one."))
        if parameters.actionPercent > parameters.tolerancePercent:
            reasons.append(_("The action limit is above the tolerance limit. Exchange them."))
        return reasons

    def settings(self, parameters):
        """Return the settings that the parameters describe."""
        from intrepid_gamma import GammaSettings

        return GammaSettings(
            dose_percent=parameters.dosePercent,
            distance_mm=parameters.distanceMm,
            cutoff_percent=parameters.cutoffPercent,
            cutoff_on=parameters.cutoffOn,
            norm_gy=parameters.normGy if parameters.norm == "given dose" else None,
            local=parameters.local,
            max_gamma=parameters.maxGamma if parameters.useCap else None,
            interpolate=not parameters.voxelCentresOnly,
        )

    def compute(self, scene, parameters, progress=None):
        """Compare the doses of the parameters; the gamma volume becomes their output."""
        from GammaModuleLib.comparison import compare

        comparison = compare(
            scene,
            parameters.referenceVolume,
            parameters.evaluatedVolume,
            self.settings(parameters),
            segmentation=parameters.segmentation,
            segment_id=parameters.segmentID,
            gamma_node=parameters.gammaVolume,
            progress=progress,
        )
        parameters.gammaVolume = comparison.gamma
        return comparison

    def describe(self, result, parameters):
        """Return the verdict ("pass", "investigate", "act"), its words, and what else a reader must know."""
        from GammaModuleLib.presets import verdict

        tolerance, action = parameters.tolerancePercent, parameters.actionPercent
        kind = verdict(result.pass_rate_percent, tolerance_percent=tolerance, action_percent=action)
        words = {
            "pass": _("Within the tolerance limit of {tolerance:g} %").format(tolerance=tolerance),
            "investigate": _("Below the tolerance limit of {tolerance:g} %: investigate").format(tolerance=tolerance),
            "act": _("Below the action limit of {action:g} %").format(action=action),
        }[kind]
        details = [
            _("{passed} of {points} points pass {dose:g} % / {distance:g} mm, norm {norm:.4g} Gy.").format(
                passed=result.n_passed,
                points=result.n_points,
                dose=result.dose_percent,
                distance=result.distance_mm,
                norm=result.norm_gy,
            )
        ]
        if result.n_missing:
            text = _("{n} points have no evaluated dose and count as failed.")
            details.append(text.format(n=result.n_missing))
        if result.n_reach_outside:
            text = _("The search of {n} points reached beyond the evaluated dose.")
            details.append(text.format(n=result.n_reach_outside))
        if result.n_reference_invalid or result.n_evaluated_invalid:
            text = _("Voxels that are not numbers: {reference} of the reference, {evaluated} of the evaluated dose.")
            details.append(text.format(reference=result.n_reference_invalid, evaluated=result.n_evaluated_invalid))
        return kind, words, details

    def histogramView(self):
        """Return the view node of the panel's chart."""
        view = slicer.mrmlScene.GetSingletonNode("InTrEPIDGamma", "vtkMRMLPlotViewNode")
        if view is None:
            view = slicer.mrmlScene.CreateNodeByClass("vtkMRMLPlotViewNode")
            view.UnRegister(None)
            view.SetSingletonTag("InTrEPIDGamma")
            view.SetName("GammaHistogramView")
            view = slicer.mrmlScene.AddNode(view)
        return view

    def jumpToWorst(self, table, row):
        """Centre the slice views on the worst point of a table row; a region without points has none."""
        position = [float(table.GetTable().GetValueByName(row, f"Worst {axis} [mm]").ToDouble()) for axis in "RAS"]
        if all(map(math.isfinite, position)):
            for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
                node.JumpSliceByCentering(*position)

    def startMessage(self):
        """Return what the user is to know before the first computation."""
        from intrepid_gamma.compiling import is_compiled

        return "" if is_compiled() else _("Compiling the search for this computer, once; up to half a minute.")


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
        segmentID = segmentation.GetSegmentation().AddEmptySegment("PTV", "PTV")
        voxels = np.zeros((10, 12, 24), np.uint8)
        voxels[2:6, 3:7, 8:13] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, segmentation, segmentID, reference)
        parameters = self.parameters(reference, evaluated)
        parameters.segmentation, parameters.segmentID = segmentation, segmentID
        comparison = GammaModuleLogic().compute(slicer.mrmlScene, parameters)
        assert comparison.result.n_points == voxels.sum()
        assert comparison.statistics.GetTable().GetValueByName(0, "Region").ToString() == "PTV"

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
