"""The files of chosen patients as de-identified DICOM: into a folder, or on to a peer with a log."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from intrepid_cohort.conditions import clause_of
from intrepid_cohort.database import translating_errors
from intrepid_cohort.joins import joined
from intrepid_cohort.query import leaf
from intrepid_cohort.schema import Collection, File, Patient, Treatment
from intrepid_rt.errors import MissingObject

if TYPE_CHECKING:
    from intrepid_rt.deidentify import DeidentifiedFolder, SecretKey
    from intrepid_rt.network.peer import Peer

Progress = Callable[[int, int], None]


@dataclass
class DicomExport:
    """What was exported; ``log`` has a row per object sent: UID, outcome, reason."""

    patients: int
    files: int
    deidentified: "DeidentifiedFolder"
    log: list[dict[str, str]] = field(default_factory=list)


def chosen_files(
    engine: Engine, conditions: Sequence[str] = (), *, collection: str | None = None
) -> dict[str, list[Path]]:
    """Return the used files by pseudonym of all patients with a DVH that meets the conditions.

    Parameters
    ----------
    collection : only patients whose treatment this curated collection includes.

    Raises
    ------
    MissingObject
        No patient is chosen, there is no such collection, or a file has vanished.
    """
    with translating_errors(engine), Session(engine) as session:
        chosen = select(File.path, Patient.pseudonym).join(Patient, File.patient_id == Patient.id)
        chosen = chosen.where(File.status == "used").order_by(Patient.pseudonym, File.path)
        if conditions:
            clauses = [clause_of(text, partial(leaf, model_arguments={})) for text in conditions]
            chosen = chosen.where(Patient.id.in_(joined(Patient.id).where(*clauses)))
        if collection is not None:
            if session.scalar(select(Collection.id).where(Collection.name == collection)) is None:
                raise MissingObject(f"There is no collection {collection!r}. Make one with: intrepid cohort curate")
            included = select(Treatment.patient_id).join(Collection, Treatment.collection_id == Collection.id)
            included = included.where(Collection.name == collection, Treatment.status == "included")
            chosen = chosen.where(Patient.id.in_(included))
        found: dict[str, list[Path]] = {}
        for path, name in session.execute(chosen):
            found.setdefault(name, []).append(Path(path))
    if not found:
        raise MissingObject("No patient is chosen, so there is nothing to export. Loosen the conditions.")
    gone = [path for paths in found.values() for path in paths if not path.is_file()]
    if gone:
        raise MissingObject(f"{len(gone)} of the chosen files are gone, for example {gone[0]}. Bring them back.")
    return found


def export_folder(
    files: dict[str, list[Path]], target: str | Path, key: "SecretKey", *, options: Any = None,
    progress: Progress = lambda done, total: None,
) -> DicomExport:  # fmt: skip
    """De-identify the files into a folder; if an identifier is left in one of them, nothing is written.

    Parameters
    ----------
    options : `intrepid_rt.deidentify.Options`.

    Raises
    ------
    OutputNotWritable
    """
    from intrepid_rt.deidentify import deidentify_folder

    with tempfile.TemporaryDirectory(prefix="intrepid-export-") as made:
        source = Path(made)
        for number, path in enumerate(path for paths in files.values() for path in paths):
            _put(path, source / f"{number:07d}.dcm")
        done = deidentify_folder(source, target, key, options, progress=progress)
    done.left_out = [(_original(name, files), reason) for name, reason in done.left_out]
    done.flagged = [(_original(name, files), reason) for name, reason in done.flagged]
    return DicomExport(len(files), len(done.written), done)


def export_to_peer(
    files: dict[str, list[Path]], peer: "Peer", key: "SecretKey", *, options: Any = None,
    progress: Progress = lambda done, total: None,
) -> DicomExport:  # fmt: skip
    """De-identify the files and send them by C-STORE; ``log`` tells what became of each object.

    Raises
    ------
    PeerFailure
        The peer does not answer.
    """
    from intrepid_rt.network.outbox import Receipts, parcels
    from intrepid_rt.network.sending import send

    with tempfile.TemporaryDirectory(prefix="intrepid-export-") as made:
        result = export_folder(files, made, key, options=options, progress=progress)
        if result.deidentified.leaks or not result.files:
            return result
        found, left = parcels([Path(made)])
        sent = send(peer, found, Receipts(str(peer)))
        result.log += [{"sop_instance_uid": uid, "outcome": "taken", "reason": ""} for uid in sent.taken]
        result.log += [{"sop_instance_uid": uid, "outcome": "refused", "reason": why} for uid, why in sent.refused]
        result.log += [{"sop_instance_uid": "", "outcome": "left out", "reason": why} for _, why in left]
    return result


def _put(path: Path, place: Path) -> None:
    try:
        place.symlink_to(path.resolve())
    except OSError:  # a system without links
        shutil.copyfile(path, place)


def _original(name: str, files: dict[str, list[Path]]) -> str:
    every = [path for paths in files.values() for path in paths]
    return str(every[int(Path(name).stem)])
