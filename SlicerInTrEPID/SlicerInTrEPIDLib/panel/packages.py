"""Installing what Slicer's Python lacks, after asking."""

import pathlib

from slicer.i18n import tr as _

import slicer
from SlicerInTrEPIDLib.command import missing_packages


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
