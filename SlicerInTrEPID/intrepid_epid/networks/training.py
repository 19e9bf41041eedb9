"""One run: a network trained on some folds and judged on another, from wherever it was stopped."""

import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from intrepid_epid.networks.augmentation import moved, rescaled, with_inputs_left_out
from intrepid_epid.networks.checkpoint import Epoch, Progress, State, save_state
from intrepid_epid.networks.settings import RunSettings, TrainingSettings
from intrepid_epid.networks.training_data import TrainingData
from intrepid_epid.networks.weights import file_sha256, write_tensors
from intrepid_rt.atomic import replacing

if TYPE_CHECKING:
    from torch import Tensor

STATE, BEST, RESULT = "state.safetensors", "best.safetensors", "result.json"
DOSE_CUT = 0.1  # of the maximum: where errors are counted
OUTSIDE_WEIGHT = 0.5
LAST_RATE = 0.01  # of the first one, with the cosine schedule

OnEpoch = Callable[[Progress], None]


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished run leaves beside its best weights."""

    run: RunSettings
    seed: int
    best_epoch: int
    validation_error_percent: float
    epochs: tuple[Epoch, ...]
    train_pairs: tuple[str, ...]
    validation_pairs: tuple[str, ...]
    weights_sha256: str
    seconds: float
    device: str
    machine: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Compute:
    """Where and how a run computes. ``checkpoint_seconds``: least time between two saved states."""

    device: str = "cpu"
    threads: int = 1
    checkpoint_seconds: float = 20.0


class Training:
    """A short loop of hooks: :meth:`batches`, :meth:`loss`, :meth:`validation_error`; a variant overrides one."""

    def __init__(
        self,
        run: RunSettings,
        settings: TrainingSettings,
        train: TrainingData,
        validation: TrainingData,
        folder: Path,
        compute: Compute,
    ) -> None:
        import torch

        from intrepid_epid.networks.architecture.variants import variant

        self.run, self.settings, self.folder, self.compute = run, settings, folder, compute
        self.train, self.validation = train, validation
        seed = run.seed(settings.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = variant(settings.variant)(1 + len(settings.inputs), run.filters)
        self.network = network.to(compute.device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=run.learning_rate)
        self.random = torch.Generator().manual_seed(seed)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}

    def __call__(self, on_epoch: OnEpoch = lambda progress: None) -> RunResult:
        """Train to the end, from the saved state if there is one."""
        self.resume()
        saved = time.monotonic()
        while not self.finished:
            self.epoch()
            on_epoch(self.progress)
            if time.monotonic() - saved >= self.compute.checkpoint_seconds:
                self.save()
                saved = time.monotonic()
        return self.finish()

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or nothing has improved for as long as the settings allow."""
        done = len(self.progress.epochs)
        idle = done - self.progress.best_epoch
        return done >= self.settings.epochs or (self.settings.patience is not None and idle >= self.settings.patience)

    def epoch(self) -> None:
        """Train once on every pair, then judge."""
        start = time.perf_counter()
        rate = self.learning_rate(len(self.progress.epochs))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        losses = [self.step(batch) for batch in self.batches()]
        error = self.validation_error()
        if error < self.progress.best_error_percent:
            self.progress.best_epoch = len(self.progress.epochs) + 1
            self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        seconds = time.perf_counter() - start
        self.progress.epochs.append(Epoch(float(np.mean(losses)), error, rate, seconds))
        self.progress.seconds += seconds

    def learning_rate(self, done: int) -> float:
        """Learning rate after so many epochs."""
        if self.settings.schedule == "constant":
            return self.run.learning_rate
        part = 0.5 * (1 + np.cos(np.pi * done / self.settings.epochs))
        return float(self.run.learning_rate * (LAST_RATE + (1 - LAST_RATE) * part))

    def batches(self) -> Iterator[tuple["Tensor", "Tensor", "Tensor"]]:
        """Shuffled, augmented batches of (planes, physics, truth)."""
        import torch

        order = torch.randperm(len(self.train.pairs), generator=self.random)
        n_batches = max(1, round(len(order) / self.run.batch_size))
        # Of nearly equal size: batch normalisation cannot take a last batch of one.
        for chosen in torch.tensor_split(order, n_batches):
            chosen = chosen.to(self.train.planes.device)
            n = self.train.planes.shape[1]
            together = torch.cat(
                [part[chosen] for part in (self.train.planes, self.train.physics, self.train.truth)], 1
            )
            together = moved(rescaled(together, self.random), self.random)
            planes = with_inputs_left_out(together[:, :n], self.random)
            yield planes, together[:, n : n + 1], together[:, n + 1 :]

    def step(self, batch: tuple["Tensor", "Tensor", "Tensor"]) -> float:
        """Improve the weights by planes, physics and truth of a batch, (n, channels, size, size); return its loss."""
        planes, physics, truth = batch
        self.optimiser.zero_grad()
        loss = self.loss(self.dose(planes, physics), truth)
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def dose(self, planes: "Tensor", physics: "Tensor") -> "Tensor":
        """Portal dose over its level, (batch, 1, size, size); in mixed precision where the device gains by it."""
        import torch

        device = self.compute.device.split(":")[0]
        mixed = device == "cuda" and torch.cuda.is_bf16_supported()
        with torch.autocast(device, dtype=torch.bfloat16, enabled=mixed):
            answer = self.network(planes.contiguous(memory_format=torch.channels_last))
        return self.network.dose(answer.float(), physics)

    def loss(self, dose: "Tensor", truth: "Tensor") -> "Tensor":
        """Mean absolute error above, plus half of that below, 10 % of the maximum: all fields count alike.

        ``dose`` and ``truth`` (batch, 1, size, size) are over the level.
        """
        inside = (truth > DOSE_CUT * truth.amax(dim=(1, 2, 3), keepdim=True)).float()
        error = (dose - truth).abs()
        within = (error * inside).sum(dim=(1, 2, 3)) / inside.sum(dim=(1, 2, 3)).clamp(min=1)
        without = (error * (1 - inside)).sum(dim=(1, 2, 3)) / (1 - inside).sum(dim=(1, 2, 3)).clamp(min=1)
        return (within + OUTSIDE_WEIGHT * without).mean()

    def validation_error(self) -> float:
        """Mean absolute error, percent of the level, with all inputs and with none of the optional ones."""
        import torch

        self.network.eval()
        alone = torch.zeros_like(self.validation.planes)
        alone[:, :1] = self.validation.planes[:, :1]
        views = [self.validation.planes, alone] if self.settings.inputs else [self.validation.planes]
        errors = []
        with torch.no_grad():
            for view in views:
                for planes, physics, truth in zip(
                    view.split(8), self.validation.physics.split(8), self.validation.truth.split(8), strict=True
                ):
                    errors.append(self._errors(self.dose(planes, physics), truth))
        return float(100 * torch.cat(errors).mean())

    @staticmethod
    def _errors(dose: "Tensor", truth: "Tensor") -> "Tensor":
        inside = truth > DOSE_CUT * truth.amax(dim=(1, 2, 3), keepdim=True)
        return ((dose - truth).abs() * inside).sum(dim=(1, 2, 3)) / inside.sum(dim=(1, 2, 3)).clamp(min=1)

    def save(self) -> None:
        """Write down where the run is."""
        save_state(
            self.folder / STATE,
            weights=self.network.state_dict(),
            best=self.best,
            optimiser=self.optimiser,
            random_state=self.random.get_state(),
            progress=self.progress,
        )

    def resume(self) -> None:
        """Go back to the saved state, if there is one."""
        if not (self.folder / STATE).exists():
            return
        state = State(self.folder / STATE)
        self.network.load_state_dict(state.part("weights"))
        self.best = state.part("best")
        state.restore(self.optimiser)
        self.random.set_state(state.random_state)
        self.progress = state.progress

    def finish(self) -> RunResult:
        """Write the best weights, then the result, which marks the run as done."""
        import torch

        digest = write_tensors(self.folder / BEST, self.best, {"run": self.run.id})
        result = RunResult(
            run=self.run,
            seed=self.run.seed(self.settings.seed),
            best_epoch=self.progress.best_epoch,
            validation_error_percent=self.progress.best_error_percent,
            epochs=tuple(self.progress.epochs),
            train_pairs=tuple(pair.id for pair in self.train.pairs),
            validation_pairs=tuple(pair.id for pair in self.validation.pairs),
            weights_sha256=digest,
            seconds=self.progress.seconds,
            device=self.compute.device,
            machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            versions={"torch": str(torch.__version__), "slicer-intrepid": version("slicer-intrepid")},
        )
        with replacing(self.folder / RESULT) as temporary:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
        (self.folder / STATE).unlink(missing_ok=True)
        return result


def finished_result(folder: Path) -> RunResult | None:
    """Return the result of a run that is done and whose weights are there unchanged; None if it has to be (re)done."""
    path = folder / RESULT
    if not path.exists() or not (folder / BEST).exists():
        return None
    try:
        result = msgspec.json.decode(path.read_bytes(), type=RunResult)
    except msgspec.DecodeError:
        return None
    return result if file_sha256(folder / BEST) == result.weights_sha256 else None
