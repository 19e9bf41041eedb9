"""What the module does in the application; everything here works without its panel."""

import importlib.util
import pathlib

from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

import slicer
from SlicerInTrEPIDLib.panel.parameters import SlicerInTrEPIDParameterNode, job_of

RESOURCES = pathlib.Path(__file__).parents[2] / "Resources"


class SlicerInTrEPIDLogic(ScriptedLoadableModuleLogic):
    """Parameters to a command and back, and the steps that happen in the scene."""

    def getParameterNode(self):
        """Return the scene's parameters, typed."""
        return SlicerInTrEPIDParameterNode(super().getParameterNode())

    def job(self, parameters, assigned=()):
        """Return the job the parameters describe."""
        return job_of(parameters, assigned)

    def reasonsNotReady(self, job):
        """Every reason why a job cannot start."""
        from SlicerInTrEPIDLib.command import reasons_not_ready

        return reasons_not_ready(job)

    def reasonsNotToPredict(self, job, images):
        """Every reason why no portal dose can be predicted."""
        from SlicerInTrEPIDLib.command import reasons_not_to_predict

        return reasons_not_to_predict(job, images)

    def command(self, job, images=None):
        """Return the command line and the environment of a job; with images, of predicting their portal doses."""
        from SlicerInTrEPIDLib.command import command_line, environment, predict_line

        return (command_line(job) if images is None else predict_line(job, images)), environment()

    def summary(self, job):
        """Return what the output folder says about the outcome."""
        from SlicerInTrEPIDLib.command import read_summary

        return read_summary(job.output)

    def predictedText(self, output):
        """Return what the predicted portal doses are, one line each."""
        from SlicerInTrEPIDLib.command import predicted_lines

        return "\n".join(predicted_lines(output))

    def models(self):
        """Names of the models: the physics, and the networks that are there."""
        from SlicerInTrEPIDLib.command import model_names

        return model_names()

    def refinements(self):
        """Names of the refinements: none, and those that ship."""
        from SlicerInTrEPIDLib.command import refinement_names

        return refinement_names()

    def contents(self, folder):
        """Return the contents of a study folder and a text; None with the reason if it cannot be used."""
        from intrepid_rt.errors import UnusableInput
        from SlicerInTrEPIDLib.command import as_path
        from SlicerInTrEPIDLib.study_table import study_contents

        folder = as_path(folder)
        if folder is None or not folder.is_dir():
            return None, ""
        try:
            contents = study_contents(folder)
        except UnusableInput as error:
            return None, str(error)
        return contents, "\n".join(contents.lines[:4])

    def missing(self, parameters):
        """Return what is not installed, and it as text."""
        from SlicerInTrEPIDLib.missing_parts import missing_parts, sentence

        parts = missing_parts(
            RESOURCES / "requirements.txt",
            model=parameters.model,
            refinement=parameters.refinement,
            has_module=lambda name: hasattr(slicer.modules, name),
            has_package=lambda name: importlib.util.find_spec(name) is not None,
        )
        return parts, "\n".join(map(sentence, parts))

    def databaseStudies(self):
        """Studies of the DICOM database with a plan or portal images."""
        from SlicerInTrEPIDLib.database import studies_in

        return studies_in(self.database())

    def database(self):
        """Return the DICOM database, None if this application has none."""
        return getattr(slicer, "dicomDatabase", None)

    def titleOf(self, study):
        """Return the line of a study in the list."""
        return f"{study.title} ({', '.join(sorted(study.modalities))})"

    def _gathered(self, name):
        return pathlib.Path(slicer.app.temporaryPath) / "InTrEPID" / "studies" / name

    def useStudy(self, parameters, study):
        """Gather the files of a database study's patient and choose them."""
        from SlicerInTrEPIDLib.database import stage_patient

        parameters.studyFolder = stage_patient(self.database(), study.patient, self._gathered(study.uid))

    def useNode(self, parameters, node):
        """Gather the files of the patient of a node in the scene and choose them."""
        from SlicerInTrEPIDLib.database import patient_of_node, stage_patient

        patient = patient_of_node(slicer.mrmlScene, self.database(), node)
        parameters.studyFolder = stage_patient(self.database(), patient, self._gathered(node.GetID()))

    def canRegister(self):
        """Whether this application has BRAINSFit and the scene both CTs."""
        from SlicerInTrEPIDLib.registration import can_register, ct_pair

        return can_register(slicer.modules) and ct_pair(slicer.mrmlScene) is not None

    def register(self, parameters):
        """Register the CT of the day in the scene to the planning CT by BRAINSFit; its transform becomes the file."""
        import slicer.cli

        from SlicerInTrEPIDLib.registration import ct_pair, register, save_transform

        planning, day = ct_pair(slicer.mrmlScene)
        deformable = parameters.registration == "deformable"
        transform = register(slicer.mrmlScene, slicer.cli, slicer.modules, planning, day, deformable=deformable)
        folder = self._gathered("transforms")
        folder.mkdir(parents=True, exist_ok=True)
        parameters.transformFile = save_transform(transform, folder / "brainsfit.h5")
        parameters.registration = "transform file"
        return _("Registered by BRAINSFit.")

    def load(self, job):
        """Load the scene bundle of a job and join it with what the scene has of the same study."""
        from SlicerInTrEPIDLib.adoption import adopt

        slicer.util.loadScene(str(job.scene))
        adopt(slicer.mrmlScene)

    def isLoaded(self):
        """Whether the scene holds a reconstructed dose."""
        return slicer.mrmlScene.GetFirstNodeByName("Dose reconstructed") is not None

    def beamNames(self):
        """Names of the beams whose image is in the scene."""
        names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
        return [name.removeprefix("EPID ") for name in names if name.startswith("EPID ")]

    def overlayNames(self):
        """Names of what can be shown over the CT beside the dose: gamma volumes, and the uncertainty of the dose."""
        from SlicerInTrEPIDLib.layout import overlay_names

        return overlay_names(slicer.mrmlScene)

    def show(self, beam, overlay):
        """Show CT with dose, the image of a beam, and gamma or the uncertainty of the dose together."""
        from SlicerInTrEPIDLib.layout import fill_views, show_layout

        show_layout(slicer.app.layoutManager().layoutLogic().GetLayoutNode())
        fill_views(slicer.mrmlScene, beam, overlay)

    def isodoses(self):
        """Show isodoses of the reconstructed dose in percent of the planned maximum; returns what to tell."""
        from SlicerInTrEPIDLib.isodoses import maximum_gy, show_isodoses

        scene = slicer.mrmlScene
        dose = scene.GetFirstNodeByName("Dose reconstructed")
        reference = maximum_gy(scene.GetFirstNodeByName("Dose planned") or dose)
        show_isodoses(scene, dose, reference, slicer.modules)
        return _("Isodoses in percent of {dose:.3g} Gy.").format(dose=reference)

    def compare(self):
        """Compare by the Gamma and the DVH module; returns what to tell."""
        from SlicerInTrEPIDLib.scene_comparison import compare_doses, told

        return told(compare_doses(slicer.mrmlScene))
