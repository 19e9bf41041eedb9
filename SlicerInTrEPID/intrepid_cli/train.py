"""``intrepid train``: portal dose networks from a dataset, resumable, local or on a cluster."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from intrepid_cli.console import DONE, json_option, report

if TYPE_CHECKING:
    from intrepid_epid.networks.settings import TrainingSettings

_PATH = click.Path(path_type=Path)
_INTENDED = (
    "Research on portal dosimetry with the machine and the kind of images named here; not for clinical decisions."
)


@click.command("train")
@click.argument("dataset", type=_PATH)
@click.option("--out", "out_dir", required=True, type=_PATH, help="Folder of the runs; the same one to go on.")
@click.option("--preset", default="small", show_default=True, help="Protocol: small or founding.")
@click.option("--name", default="portal-dose", show_default=True, help="Name of the model.")
@click.option("--variant", help="Network: unet, constrained, residual, dilated or attention.")
@click.option("--inputs", help="Planes beside the image, by comma: transmission,thickness,field; '' for none.")
@click.option("--filters", help="First filters to try, e.g. 8,16.")
@click.option("--learning-rates", help="Learning rates to try, e.g. 0.01,0.001.")
@click.option("--batch-sizes", help="Batch sizes to try, e.g. 4,8.")
@click.option("--repeats", type=int, help="Repeats of the cross-validation.")
@click.option("--folds", type=int, help="Folds of the cross-validation.")
@click.option("--epochs", type=int, help="Epochs of each run.")
@click.option("--patience", type=int, help="Stop a run after so many epochs without improvement.")
@click.option("--size", "size_px", type=int, help="Largest grid, pixels a side.")
@click.option("--seed", type=int, help="Seed of everything random.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or mps.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="CPU threads of a run.")
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler that deals out the runs.")
@click.option("--checkpoint-seconds", type=float, default=20.0, show_default=True, help="Least time between states.")
@click.option("--about", default="", help="What the data are; goes on the model's card.")
@click.option("--intended-use", default=_INTENDED, show_default=True, help="Goes on the model's card.")
@json_option
def command(  # type: ignore[no-untyped-def]
    dataset: Path,
    out_dir: Path,
    preset: str,
    name: str,
    device: str,
    threads: int,
    scheduler: str | None,
    checkpoint_seconds: float,
    about: str,
    intended_use: str,
    as_json: bool,
    **changes,
) -> int:
    """Train portal dose networks on DATASET (see 'intrepid dataset build') and make a model of the best.

    Every run is kept below --out. Killed and started again with the same --out, the training goes on where it was.
    """
    from intrepid_cli.needed import needed
    from intrepid_epid.networks.assembling import assemble
    from intrepid_epid.networks.campaign import open_campaign, train_locally, train_on_cluster
    from intrepid_epid.networks.device import usable_device
    from intrepid_epid.networks.training import Compute

    needed("torch", "safetensors", purpose="Training networks", extra="nn")
    import torch

    settings = changed(preset, changes)
    compute = Compute(usable_device(device), threads, checkpoint_seconds)
    open_campaign(out_dir, dataset, settings)
    start = time.perf_counter()
    with _Bar(settings) as bar:
        if scheduler:
            results = train_on_cluster(dataset, out_dir, settings, compute, scheduler)
        else:
            results = train_locally(dataset, out_dir, settings, compute, bar.epoch)
        for done in results:
            bar.done(done)
    torch.set_num_threads(threads)
    card = assemble(out_dir, dataset, name=name, about=about, intended_use=intended_use)
    best = card.calibrations[-1]
    result = {
        "model": str(out_dir / "model"),
        "name": card.name,
        "runs": bar.n_runs,
        "members": len(card.members),
        "configuration": next(iter(card.configurations)),
        "configurations": card.configurations,
        "validation_error_percent": next(iter(card.configurations.values())),
        "held_out": {
            "pairs": best.n_pairs,
            "error_percent": best.error_percent,
            "coverage_percent": best.coverage_percent,
            "half_width_percent": best.half_width_percent,
        },
        "seconds": time.perf_counter() - start,
    }
    text = (
        f"{bar.n_runs} runs done; best configuration {result['configuration']}: validation error "
        f"{result['validation_error_percent']:.2f} % of the level in the field.\nHeld-out pairs: error "
        f"{best.error_percent:.2f} % of the maximum, 95 % band covers {best.coverage_percent:.1f} % with half-width "
        f"{best.half_width_percent:.2f} %.\nModel: {out_dir / 'model'}"
    )
    report(result, text, as_json=as_json)
    return DONE


def changed(preset: str, changes: dict) -> "TrainingSettings":
    """Return a preset with the settings that were given otherwise.

    Raises
    ------
    InvalidSetting
        No preset, network or input is called so, or a number makes no sense.
    """
    import msgspec

    from intrepid_epid.networks.settings import PRESETS
    from intrepid_rt.errors import InvalidSetting

    if preset not in PRESETS:
        raise InvalidSetting(f"No preset is called {preset!r}; choose {' or '.join(PRESETS)}.")
    given = {key: value for key, value in changes.items() if value is not None}
    for key, kind in {"filters": int, "batch_sizes": int, "learning_rates": float, "inputs": str}.items():
        if key in given:
            given[key] = _listed(key, given[key], kind)
    settings = msgspec.structs.replace(PRESETS[preset], **given)
    settings.__post_init__()  # replace() does not call it
    if "variant" in given:
        from intrepid_epid.networks.architecture.variants import variant

        variant(settings.variant)
    return settings


def _listed(name: str, text: str, kind: type) -> tuple:
    from intrepid_rt.errors import InvalidSetting

    try:
        return tuple(kind(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise InvalidSetting(f"--{name.replace('_', '-')} {text!r} is no list of numbers such as 8,16.") from error


class _Bar:
    """Progress over all epochs of all runs, with the last run and its best error."""

    def __init__(self, settings: "TrainingSettings") -> None:
        from tqdm import tqdm

        from intrepid_epid.networks.settings import runs

        self.n_runs, self.epochs = len(runs(settings)), settings.epochs
        self.finished = 0
        self.bar = tqdm(total=self.n_runs * self.epochs, unit="epoch", dynamic_ncols=True, smoothing=0.05)

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def epoch(self, run, progress) -> None:  # type: ignore[no-untyped-def]
        self.bar.set_description_str(f"run {self.finished + 1}/{self.n_runs} {run.id}", refresh=False)
        self.bar.set_postfix_str(f"best error {progress.best_error_percent:.2f} %", refresh=False)
        self._at(self.finished * self.epochs + len(progress.epochs))

    def done(self, result) -> None:  # type: ignore[no-untyped-def]
        self.finished += 1
        self.bar.set_postfix_str(f"last error {result.validation_error_percent:.2f} %", refresh=False)
        self._at(self.finished * self.epochs)

    def _at(self, epochs: int) -> None:
        self.bar.update(max(0, epochs - self.bar.n))
