"""The DVH module of 3D Slicer: one tab for the patient in the scene, one for a database of many patients."""

import qt
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

import slicer
from DVHMetricsModuleLib.panel.logic import DVHMetricsModuleLogic
from DVHMetricsModuleLib.panel.self_test import DVHMetricsModuleTest  # noqa: F401 - Slicer looks for it here
from SlicerInTrEPIDLib.panel.parameter_widget import ParameterNodeWidget


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


class DVHMetricsModuleWidget(ParameterNodeWidget):
    """The panel: it holds the tabs and keeps them on the scene's parameters."""

    def setup(self):
        """Build the panel once."""
        from DVHMetricsModuleLib.panel.cohort_tab import CohortTab
        from DVHMetricsModuleLib.panel.patient_tab import PatientTab

        ParameterNodeWidget.setup(self)
        self.logic = DVHMetricsModuleLogic()
        form = slicer.util.loadUI(self.resourcePath("UI/DVHMetricsModule.ui"))
        self.patient = PatientTab(form, self.logic, self.resourcePath("requirements.txt"))
        self.cohort = CohortTab(self.resourcePath("cohort_requirements.txt"), self.initializeParameterNode)
        self.ui = self.patient.ui
        tabs = qt.QTabWidget()
        tabs.addTab(self.patient.root, _("This patient"))
        tabs.addTab(self.cohort.root, _("Cohort"))
        self.layout.addWidget(tabs)
        self.followScene()

    def cleanup(self):
        """Stop a computation under way and let go of the scene."""
        self.patient.onCancel()
        self.cohort.cleanup()
        self.removeObservers()

    def forget(self):
        """Stop a computation, whose nodes are about to vanish, and clear what was shown."""
        self.patient.onCancel()
        self.patient.showOutcome(None)

    def showParameters(self, node):
        """Show these parameters; None while there are none."""
        self.patient.follow(node)

    def onParameters(self, caller=None, event=None):
        """Let the form follow a change."""
        self.patient.onParameters()
