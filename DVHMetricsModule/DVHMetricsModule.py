"""The DVH module of 3D Slicer: gathers dose, structures and questions, calls the computation, shows the answers."""

import pathlib
from typing import Annotated

import ctk
import qt
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
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLTableNode

VERDICT_COLOURS = {True: "#d5eedd", False: "#f8d7d4", None: "#f3e6c0"}
END_CAPS = {"as usual": None, "none": "none", "half slice": "half_slice", "rounded": "rounded"}


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


@parameterNodeWrapper
class DVHMetricsModuleParameterNode:
    """Saved with the scene."""

    doseVolume: vtkMRMLScalarVolumeNode
    comparedVolume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    skippedSegmentIDs: list[str]
    planFile: pathlib.Path
    prescriptionGy: Annotated[float, WithinRange(0, 1000)] = 0.0
    fractions: Annotated[int, WithinRange(0, 100)] = 0
    metrics: str = "D98%, D50%, D2%, DMEAN, V20Gy"
    constraintsFile: pathlib.Path
    betweenPlanes: Annotated[str, Choice(["slab", "linear", "shape"])] = "slab"
    endCaps: Annotated[str, Choice(list(END_CAPS))] = "as usual"
    modelParameters: str = ""
    csvFile: pathlib.Path
    metricsTable: vtkMRMLTableNode


class CancelledError(Exception):
    """The user stopped the computation."""


class DVHMetricsModuleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: it gathers, calls and shows; it computes nothing."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._outcome = None
        self._running = self._cancelled = self._filling = False
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def setup(self):
        """Build the panel once."""
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/DVHMetricsModule.ui"))
        self.tabs = qt.QTabWidget()
        self.tabs.addTab(panel, _("This patient"))
        self.layout.addWidget(self.tabs)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        kinds = ctk.ctkPathLineEdit
        for edit in (self.ui.planFileEdit, self.ui.constraintsFileEdit):
            edit.filters = kinds.Files | kinds.Readable
        self.ui.csvFileEdit.filters = kinds.Files | kinds.Writable
        self.logic = DVHMetricsModuleLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self._completer = qt.QCompleter(self.ui.metricsEdit)
        self._completer.setCaseSensitivity(qt.Qt.CaseInsensitive)
        self.ui.metricsEdit.setCompleter(self._completer)
        self.ui.metricsEdit.connect("textEdited(QString)", self.onMetricsEdited)
        self.ui.segmentList.connect("itemChanged(QListWidgetItem*)", self.onSegmentTicked)
        self.ui.planButton.connect("clicked(bool)", self.onReadPlan)
        self.ui.computeButton.connect("clicked(bool)", self.onCompute)
        self.ui.cancelButton.connect("clicked(bool)", self.onCancel)
        self.ui.resultsTable.connect("clicked(QModelIndex)", self.onResultClicked)
        self.ui.constraintsTable.connect("cellClicked(int,int)", self.onConstraintClicked)
        self.ui.copyButton.connect("clicked(bool)", self.onCopy)
        self.ui.saveButton.connect("clicked(bool)", self.onSave)
        self.cohort = self.logic.cohortTab(self.resourcePath("cohort_requirements.txt"), self.initializeParameterNode)
        self.tabs.addTab(self.cohort.root, _("Cohort"))
        self.showOutcome(None)
        self.initializeParameterNode()

    def cleanup(self):
        """Stop a computation under way and let go of the scene."""
        self._cancelled = True
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
        self.showOutcome(None)

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
            self.onParameters()

    def onParameters(self, caller=None, event=None):
        """Enable what can be done; a disabled button says every reason in its tooltip."""
        node = self._parameterNode
        self.fillSegmentList()
        metrics, models = self.logic.problemsOfMetrics(node.metrics), self.logic.problemsOfModels(node.modelParameters)
        for problemLabel, problems in ((self.ui.metricsProblemLabel, metrics), (self.ui.modelProblemLabel, models)):
            problemLabel.text = "\n".join(problems)
            problemLabel.visible = bool(problems)
        reasons = [_("A computation is running.")] if self._running else self.logic.reasonsNotReady(node)
        self.ui.computeButton.enabled = not reasons
        self.ui.computeButton.toolTip = "\n".join(reasons) if reasons else _("Compute the histograms.")
        self.ui.cancelButton.enabled = self._running
        self.ui.planButton.enabled = self.logic.pathOrNone(node.planFile) is not None
        self.ui.saveButton.enabled = self._outcome is not None and self.logic.pathOrNone(node.csvFile) is not None

    def fillSegmentList(self):
        """List the segments of the segmentation, ticked unless they are to be left out."""
        node = self._parameterNode
        segments = node.segmentation.GetSegmentation() if node.segmentation else None
        ids = list(segments.GetSegmentIDs()) if segments else []
        self._filling = True
        try:
            self.ui.segmentList.clear()
            for segmentID in ids:
                item = qt.QListWidgetItem(segments.GetSegment(segmentID).GetName(), self.ui.segmentList)
                item.setData(qt.Qt.UserRole, segmentID)
                skipped = segmentID in node.skippedSegmentIDs
                item.setCheckState(qt.Qt.Unchecked if skipped else qt.Qt.Checked)
        finally:
            self._filling = False

    def onSegmentTicked(self, item):
        """Keep which segments are left out."""
        if self._filling or not self._parameterNode:
            return
        segmentID = item.data(qt.Qt.UserRole)
        skipped = [each for each in self._parameterNode.skippedSegmentIDs if each != segmentID]
        if item.checkState() == qt.Qt.Unchecked:
            skipped.append(segmentID)
        self._parameterNode.skippedSegmentIDs = skipped

    def onMetricsEdited(self, text):
        """Offer what the metric under way can become."""
        self._completer.setModel(qt.QStringListModel(self.logic.completions(text), self._completer))

    def onReadPlan(self):
        """Fill prescription and fractions from the plan file."""
        with slicer.util.tryWithErrorDisplay(_("Could not read the plan."), waitCursor=True):
            self.ui.statusLabel.text = self.logic.readPlan(self._parameterNode)

    def onCompute(self):
        """Run the computation; events are processed at each structure, so that Cancel works."""
        with slicer.util.tryWithErrorDisplay(_("Could not compute the histograms."), waitCursor=True):
            from SlicerInTrEPIDLib.panel.packages import packages_ready

            if not packages_ready(self.resourcePath("requirements.txt")):
                return
            self.setRunning(True)
            try:
                self.showOutcome(None)
                self.showOutcome(self.logic.compute(slicer.mrmlScene, self._parameterNode, self.onProgress))
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

    def onProgress(self, fraction, structure):
        """Show how far it is and look whether the user wants to stop."""
        self.ui.progressBar.value = round(100 * fraction)
        self.ui.statusLabel.text = structure
        slicer.app.processEvents()
        if self._cancelled:
            raise CancelledError

    def onCancel(self):
        """Stop at the next structure."""
        self._cancelled = True

    def showOutcome(self, outcome):
        """Show chart, numbers and verdicts; None clears them."""
        self._outcome = outcome
        self.ui.resultBox.visible = outcome is not None
        self.ui.progressBar.visible = self._running
        self.ui.statusLabel.text = ""
        self.ui.resultsTable.setMRMLTableNode(outcome.results if outcome else None)
        self.showConstraints(outcome.constraints if outcome else ())
        if outcome is None:
            return
        self.ui.resultsTable.resizeColumnsToContents()
        self.ui.notesLabel.text = "\n".join(self.logic.notes(outcome))
        view = self.logic.chartView()
        view.SetPlotChartNodeID(outcome.chart.GetID())
        self.ui.chartView.setMRMLPlotViewNode(view)

    def showConstraints(self, constraints):
        """List the constraints with their verdicts in colour."""
        table = self.ui.constraintsTable
        table.visible = bool(constraints)
        columns = self.logic.constraintColumns()
        table.clear()
        table.setColumnCount(len(columns))
        table.setHorizontalHeaderLabels(columns)
        table.setRowCount(len(constraints))
        for row, (structure, result) in enumerate(constraints):
            for column, text in enumerate(self.logic.constraintTexts(structure, result)):
                item = qt.QTableWidgetItem(text)
                item.setBackground(qt.QBrush(qt.QColor(VERDICT_COLOURS[result.compliance])))
                item.setToolTip(result.reason or result.citation)
                table.setItem(row, column, item)
        table.resizeColumnsToContents()

    def onResultClicked(self, index):
        """Centre the slices on the structure of the row."""
        if self._outcome:
            self.logic.showStructure(self._outcome, self._outcome.rows[index.row()])

    def onConstraintClicked(self, row, column=0):
        """Show the constraint's structure and dose in the slices, and its point in the chart."""
        if self._outcome:
            self.logic.showConstraint(self._outcome, *self._outcome.constraints[row])

    def onCopy(self):
        """Put both tables on the clipboard."""
        if self._outcome:
            slicer.app.clipboard().setText(self.logic.clipboardText(self._outcome))
            self.ui.statusLabel.text = _("Copied.")

    def onSave(self):
        """Write the results to the chosen file."""
        with slicer.util.tryWithErrorDisplay(_("Could not save the results."), waitCursor=True):
            self.logic.save(self._outcome, self._parameterNode)
            self.ui.statusLabel.text = _("Saved {file}.").format(file=self._parameterNode.csvFile)


