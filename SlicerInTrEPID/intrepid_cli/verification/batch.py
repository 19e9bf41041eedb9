"""Many studies in one go: one result folder each, on several processes or a Dask cluster, resumed where it stopped."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

from intrepid_cli.verification.seal import RESULTS
from intrepid_cli.verification.settings import VerificationSettings
from intrepid_rt.ct_curve import read_ct_curve
from intrepid_rt.distribution.workers import Failure, run_tasks
from intrepid_rt.errors import MissingObject, UnusableInput

# What of the settings does not change a result.
_PLACES = ("study_dir", "out_dir", "device")


@dataclass(frozen=True)
class BatchOutcome:
    """What came of one study: ``state`` is "done", "kept" (finished before) or "failed" with the reason."""

    study: str
    state: str
    verdict: str = ""
    reason: str = ""


@dataclass(frozen=True)
class _Task:
    settings: VerificationSettings
    threads: int | None


def batch_settings(settings: VerificationSettings) -> list[VerificationSettings]:
    """Return the settings of every study: each folder right below ``study_dir`` is one.

    Its results go to a folder of the same name in ``out_dir``.

    Raises
    ------
    MissingObject
        There is no folder in it.
    """
    parent = settings.study_dir
    folders = sorted(p for p in parent.iterdir() if p.is_dir()) if parent.is_dir() else []
    folders = [folder for folder in folders if folder.resolve() != settings.out_dir.resolve()]
    if not folders:
        raise MissingObject(f"{parent} holds no folder; --batch expects one folder per study in it.")
    return [replace(settings, study_dir=folder, out_dir=settings.out_dir / folder.name) for folder in folders]


def run_batch(
    tasks: Sequence[VerificationSettings], *, jobs: int = 1, scheduler: str | None = None
) -> Iterator[BatchOutcome]:
    """Reconstruct studies and yield what came of each as it comes; finished ones are kept, failed ones stop no other.

    Parameters
    ----------
    jobs : int
        Processes of this machine; with several each computes on one thread.
    scheduler : str, optional
        Address of a Dask scheduler whose workers see the same paths; then ``jobs`` does not matter.
    """
    finished = {task.out_dir for task in tasks if is_finished(task)}
    yield from (BatchOutcome(t.study_dir.name, "kept", _verdict(t)) for t in tasks if t.out_dir in finished)
    threads = 1 if jobs > 1 or scheduler else None
    waiting = [_Task(task, threads) for task in tasks if task.out_dir not in finished]
    if not waiting:
        return
    if scheduler is not None:
        from intrepid_rt.distribution.cluster import cluster, run_on_cluster

        with cluster(scheduler) as client:
            for outcome in run_on_cluster(client, _reconstruct, waiting):
                yield _told(outcome.task, outcome.result)
        return
    for outcome in run_tasks(_reconstruct, waiting, processes=min(jobs, len(waiting))):
        yield _told(outcome.task, outcome.result)


def _told(task: _Task, result: BatchOutcome | Failure) -> BatchOutcome:
    if isinstance(result, Failure):
        return BatchOutcome(task.settings.study_dir.name, "failed", reason=result.reason)
    return result


def _reconstruct(task: _Task) -> BatchOutcome:
    from intrepid_cli.reconstruct import reconstruct

    if task.threads is not None:
        import numba

        numba.set_num_threads(task.threads)
    name = task.settings.study_dir.name
    try:
        result = reconstruct(task.settings, show_progress=False)
    except UnusableInput as error:
        return BatchOutcome(name, "failed", reason=" ".join(str(error).split()))
    return BatchOutcome(name, "done", result.verdict.status)


def is_finished(settings: VerificationSettings) -> bool:
    """Whether a result folder is whole and was made with the same settings."""
    results = _results(settings)
    if results is None:
        return False
    files = results.get("integrity", {}).get("files", {})
    stated = results.get("provenance", {}).get("settings", {})
    wanted = {key: str(value) for key, value in asdict(settings).items() if value is not None}
    curve = settings.ct_curve
    return (
        bool(files)
        and _compared(stated) == _compared(wanted)
        and (curve is None or read_ct_curve(curve).sha256 in str(stated.get("ct_curve", "")))
        and all((settings.out_dir / name).is_file() for name in files)
    )


def _compared(stated: Mapping[str, str]) -> dict[str, str]:
    """Bring settings to a form in which equal ones are equal: with defaults, which results may leave out."""
    defaults = {f.name: str(f.default) for f in fields(VerificationSettings) if f.default not in (MISSING, None)}
    every = {**defaults, **stated}
    # A network's entry goes on with the hashes of its files; the curve is compared by its own.
    for network in ("model", "refinement"):
        every[network] = every[network].split(" ")[0]
    return {key: value for key, value in every.items() if key not in (*_PLACES, "ct_curve")}


def _results(settings: VerificationSettings) -> dict[str, Any] | None:
    try:
        read = json.loads((settings.out_dir / RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) else None


def _verdict(settings: VerificationSettings) -> str:
    return str((_results(settings) or {}).get("verdict", {}).get("status", ""))
