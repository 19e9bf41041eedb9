"""The tab "This patient": gathers dose, structures and questions, calls the computation, shows the answers."""

import ctk
import qt
from slicer.i18n import tr as _

import slicer
from SlicerInTrEPIDLib.panel.interruptible import Interruptible

VERDICT_COLOURS = {True: "#d5eedd", False: "#f8d7d4", None: "#f3e6c0"}


class PatientTab(Interruptible):
    """The form ``root`` with its widgets ``ui``; it follows the parameter node given to :meth:`follow`."""

    def __init__(self, root, logic, requirements):
        self.root, self.logic = root, logic
        self._requirements = requirements
        self._parameters = self._outcome = None
        self._filling = False
        self.ui = ui = slicer.util.childWidgetVariables(root)
        root.setMRMLScene(slicer.mrmlScene)
        kinds = ctk.ctkPathLineEdit
        for edit in (ui.planFileEdit, ui.constraintsFileEdit):
            edit.filters = kinds.Files | kinds.Readable
        ui.csvFileEdit.filters = kinds.Files | kinds.Writable
        self._completer = qt.QCompleter(ui.metricsEdit)
        self._completer.setCaseSensitivity(qt.Qt.CaseInsensitive)
        ui.metricsEdit.setCompleter(self._completer)
        self._connect()
        self.showOutcome(None)

    def _connect(self):
        ui = self.ui
        ui.metricsEdit.connect("textEdited(QString)", self.onMetricsEdited)
        ui.segmentList.connect("itemChanged(QListWidgetItem*)", self.onSegmentTicked)
        for button, action in (
            (ui.planButton, self.onReadPlan), (ui.computeButton, self.onCompute), (ui.cancelButton, self.onCancel),
            (ui.copyButton, self.onCopy), (ui.saveButton, self.onSave),
        ):  # fmt: skip
            button.connect("clicked(bool)", action)
        ui.resultsTable.connect("clicked(QModelIndex)", self.onResultClicked)
        ui.constraintsTable.connect("cellClicked(int,int)", self.onConstraintClicked)

    def follow(self, parameters):
        """Show these parameters from now on; None while there are none."""
        self._parameters = parameters
        self.onParameters()

    def onParameters(self):
        """Enable what can be done; a disabled button says every reason in its tooltip."""
        node = self._parameters
        if not node:
            return
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
        node = self._parameters
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
        if self._filling or not self._parameters:
            return
        segmentID = item.data(qt.Qt.UserRole)
        skipped = [each for each in self._parameters.skippedSegmentIDs if each != segmentID]
        if item.checkState() == qt.Qt.Unchecked:
            skipped.append(segmentID)
        self._parameters.skippedSegmentIDs = skipped

    def onMetricsEdited(self, text):
        """Offer what the metric under way can become."""
        self._completer.setModel(qt.QStringListModel(self.logic.completions(text), self._completer))

    def onReadPlan(self):
        """Fill prescription and fractions from the plan file."""
        with slicer.util.tryWithErrorDisplay(_("Could not read the plan."), waitCursor=True):
            self.ui.statusLabel.text = self.logic.readPlan(self._parameters)

    def onCompute(self):
        """Run the computation."""
        self.runInterruptibly(
            self.compute, failed=_("Could not compute the histograms."), requirements=self._requirements
        )

    def compute(self):
        """Compute the histograms and show the outcome."""
        self.showOutcome(None)
        self.showOutcome(self.logic.compute(slicer.mrmlScene, self._parameters, self.onProgress))

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
            self.logic.save(self._outcome, self._parameters)
            self.ui.statusLabel.text = _("Saved {file}.").format(file=self._parameters.csvFile)
