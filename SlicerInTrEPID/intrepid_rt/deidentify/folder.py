"""A folder of DICOM files de-identified into another one: everything or nothing, checked before it appears."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset

from intrepid_rt.atomic import staged_folder
from intrepid_rt.deidentify.checking import leaks, pixel_digest
from intrepid_rt.deidentify.cleaning import REMOVED, Cleaner
from intrepid_rt.deidentify.elements import WELL_KNOWN_ROOT, values, walk
from intrepid_rt.deidentify.identifiers import Identifiers
from intrepid_rt.deidentify.profile import Options, is_identity
from intrepid_rt.deidentify.secret_key import SecretKey
from intrepid_rt.dicom_file import collecting, read_dataset, text, texts
from intrepid_rt.errors import InvalidSetting, MissingObject, UnreadableFile, UnusableInput
from intrepid_rt.small_files import entries_below

MODALITIES = frozenset(("CT", "MR", "PT", "RTIMAGE", "RTDOSE", "RTSTRUCT", "RTPLAN", "RTRECORD", "REG", "SEG"))
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
Progress = Callable[[int, int], None]  # files done, files in all


@dataclass
class DeidentifiedFolder:
    """What became of the files of a folder; paths relative to input and output."""

    written: list[str] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)  # pseudonyms
    left_out: list[tuple[str, str]] = field(default_factory=list)  # file, why
    flagged: list[tuple[str, str]] = field(default_factory=list)  # file, why its pixels may show text
    leaks: list[tuple[str, str]] = field(default_factory=list)  # file, what an identifier was found in
    identifiers_searched: int = 0


@dataclass(frozen=True)
class _Source:
    path: Path
    patient: str


def deidentify_folder(
    source: str | Path,
    target: str | Path,
    key: SecretKey,
    options: Options | None = None,
    *,
    keep_flagged: bool = False,
    progress: Progress = lambda done, total: None,
) -> DeidentifiedFolder:
    """De-identify all DICOM files below a folder.

    Files go to ``target/<pseudonym>/<study>/<modality>.<SOP Instance UID>.dcm``. Every one is read again before any
    appears: if an identifier is left in one, nothing is written and ``leaks`` says where.

    Parameters
    ----------
    source, target : folders; neither may lie within the other.
    key : SecretKey
        The same key gives the same pseudonyms, UIDs and dates in every run.
    options : Options
        Of PS3.15 E.3.
    keep_flagged : bool
        Write images whose pixels may show text; otherwise they are left out.

    Raises
    ------
    MissingObject
        No DICOM file.
    InvalidSetting
        One folder lies within the other.
    OutputNotWritable
        The target cannot be written.
    """
    source, target, options = Path(source), Path(target), options or Options()
    _check_apart(source, target)
    result, identifiers = DeidentifiedFolder(), Identifiers(key)
    sources = _survey(source, identifiers, options, key, result, keep_flagged=keep_flagged)
    result.identifiers_searched = len(identifiers)
    with staged_folder(target) as stage:
        _write_all(sources, stage, _Run(source, key, identifiers, options, result), progress)
        if result.leaks:
            result.written.clear()
        result.written.sort()
        for name in result.written:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / name).replace(target / name)
        # File by file, because a patient's folder may hold earlier studies; what is left must not be moved after them.
        for left in stage.iterdir():
            shutil.rmtree(left)
    return result


def _check_apart(source: Path, target: Path) -> None:
    inner, outer = source.resolve(), target.resolve()
    if inner == outer or inner in outer.parents or outer in inner.parents:
        raise InvalidSetting(
            f"{target} and {source} lie within each other. Choose an output folder apart from the input."
        )


def _survey(
    folder: Path,
    identifiers: Identifiers,
    options: Options,
    key: SecretKey,
    result: DeidentifiedFolder,
    *,
    keep_flagged: bool,
) -> list[_Source]:
    """Read all headers: what identifies anybody in any of them, and which files can be de-identified."""
    sources, seen = [], set()
    for path in entries_below(folder):
        name = str(path.relative_to(folder))
        try:
            with collecting([]):
                header = read_dataset(path, pixels=False)
                _collect(header, identifiers, options, key)
                reason, flag = _unsuitable(header), _flag(header)
                uid = text(header, "SOPInstanceUID")
                patient = text(header, "PatientID") or text(header, "StudyInstanceUID")
        except UnusableInput:
            result.left_out.append((name, "no readable DICOM file"))
            continue
        except Exception as error:  # whatever the parser trips over in a damaged element
            result.left_out.append((name, f"it holds an element that cannot be read ({type(error).__name__})"))
            continue
        if flag:
            result.flagged.append((name, flag))
        if flag and not keep_flagged:
            reason = reason or flag
        if uid in seen:
            reason = reason or "another file has its SOP Instance UID"
        if reason:
            result.left_out.append((name, reason))
            continue
        seen.add(uid)
        sources.append(_Source(path, patient))
    if not sources and not result.flagged:
        raise MissingObject(f"{folder} holds no DICOM file that can be de-identified. Check the path.")
    return sources


def _collect(header: Dataset, identifiers: Identifiers, options: Options, key: SecretKey) -> None:
    was_done_before = key.made_pseudonym(text(header, "PatientID"))
    for place, tag, vr in walk(header):
        if tag.is_private or not is_identity(tag, vr, options) or (was_done_before and vr in ("DA", "DT")):
            continue
        for value in values(place, tag):
            if key.made_uid(value) or key.made_pseudonym(value) or value == REMOVED:
                continue
            if vr == "PN" or place[tag].keyword == "PatientName":
                identifiers.add_name(value)
            elif vr in ("UI", "DA", "DT"):
                if not value.startswith(WELL_KNOWN_ROOT):
                    identifiers.add(value[:8] if vr == "DT" else value, is_number=True)
            else:
                for line in value.splitlines():
                    identifiers.add(line)


def _unsuitable(header: Dataset) -> str:
    modality = text(header, "Modality")
    if modality not in MODALITIES:
        return f"objects of modality {modality or '(none)'} are not de-identified: text may be anywhere in them"
    return ""


def _flag(header: Dataset) -> str:
    """Why the pixels of an image may show text; empty if nothing says so."""
    if text(header, "BurnedInAnnotation").upper() == "YES":
        return "Burned In Annotation is YES"
    if text(header, "RecognizableVisualFeatures").upper() == "YES":
        return "Recognizable Visual Features is YES"
    if text(header, "SOPClassUID").startswith(_SECONDARY_CAPTURE) or "SCREEN SAVE" in texts(header, "ImageType"):
        return "it is a secondary capture"
    return ""


@dataclass(frozen=True)
class _Run:
    """What the files of one run share."""

    folder: Path
    key: SecretKey
    identifiers: Identifiers
    options: Options
    result: DeidentifiedFolder


def _write_all(sources: list[_Source], stage: Path, run: _Run, progress: Progress) -> None:
    for number, one in enumerate(sources, 1):
        name = str(one.path.relative_to(run.folder))
        cleaner = Cleaner(run.key, run.identifiers, run.options, one.patient)
        try:
            with collecting([]):
                written = _write(one.path, stage, cleaner)
                found = _leaks(stage / written, run)
        except UnusableInput as error:
            reason = str(error).replace(str(one.path), "the file").replace(one.path.name, "the file")
            run.result.left_out.append((name, reason))
            continue
        run.result.leaks += [(name, leak) for leak in found]
        run.result.written.append(written)
        if cleaner.pseudonym not in run.result.patients:
            run.result.patients.append(cleaner.pseudonym)
        progress(number, len(sources))


def _leaks(path: Path, run: _Run) -> list[str]:
    try:
        return leaks(path.read_bytes(), run.identifiers, run.key, run.options)
    except Exception as error:  # what cannot be read again has not been checked
        path.unlink()
        raise UnreadableFile(f"{path.name} cannot be read again ({type(error).__name__}).") from error


def _write(path: Path, stage: Path, cleaner: Cleaner) -> str:
    """Write the de-identified twin of a file below ``stage``; returns its relative path."""
    try:
        dataset = read_dataset(path)
        pixels = pixel_digest(dataset)
        cleaner.clean(dataset)
        modality, uid = text(dataset, "Modality"), text(dataset, "SOPInstanceUID")
        written = f"{cleaner.pseudonym}/{text(dataset, 'StudyInstanceUID') or 'no-study'}/{modality}.{uid}.dcm"
        (stage / written).parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(stage / written, enforce_file_format=True)
        again = pixel_digest(read_dataset(stage / written))
    except (UnusableInput, OSError):
        raise
    except Exception as error:  # whatever pydicom trips over in a damaged element; the file is left out by name
        raise UnreadableFile(f"{path} holds an element that cannot be read ({type(error).__name__}).") from error
    if again != pixels:
        (stage / written).unlink()
        raise UnreadableFile(f"{path} would lose pixels: its pixel data is damaged. Export it again.")
    return written
