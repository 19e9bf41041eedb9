"""Self-test of the module: run by developers from the panel and by ctest."""

import pathlib
import tempfile

import vtk
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

import slicer
from SlicerInTrEPIDLib.panel.logic import SlicerInTrEPIDLogic


class SlicerInTrEPIDTest(ScriptedLoadableModuleTest):
    """Every step on an empty scene."""

    def runTest(self):
        """Run all steps."""
        steps = (self.test_reasons, self.test_command, self.test_anatomy, self.test_sample_study, self.test_summary)
        for step in (*steps, self.test_missing, self.test_child_process, self.test_cancel):
            slicer.mrmlScene.Clear()
            step()
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

    def test_anatomy(self):
        """The anatomy of the day becomes options; what contradicts is named."""
        logic = SlicerInTrEPIDLogic()
        parameters = logic.getParameterNode()
        with tempfile.TemporaryDirectory() as folder:
            parameters.dayFolder = pathlib.Path(folder)
            parameters.setup, parameters.couchShift = "couch matched to the plan", "1, 2, 3"
            options = logic.job(parameters).day.options()
            assert options["--setup"] == "matched"
            assert options["--couch-shift"] == "1,2,3"
            parameters.dayIsocentre = "0,0,0"
            assert "Keep one" in logic.reasonsNotReady(logic.job(parameters))[-1]

    def test_sample_study(self):
        """The sample fills the panel with a job that can start and a table of its two images."""
        import SlicerInTrEPID

        widget = slicer.util.getModuleWidget("SlicerInTrEPID")
        assert SlicerInTrEPID.useSampleStudy() == []
        widget.initializeParameterNode()
        assert widget.logic.reasonsNotReady(widget.job()) == []
        assert widget.ui.imagesTable.rowCount == 2
        assert widget.job().assigned == ()
        assert len(widget.images.images()) == 2
        arguments, _environment = widget.logic.command(widget.job(), widget.images.images())
        assert "--study" in arguments
        widget.ui.refinementBox.currentText = "simulated-6mv"
        assert widget.job().refinement == "simulated-6mv"
        widget.ui.imagesTable.cellWidget(0, 1).currentIndex = 2
        widget.ui.imagesTable.cellWidget(1, 1).currentIndex = 1
        assert sorted(number for number, _file in widget.job().assigned) == [1, 2]
        assert widget.ui.allButton.enabled

    def test_summary(self):
        """An absent pass rate is shown with its reason, not as a number."""
        from SlicerInTrEPIDLib.command import summarise

        summary = summarise({"gamma_3d": [{"dose_percent": 3, "distance_mm": 3, "reason": "No RTDOSE."}]})
        assert summary.verdict == "not judged"
        assert summary.gamma == ("3 % / 3 mm: not computed. No RTDOSE.",)

    def test_missing(self):
        """What is not installed is named with what it is for."""
        logic = SlicerInTrEPIDLogic()
        parts, text = logic.missing(logic.getParameterNode())
        assert all(part.name in text for part in parts)

    def test_child_process(self):
        """The command line answers from a process of its own while the application runs."""
        from SlicerInTrEPIDLib.command import environment, intrepid
        from SlicerInTrEPIDLib.panel.job_runner import JobRunner

        finished = []
        runner = JobRunner(lambda message: None, lambda code, output: finished.append((code, output)))
        runner.start([*intrepid(), "--help"], environment())
        self._wait(lambda: finished)
        assert finished[0][0] == 0
        assert "reconstruct" in finished[0][1]

    def test_cancel(self):
        """Reconstruct starts a real child on the sample; Cancel ends it and leaves nothing half written."""
        import SlicerInTrEPID

        widget = slicer.util.getModuleWidget("SlicerInTrEPID")
        SlicerInTrEPID.useSampleStudy()
        widget.initializeParameterNode()
        with tempfile.TemporaryDirectory() as folder:
            widget.logic.getParameterNode().outputFolder = pathlib.Path(folder) / "out"
            widget.ui.reconstructButton.click()
            assert widget.runner.is_running
            self._wait(lambda: widget.ui.statusLabel.text != "Starting…")
            widget.ui.cancelButton.click()
            self._wait(lambda: not widget.runner.is_running)
            assert widget.ui.statusLabel.text == "Cancelled."
            left = [path.name for path in pathlib.Path(folder).iterdir()]
            assert left == [], left

    def _wait(self, is_over, seconds=60.0):
        """Let the application go on until something is over, which it must be in time."""
        deadline = vtk.vtkTimerLog.GetUniversalTime() + seconds
        while not is_over() and vtk.vtkTimerLog.GetUniversalTime() < deadline:
            slicer.app.processEvents()
        assert is_over()
