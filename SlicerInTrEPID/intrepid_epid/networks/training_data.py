"""All pairs of a dataset in memory, as a network sees them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from intrepid_epid.dataset.manifest import MANIFEST, Manifest, Pair, load_manifest
from intrepid_epid.dataset.pair_file import PairArrays, read_pair
from intrepid_epid.networks.inputs import NetworkInput, block_factor, coarsened, network_input
from intrepid_rt.errors import InvalidSetting

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Tensors (n, planes, size, size) of some pairs, doses over their level; ``groups`` must not be torn apart."""

    planes: "Tensor"
    physics: "Tensor"
    truth: "Tensor"
    pairs: tuple[Pair, ...]

    @property
    def groups(self) -> list[str]:
        """Fold group of every pair."""
        return [pair.fold_group for pair in self.pairs]

    def subset(self, indices: Sequence[int], device: str = "cpu") -> "TrainingData":
        """Return some of the pairs, on a device."""
        planes, physics, truth = (part[list(indices)].to(device) for part in (self.planes, self.physics, self.truth))
        return TrainingData(planes, physics, truth, tuple(self.pairs[i] for i in indices))


def dataset_sha256(folder: str | Path) -> str:
    """SHA-256 of the manifest, which holds the hash of every pair: it stands for the whole dataset."""
    return hashlib.sha256((Path(folder) / MANIFEST).read_bytes()).hexdigest()


def open_gy(manifest: Manifest, pair: Pair) -> float | None:
    """Portal dose of the open beam for a pair's meterset; None if the dataset does not know it."""
    known = manifest.open_gy_per_mu is not None and pair.meterset_mu > 0
    return manifest.open_gy_per_mu * pair.meterset_mu if known and manifest.open_gy_per_mu else None


def input_of_pair(
    arrays: PairArrays, optional: Sequence[str], *, sees: str, factor: int, open_gy: float | None
) -> NetworkInput:
    """Return the network's input of a pair, averaged in blocks of ``factor`` pixels.

    Parameters
    ----------
    optional : sequence of str
        Names of the planes beside the image.
    sees : str
        "physics" or "signal": what the variant takes as the image.
    open_gy : float or None
        Portal dose of the open beam for the pair's meterset; None leaves the transmission unknown.
    """
    physics_gy = coarsened(arrays.physics_gy, factor)
    thickness, field = (
        None if plane is None else coarsened(plane, factor) for plane in (arrays.thickness_g_cm2, arrays.field_map)
    )
    image = physics_gy if sees == "physics" else coarsened(arrays.signal, factor)
    return network_input(image, physics_gy, optional, open_gy=open_gy, thickness_g_cm2=thickness, field_map=field)


def load_training_data(
    folder: str | Path, splits: Sequence[str], inputs: Sequence[str], *, sees: str, size_px: int
) -> TrainingData:
    """Read the pairs of some parts of the split.

    Parameters
    ----------
    splits : sequence of str
        "train", "validation", "test".
    inputs : sequence of str
        Names of the planes beside the image.
    sees : str
        "physics" or "signal": what the variant takes as the image.
    size_px : int
        Pixels are averaged in whole blocks until the grid is at most this large.

    Raises
    ------
    UnreadableFile
        The manifest or a pair cannot be read, or a pair has changed since.
    InvalidSetting
        An input was asked for that no pair has, or there is no pair.
    """
    import torch

    manifest = load_manifest(folder)
    factor = block_factor(manifest.grid.size_px, size_px)
    pairs = tuple(pair for pair in manifest.pairs if pair.split in splits)
    if not pairs:
        raise InvalidSetting(f"{folder} has no pair in its {' or '.join(splits)} part. Build the dataset anew.")
    seen, truths = [], []
    for pair in pairs:
        arrays = read_pair(folder, pair, manifest.grid)
        one = input_of_pair(arrays, inputs, sees=sees, factor=factor, open_gy=open_gy(manifest, pair))
        seen.append(one)
        truths.append(coarsened(arrays.portal_dose_gy, factor) / (one.level_gy or 1.0))
    planes = np.stack([one.planes for one in seen])
    for number, name in enumerate(inputs, 1):
        if not planes[:, number].any():
            raise InvalidSetting(f"No pair of {folder} has the input {name!r}. Train without it: --inputs.")
    physics = np.stack([one.physics for one in seen])[:, None]
    truth = np.stack(truths).astype(np.float32)[:, None]
    return TrainingData(torch.from_numpy(planes), torch.from_numpy(physics), torch.from_numpy(truth), pairs)
