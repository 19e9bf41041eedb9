"""The DVH module of 3D Slicer: one tab for the patient in the scene, one for a database of many patients."""

import qt
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

import slicer
from DVHMetricsModuleLib.panel.logic import DVHMetricsModuleLogic
from DVHMetricsModuleLib.panel.self_test import DVHMetricsModuleTest  # noqa: F401 - Slicer looks for it here


class DVHMetricsModule(ScriptedLoadableModule):
    """What Slicer shows of the module in its menus."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("InTrEPID DVH Metrics")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Radiotherapy")]
        parent.dependencies = []
        parent.contributors = ["InTrEPID contributors"]
        parent.helpText = _(
            "Computes dose-volume histograms from the structures as they were drawn, evaluates metrics and checks dose "
            "constraints. Research software, not cleared for clinical decisions."
        )
        parent.acknowledgementText = _(
            "The metric and constraint language follows the R package DVHmetrics; tables and charts carry SlicerRT's "
            "attributes. Licensed under the Apache License, Version 2.0."
        )


class DVHMetricsModuleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: it holds the tabs and keeps them on the scene's parameters."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self.patient = self.cohort = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def setup(self):
        """Build the panel once."""
        from DVHMetricsModuleLib.panel.cohort_tab import CohortTab
        from DVHMetricsModuleLib.panel.patient_tab import PatientTab

        ScriptedLoadableModuleWidget.setup(self)
        self.logic = DVHMetricsModuleLogic()
        form = slicer.util.loadUI(self.resourcePath("UI/DVHMetricsModule.ui"))
        self.patient = PatientTab(form, self.logic, self.resourcePath("requirements.txt"))
        self.cohort = CohortTab(self.resourcePath("cohort_requirements.txt"), self.initializeParameterNode)
        self.ui = self.patient.ui
        tabs = qt.QTabWidget()
        tabs.addTab(self.patient.root, _("This patient"))
        tabs.addTab(self.cohort.root, _("Cohort"))
        self.layout.addWidget(tabs)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.initializeParameterNode()

    def cleanup(self):
        """Stop a computation under way and let go of the scene."""
        self.patient.onCancel()
        self.cohort.cleanup()
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
        self.patient.showOutcome(None)

    def onSceneEndClose(self, caller, event):
        """Start afresh if the panel is in view."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        """Follow the scene's parameter node; what the scene has only one of is proposed."""
        node = self.logic.getParameterNode()
        self.logic.proposeNodes(node)
        self.setParameterNode(node)

    def setParameterNode(self, node):
        """Connect widgets and node, after disconnecting the old one."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParameters)
        self._parameterNode = node
        if node:
            self._parameterNodeGuiTag = node.connectGui(self.ui)
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParameters)
        self.patient.follow(node)

    def onParameters(self, caller=None, event=None):
        """Let the form follow a change."""
        self.patient.onParameters()
