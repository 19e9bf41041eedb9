"""Folders of DICOM into a cohort database: incremental, resumable, one transaction per patient.

What is stored about a patient depends on the set of that patient's known files, and on values set by hand, alone. So an
import that was broken off at any moment, or that finds new files, ends in the state that one undisturbed import of all
files would have reached.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from intrepid_cohort.database import pseudonym_key, translating_errors
from intrepid_cohort.dose_facts import ENGINE_SETTINGS, software_version
from intrepid_cohort.edits.corrections import Corrections, corrections_of, values_by_hand
from intrepid_cohort.edits.deleting import hashed, kept_out
from intrepid_cohort.headers import Header, read_header
from intrepid_cohort.names.mapping import name_structures
from intrepid_cohort.patient_record import PatientRecord, patient_record
from intrepid_cohort.pseudonyms import pseudonym
from intrepid_cohort.schema import File, Job, Patient, Study
from intrepid_rt.distribution.cluster import cluster, run_on_cluster
from intrepid_rt.distribution.workers import Failure, Outcome, run_tasks
from intrepid_rt.errors import InvalidSetting, MissingObject, UnusableInput

# Raised whenever the same files would give other rows: patients are then imported anew.
IMPORT_RULES = 4

_FILES_PER_COMMIT = 200

Progress = Callable[[str, int, int], None]  # stage, done, total
Run = Callable[..., Iterator[Outcome]]  # function, tasks, few=False


@dataclass
class ImportResult:
    """What one import did. ``unused`` lists (path, reason) below the folders; ``failures`` (pseudonym, reason)."""

    files_seen: int = 0
    files_read: int = 0
    patients_imported: int = 0
    unused: list[tuple[str, str]] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)


def import_folders(
    engine: Engine,
    folders: Sequence[str | Path],
    *,
    centre: str = "",
    processes: int | None = None,
    scheduler: str | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> ImportResult:
    """Import all files below some folders, and whatever an earlier import left unfinished.

    Parameters
    ----------
    engine : database, see `intrepid_cohort.database.open_database`.
    folders : searched with all folders below them; may also be files. The files stay where they are.
    centre : where the patients come from; one identifier at two centres is two patients.
    processes : how many work at once, by default as many as there are processors.
    scheduler : address of a Dask cluster that does the work instead; its machines must see the folders under the same
        paths. Workers send results; this process alone writes to the database.
    progress : called with stage, done and total.

    Raises
    ------
    MissingObject
        A folder or file does not exist.
    InvalidSetting
        Files are already known under another centre.
    OutputNotWritable
        The database is full, lost, or written by another import.
    """
    roots = [_folder(folder) for folder in folders]
    result = ImportResult()
    with (
        _runner(processes, scheduler) as run,
        translating_errors(engine),
        Session(engine, expire_on_commit=False) as session,
    ):
        job_id = _started(session, roots, centre)
        _index(session, roots, centre, run, progress, result)
        _import_patients(session, run, progress, result)
        result.unused = sorted(result.unused + _unused(session, roots))
        _finish(session, job_id, result)
    return result


@contextmanager
def _runner(processes: int | None, scheduler: str | None) -> Iterator[Run]:
    """Give what applies a function to tasks: processes of this machine, or a cluster."""
    if scheduler is not None:
        with cluster(scheduler) as client:
            yield lambda function, tasks, few=False: run_on_cluster(client, function, tasks)
        return
    number = processes or os.cpu_count() or 1
    # For few tasks, starting other processes would take longer than the tasks.
    yield lambda function, tasks, few=False: run_tasks(function, tasks, processes=1 if few else number)


def _folder(folder: str | Path) -> Path:
    path = Path(folder).resolve()
    if not path.exists():
        raise MissingObject(f"{folder} is no folder and no file; expected DICOM files. Check the path.")
    return path


def _started(session: Session, roots: Sequence[Path], centre: str) -> int:
    arguments = {"folders": [str(root) for root in roots], "centre": centre, "engine_settings": ENGINE_SETTINGS}
    job = Job(kind="import", arguments=arguments, software_version=software_version(), started_at=datetime.now(UTC))
    session.add(job)
    session.commit()
    return job.id


def _finish(session: Session, job_id: int, result: ImportResult) -> None:
    job = session.get_one(Job, job_id)
    job.finished_at = datetime.now(UTC)
    job.result = {
        "files_seen": result.files_seen,
        "files_read": result.files_read,
        "patients_imported": result.patients_imported,
        "files_unused": len(result.unused),
        "failures": len(result.failures),
    }
    session.commit()


# Files ---------------------------------------------------------------------------------------------------------------


def _index(
    session: Session, roots: Sequence[Path], centre: str, run: Run, progress: Progress, result: ImportResult
) -> None:
    """Read the headers of new and changed files and commit them in batches."""
    paths = sorted({path for root in roots for path in _files_below(root, result.unused)})
    result.files_seen = len(paths)
    key, without = pseudonym_key(session), kept_out(session)
    done = 0
    few = len(paths) <= _FILES_PER_COMMIT
    for outcome in run(_read_headers, _new_files(session, paths, centre), few=few):
        headers = outcome.result
        if isinstance(headers, Failure):
            headers = [Header(str(path), 0, 0, reason=headers.reason) for path in outcome.task]
        for header in headers:
            if without and hashed(pseudonym(key, centre=centre, patient_id=header.patient_id)) in without:
                result.unused.append((header.path, "Its patient was deleted and is kept out of this database."))
            else:
                _store_file(session, header, centre, key)
        session.commit()
        done += len(headers)
        progress("reading headers", done, len(paths))
    result.files_read = done


def _files_below(root: Path, unused: list[tuple[str, str]]) -> Iterator[Path]:
    """Yield regular files; folders and entries that cannot be read go to ``unused`` with their reason."""

    def remember(error: OSError) -> None:
        """List a folder that cannot be opened."""
        unused.append((str(error.filename), f"The folder cannot be opened: {error.strerror}."))

    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root, onerror=remember):
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        for name in (*linked, *names):
            path = Path(folder, name)
            shown = str(path).encode(errors="backslashreplace").decode()
            if shown != str(path):
                unused.append((shown, "Its name is not UTF-8. Rename it."))
            elif not _is_regular(path):
                unused.append((shown, "It is no regular file, or a link to a folder or to nowhere."))
            else:
                yield path


def _is_regular(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _new_files(session: Session, paths: Sequence[Path], centre: str) -> Iterator[tuple[Path, ...]]:
    """Yield batches of files that are not known, or not in their present size and time of change."""
    for start in range(0, len(paths), _FILES_PER_COMMIT):
        batch = paths[start : start + _FILES_PER_COMMIT]
        query = select(File.path, File.size_bytes, File.modified_ns, File.centre)
        known = {row.path: row for row in session.execute(query.where(File.path.in_([str(path) for path in batch])))}
        elsewhere = next((row for row in known.values() if row.centre != centre), None)
        if elsewhere is not None:
            raise InvalidSetting(
                f"{elsewhere.path} is already known as of centre {elsewhere.centre!r}, not {centre!r}. "
                "Use the centre it was first imported with."
            )
        new = tuple(path for path in batch if not _is_known(path, known))
        if new:
            yield new


def _is_known(path: Path, known: dict) -> bool:
    row = known.get(str(path))
    if row is None:
        return False
    try:
        state = path.stat()
    except OSError:
        return False
    return bool((row.size_bytes, row.modified_ns) == (state.st_size, state.st_mtime_ns))


def _read_headers(paths: tuple[Path, ...]) -> list[Header]:
    return [read_header(path) for path in paths]


def _store_file(session: Session, header: Header, centre: str, key: bytes) -> None:
    file = session.scalar(select(File).where(File.path == header.path)) or File(path=header.path, centre=centre)
    for name in ("size_bytes", "modified_ns", "sha256", "modality", "sop_class_uid", "sop_instance_uid",
                 "study_instance_uid", "series_instance_uid", "reason"):  # fmt: skip
        setattr(file, name, getattr(header, name))
    file.header = header.values
    file.indexed_at = datetime.now(UTC)
    file.status = "unused" if header.reason else "pending"
    file.patient_id = None if header.reason else _patient_id(session, header, centre, key)
    session.add(file)


def _patient_id(session: Session, header: Header, centre: str, key: bytes) -> int:
    name = pseudonym(key, centre=centre, patient_id=header.patient_id)
    patient = session.scalar(select(Patient).where(Patient.pseudonym == name))
    if patient is None:
        patient = Patient(pseudonym=name, centre=centre, notes=[])
        session.add(patient)
        session.flush()
    return patient.id


# Patients ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Work:
    patient_id: int
    pseudonym: str
    digest: str
    headers: list[Header]
    corrections: Corrections


def _import_patients(session: Session, run: Run, progress: Progress, result: ImportResult) -> None:
    """Make the rows of all patients whose files are not those that their rows were made from."""
    pending = [(patient_id, digest) for patient_id, digest, stored in _digests(session) if digest != stored]
    work = (_work(session, patient_id, digest) for patient_id, digest in pending)
    outcomes = run(_record, _complete(work, result))
    for done, outcome in enumerate(outcomes, 1):
        reason = _store_patient(session, outcome.task, outcome.result)
        if reason:
            result.failures.append((outcome.task.pseudonym, reason))
        else:
            result.patients_imported += 1
        progress("importing patients", done, len(pending))


def _digests(session: Session) -> Iterator[tuple[int, str, str | None]]:
    """Yield patient, hash of the patient's files and import rules, and the hash that the rows were made from."""
    query = (
        select(Patient.id, Patient.content_digest, Patient.pseudonym, File.path, File.sha256)
        .join(File, isouter=True)
        .order_by(Patient.id, File.path)
    )
    edits = values_by_hand(session)
    for (patient_id, stored, name), rows in groupby(session.execute(query), key=lambda row: (row[0], row[1], row[2])):
        files = sorted((row.path or "", row.sha256 or "") for row in rows)
        made_from = (IMPORT_RULES, sorted(ENGINE_SETTINGS.items()), files, *edits.get(name, []))
        yield patient_id, hashlib.sha256(repr(made_from).encode()).hexdigest(), stored


