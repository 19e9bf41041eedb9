"""Installing what Slicer's Python lacks, after asking."""

import pathlib

from slicer.i18n import tr as _

import slicer
from SlicerInTrEPIDLib.command import missing_packages
from SlicerInTrEPIDLib.missing_parts import PACKAGES, TORCH, MissingPart


def packages_ready(requirements: str | pathlib.Path) -> bool:
    """Install the Python packages of a requirements file that are missing; False if the user does not want that."""
    missing = missing_packages(pathlib.Path(requirements))
    if not missing:
        return True
    question = _("These Python packages are needed and will be installed: {names}").format(names=", ".join(missing))
    if not slicer.util.confirmOkCancelDisplay(question):
        return False
    slicer.util.pip_install(missing)
    return True


def offer(part: MissingPart, requirements: str | pathlib.Path) -> bool:
    """Offer to install one missing part; True if something was done."""
    if part.kind == PACKAGES:
        return packages_ready(requirements)
    if part.kind == TORCH:
        return _install_torch()
    return _install_extension(part.name)


def _install_torch() -> bool:
    """By the PyTorch extension, which picks the build that fits the computer; else by pip, which takes its default."""
    try:
        import PyTorchUtils
    except ImportError:
        if not slicer.util.confirmOkCancelDisplay(_("PyTorch will be installed (some hundred MB). Continue?")):
            return False
        slicer.util.pip_install("torch safetensors")
        return True
    return PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True) is not None


def _install_extension(name: str) -> bool:
    model = slicer.app.extensionsManagerModel()
    if model is None or not hasattr(model, "installExtensionFromServer"):
        slicer.util.infoDisplay(_("Install {name} with the Extensions Manager, then restart.").format(name=name))
        return False
    if not slicer.util.confirmOkCancelDisplay(_("{name} will be installed; Slicer restarts then.").format(name=name)):
        return False
    model.interactive = False
    return bool(model.installExtensionFromServer(name, True))
