"""The gamma module of 3D Slicer: gathers two doses and criteria, calls the comparison, shows the outcome."""

import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

import slicer
from GammaModuleLib.panel.logic import CancelledError, GammaModuleLogic
from GammaModuleLib.panel.self_test import GammaModuleTest  # noqa: F401 - Slicer looks for it here

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
