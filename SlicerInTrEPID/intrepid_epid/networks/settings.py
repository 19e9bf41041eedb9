"""What a training is asked to do, the presets, and the single runs it consists of."""

import hashlib
from itertools import product
from typing import Literal

import msgspec

from intrepid_rt.errors import InvalidSetting

OPTIONAL_INPUTS = ("transmission", "thickness", "field")


class TrainingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a whole training: a grid of configurations, each in ``repeats`` times ``folds`` runs.

    Parameters
    ----------
    variant : str
        Name of an architecture, see :mod:`intrepid_epid.networks.architecture.variants`.
    inputs : tuple of str
        Planes beside the image: "transmission" (per MU, needs the meterset), "thickness" (needs a CT), "field" (needs a
        plan). Each is left out at random in training, so that a model also answers without it.
    size_px : int
        Pixels are averaged in whole blocks until the grid is at most this large.
    patience : int or None
        Epochs without improvement after which a run stops; None trains all epochs.
    schedule : str
        Learning rate: "constant", or "cosine" to fall to 1 % of it.
    """

    preset: str
    variant: str
    filters: tuple[int, ...]
    learning_rates: tuple[float, ...]
    batch_sizes: tuple[int, ...]
    repeats: int
    folds: int
    epochs: int
    size_px: int
    inputs: tuple[str, ...] = ()
    patience: int | None = None
    schedule: Literal["constant", "cosine"] = "constant"
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (*self.filters, *self.batch_sizes, self.repeats, self.epochs, self.patience or 1)
        unknown = sorted(set(self.inputs) - set(OPTIONAL_INPUTS))
        if unknown:
            raise InvalidSetting(f"No input is called {unknown[0]!r}; choose from {', '.join(OPTIONAL_INPUTS)}.")
        if min(counts, default=0) < 1 or min(self.learning_rates, default=0) <= 0 or self.folds < 2:
            raise InvalidSetting("Filters, batch sizes, repeats and epochs must be at least 1, folds 2, rates above 0.")
        if self.size_px < 16:
            raise InvalidSetting(f"--size {self.size_px}: five levels of halving need at least 16 pixels a side.")


class RunSettings(msgspec.Struct, frozen=True):
    """One run: one configuration on one fold of one repeat."""

    filters: int
    learning_rate: float
    batch_size: int
    repeat: int
    fold: int

    @property
    def id(self) -> str:
        """Name of the run and of its folder.

        >>> RunSettings(8, 1e-3, 4, 0, 2).id
        'f08_lr0.001_b04_r01_k3'
        """
        return f"{self.configuration}_r{self.repeat + 1:02d}_k{self.fold + 1}"

    @property
    def configuration(self) -> str:
        """Name of what the grid search chooses among."""
        return f"f{self.filters:02d}_lr{self.learning_rate:g}_b{self.batch_size:02d}"

    def seed(self, base: int) -> int:
        """Seed of this run alone, so that its result does not depend on where and in which order runs are done."""
        return int.from_bytes(hashlib.sha256(f"{base}:{self.id}".encode()).digest()[:7], "big")


PRESETS = {
    # The protocol of the founding study (docs/training.md): 24 configurations, 10 times 5-fold cross-validation.
    "founding": TrainingSettings(
        preset="founding",
        variant="unet",
        filters=(8, 16),
        learning_rates=(1e-2, 1e-3, 1e-4),
        batch_sizes=(4, 8, 16, 32),
        repeats=10,
        folds=5,
        epochs=150,
        size_px=256,
    ),
    # As the model that ships was trained: within 40 epochs, 256 pixels and 150 minutes on two cores.
    "small": TrainingSettings(
        preset="small",
        variant="residual",
        filters=(8,),
        learning_rates=(2e-3,),
        batch_sizes=(4,),
        repeats=1,
        folds=5,
        epochs=40,
        size_px=64,
        inputs=("transmission", "thickness"),
        schedule="cosine",
    ),
}


def runs(settings: TrainingSettings) -> tuple[RunSettings, ...]:
    """Return all runs of a training, in order.

    >>> len(runs(PRESETS["founding"])), len(runs(PRESETS["small"]))
    (1200, 5)
    """
    axes = (settings.filters, settings.learning_rates, settings.batch_sizes)
    return tuple(
        RunSettings(*configuration, repeat, fold)
        for configuration, repeat, fold in product(product(*axes), range(settings.repeats), range(settings.folds))
    )
