"""The gamma module of 3D Slicer: gathers two doses and criteria, calls the comparison, shows the outcome."""

from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

import slicer
from GammaModuleLib.panel.logic import GammaModuleLogic
from GammaModuleLib.panel.self_test import GammaModuleTest  # noqa: F401 - Slicer looks for it here
from SlicerInTrEPIDLib.panel.interruptible import Interruptible
from SlicerInTrEPIDLib.panel.parameter_widget import ParameterNodeWidget

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


class GammaModuleWidget(Interruptible, ParameterNodeWidget):
    """The panel: it gathers, calls and shows; it computes nothing."""

    def setup(self):
        """Build the panel once."""
        from GammaModuleLib.presets import CUSTOM, PRESETS

        ParameterNodeWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/GammaModule.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.ui.presetBox.addItems([preset.name for preset in PRESETS] + [CUSTOM])
        self.logic = GammaModuleLogic()
        self.ui.presetBox.connect("currentTextChanged(QString)", self.onPreset)
        self.ui.maskSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onMask)
        self.ui.maskSelector.connect("currentSegmentChanged(QString)", self.onMask)
        self.ui.computeButton.connect("clicked(bool)", self.onCompute)
        self.ui.cancelButton.connect("clicked(bool)", self.onCancel)
        self.ui.statisticsTable.connect("clicked(QModelIndex)", self.onRegion)
        self.showResult(None)
        self.followScene()

    def cleanup(self):
        """Stop a computation under way and let go of the scene."""
        self.onCancel()
        self.removeObservers()

    def forget(self):
        """Stop a computation, whose nodes are about to vanish, and clear what was shown."""
        self.onCancel()
        self.showResult(None)

    def showParameters(self, node):
        """Show these parameters; None while there are none."""
        if node:
            segmentation, segmentID = node.segmentation, node.segmentID  # onMask writes both after the first
            self.ui.maskSelector.setCurrentNode(segmentation)
            self.ui.maskSelector.setCurrentSegmentID(segmentID)
        self.onParameters()

    def onParameters(self, caller=None, event=None):
        """Enable what can be done; a disabled button says every reason in its tooltip."""
        from GammaModuleLib.presets import name_of_criteria

        node = self._parameterNode
        if not node:
            return
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
        """Run the comparison."""
        self.runInterruptibly(
            self.compare,
            failed=_("Could not compare the doses."),
            requirements=self.resourcePath("requirements.txt"),
        )

    def compare(self):
        """Compare the doses and show the outcome."""
        self.showResult(None)
        self.ui.statusLabel.text = self.logic.startMessage()
        slicer.app.processEvents()
        self.showResult(self.logic.compute(slicer.mrmlScene, self._parameterNode, self.onProgress))

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
