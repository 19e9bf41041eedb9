"""The state of a run between two epochs, in one safetensors file: weights, optimiser, random numbers, progress as JSON.

One file, so that it is replaced as a whole: a process may be killed at any time.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from intrepid_epid.networks.weights import read_tensors
from intrepid_rt.atomic import replacing

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


class Epoch(msgspec.Struct, frozen=True):
    """What one epoch led to; errors in percent of the level inside the field, over pixels above 10 % of the maximum."""

    train_loss: float
    validation_error_percent: float
    learning_rate: float
    seconds: float


class Progress(msgspec.Struct):
    """How far a run has come."""

    epochs: list[Epoch] = []
    best_epoch: int = 0  # counted from 1; 0 before the first
    seconds: float = 0.0

    @property
    def best_error_percent(self) -> float:
        """Validation error of the best epoch."""
        return self.epochs[self.best_epoch - 1].validation_error_percent if self.best_epoch else float("inf")


def save_state(
    path: Path,
    *,
    weights: dict[str, "Tensor"],
    best: dict[str, "Tensor"],
    optimiser: "Optimizer",
    random_state: "Tensor",
    progress: Progress,
) -> None:
    """Replace the state file of a run.

    Parameters
    ----------
    weights, best : dict
        Tensors of the network by name, as they are now and at the best epoch (empty before it).
    optimiser : Optimizer
        Its moments are kept; its settings come from the run.
    random_state : Tensor (n,), uint8
        State of the run's random numbers.
    """
    from safetensors.torch import save_file

    tensors = {f"weights/{name}": tensor for name, tensor in weights.items()}
    tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{number}/{name}": tensor for name, tensor in state.items()}
    tensors["random_state"] = random_state
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        save_file(plain, temporary, {"progress": msgspec.json.encode(progress).decode()})


class State:
    """A state file that was read.

    Raises
    ------
    UnreadableFile
        It is missing, cut short or no state.
    """

    def __init__(self, path: Path) -> None:
        self._tensors, metadata = read_tensors(path)
        self.progress = msgspec.json.decode(metadata["progress"], type=Progress)

    def part(self, name: str) -> dict[str, "Tensor"]:
        """Return the tensors of "weights" or "best"."""
        return {key.removeprefix(f"{name}/"): t for key, t in self._tensors.items() if key.startswith(f"{name}/")}

    @property
    def random_state(self) -> "Tensor":
        """State of the run's random number generator."""
        return self._tensors["random_state"]

    def restore(self, optimiser: "Optimizer") -> None:
        """Give an optimiser back its moments."""
        stored: dict[int, dict[str, Tensor]] = {}
        for key, tensor in self.part("optimiser").items():
            number, name = key.split("/")
            stored.setdefault(int(number), {})[name] = tensor
        optimiser.load_state_dict({"state": stored, "param_groups": optimiser.state_dict()["param_groups"]})
