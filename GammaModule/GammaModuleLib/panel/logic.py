"""What the module does in the application; everything here works without its panel."""

import math

from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

import slicer
from GammaModuleLib.panel.parameters import GammaModuleParameterNode


class GammaModuleLogic(ScriptedLoadableModuleLogic):
    """Parameters to a comparison and back; everything it does works without a panel."""

    def getParameterNode(self):
        """Return the scene's parameters, typed."""
        return GammaModuleParameterNode(super().getParameterNode())

    def propose(self, parameters):
        """Propose the only two dose volumes of a scene, as reference the one whose name speaks of a plan."""
        from SlicerInTrEPIDLib.dose_nodes import dose_volumes

        doses = dose_volumes(slicer.mrmlScene)
        if len(doses) == 2 and parameters.referenceVolume is None and parameters.evaluatedVolume is None:
            doses.sort(key=lambda node: "plan" not in node.GetName().lower())
            parameters.referenceVolume, parameters.evaluatedVolume = doses

    def reasonsNotReady(self, parameters):
        """Every reason why a comparison cannot start."""
        from GammaModuleLib.inputs import reasons_against

        reasons = reasons_against(
            slicer.mrmlScene,
            parameters.referenceVolume,
            parameters.evaluatedVolume,
            parameters.segmentation,
            parameters.segmentID,
        )
        doses = (parameters.referenceVolume, parameters.evaluatedVolume)
        if parameters.gammaVolume and parameters.gammaVolume in doses:
            reasons.append(_("The gamma volume is one of the doses, which it would overwrite. Choose another one."))
        if parameters.norm == "given dose" and parameters.referenceVolume and self.unit(parameters) != "Gy":
            reasons.append(_("The doses are relative: a norm in Gy says nothing. Take the maximum of the reference."))
        if parameters.actionPercent > parameters.tolerancePercent:
            reasons.append(_("The action limit is above the tolerance limit. Exchange them."))
        return reasons

    def unit(self, parameters):
        """Return the unit in which numbers of the reference dose are shown."""
        from SlicerInTrEPIDLib.dose_nodes import dose_unit

        stated = dose_unit(slicer.mrmlScene, parameters.referenceVolume)
        return "Gy" if stated in ("", "GY") else _("(relative)")

    def settings(self, parameters):
        """Return the settings that the parameters describe."""
        from intrepid_gamma import GammaSettings

        return GammaSettings(
            dose_percent=parameters.dosePercent,
            distance_mm=parameters.distanceMm,
            cutoff_percent=parameters.cutoffPercent,
            cutoff_on=parameters.cutoffOn,
            norm_gy=parameters.normGy if parameters.norm == "given dose" else None,
            local=parameters.local,
            max_gamma=parameters.maxGamma if parameters.useCap else None,
            interpolate=not parameters.voxelCentresOnly,
        )

    def compute(self, scene, parameters, progress=None):
        """Compare the doses of the parameters; the gamma volume becomes their output."""
        from GammaModuleLib.comparison import compare

        comparison = compare(
            scene,
            parameters.referenceVolume,
            parameters.evaluatedVolume,
            self.settings(parameters),
            segmentation=parameters.segmentation,
            segment_id=parameters.segmentID,
            gamma_node=parameters.gammaVolume,
            progress=progress,
        )
        parameters.gammaVolume = comparison.gamma
        return comparison

    def describe(self, result, parameters):
        """Return the verdict ("pass", "investigate", "act"), its words, and what else a reader must know."""
        from GammaModuleLib.presets import verdict

        tolerance, action = parameters.tolerancePercent, parameters.actionPercent
        kind = verdict(result.pass_rate_percent, tolerance_percent=tolerance, action_percent=action)
        words = {
            "pass": _("Within the tolerance limit of {tolerance:g} %").format(tolerance=tolerance),
            "investigate": _("Below the tolerance limit of {tolerance:g} %: investigate").format(tolerance=tolerance),
            "act": _("Below the action limit of {action:g} %").format(action=action),
        }[kind]
        details = [
            _("{passed} of {points} points pass {dose:g} % / {distance:g} mm, norm {norm:.4g} {unit}.").format(
                passed=result.n_passed,
                points=result.n_points,
                dose=result.dose_percent,
                distance=result.distance_mm,
                norm=result.norm_gy,
                unit=self.unit(parameters),
            )
        ]
        if result.n_missing:
            text = _("{n} points have no evaluated dose and count as failed.")
            details.append(text.format(n=result.n_missing))
        if result.n_reach_outside:
            text = _("The search of {n} points reached beyond the evaluated dose.")
            details.append(text.format(n=result.n_reach_outside))
        if result.n_reference_invalid or result.n_evaluated_invalid:
            text = _("Voxels that are not numbers: {reference} of the reference, {evaluated} of the evaluated dose.")
            details.append(text.format(reference=result.n_reference_invalid, evaluated=result.n_evaluated_invalid))
        return kind, words, details

    def histogramView(self):
        """Return the view node of the panel's chart."""
        from SlicerInTrEPIDLib.views import plot_view

        return plot_view(slicer.mrmlScene, "InTrEPIDGamma")

    def jumpToWorst(self, table, row):
        """Centre the slice views on the worst point of a table row; a region without points has none."""
        position = [float(table.GetTable().GetValueByName(row, f"Worst {axis} [mm]").ToDouble()) for axis in "RAS"]
        if all(map(math.isfinite, position)):
            for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
                node.JumpSliceByCentering(*position)

    def startMessage(self):
        """Return what the user is to know before the first computation."""
        from intrepid_gamma.compiling import is_compiled

        return "" if is_compiled() else _("Compiling the search for this computer, once; up to half a minute.")
