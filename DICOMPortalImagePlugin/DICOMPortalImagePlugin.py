"""DICOM plugin of 3D Slicer: loads portal images (RTIMAGE), also those that SlicerRT refuses."""

from DICOMLib import DICOMLoadable, DICOMPlugin
from slicer.i18n import tr as _

import slicer

# SlicerRT offers every RTIMAGE with confidence 1; ours comes second where SlicerRT can load the image itself.
SECOND = 0.8


class DICOMPortalImagePluginClass(DICOMPlugin):
    """Offers each RTIMAGE file and places it by its own angles and distances."""

    def __init__(self):
        super().__init__()
        self.loadType = _("Portal image")
        self.tags["plan"] = "300C,0002"

    def examineForImport(self, fileLists):
        """Return a loadable for every RTIMAGE file."""
        return [loadable for files in fileLists for loadable in self.examineFiles(files)]

    def examineFiles(self, files):
        """Return a loadable for every RTIMAGE of a series."""
        return [self._loadable(file) for file in files if self._value(file, "modality") == "RTIMAGE"]

    def _value(self, file, name):
        return slicer.dicomDatabase.fileValue(file, self.tags[name])

    def _loadable(self, file):
        from SlicerInTrEPIDLib.rtimage import reasons_of_slicerrt, title

        refused = reasons_of_slicerrt(file)
        loadable = DICOMLoadable()
        loadable.files = [file]
        loadable.name = title(file)
        loadable.tooltip = _("Portal image, placed by its own geometry (InTrEPID).")
        loadable.warning = _("SlicerRT refuses it: {reasons}.").format(reasons=", ".join(refused)) if refused else ""
        loadable.confidence = 1.0 if refused else SECOND
        loadable.selected = True
        return loadable

    def load(self, loadable):
        """Load one image as a one-slice volume on the imager plane; one that cannot be read logs why and gives None."""
        import logging

        from intrepid_rt.errors import UnusableInput
        from SlicerInTrEPIDLib.rtimage import add_image, describe, plan_uid_of

        file = loadable.files[0]
        plan = slicer.dicomDatabase.fileForInstance(plan_uid_of(file)) if plan_uid_of(file) else ""
        try:
            node = add_image(slicer.mrmlScene, file, loadable.name, plan or None)
        except UnusableInput as error:
            logging.error(str(error))
            return None
        self.addSeriesInSubjectHierarchy(loadable, node)
        describe(slicer.mrmlScene, node, file)
        return node


class DICOMPortalImagePlugin:
    """The hook by which Slicer finds the plugin; the module has no panel."""

    def __init__(self, parent):
        parent.title = "DICOM Portal Image Plugin"
        parent.categories = ["Developer Tools.DICOM Plugins"]
        parent.contributors = ["InTrEPID contributors"]
        parent.helpText = "Loads portal images (RTIMAGE) from the DICOM module. Research software."
        parent.acknowledgementText = "Licensed under the Apache License, Version 2.0."
        parent.hidden = True
        # This module may be found before the DICOM module, which reads the list.
        if not hasattr(slicer.modules, "dicomPlugins"):
            slicer.modules.dicomPlugins = {}
        slicer.modules.dicomPlugins["DICOMPortalImagePlugin"] = DICOMPortalImagePluginClass
