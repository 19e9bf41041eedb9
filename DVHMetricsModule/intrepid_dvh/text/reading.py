"""Reading DVH files of any planning system: the format is told by the content."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from intrepid_dvh.curve import DVH
from intrepid_dvh.text.cadplan import looks_like_cadplan, read_cadplan
from intrepid_dvh.text.decoding import Options, decoded
from intrepid_dvh.text.eclipse import looks_like_eclipse, read_eclipse
from intrepid_dvh.text.hiart import looks_like_hiart, read_hiart
from intrepid_dvh.text.masterplan import looks_like_masterplan, read_masterplan
from intrepid_dvh.text.mirada import looks_like_mirada, read_mirada
from intrepid_dvh.text.monaco import looks_like_monaco, read_monaco
from intrepid_dvh.text.pinnacle import looks_like_pinnacle, read_pinnacle
from intrepid_dvh.text.primo import looks_like_primo, read_primo
from intrepid_dvh.text.prosoma import looks_like_prosoma, read_prosoma
from intrepid_dvh.text.raystation import looks_like_raystation, read_raystation
from intrepid_dvh.text.source import Source
from intrepid_dvh.text.table import looks_like_table, read_tables
from intrepid_rt.errors import InvalidSetting, MissingObject, UnreadableFile

_Test = Callable[[str], bool]
_Reader = Callable[[Source, Options], list[DVH]]

# The order matters only where one test could be met by another system's file: the most particular ones come first.
_READERS: dict[str, tuple[_Test, _Reader]] = {
    "Monaco": (looks_like_monaco, read_monaco),
    "HiArt": (looks_like_hiart, read_hiart),
    "RayStation": (looks_like_raystation, read_raystation),
    "PRIMO": (looks_like_primo, read_primo),
    "Mirada": (looks_like_mirada, read_mirada),
    "ProSoma": (looks_like_prosoma, read_prosoma),
    "CadPlan": (looks_like_cadplan, read_cadplan),
    "MasterPlan": (looks_like_masterplan, read_masterplan),
    "Eclipse": (looks_like_eclipse, read_eclipse),
}
FORMATS = (*_READERS, "Pinnacle", "table")


def read_dvh_files(
    paths: Sequence[str | Path], *, format: str | None = None, options: Sequence[Options] | Options | None = None
) -> list[DVH]:
    """Read DVH exports.

    Parameters
    ----------
    paths : files, or folders for Pinnacle; wildcards in the last part are resolved.
    format : one of :data:`FORMATS` in any case; by default the content tells.
    options : for all files, or one per file.

    Returns
    -------
    list of DVH : in the order of the files and of the structures in them, tables before all others.

    Raises
    ------
    MissingObject : a file does not exist.
    UnreadableFile : it cannot be read as its format; the line is named.
    InvalidSetting : the format is unknown, or there are not as many options as files.
    """
    files = [file for path in paths for file in _resolved(Path(path))]
    options = options or Options()
    per_file = [options] * len(files) if isinstance(options, Options) else list(options)
    if len(per_file) != len(files):
        raise InvalidSetting(f"Information was given for {len(per_file)} files, but there are {len(files)}.")
    kinds = [_kind(file, format, opts) for file, opts in zip(files, per_file, strict=True)]
    tables = [file for file, kind in zip(files, kinds, strict=True) if kind == "table"]
    found = read_tables(tables, per_file[kinds.index("table")]) if tables else []
    # Absurd numbers may overflow on their way to the check that refuses them by name.
    with np.errstate(over="ignore", invalid="ignore"):
        for file, kind, opts in zip(files, kinds, per_file, strict=True):
            if kind != "table":
                found += _read_one(file, kind, opts)
    return found


def _resolved(path: Path) -> list[Path]:
    if path.exists():
        return [path]
    matches = sorted(path.parent.glob(path.name)) if any(letter in path.name for letter in "*?") else []
    if not matches:
        raise MissingObject(f"{path} does not exist; give DVH text exports (or a folder of Pinnacle's).")
    return matches


def _kind(path: Path, wanted: str | None, options: Options) -> str:
    if wanted:
        known = {name.lower(): name for name in FORMATS}
        if wanted.lower() not in known:
            raise InvalidSetting(f"Format '{wanted}' is unknown; choose one of {', '.join(FORMATS)}.")
        return known[wanted.lower()]
    if path.is_dir() or path.suffix.lower() == ".zip":
        return "Pinnacle"
    return detected_format(decoded(path, options), path)


def detected_format(text: str, path: Path) -> str:
    """Return the format of a text by its content.

    Raises
    ------
    UnreadableFile : it is that of no planning system known.
    """
    for name, (looks_like, _) in _READERS.items():
        if looks_like(text):
            return name
    if looks_like_table(text):
        return "table"
    raise UnreadableFile(f"{path} is no DVH export that is known; known are {', '.join(FORMATS)}. Try --format.")


def _read_one(path: Path, kind: str, options: Options) -> list[DVH]:
    if kind == "Pinnacle":
        if not looks_like_pinnacle(path):
            raise UnreadableFile(f"{path} is no Pinnacle export: no folder in it holds DoseInfo.csv.")
        return read_pinnacle(path, options)
    return _READERS[kind][1](Source.read(path, options), options)