def _work(session: Session, patient_id: int, digest: str) -> _Work:
    files = session.scalars(select(File).where(File.patient_id == patient_id)).all()
    name = session.get_one(Patient, patient_id).pseudonym
    work = _Work(patient_id, name, digest, [_header(file) for file in files], corrections_of(session, name))
    session.expunge_all()  # memory stays flat over thousands of patients
    return work


def _header(file: File) -> Header:
    return Header(
        path=file.path,
        size_bytes=file.size_bytes,
        modified_ns=file.modified_ns,
        sha256=file.sha256,
        modality=file.modality,
        sop_class_uid=file.sop_class_uid,
        sop_instance_uid=file.sop_instance_uid,
        study_instance_uid=file.study_instance_uid,
        series_instance_uid=file.series_instance_uid,
        values=file.header,
    )


def _complete(work: Iterable[_Work], result: ImportResult) -> Iterator[_Work]:
    """Pass on patients whose files are all there; the rows of the others stay as they are."""
    for one in work:
        gone = [header.path for header in one.headers if not Path(header.path).is_file()]
        if gone:
            reason = f"{len(gone)} of its files are gone, for example {gone[0]}; its rows stay as they were."
            result.failures.append((one.pseudonym, reason))
        else:
            yield one


def _record(work: _Work) -> PatientRecord:
    try:
        return patient_record(work.headers, work.corrections)
    except UnusableInput as error:
        reason = str(error)
        return PatientRecord(unused={header.path: reason for header in work.headers}, notes=[reason])


