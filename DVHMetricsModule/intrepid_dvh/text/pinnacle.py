"""DVH exports of Pinnacle (9): a folder per patient, or a zip file of such folders, written by an export script."""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from intrepid_dvh.curve import DVH
from intrepid_dvh.text.decoding import Options, decoded, decoded_bytes
from intrepid_dvh.text.section import Section, columns_of, finished
from intrepid_dvh.text.source import Source
from intrepid_dvh.units import dose_factor
from intrepid_rt.errors import UnreadableFile
from intrepid_rt.small_files import LARGEST_MB

_FILES = ("DoseInfo.csv", "PatInfo.csv", "PlanInfo.csv", "Data/Info.csv")
_UNIT = re.compile(r"\b(c?Gy)\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Folder:
    """One patient's folder, on disk or inside a zip file."""

    path: Path
    read: Callable[[str], str]


def looks_like_pinnacle(path: Path) -> bool:
    """Tell a folder or zip file of the Pinnacle export script, or a folder of such folders."""
    is_archive = path.is_file() and zipfile.is_zipfile(path)  # a device would be searched for its end for ever
    return (path.is_dir() or is_archive) and any(True for _ in _folders(path, Options()))


def read_pinnacle(path: Path, options: Options) -> list[DVH]:
    """Read one or several patient folders.

    Raises
    ------
    UnreadableFile : no folder holds the files of the export, or one of them is missing or malformed.
    """
    folders = list(_folders(path, options))
    if not folders:
        raise UnreadableFile(f"{path} holds no {_FILES[0]}; expected a folder with {', '.join(_FILES)}.")
    return [dvh for folder in folders for dvh in _patient(folder)]


def _folders(path: Path, options: Options) -> Iterator[_Folder]:
    if path.is_dir():
        for info in sorted(path.glob("**/" + _FILES[0])):
            yield _Folder(info.parent, partial(_from_disk, info.parent, options))
        return
    contents = _unpacked(path)
    for name in sorted(contents):
        base = PurePosixPath(name).parent
        if PurePosixPath(name).name == _FILES[0]:
            yield _Folder(path / base, partial(_from_zip, contents, path, base, options))


def _unpacked(path: Path) -> dict[str, bytes]:
    """Read the tables of an archive into memory: nothing is unpacked to disk, whatever path a name claims.

    Raises
    ------
    UnreadableFile : the archive is damaged, encrypted, or claims more than any export holds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            tables = [info for info in archive.infolist() if info.filename.endswith(".csv")]
            size_mb = sum(info.file_size for info in tables) / 1e6
            if size_mb > LARGEST_MB:
                raise UnreadableFile(f"{path} unpacks to {size_mb:.0f} MB; expected at most {LARGEST_MB:g}.")
            return {info.filename: archive.read(info) for info in tables}
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, ValueError, zlib.error) as error:
        raise UnreadableFile(f"{path} is a damaged or encrypted zip file ({error}). Export it again.") from error


def _from_disk(base: Path, options: Options, name: str) -> str:
    return decoded(base / name, options)


def _from_zip(contents: dict[str, bytes], path: Path, base: PurePosixPath, options: Options, name: str) -> str:
    return decoded_bytes(contents[str(base / name)], path / base / name, options)


def _patient(folder: _Folder) -> list[DVH]:
    dose, patient, plan = (_table(folder, name)[0] for name in _FILES[:3])
    unit = _unit(folder, dose)
    header = {
        "patName": " ".join(f"{_get(patient, 'FirstName')} {_get(patient, 'LastName')}".split()),
        "patID": re.sub(r"\s", "", _get(patient, "MedicalRecordNumber")) or None,
        "plan": _get(plan, "PlanName") or None,
        "fractionDose": _dose(dose, "PrescriptionDose", unit),
        "fractionN": _number(_get(dose, "NumberOfFractions")),
        "doseRx": _dose(dose, "Dosis", unit),
        "doseUnit": unit,
        "volumeUnit": "CC",
        "isoDoseRx": 100.0,
    }
    return finished([_structure(folder, header, row) for row in _table(folder, _FILES[3])], folder.path)


def _structure(folder: _Folder, plan: dict, row: dict[str, str]) -> Section:
    # Assigned by the file's name: other software goes by order and mixes structures up when the list is not sorted.
    unit = plan["doseUnit"]
    header = plan | {
        "structure": _get(row, "RegionOfInterestName"),
        "structVol": _number(_get(row, "Volume")),
        "doseMin": _dose(row, "DoseMin", unit),
        "doseMax": _dose(row, "DoseMax", unit),
        "doseAvg": _dose(row, "DoseMean", unit),
    }
    name = f"Data/{_get(row, 'Filename').removesuffix('.csv')}.csv"
    source = Source.of_text(folder.path / name, _content(folder, name))
    inside = [line for line in source.lines if re.match(r"\s*[-+.\d]", line.text)]
    rows = [type(line)(line.number, line.text.strip().rstrip(",;").replace(",", " ")) for line in inside]
    warnings = ["The file states no percentage for the prescription; 100 % is assumed."]
    announced = re.search(r"NumberOfPoints\s*=\s*(\d+)", "\n".join(line.text for line in source.lines))
    if announced and int(announced[1]) != len(rows):
        warnings.append(f"{name} announces {announced[1]} points but holds {len(rows)}.")
    columns = columns_of(source.table(rows, columns=2), dose=0, volume_cc=1)
    return Section(header, columns, per_dose=False, warnings=tuple(warnings))


def _content(folder: _Folder, name: str) -> str:
    try:
        return folder.read(name)
    except (FileNotFoundError, KeyError):
        raise UnreadableFile(f"{folder.path} lacks {name}; a patient folder needs {', '.join(_FILES)}.") from None


def _table(folder: _Folder, name: str) -> list[dict[str, str]]:
    rows = list(csv.DictReader(io.StringIO(_content(folder, name)), skipinitialspace=True))
    if not rows:
        raise UnreadableFile(f"{folder.path / name} holds no line below its titles.")
    return [{(key or "").strip(): (value or "").strip() for key, value in row.items()} for row in rows]


def _get(row: dict[str, str], title: str) -> str:
    return next((value for key, value in row.items() if key.split(" ")[0].lower() == title.lower()), "")


def _unit(folder: _Folder, row: dict[str, str]) -> str:
    units = {match[1].upper() for key in row if (match := _UNIT.search(key))}
    if len(units) != 1:
        raise UnreadableFile(
            f"{folder.path / _FILES[0]}: found {', '.join(row)}; expected one dose unit in the titles."
        )
    return units.pop()


def _dose(row: dict[str, str], title: str, unit: str) -> float | None:
    key = next((key for key in row if key.split(" ")[0].lower() == title.lower()), "")
    value, own = _number(row.get(key, "")), _UNIT.search(key)
    return value if value is None or not own else value * dose_factor(own[1].upper(), unit)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
