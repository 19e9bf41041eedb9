"""Files that ship beside the packages: in the module folder of a checkout or extension, inside the wheel otherwise."""

from pathlib import Path

from intrepid_rt.errors import MissingObject


def resource_folder(name: str) -> Path:
    """Return a folder of the SlicerInTrEPID module's ``Resources``, e.g. "SampleData".

    Raises
    ------
    MissingObject
        The installation lacks it.
    """
    package = Path(__file__).parent
    for resources in (package.parent / "Resources", package / "Resources"):
        if (resources / name).is_dir():
            return resources / name
    raise MissingObject(f"This installation has no resource folder {name}. Install InTrEPID again.")
