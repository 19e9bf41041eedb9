"""The module of 3D Slicer: gathers what a verification needs, runs it beside the application, shows the outcome."""

import html
import logging
import pathlib
import tempfile

import ctk
import qt
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

import slicer

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


@parameterNodeWrapper
class SlicerInTrEPIDParameterNode:
    """Saved with the scene. Paths are unset while they are empty."""

    studyFolder: pathlib.Path
    machineProfile: pathlib.Path
    outputFolder: pathlib.Path
    constraintsFile: pathlib.Path
    plannedPortalFolder: pathlib.Path
    criteria: str = "3/3,3/2,2/2"


class SlicerInTrEPIDWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: it gathers, calls and shows; it computes nothing."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.runner = None
        self._job = None  # the one under way: the widgets may be changed meanwhile
        self._cancelled = False
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def setup(self):
        """Build the panel once."""
        from SlicerInTrEPIDLib.panel.job_runner import JobRunner

        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/SlicerInTrEPID.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        kinds = ctk.ctkPathLineEdit
        for edit in (self.ui.studyPath, self.ui.outputPath, self.ui.portalPath):
            edit.filters = kinds.Dirs | kinds.Drives
        for edit in (self.ui.machinePath, self.ui.constraintsPath):
            edit.filters = kinds.Files | kinds.Readable
        self.logic = SlicerInTrEPIDLogic()
        self.runner = JobRunner(self.onMessage, self.onFinished)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.reconstructButton.connect("clicked(bool)", self.onReconstruct)
        self.ui.cancelButton.connect("clicked(bool)", self.onCancel)
        self.ui.loadButton.connect("clicked(bool)", self.onLoad)
        self.ui.reportButton.connect("clicked(bool)", self.onOpenReport)
        self.ui.progressBar.visible = False
        self.showSummary(None)
        self.initializeParameterNode()

    def cleanup(self):
        """Stop the child: without its panel nobody would see its result."""
        if self.runner is not None:
            self.runner.stop()
        self.removeObservers()

    def enter(self):
        """Take up the parameter node, which another scene may have brought."""
        self.initializeParameterNode()

    def exit(self):
        """Stop following the parameter node."""
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        """Let go of a node that is about to vanish."""
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        """Start afresh if the panel is in view."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        """Follow the scene's parameter node."""
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, node):
        """Connect widgets and node, after disconnecting the old one."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.updateButtons)
        self._parameterNode = node
        if node:
            self._parameterNodeGuiTag = node.connectGui(self.ui)
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.updateButtons)
            self.updateButtons()

    def updateButtons(self, caller=None, event=None):
        """Enable what can be done; a disabled button says every reason in its tooltip."""
        job, running = self.logic.job(self._parameterNode), self.runner.is_running
        reasons = [_("A reconstruction is running.")] if running else self.logic.reasonsNotReady(job)
        self._offer(self.ui.reconstructButton, reasons, _("Reconstruct the dose and compare it with the plan."))
        self._offer(self.ui.cancelButton, [] if running else [_("Nothing is running.")], _("Stop the reconstruction."))
        for button, path, text in (
            (self.ui.loadButton, job.scene, _("Load doses, gamma, structures and charts into the scene.")),
            (self.ui.reportButton, job.report, _("Open the report in the browser.")),
        ):
            exists = path is not None and path.is_file()
            missing = [] if exists else [_("The output folder holds no result yet.")]
            self._offer(button, missing, text)

    def _offer(self, button, reasons, text):
        button.enabled = not reasons
        button.toolTip = "\n".join(reasons) if reasons else text

    def onReconstruct(self):
        """Start the child process."""
        with slicer.util.tryWithErrorDisplay(_("Could not start the reconstruction."), waitCursor=True):
            from SlicerInTrEPIDLib.panel.packages import packages_ready

            if not packages_ready(self.resourcePath("requirements.txt")):
                return
            self._job, self._cancelled = self.logic.job(self._parameterNode), False
            self.runner.start(*self.logic.command(self._job))
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
        elif exitCode in (0, 1):
            self.ui.statusLabel.text = _("Done.")
            self.showSummary(self.logic.summary(self._job))
        else:
            self.ui.statusLabel.text = _("Stopped: {message}").format(message=self.ui.statusLabel.text)
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
        self.ui.gammaLabel.text = "\n".join(summary.gamma)
        items = "".join(f"<li>{html.escape(text)}</li>" for text in (*summary.reasons, *summary.warnings))
        self.ui.reasonsLabel.text = f"<ul style='margin-left: -20px'>{items}</ul>"

    def onLoad(self):
        """Load the scene bundle of the output folder."""
        with slicer.util.tryWithErrorDisplay(_("Could not load the result."), waitCursor=True):
            job = self.logic.job(self._parameterNode)
            self.showSummary(self.logic.summary(job))
            slicer.util.loadScene(str(job.scene))

    def onOpenReport(self):
        """Show the report in the browser."""
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self.logic.job(self._parameterNode).report)))


class SlicerInTrEPIDLogic(ScriptedLoadableModuleLogic):
    """Parameters to a command and back; everything it does works without a panel."""

    def getParameterNode(self):
        """Return the scene's parameters, typed."""
        return SlicerInTrEPIDParameterNode(super().getParameterNode())

    def job(self, parameters):
        """Return the job the parameters describe."""
        from SlicerInTrEPIDLib.command import Job, as_path

        return Job(
            study=as_path(parameters.studyFolder),
            output=as_path(parameters.outputFolder),
            machine=as_path(parameters.machineProfile),
            constraints=as_path(parameters.constraintsFile),
            planned_portal=as_path(parameters.plannedPortalFolder),
            criteria=parameters.criteria,
        )

    def reasonsNotReady(self, job):
        """Every reason why a job cannot start."""
        from SlicerInTrEPIDLib.command import reasons_not_ready

        return reasons_not_ready(job)

    def command(self, job):
        """Return the command line and the environment of a job."""
        from SlicerInTrEPIDLib.command import command_line, environment

        return command_line(job), environment()

    def summary(self, job):
        """Return what the output folder says about the outcome."""
        from SlicerInTrEPIDLib.command import read_summary

        return read_summary(job.output)