class DVHMetricsModuleLogic(ScriptedLoadableModuleLogic):
    """Parameters to histograms and back; everything it does works without a panel."""

    def getParameterNode(self):
        """Return the scene's parameters, typed."""
        return DVHMetricsModuleParameterNode(super().getParameterNode())

    def proposeNodes(self, parameters):
        """Propose the only dose and segmentation of a scene; of two doses the plan is the one compared with."""
        doses = [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            if node.GetAttribute("DicomRtImport.DoseVolume") is not None
        ]
        segmentations = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        if parameters.doseVolume is None and parameters.comparedVolume is None and 1 <= len(doses) <= 2:
            doses.sort(key=lambda node: "plan" in node.GetName().lower())
            parameters.doseVolume = doses[0]
            parameters.comparedVolume = doses[1] if len(doses) == 2 else None
        if parameters.segmentation is None and len(segmentations) == 1:
            parameters.segmentation = segmentations[0]

    def pathOrNone(self, path):
        """Return a path of the parameters, None if it is not set."""
        from SlicerInTrEPIDLib.command import as_path

        return as_path(path)

    def problemsOfMetrics(self, text):
        """Return what is wrong with the metrics, one sentence each."""
        from DVHMetricsModuleLib.panel_text import problems_of_metrics

        return problems_of_metrics(text)

    def problemsOfModels(self, text):
        """Return what is wrong with the model parameters."""
        from DVHMetricsModuleLib.panel_text import model_arguments
        from intrepid_rt.errors import UnusableInput

        try:
            model_arguments(text)
        except UnusableInput as problem:
            return [str(problem)]
        return []

    def completions(self, text):
        """Return what the metrics text can be completed to."""
        from DVHMetricsModuleLib.panel_text import completions

        return completions(text)

    def reasonsNotReady(self, parameters):
        """Every reason why a computation cannot start."""
        from DVHMetricsModuleLib.computation import reasons_against

        reasons = reasons_against(
            slicer.mrmlScene, parameters.doseVolume, parameters.segmentation, parameters.comparedVolume
        )
        reasons += self.problemsOfMetrics(parameters.metrics) + self.problemsOfModels(parameters.modelParameters)
        if parameters.segmentation and not self.segmentIDs(parameters):
            reasons.append(_("No segment is ticked."))
        constraints = self.pathOrNone(parameters.constraintsFile)
        if constraints is not None and not constraints.is_file():
            reasons.append(_("The constraints file does not exist: {path}").format(path=constraints))
        if parameters.endCaps == "rounded" and parameters.betweenPlanes != "shape":
            reasons.append(_("Rounded end caps need blended shapes between the contours."))
        return reasons

    def segmentIDs(self, parameters):
        """Return the segments that are not left out."""
        ids = parameters.segmentation.GetSegmentation().GetSegmentIDs()
        return [segmentID for segmentID in ids if segmentID not in parameters.skippedSegmentIDs]

    def readPlan(self, parameters):
        """Take prescription and fractions from the plan file; return what was found, in words."""
        from intrepid_rt.dicom_plan import read_plan

        plan = read_plan(self.pathOrNone(parameters.planFile))
        parameters.prescriptionGy = plan.prescription_gy or 0.0
        parameters.fractions = plan.fractions_planned or 0
        known = _("{dose:g} Gy").format(dose=plan.prescription_gy) if plan.prescription_gy else _("no prescription")
        return _("Plan {label}: {known}, {fractions} fractions.").format(
            label=plan.label, known=known, fractions=plan.fractions_planned or _("unknown")
        )

    def settings(self, parameters):
        """Return the settings that the parameters describe."""
        from DVHMetricsModuleLib.computation import Settings
        from DVHMetricsModuleLib.panel_text import model_arguments, split_metrics
        from intrepid_dvh.constraint_reading import read_constraints

        constraints = self.pathOrNone(parameters.constraintsFile)
        return Settings(
            metrics=tuple(split_metrics(parameters.metrics)),
            constraints=tuple(read_constraints(constraints)) if constraints else (),
            prescription_gy=parameters.prescriptionGy or None,
            fractions=parameters.fractions or None,
            end_caps=END_CAPS[parameters.endCaps],
            between_planes=parameters.betweenPlanes,
            model_arguments=model_arguments(parameters.modelParameters),
        )

    def compute(self, scene, parameters, progress=None):
        """Compute the histograms of the parameters; the nodes of the computation before are replaced."""
        from DVHMetricsModuleLib.computation import compute
        from DVHMetricsModuleLib.outputs import remove_outputs

        outcome = compute(
            scene,
            parameters.doseVolume,
            parameters.segmentation,
            self.settings(parameters),
            segment_ids=self.segmentIDs(parameters),
            compared=parameters.comparedVolume,
            progress=progress,
        )
        remove_outputs(scene, parameters.metricsTable)
        parameters.metricsTable = outcome.metrics
        return outcome

    def notes(self, outcome):
        """Return what a reader of the numbers must know."""
        notes = [f"{row.dvh.structure}: {warning}" for row in outcome.rows for warning in row.dvh.warnings]
        return [*outcome.left_out, *dict.fromkeys(notes)]

    def constraintColumns(self):
        """Titles of the list of constraints."""
        return [_("Structure"), _("Dose"), _("Constraint"), _("Observed"), _("Verdict")]

    def constraintTexts(self, row, result):
        """Cells of one constraint."""
        from DVHMetricsModuleLib.outputs import VERDICTS

        observed = "" if result.observed is None else f"{result.observed:.4g} {result.unit}"
        verdict = VERDICTS[result.compliance]
        return [result.structure, row.dose.GetName(), result.shown, observed, verdict]

    def showStructure(self, outcome, row):
        """Centre the slice views on a structure, its dose above them."""
        from DVHMetricsModuleLib.outputs import set_mark

        set_mark(outcome.chart, None)
        slicer.util.setSliceViewerLayers(foreground=row.dose, foregroundOpacity=0.5)
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            node.JumpSliceByCentering(*row.centre_ras_mm)

    def showConstraint(self, outcome, row, result):
        """Show a structure where the dose reaches the constraint's dose, and the constraint's point in the chart."""
        from DVHMetricsModuleLib.computation import constraint_dose_gy, constraint_point
        from DVHMetricsModuleLib.outputs import set_mark

        self.showStructure(outcome, row)
        point, dose_gy = constraint_point(row, result), constraint_dose_gy(row, result)
        if point is not None:
            set_mark(outcome.chart, point, f"{result.structure}: {result.constraint}")
        if dose_gy is None:
            return
        row.dose.CreateDefaultDisplayNodes()
        display = row.dose.GetDisplayNode()
        display.SetThreshold(dose_gy, 1e6)
        display.SetApplyThreshold(True)

    def clipboardText(self, outcome):
        """Return both tables as spreadsheets paste them."""
        from DVHMetricsModuleLib.export import for_clipboard

        return for_clipboard([outcome.results, outcome.constraint_table if outcome.constraints else None])

    def save(self, outcome, parameters):
        """Write both tables to the file of the parameters."""
        from DVHMetricsModuleLib.export import save

        tables = [outcome.results, outcome.constraint_table if outcome.constraints else None]
        title = _("Dose-volume histograms of {dose}").format(dose=parameters.doseVolume.GetName())
        save(pathlib.Path(parameters.csvFile), tables, title=title, notes=self.notes(outcome))

    def cohortTab(self, requirements, onOpened):
        """Return the tab for a database of many patients."""
        from DVHMetricsModuleLib.panel.cohort_tab import CohortTab

        return CohortTab(requirements, onOpened)

    def chartView(self):
        """Return the view node of the panel's chart."""
        view = slicer.mrmlScene.GetSingletonNode("InTrEPIDDVH", "vtkMRMLPlotViewNode")
        if view is None:
            view = slicer.mrmlScene.CreateNodeByClass("vtkMRMLPlotViewNode")
            view.UnRegister(None)
            view.SetSingletonTag("InTrEPIDDVH")
            view.SetName("DVHView")
            view = slicer.mrmlScene.AddNode(view)
        return view


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
            chart = widget.logic.chartView().GetPlotChartNode()
            widget.onConstraintClicked(1)
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
