"""Training of one member, by the runner of the portal dose networks: same checkpoints, same schedule, other data."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from intrepid_epid.networks.checkpoint import Progress
from intrepid_epid.networks.settings import RunSettings, TrainingSettings
from intrepid_epid.networks.training import Compute, Training
from intrepid_epid.refinement.cases import Case

if TYPE_CHECKING:
    from torch import Tensor

NOISE_FLOOR = 0.01  # of the level, added to the noise of the truth: no voxel counts more than such a one
GRADIENT_WEIGHT = 0.5
JUDGED_VIEW = 2  # from the image, on a grid of 3 mm
PATCH = (32, 24, 24)  # depth, Y, X

SETTINGS = TrainingSettings(
    preset="refinement",
    variant="refinement",
    filters=(6,),
    learning_rates=(3e-3,),
    batch_sizes=(1,),
    repeats=1,
    folds=4,
    epochs=24,
    size_px=64,
    schedule="cosine",
)


class _Cases:
    """What the runner wants to know of its data."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.pairs = list(cases)


class RefinementTraining(Training):
    """One network on random patches of random views of the training beams."""

    def __init__(
        self,
        run: RunSettings,
        settings: TrainingSettings,
        train: Sequence[Case],
        validation: Sequence[Case],
        folder: Path,
        compute: Compute,
    ) -> None:
        import torch

        from intrepid_epid.networks.architecture.refinement import RefinementNetwork

        self.run, self.settings, self.folder, self.compute = run, settings, folder, compute
        self.train, self.validation = _Cases(train), _Cases(validation)  # type: ignore[assignment]
        self.train_cases, self.validation_cases = list(train), list(validation)
        seed = run.seed(settings.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = RefinementNetwork(run.filters).to(compute.device)  # type: ignore[assignment]
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=run.learning_rate)
        self.random = torch.Generator().manual_seed(seed)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}

    def batches(self) -> Iterator[tuple["Tensor", "Tensor", "Tensor"]]:
        """Yield one patch per case, mirrored at random across the beam: planes, truth and its weight."""
        import torch

        for number in torch.randperm(len(self.train_cases), generator=self.random).tolist():
            case = self.train_cases[number]
            view = self._draw(case.planes.shape[0])
            where = tuple(self._slice(size, patch) for size, patch in zip(case.truth_gy.shape, PATCH, strict=True))
            mirrored = [axis for axis in (-1, -2) if self._draw(2)]
            yield tuple(part.flip(mirrored) for part in tensors(case, view, where))  # type: ignore[misc]

    def step(self, batch: tuple["Tensor", "Tensor", "Tensor"]) -> float:
        """Improve the weights by one patch and return its loss."""
        import torch

        planes, truth, weight = (part.to(self.compute.device) for part in batch)
        self.optimiser.zero_grad()
        loss = refinement_loss(planes[:, :1] + self.network(planes), truth, weight)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        return float(loss.detach())

    def validation_error(self) -> float:
        """Return the loss of the held-out beams over that of physics, percent; every beam counts alike."""
        import torch

        self.network.eval()
        rows = []
        with torch.inference_mode():
            for case in self.validation_cases:
                planes, truth, weight = tensors(case, JUDGED_VIEW)
                refined = refinement_loss(planes[:, :1] + self.network(planes), truth, weight)
                rows.append(float(refined) / float(refinement_loss(planes[:, :1], truth, weight)))
        return 100 * sum(rows) / len(rows)

    def _draw(self, below: int) -> int:
        import torch

        return int(torch.randint(below, (1,), generator=self.random))

    def _slice(self, size: int, patch: int) -> slice:
        first = self._draw(max(1, size - patch + 1))
        return slice(first, first + min(size, patch))


def tensors(case: Case, view: int, where: tuple[slice, ...] = (slice(None),) * 3) -> tuple["Tensor", ...]:
    """Planes (1, 4, ...), truth and weight (1, 1, ...) of one view; doses over its level."""
    import numpy as np
    import torch

    level = float(case.level_gy[view])
    variance = (case.weighting_sigma_gy[where] / level) ** 2 + NOISE_FLOOR**2
    weight = case.counted[where] * NOISE_FLOOR**2 / variance
    parts = (case.planes[view][(slice(None), *where)], case.truth_over_level(view)[where][None], weight[None])
    return tuple(torch.from_numpy(np.ascontiguousarray(part, np.float32))[None] for part in parts)


def refinement_loss(dose: "Tensor", truth: "Tensor", weight: "Tensor") -> "Tensor":
    """Squared error over its noise, and that of the differences between neighbours: edges and build-up count."""
    error = dose - truth
    total = (weight * error**2).sum()
    for axis in (2, 3, 4):
        n = error.shape[axis] - 1
        both = weight.narrow(axis, 0, n) * weight.narrow(axis, 1, n)
        step = error.narrow(axis, 1, n) - error.narrow(axis, 0, n)
        # Two voxels carry twice the noise of one, and three axes count as one term.
        total = total + GRADIENT_WEIGHT / 6 * (both.sqrt() * step**2).sum()
    return 1e4 * total / weight.sum().clamp(min=1.0)