class SlicerInTrEPIDTest(ScriptedLoadableModuleTest):
    """Self-test: run by developers from the panel and by ctest."""

    def runTest(self):
        """Run every step on an empty scene."""
        slicer.mrmlScene.Clear()
        self.test_reasons()
        self.test_command()
        self.test_sample_study()
        self.test_summary()
        self.test_child_process()
        self.delayDisplay("All tests passed")

    def test_reasons(self):
        """An empty panel names both folders, and a bad criterion is explained."""
        logic = SlicerInTrEPIDLogic()
        parameters = logic.getParameterNode()
        reasons = logic.reasonsNotReady(logic.job(parameters))
        assert len(reasons) == 2
        parameters.criteria = "three"
        assert "3/3,2/2" in logic.reasonsNotReady(logic.job(parameters))[-1]

    def test_command(self):
        """A ready job becomes a command line with exactly what was chosen."""
        logic = SlicerInTrEPIDLogic()
        parameters = logic.getParameterNode()
        with tempfile.TemporaryDirectory() as folder:
            parameters.studyFolder = pathlib.Path(folder)
            parameters.outputFolder = pathlib.Path(folder) / "out"
            parameters.criteria = "3/3, 2/2"
            job = logic.job(parameters)
            assert logic.reasonsNotReady(job) == []
            arguments, environment = logic.command(job)
        assert arguments[3:] == ["reconstruct", folder, "--out", str(job.output), "--criteria", "3/3,2/2", "--json"]
        assert "PYTHONPATH" in environment

    def test_sample_study(self):
        """The sample fills the panel with a job that can start."""
        logic = SlicerInTrEPIDLogic()
        assert useSampleStudy() == []
        assert logic.reasonsNotReady(logic.job(logic.getParameterNode())) == []

    def test_summary(self):
        """An absent pass rate is shown with its reason, not as a number."""
        from SlicerInTrEPIDLib.command import summarise

        summary = summarise({"gamma_3d": [{"dose_percent": 3, "distance_mm": 3, "reason": "No RTDOSE."}]})
        assert summary.verdict == "not judged"
        assert summary.gamma == ("3 % / 3 mm: not computed. No RTDOSE.",)

    def test_child_process(self):
        """The command line answers from a process of its own while the application runs."""
        from SlicerInTrEPIDLib.command import environment, intrepid
        from SlicerInTrEPIDLib.panel.job_runner import JobRunner

        finished = []
        runner = JobRunner(lambda message: None, lambda code, output: finished.append((code, output)))
        runner.start([*intrepid(), "--help"], environment())
        deadline = vtk.vtkTimerLog.GetUniversalTime() + 60.0
        while not finished and vtk.vtkTimerLog.GetUniversalTime() < deadline:
            slicer.app.processEvents()
        assert finished
        assert finished[0][0] == 0
        assert "reconstruct" in finished[0][1]