def _store_patient(session: Session, work: _Work, record: PatientRecord | Failure) -> str:
    """Replace all rows of a patient in one transaction; return why it could not be done, empty if it was."""
    if isinstance(record, Failure):
        return record.reason
    try:
        _replace_rows(session, work, record)
        session.commit()
    except (IntegrityError, DataError, UnicodeEncodeError) as error:
        session.rollback()
        return f"The database refused its rows ({type(error).__name__})."
    finally:
        session.expunge_all()
    return ""


def _replace_rows(session: Session, work: _Work, record: PatientRecord) -> None:
    session.execute(delete(Study).where(Study.patient_id == work.patient_id))
    patient = session.get_one(Patient, work.patient_id)
    sets = (structure_set for study in record.studies for structure_set in study.structure_sets)
    name_structures(session, patient.centre, (structure for one in sets for structure in one.structures))
    for study in record.studies:
        study.patient_id = work.patient_id
        session.add(study)
    session.execute(update(File).where(File.patient_id == work.patient_id).values(status="used", reason=""))
    for path, reason in record.unused.items():
        session.execute(update(File).where(File.path == path).values(status="unused", reason=reason))
    patient.patient_sex = record.patient_sex
    patient.patient_birth_date = record.patient_birth_date
    patient.notes = record.notes
    patient.content_digest = work.digest
    patient.imported_at = datetime.now(UTC)


def _unused(session: Session, roots: Sequence[Path]) -> list[tuple[str, str]]:
    query = select(File.path, File.reason).where(File.status == "unused").order_by(File.path)
    return [
        (path, reason) for path, reason in session.execute(query) if any(Path(path).is_relative_to(r) for r in roots)
    ]
