"""A verification as a scene bundle (.mrb) that 3D Slicer opens, made without the Slicer application."""

import tempfile
from pathlib import Path
from typing import Any

from intrepid_rt.atomic import replacing
from intrepid_rt.errors import OutputNotWritable
from intrepid_rt.verification import VerificationResult
from SlicerInTrEPIDLib.headless import headless_scene


def write_scene(result: VerificationResult, path: str | Path) -> list[str]:
    """Write CT, structures, doses, gamma, portal images, DVHs and the verdict as one scene bundle.

    Parameters
    ----------
    result : VerificationResult
    path : path ending in ``.mrb``

    Returns
    -------
    list of str
        What is not in the scene, one sentence each (e.g. a structure without contours).

    Raises
    ------
    MissingObject
        slicer-core is not installed.
    OutputNotWritable
        The file cannot be written.
    """
    with headless_scene() as scene:
        # Only now is it certain that MRML is there.
        from SlicerInTrEPIDLib.contents import fill_scene

        left_out = fill_scene(scene, result)
        write_bundle(scene, path)
    return left_out


def write_bundle(scene: Any, path: str | Path) -> None:
    """Write a scene as .mrb, whole or not at all.

    Raises
    ------
    OutputNotWritable
        The file cannot be written.
    """
    path = Path(path).absolute()  # MRML takes relative paths from elsewhere
    with replacing(path) as temporary, tempfile.TemporaryDirectory(prefix=".bundle-", dir=path.parent) as folder:
        # MRML names the bundle's inner folder after the file and refuses names that start with a dot.
        bundle = Path(folder) / path.name
        if not scene.WriteToMRB(str(bundle)):
            raise OutputNotWritable(f"{path} could not be written by MRML. Free space or choose another output folder.")
        bundle.replace(temporary)
