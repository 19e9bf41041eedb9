"""The module of 3D Slicer: gathers what a verification needs, runs it beside the application, shows the outcome."""

import html
import logging
import pathlib

import ctk
import qt
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

import slicer
from SlicerInTrEPIDLib.panel.logic import SlicerInTrEPIDLogic
from SlicerInTrEPIDLib.panel.parameter_widget import ParameterNodeWidget
from SlicerInTrEPIDLib.panel.self_test import SlicerInTrEPIDTest  # noqa: F401 - Slicer looks for it here

VERDICT_COLOURS = {"pass": "#1b7f4b", "fail": "#b3261e", "not judged": "#8a6100"}


class SlicerInTrEPID(ScriptedLoadableModule):
    """What Slicer shows of the module in its menus."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("InTrEPID Dose Verification")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Radiotherapy")]
        parent.dependencies = []
        parent.contributors = ["InTrEPID contributors"]
        parent.helpText = _(
            "Reconstructs the dose a patient received from portal images taken during treatment and compares it with "
            "the plan: 3D dose, gamma, dose-volume histograms, constraints and a report to sign. "
            "Research software, not cleared for clinical decisions."
        )
        parent.acknowledgementText = _("Interoperates with SlicerRT. Licensed under the Apache License, Version 2.0.")
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData():
    """Offer the study that ships with the extension; nothing is downloaded."""
    import SampleData

    from SlicerInTrEPIDLib.sample import sample_archives

    resources = pathlib.Path(__file__).parent / "Resources"
    archives = sample_archives(resources / "SampleData")
    if not archives:
        return
    logic = SampleData.SampleDataLogic
    if hasattr(logic, "registerCustomSampleDataCategory"):  # since 5.11
        logic.registerCustomSampleDataCategory("InTrEPID", title="InTrEPID")
    logic.registerCustomSampleDataSource(
        category="InTrEPID",
        sampleName="Two-beam thorax",
        uris=archives[0].as_uri(),
        fileNames=archives[0].name,
        nodeNames="",
        thumbnailFileName=str(resources / "Icons" / "SlicerInTrEPID.png"),
        customDownloader=useSampleStudy,
    )


def useSampleStudy(source=None):
    """Unpack the sample study and choose it in the panel; returns no nodes, because nothing is loaded yet."""
    from SlicerInTrEPIDLib.sample import unpack_sample

    folder = pathlib.Path(slicer.app.temporaryPath) / "InTrEPID"
    sample = pathlib.Path(__file__).parent / "Resources" / "SampleData"
    unpacked = unpack_sample(sample, folder)
    parameters = SlicerInTrEPIDLogic().getParameterNode()
    parameters.studyFolder, parameters.plannedPortalFolder = unpacked / "study", unpacked / "planned_portal"
    parameters.machineProfile, parameters.constraintsFile = sample / "MC6MV.profile.json", sample / "constraints.csv"
    parameters.outputFolder = folder / "output"
    if source is not None:  # asked for in the Sample Data module: lead the user to where it goes on
        slicer.util.selectModule("SlicerInTrEPID")
    return []


class SlicerInTrEPIDWidget(ParameterNodeWidget):
    """The panel: it gathers, calls and shows; it computes nothing."""

    def __init__(self, parent=None):
        ParameterNodeWidget.__init__(self, parent)
        self.runner = self.images = None
        self._job = None  # the one under way: the widgets may be changed meanwhile
        self._step = ""
        self._studyShown = None
        self._listing = self._missing = ()
        self._cancelled = False

    def setup(self):
        """Build the panel once."""
        from SlicerInTrEPIDLib.panel.images_table import ImagesTable
        from SlicerInTrEPIDLib.panel.job_runner import JobRunner

        ParameterNodeWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/SlicerInTrEPID.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        kinds = ctk.ctkPathLineEdit
        for edit in (self.ui.studyPath, self.ui.outputPath, self.ui.portalPath, self.ui.dayPath):
            edit.filters = kinds.Dirs | kinds.Drives
        files = (self.ui.machinePath, self.ui.constraintsPath, self.ui.curvePath)
        for edit in (*files, self.ui.transformPath, self.ui.dayCurvePath):
            edit.filters = kinds.Files | kinds.Readable
        self.logic = SlicerInTrEPIDLogic()
        self.runner = JobRunner(self.onMessage, self.onFinished)
        self.images = ImagesTable(self.ui.imagesTable, self.updateButtons)
        self.ui.modelBox.addItems(self.logic.models())
        self.ui.refinementBox.addItems(self.logic.refinements())
        self.connectWidgets()
        self.ui.progressBar.visible = False
        self.showSummary(None)
        self.fillDatabase()
        self.followScene()

    def connectWidgets(self):
        """Connect every button and box that is not bound to a parameter."""
        clicks = {
            self.ui.allButton: self.onAll,
            self.ui.predictButton: self.onPredict,
            self.ui.reconstructButton: self.onReconstruct,
            self.ui.compareButton: self.onCompare,
            self.ui.cancelButton: self.onCancel,
            self.ui.loadButton: self.onLoad,
            self.ui.reportButton: self.onOpenReport,
            self.ui.showButton: self.onShow,
            self.ui.isodoseButton: self.onIsodoses,
            self.ui.refreshButton: self.fillDatabase,
            self.ui.nodeButton: self.onUseNode,
            self.ui.registerButton: self.onRegister,
            self.ui.installButton: self.onInstall,
        }
        for button, method in clicks.items():
            button.connect("clicked()", method)
        self.ui.databaseBox.connect("activated(int)", self.onDatabase)
        self.ui.modelBox.connect("currentTextChanged(QString)", self.onModel)
        self.ui.refinementBox.connect("currentTextChanged(QString)", self.onRefinement)

    def cleanup(self):
        """Stop the child: without its panel nobody would see its result."""
        if self.runner is not None:
            self.runner.stop()
        self.removeObservers()

    def initializeParameterNode(self):
        """Follow the scene's parameter node; which study is meant is never proposed."""
        self.setParameterNode(self.logic.getParameterNode())

    def forget(self):
        """Keep what is shown: study and results lie in folders, which outlive a scene."""

    def showParameters(self, node):
        """Show these parameters; None while there are none."""
        if node:
            self.choose(self.ui.modelBox, node.model)
            self.choose(self.ui.refinementBox, node.refinement)
            self.onParameters()

    def choose(self, box, name):
        """Show what was chosen, also if this installation does not have it; the command line then says so."""
        if box.findText(name) < 0:
            box.addItem(name)
        box.currentText = name

    def onParameters(self, caller=None, event=None):
        """Follow what was chosen: the table shows the study, and what does not matter is off."""
        node = self._parameterNode
        hasDay = self.logic.job(node).day.folder is not None
        boxes = (self.ui.registrationBox, self.ui.setupBox, self.ui.hounsfieldBox, self.ui.completeBox)
        for widget in (*boxes, self.ui.isocentreEdit, self.ui.couchEdit):
            widget.enabled = hasDay
        self.ui.transformPath.enabled = hasDay and node.registration == "transform file"
        self.ui.dayCurvePath.enabled = hasDay and node.hounsfield == "own curve"
        if node.studyFolder != self._studyShown:
            self._studyShown = node.studyFolder
            self.showStudy()
        self.showMissing()
        self.updateButtons()

    def showStudy(self):
        """List the images of the study folder and the beams they show."""
        contents, text = self.logic.contents(self._parameterNode.studyFolder)
        self.images.show(contents)
        self.ui.imagesTable.visible = contents is not None and bool(contents.images)
        self.ui.contentsLabel.text = text
        self.ui.contentsLabel.visible = bool(text)

    def showMissing(self):
        """Say what is not installed and what for."""
        self._missing, text = self.logic.missing(self._parameterNode)
        self.ui.missingBox.visible = bool(self._missing)
        self.ui.missingLabel.text = text

    def onInstall(self):
        """Offer each missing part in turn."""
        from SlicerInTrEPIDLib.panel.packages import offer

        with slicer.util.tryWithErrorDisplay(_("Could not install."), waitCursor=True):
            for part in self._missing:
                offer(part, self.resourcePath("requirements.txt"))
            self.onParameters()

    def job(self):
        """Return the job that parameters and table describe."""
        return self.logic.job(self._parameterNode, self.images.overrides())

    def updateButtons(self, caller=None, event=None):
        """Enable what can be done; a disabled button says every reason in its tooltip."""
        job, running = self.job(), self.runner.is_running
        busy, ready = [_("A computation is running.")], self.logic.reasonsNotReady(job)
        toPredict = self.logic.reasonsNotToPredict(job, self.images.images())
        self._offer(self.ui.allButton, busy if running else ready, _("Reconstruct, compare, load and show."))
        self._offer(self.ui.reconstructButton, busy if running else ready, _("Write doses, scene, report and results."))
        predict = _("Portal dose of each image, with the plan's MU and field and the planning CT.")
        self._offer(self.ui.predictButton, busy if running else toPredict, predict)
        self._offer(self.ui.cancelButton, [] if running else [_("Nothing is running.")], _("Stop what is running."))
        none = [_("The output folder holds no result yet.")]
        scene, report = (path is not None and path.is_file() for path in (job.scene, job.report))
        self._offer(self.ui.loadButton, [] if scene else none, _("Load doses, gamma, structures and charts."))
        self._offer(self.ui.reportButton, [] if report else none, _("Open the report in the browser."))
        loaded = self.logic.isLoaded()
        self._offer(self.ui.compareButton, [] if scene or loaded else none, _("Gamma and DVH, by their modules."))
        unloaded = [] if loaded else [_("Load a result first.")]
        show = _("CT with dose, portal image, gamma (or uncertainty) and histograms side by side.")
        self._offer(self.ui.showButton, unloaded, show)
        self._offer(self.ui.isodoseButton, unloaded, _("Surfaces and lines in percent of the planned maximum."))
        apart = (
            [] if self.logic.canRegister() else [_("Needs BRAINSFit, and planning CT and CT of the day in the scene.")]
        )
        self._offer(self.ui.registerButton, apart, _("Register the two CTs of the scene, look at it, use it."))

    def _offer(self, button, reasons, text):
        button.enabled = not reasons
        button.toolTip = "\n".join(reasons) if reasons else text

    def fillDatabase(self):
        """List the studies of the open DICOM database."""
        self._listing = self.logic.databaseStudies()
        self.ui.databaseBox.clear()
        self.ui.databaseBox.addItem(_("choose…") if self._listing else _("no plan or portal image in it"))
        self.ui.databaseBox.addItems([self.logic.titleOf(study) for study in self._listing])

    def onDatabase(self, index):
        """Gather the files of a patient of the database."""
        if index > 0:
            with slicer.util.tryWithErrorDisplay(_("Could not gather the files."), waitCursor=True):
                self.logic.useStudy(self._parameterNode, self._listing[index - 1])

    def onUseNode(self):
        """Gather the files of the patient of a node in the scene."""
        with slicer.util.tryWithErrorDisplay(_("Could not find the study."), waitCursor=True):
            self.logic.useNode(self._parameterNode, self.ui.nodeSelector.currentNode())

    def onModel(self, name):
        """Keep the model in the parameter node, which does not know the choices beforehand."""
        if self._parameterNode and name:
            self._parameterNode.model = name

    def onRefinement(self, name):
        """Keep the refinement in the parameter node, as the model."""
        if self._parameterNode and name:
            self._parameterNode.refinement = name

    def onRegister(self):
        """Register the two CTs in the scene with BRAINSFit and use the transform."""
        with slicer.util.tryWithErrorDisplay(_("Could not register."), waitCursor=True):
            self.ui.statusLabel.text = self.logic.register(self._parameterNode)

    def onAll(self):
        """Reconstruct, compare, load and show."""
        self.start("all")

    def onReconstruct(self):
        """Reconstruct and write the results."""
        self.start("reconstruct")

    def onPredict(self):
        """Predict the portal doses of the images, with what plan and planning CT tell."""
        self.start("predict")

    def start(self, step):
        """Start the child process of a step."""
        with slicer.util.tryWithErrorDisplay(_("Could not start."), waitCursor=True):
            from SlicerInTrEPIDLib.panel.packages import packages_ready

            if not packages_ready(self.resourcePath("requirements.txt")):
                return
            self._job, self._step, self._cancelled = self.job(), step, False
            self.runner.start(*self.logic.command(self._job, self.images.images() if step == "predict" else None))
            self.showSummary(None)
            self.ui.statusLabel.text = _("Starting…")
            self.ui.progressBar.setRange(0, 0)
            self.ui.progressBar.visible = True
            self.updateButtons()

    def onCancel(self):
        """Ask the child to stop."""
        self._cancelled = True
        self.ui.statusLabel.text = _("Cancelling…")
        self.runner.cancel()

    def onMessage(self, message):
        """Show what the child says, and its progress where it states one."""
        from SlicerInTrEPIDLib.command import progress_percent, step_name

        percent = progress_percent(message)
        if percent is not None:
            self.ui.progressBar.setRange(0, 100)
            self.ui.progressBar.value = percent
        if not self._cancelled and step_name(message):
            self.ui.statusLabel.text = step_name(message)
        logging.info(message)

    def onFinished(self, exitCode, output):
        """Show the outcome; 0 done, 1 a check failed, all else is an error that the last message names."""
        self.ui.progressBar.visible = False
        if self._cancelled:
            self.ui.statusLabel.text = _("Cancelled.")
        elif exitCode not in (0, 1):
            self.ui.statusLabel.text = _("Stopped: {message}").format(message=self.ui.statusLabel.text)
        elif self._step == "predict":
            self.ui.statusLabel.text = self.logic.predictedText(output)
        else:
            self.ui.statusLabel.text = _("Done.")
            self.showSummary(self.logic.summary(self._job))
            if self._step == "all":
                self.onLoad()
                self.onShow()
        self.updateButtons()

    def showSummary(self, summary):
        """Show verdict, pass rates and warnings; None clears them."""
        self.ui.resultBox.visible = summary is not None
        if summary is None:
            return
        colour = VERDICT_COLOURS.get(summary.verdict, "#8a6100")
        words = {"pass": _("Pass"), "fail": _("Fail")}
        self.ui.verdictLabel.text = words.get(summary.verdict, _("Not judged"))
        self.ui.verdictLabel.styleSheet = f"font-size: 20px; font-weight: bold; color: {colour};"
        self.ui.gammaLabel.text = "\n".join(line for line in (*summary.gamma, summary.uncertainty) if line)
        items = "".join(f"<li>{html.escape(text)}</li>" for text in (*summary.reasons, *summary.warnings))
        self.ui.reasonsLabel.text = f"<ul style='margin-left: -20px'>{items}</ul>"

    def onLoad(self):
        """Load the scene bundle of the output folder into the study that is there."""
        with slicer.util.tryWithErrorDisplay(_("Could not load the result."), waitCursor=True):
            job = self.job()
            self.showSummary(self.logic.summary(job))
            self.logic.load(job)
            for box, names in (
                (self.ui.beamBox, self.logic.beamNames()),
                (self.ui.overlayBox, self.logic.overlayNames()),
            ):
                box.clear()
                box.addItems(names)
            self.updateButtons()

    def onCompare(self):
        """Compare the doses in the scene by the Gamma and the DVH module; a result on disk is loaded first."""
        with slicer.util.tryWithErrorDisplay(_("Could not compare."), waitCursor=True):
            if not self.logic.isLoaded():
                self.onLoad()
            self.ui.statusLabel.text = self.logic.compare()

    def onShow(self):
        """Switch to the layout of the module."""
        with slicer.util.tryWithErrorDisplay(_("Could not show the result."), waitCursor=True):
            self.logic.show(self.ui.beamBox.currentText, self.ui.overlayBox.currentText)

    def onIsodoses(self):
        """Show isodoses of the reconstructed dose."""
        with slicer.util.tryWithErrorDisplay(_("Could not make isodoses."), waitCursor=True):
            self.ui.statusLabel.text = self.logic.isodoses()

    def onOpenReport(self):
        """Show the report in the browser."""
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self.job().report)))
