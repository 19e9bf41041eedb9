"""What the module does in the application; everything here works without its panel."""

import pathlib

from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

import slicer
from DVHMetricsModuleLib.panel.parameters import END_CAPS, DVHMetricsModuleParameterNode


class DVHMetricsModuleLogic(ScriptedLoadableModuleLogic):
    """Parameters to histograms and back; everything it does works without a panel."""

    def getParameterNode(self):
        """Return the scene's parameters, typed."""
        return DVHMetricsModuleParameterNode(super().getParameterNode())

    def propose(self, parameters):
        """Propose the only dose and segmentation of a scene; of two doses the plan is the one compared with."""
        from SlicerInTrEPIDLib.dose_nodes import dose_volumes

        doses = dose_volumes(slicer.mrmlScene)
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

    def chartView(self):
        """Return the view node of the panel's chart."""
        from SlicerInTrEPIDLib.views import plot_view

        return plot_view(slicer.mrmlScene, "InTrEPIDDVH")
