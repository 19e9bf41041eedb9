"""An MRML scene without the Slicer application, from the slicer-core wheel."""

import importlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from intrepid_rt.errors import MissingObject

# Setting a scene on a module's logic registers the node classes of that module.
# The Python module beside each class holds it where Slicer's own Python runs without the application.
LOGIC_CLASSES = {
    "vtkSlicerVolumesLogic": "vtkSlicerVolumesModuleLogicPython",
    "vtkSlicerSegmentationsModuleLogic": "vtkSlicerSegmentationsModuleLogicPython",
    "vtkSlicerSubjectHierarchyModuleLogic": "vtkSlicerSubjectHierarchyModuleLogicPython",
    "vtkSlicerTablesLogic": "vtkSlicerTablesModuleLogicPython",
    "vtkSlicerTextsLogic": "vtkSlicerTextsModuleLogicPython",
    "vtkSlicerPlotsLogic": "vtkSlicerPlotsModuleLogicPython",
    "vtkSlicerModelsLogic": "vtkSlicerModelsModuleLogicPython",
    "vtkSlicerTransformLogic": "vtkSlicerTransformsModuleLogicPython",
    "vtkSlicerMarkupsLogic": "vtkSlicerMarkupsModuleLogicPython",
}


def import_slicer() -> Any:
    """Import and return ``slicer``, or say in one line how to get it.

    Raises
    ------
    MissingObject
        Neither 3D Slicer nor the slicer-core wheel is present.
    """
    try:
        import vtk

        # VTK logs to standard error on start; what matters is raised as an exception here.
        vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_ERROR)
        import slicer
    except ImportError as error:
        raise MissingObject(
            f"Scenes need 3D Slicer's MRML libraries, which are not installed ({error.name}). "
            "Install them with: pip install 'slicer-intrepid[mrml]'."
        ) from error
    return slicer


@contextmanager
def headless_scene() -> Iterator[Any]:
    """Give an empty ``vtkMRMLScene`` that can read and write scene bundles; it is cleared at the end.

    No render window is made, so no graphics library is needed. The scene is not made global: pass it on.

    Raises
    ------
    MissingObject
        slicer-core is not installed.
    """
    slicer = import_slicer()
    with tempfile.TemporaryDirectory(prefix="intrepid-scene-") as cache_folder:
        scene = slicer.vtkMRMLScene()
        application = slicer.vtkSlicerApplicationLogic()
        cache, remote = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
        cache.SetRemoteCacheDirectory(cache_folder)
        scene.SetCacheManager(cache)
        remote.SetCacheManager(cache)
        scene.SetDataIOManager(remote)
        application.SetMRMLScene(scene)
        logics = [_logic(slicer, name, application, scene) for name in LOGIC_CLASSES]
        try:
            yield scene
        finally:
            # Logics observe the scene: they go first, or VTK reports leaks when the interpreter ends.
            scene.Clear(True)
            for logic in logics:
                logic.SetMRMLScene(None)
            application.SetMRMLScene(None)


def _logic(slicer: Any, class_name: str, application: Any, scene: Any) -> Any:
    if not hasattr(slicer, class_name):
        _import_logic(slicer, class_name)
    logic = getattr(slicer, class_name)()
    logic.SetMRMLApplicationLogic(application)
    logic.SetMRMLScene(scene)
    return logic


def _import_logic(slicer: Any, class_name: str) -> None:
    try:
        module = importlib.import_module(LOGIC_CLASSES[class_name])
    except ImportError as error:
        raise MissingObject(
            f"This Python knows slicer but not {class_name}, which scenes need. "
            "Install slicer-core in a Python of its own and run the command line there."
        ) from error
    setattr(slicer, class_name, getattr(module, class_name))
