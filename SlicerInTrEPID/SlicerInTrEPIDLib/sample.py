"""The sample study that ships with the extension."""

import shutil
from pathlib import Path

from intrepid_rt.errors import MissingObject

ARCHIVES = ("*.zip", "*.tar.xz", "*.tar.gz")


def sample_archives(folder: Path) -> list[Path]:
    """Return the packed studies in a folder, sorted by name."""
    return sorted(path for pattern in ARCHIVES for path in folder.glob(pattern))


def unpack_sample(folder: Path, target: Path) -> Path:
    """Unpack the first study of a sample folder below ``target`` and return the study's folder.

    Raises
    ------
    MissingObject
        The folder holds no packed study.
    """
    archives = sample_archives(folder)
    if not archives:
        raise MissingObject(f"{folder} holds no packed sample study. Reinstall the extension.")
    study = target / archives[0].name.split(".")[0]
    # Names that lead out of the folder are left out (zip) or refused (tar), whoever packed the archive.
    more = {} if archives[0].suffix == ".zip" else {"filter": "data"}
    shutil.unpack_archive(archives[0], study, **more)
    return study
