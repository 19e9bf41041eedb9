"""The tab "Cohort": connects widgets to the database; what it computes lies in `DVHMetricsModuleLib.cohort`."""

import json
import pathlib
import tempfile

import qt
from slicer.i18n import tr as _

import slicer
from DVHMetricsModuleLib import cohort
from DVHMetricsModuleLib.panel.cohort_widgets import CohortWidgets, fill


class CohortTab:
    """One tab; ``on_opened`` is called after a patient has been put into the scene."""

    def __init__(self, requirements, on_opened=lambda: None):
        from SlicerInTrEPIDLib.panel.job_runner import JobRunner

        self._requirements, self._on_opened = requirements, on_opened
        self.engine = None
        self._patients, self._asked = [], ([], [])
        self._settings = qt.QSettings()
        self._folder = tempfile.TemporaryDirectory(prefix="intrepid-cohort-")
        self.runner = JobRunner(self.onImportMessage, self.onImportFinished)
        self.ui = ui = CohortWidgets()
        self.root = ui.root
        ui.place.text = str(self._settings.value("InTrEPID/cohortDatabase") or "")
        for button, action in (
            (ui.choose, self.onChoose), (ui.connect, self.onConnect), (ui.create, self.onCreate),
            (ui.chooseFolder, self.onChooseFolder), (ui.start, self.onImport), (ui.addCurrent, self.onAddCurrent),
            (ui.cancel, self.onCancel), (ui.open, self.onOpen), (ui.askButton, self.onAsk), (ui.save, self.onSaveQuery),
            (ui.export, self.onExport), (ui.plot, self.onPlot), (ui.page, self.onPage), (ui.mapNames, self.onMapNames),
            (ui.accept, self.onAccept), (ui.decide, self.onDecide),
        ):  # fmt: skip
            button.connect("clicked(bool)", lambda checked=False, act=action: self.attempt(act))
        ui.filter.connect("textChanged(QString)", lambda text: self.showPatients())
        ui.folder.connect("textChanged(QString)", lambda text: self.enable())
        ui.saved.connect("activated(int)", lambda index: self.attempt(self.onSaved))
        ui.onlyUnsure.connect("toggled(bool)", lambda checked: self.attempt(self.showNames))
        self.enable()

    def cleanup(self):
        """Stop what runs and let go of the database."""
        self.runner.stop()
        self.disconnect()
        self._folder.cleanup()

    def disconnect(self):
        """Close the database."""
        if self.engine is not None:
            self.engine.dispose()
            self.engine = None

    def attempt(self, action):
        """Run an action of the user; what cannot be done is said in a dialogue, and the rest goes on."""
        from SlicerInTrEPIDLib.panel.packages import packages_ready

        with slicer.util.tryWithErrorDisplay(_("That could not be done."), waitCursor=True):
            if packages_ready(self._requirements):
                action()
        self.enable()

    def enable(self):
        """Enable what can be done; a disabled button says why in its tooltip."""
        connected, running = self.engine is not None, self.runner.is_running
        ui = self.ui
        why_not = [] if connected else [_("Connect to a database first.")]
        busy = [_("An import is running.")] if running else []
        folder = [] if ui.folder.text.strip() else [_("Choose the folder with DICOM files.")]
        current = [] if cohort.files_of_nodes(self._nodes(), _file_of_instance) else [
            _("Nothing in this scene was loaded from Slicer's DICOM database.")]  # fmt: skip
        for button, reasons in (
            (ui.start, why_not + busy + folder), (ui.addCurrent, why_not + busy + current), (ui.open, why_not),
            (ui.askButton, why_not), (ui.save, why_not), (ui.plot, why_not), (ui.page, why_not), (ui.mapNames, why_not),
            (ui.export, [] if self._asked[1] else [_("Ask first.")]), (ui.accept, why_not), (ui.decide, why_not),
            (ui.cancel, [] if running else [_("Nothing is running.")]),
        ):  # fmt: skip
            button.enabled = not reasons
            tip = button.property("usualToolTip") or button.toolTip
            button.setProperty("usualToolTip", tip)
            button.toolTip = "\n".join(reasons) or tip

    # Connection

    def onChoose(self):
        """Choose a database file."""
        path = qt.QFileDialog.getSaveFileName(self.root, _("Database"), self.ui.place.text, "", "",
                                              qt.QFileDialog.DontConfirmOverwrite)  # fmt: skip
        self.ui.place.text = path or self.ui.place.text

    def onConnect(self):
        """Open the database and show what it holds."""
        self.disconnect()
        self.engine = cohort.connect(self.ui.place.text)
        self._settings.setValue("InTrEPID/cohortDatabase", self.ui.place.text)
        self.refresh()

    def onCreate(self):
        """Create or upgrade the database, then connect."""
        cohort.create(self.ui.place.text).dispose()
        self.onConnect()

    def refresh(self):
        """Show the content anew."""
        from intrepid_cohort.saved_queries import saved_names

        self._patients = cohort.patients(self.engine)
        self.ui.status.text = cohort.overview(self.engine)
        self.showPatients()
        self.ui.saved.clear()
        self.ui.saved.addItems([_("Saved queries"), *saved_names(self.engine)])
        self.showNames()

    # Import

    def onChooseFolder(self):
        """Choose the folder to import."""
        self.ui.folder.text = qt.QFileDialog.getExistingDirectory(self.root, _("Folder")) or self.ui.folder.text

    def onImport(self):
        """Import the folder in a child process."""
        self._start([self.ui.folder.text.strip()])

    def onAddCurrent(self):
        """Import the files from which the scene was loaded."""
        self._start(cohort.files_of_nodes(self._nodes(), _file_of_instance))

    def _start(self, paths):
        from SlicerInTrEPIDLib.command import environment

        self.ui.importLog.plainText = ""
        self.ui.progress.visible, self.ui.progress.value = True, 0
        self.runner.start(cohort.import_command(self.ui.place.text, paths, self.ui.centre.text.strip()), environment())

    def onCancel(self):
        """Ask the import to stop."""
        self.runner.cancel()

    def onImportMessage(self, message):
        """Show how far the import is."""
        from SlicerInTrEPIDLib.command import progress_percent

        percent = progress_percent(message)
        if percent is None:
            self.ui.importLog.appendPlainText(message)
        else:
            self.ui.progress.value = percent
            self.ui.progress.format = message.split("|")[0] + message.rpartition("|")[2]

    def onImportFinished(self, code, output):
        """Tell what was imported, and what was not and why."""
        self.ui.progress.visible = False
        if output.strip():
            found = json.loads(output)
            lines = [f"{found['files_seen']} files seen, {found['patients_imported']} patients imported."]
            lines += [f"NOT IMPORTED: {one['patient']}: {one['reason']}" for one in found["failures"]]
            lines += [f"not used: {one['file']}: {one['reason']}" for one in found["unused"]]
            self.ui.importLog.appendPlainText("\n".join(lines))
        if self.engine is not None:
            self.attempt(self.refresh)
        self.enable()

    # Patients

    def showPatients(self):
        """List the patients that the filter lets through."""
        wanted = self.ui.filter.text.strip().lower()
        rows = [row for row in self._patients if wanted in f"{row[0]} {row[1]}".lower()]
        fill(self.ui.patients, cohort.PATIENT_COLUMNS, rows)

    def onOpen(self):
        """Put the chosen patient into the scene."""
        row = self.ui.patients.currentRow()
        if row < 0:
            raise ValueError(_("Choose a patient in the table."))
        name = self.ui.patients.item(row, 0).text()
        nodes, left_out = cohort.open_patient(slicer.mrmlScene, cohort.files_of_patient(self.engine, name), name)
        slicer.util.setSliceViewerLayers(background=nodes.get("CT"), foreground=nodes["dose"], foregroundOpacity=0.4)
        bounds = [0.0] * 6
        nodes["dose"].GetRASBounds(bounds)
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            node.JumpSliceByCentering(*((low + high) / 2 for low, high in zip(bounds[::2], bounds[1::2], strict=True)))
        self.ui.status.text = " ".join([_("{name} is open.").format(name=name), *left_out])
        self._on_opened()

    # Questions

    def question(self):
        """Return what the fields ask."""
        return cohort.Question(self.ui.where.plainText, self.ui.metrics.text)

    def onAsk(self):
        """List the rows of the question."""
        self._asked = cohort.ask(self.engine, self.question())
        columns, rows = self._asked
        fill(self.ui.rows, columns, [[row.get(name) for name in columns] for row in rows])
        self.ui.status.text = _("{number} rows.").format(number=len(rows))

    def onSaveQuery(self):
        """Keep the question under a name."""
        from intrepid_cohort.saved_queries import Question, save

        name = qt.QInputDialog.getText(self.root, _("Save query"), _("Name of the query:"))
        if name:
            asked = self.question()
            save(self.engine, name, Question(asked.conditions, metrics=asked.metric_list))
            self.refresh()

    def onSaved(self):
        """Fill the fields from a saved query."""
        from intrepid_cohort.saved_queries import load

        if self.ui.saved.currentIndex > 0:
            asked = load(self.engine, self.ui.saved.currentText)
            self.ui.where.plainText = "\n".join(asked.conditions)
            self.ui.metrics.text = ", ".join(asked.metrics)

    def onExport(self):
        """Write the rows to a file."""
        from intrepid_cohort.row_files import WRITERS, write_rows

        kinds = "*" + " *".join(WRITERS)
        path = qt.QFileDialog.getSaveFileName(self.root, _("Export rows"), "cohort.csv", kinds)
        if path:
            write_rows(path, self._asked[1], self._asked[0])
            self.ui.status.text = _("Saved {path}.").format(path=path)

    def onPlot(self):
        """Draw into the panel; what cannot be drawn leaves no older picture behind."""
        self.ui.picture.clear()
        self.ui.picture.pixmap = qt.QPixmap(str(self.draw("plot.png"))).scaledToWidth(
            max(300, self.ui.rows.width), qt.Qt.SmoothTransformation
        )

    def onPage(self):
        """Draw as a page and open it in the browser."""
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self.draw("plot.html"))))

    def draw(self, name):
        """Draw the question into a file of the tab's folder and return its path."""
        from intrepid_cohort.statistics.charts import save

        path = pathlib.Path(self._folder.name) / name
        save(cohort.chart(self.engine, self.question(), self.ui.plotKind.currentText), path)
        return path

    # Names

    def showNames(self):
        """List names to review."""
        if self.engine is not None:
            rows = cohort.names(self.engine, only_unsure=self.ui.onlyUnsure.checked)
            fill(self.ui.names, cohort.NAME_COLUMNS, rows)

    def onMapNames(self):
        """Propose names after TG-263."""
        self.ui.status.text = cohort.map_names(self.engine)
        self.showNames()

    def onAccept(self):
        """Accept the proposal of the chosen row."""
        row = self.ui.names.currentRow()
        if row >= 0:
            self.ui.names.item(row, len(cohort.NAME_COLUMNS) - 1).setText("ok")

    def onDecide(self):
        """Store the decisions of the table."""
        person = self.ui.person.text.strip()
        if not person:
            raise ValueError(_("Write your name first: it stands in the log."))
        table = self.ui.names
        rows = [tuple(table.item(row, column).text() for column in range(len(cohort.NAME_COLUMNS)))
                for row in range(table.rowCount)]  # fmt: skip
        count = cohort.decide_names(self.engine, rows, person=person)
        self.ui.status.text = _("{count} decisions stored.").format(count=count)
        self.showNames()

    def _nodes(self):
        kinds = ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode")
        return [node for kind in kinds for node in slicer.util.getNodesByClass(kind)]


def _file_of_instance(uid):
    database = getattr(slicer, "dicomDatabase", None)
    return database.fileForInstance(uid) if database is not None else ""
