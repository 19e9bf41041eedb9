"""All runs of a training: local or on a Dask cluster, each picked up where it was stopped.

``RUNS/settings.json`` says what is trained on which data; ``RUNS/runs/<run>/`` holds each run's state and result.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

from intrepid_epid.networks.checkpoint import Progress
from intrepid_epid.networks.folds import fold_of_groups
from intrepid_epid.networks.settings import RunSettings, TrainingSettings, runs
from intrepid_epid.networks.training import Compute, RunResult, Training, finished_result
from intrepid_epid.networks.training_data import TrainingData, dataset_sha256, load_training_data
from intrepid_rt.atomic import replacing
from intrepid_rt.errors import InvalidSetting, MissingObject
from intrepid_rt.small_files import read_struct

SETTINGS, RUNS = "settings.json", "runs"

# Told the run, its number, how many there are, and its progress after each epoch.
OnEpoch = Callable[[RunSettings, Progress], None]


class Campaign(msgspec.Struct, frozen=True):
    """What a folder of runs is about."""

    settings: TrainingSettings
    dataset_sha256: str


def open_campaign(folder: Path, dataset: Path, settings: TrainingSettings) -> Campaign:
    """Begin a training in a folder, or go on with the one that is there.

    Raises
    ------
    InvalidSetting
        The folder holds a training with other settings or data.
    """
    wanted = Campaign(settings, dataset_sha256(dataset))
    path = folder / SETTINGS
    if not path.exists():
        with replacing(path) as temporary:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(wanted), indent=1) + b"\n")
        return wanted
    found = read_campaign(folder)
    if found.dataset_sha256 != wanted.dataset_sha256:
        raise InvalidSetting(f"{folder} holds a training on another dataset. Choose another --out.")
    differing = [
        name for name in settings.__struct_fields__ if getattr(found.settings, name) != getattr(settings, name)
    ]
    if differing:
        raise InvalidSetting(f"{folder} holds a training with another {', '.join(differing)}. Choose another --out.")
    return found


def read_campaign(folder: Path) -> Campaign:
    """Read what a folder of runs is about.

    Raises
    ------
    UnreadableFile
        It is no such folder.
    """
    path = folder / SETTINGS
    return read_struct(
        path, Campaign, complaint="not the settings of a training", advice="Choose another folder with --out."
    )


def train_run(
    dataset: Path,
    folder: Path,
    settings: TrainingSettings,
    run: RunSettings,
    compute: Compute,
    on_epoch: Callable[[Progress], None] = lambda progress: None,
) -> RunResult:
    """Do one run, or what is left of it: the task that a worker gets.

    Parameters
    ----------
    dataset, folder : Path
        Of the pairs, and of the runs; both must be seen by the worker.
    run : RunSettings
        Which of the runs of ``settings``.
    on_epoch : callable
        Is told the progress after every epoch.

    Raises
    ------
    UnreadableFile
        The dataset or the saved state were changed or cut short.
    """
    import torch

    place = folder / RUNS / run.id
    result = finished_result(place)
    if result is not None:
        return result
    torch.set_num_threads(compute.threads)
    place.mkdir(parents=True, exist_ok=True)
    train, validation = _fold(dataset, settings, run, compute.device)
    return Training(run, settings, train, validation, place, compute)(on_epoch)


def _fold(
    dataset: Path, settings: TrainingSettings, run: RunSettings, device: str
) -> tuple[TrainingData, TrainingData]:
    from intrepid_epid.networks.architecture.variants import variant

    sees = variant(settings.variant).sees
    data = _data(str(dataset), dataset_sha256(dataset), settings.inputs, sees, settings.size_px)
    fold = fold_of_groups(data.groups, settings.folds, seed=settings.seed, repeat=run.repeat)
    held_out = [fold[group] == run.fold for group in data.groups]
    train = [i for i, out in enumerate(held_out) if not out]
    return data.subset(train, device), data.subset([i for i, out in enumerate(held_out) if out], device)


@lru_cache(maxsize=1)
def _data(dataset: str, sha256: str, inputs: tuple[str, ...], sees: str, size_px: int) -> TrainingData:
    # Read once per process; the hash is part of the key so that a rebuilt dataset is read again.
    return load_training_data(dataset, ("train",), inputs, sees=sees, size_px=size_px)


def train_locally(
    dataset: Path, folder: Path, settings: TrainingSettings, compute: Compute, on_epoch: OnEpoch
) -> Iterator[RunResult]:
    """Do all runs one after the other in this process; yields each result when it is there.

    Raises
    ------
    UnreadableFile
        As :func:`train_run`.
    """
    for run in runs(settings):
        yield train_run(dataset, folder, settings, run, compute, lambda progress, run=run: on_epoch(run, progress))  # type: ignore[misc]


def train_on_cluster(
    dataset: Path, folder: Path, settings: TrainingSettings, compute: Compute, scheduler: str
) -> Iterator[RunResult]:
    """Do all runs on the workers of a Dask scheduler, which must see dataset and folder under the same paths.

    A worker that dies gives its run back to the scheduler, and another one goes on from the saved state.

    Raises
    ------
    MissingObject
        No scheduler answers at the address, or it has no worker.
    """
    try:
        from dask.distributed import Client, as_completed
    except ModuleNotFoundError as error:
        raise MissingObject("--scheduler needs Dask: pip install 'slicer-intrepid[scale]'.") from error
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise MissingObject(f"No Dask scheduler answers at {scheduler}. Start one with 'dask scheduler'.") from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise MissingObject(
                f"The scheduler at {scheduler} has no worker. Start some with 'dask worker {scheduler}'."
            )
        tasks = [
            client.submit(train_run, dataset.resolve(), folder.resolve(), settings, run, compute, key=run.id, retries=5)
            for run in runs(settings)
        ]
        for task in as_completed(tasks):
            yield task.result()
