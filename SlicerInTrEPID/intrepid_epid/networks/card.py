"""The card of a model: what it was trained on, how good it is, for what it may be used; and the model's folder.

A model is a folder with ``card.json`` and ``weights.safetensors``. The card holds the hash of the weights, the weights
hold the hash of the card, so neither can be changed alone.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from intrepid_epid.dataset.manifest import ImagerPanel
from intrepid_epid.networks.settings import TrainingSettings
from intrepid_epid.networks.weights import file_sha256, read_tensors, write_tensors
from intrepid_rt.atomic import replacing
from intrepid_rt.errors import UnreadableFile
from intrepid_rt.small_files import read_struct

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = "intrepid-model-card-1"
CARD, WEIGHTS = "card.json", "weights.safetensors"


class ModelGrid(msgspec.Struct, frozen=True):
    """Grid at the isocentre plane on which images are sampled, and the block of pixels that the network averages."""

    size_px: int
    pixel_mm: float
    block_px: int


# Defaults are not written, so that the hash of a card from before ``share`` stays what it was.
class Calibration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The 95 % band with one set of optional inputs known.

    Half-width of a pixel = ``quantile`` times (spread of the ensemble + ``floor`` of the maximum + ``edge_mm`` times
    the gradient of the dose + ``share`` of its difference from the physics). Coverage, mean half-width and mean error
    (of the maximum) are those of the held-out pairs it was made with.
    """

    inputs: tuple[str, ...]
    quantile: float
    floor: float
    edge_mm: float
    share: float = 0.0
    n_pairs: int
    held_out: str
    coverage_percent: float
    half_width_percent: float
    error_percent: float


class TrainingRange(msgspec.Struct, frozen=True):
    """Range of one property of the training images, margin included."""

    name: str
    low: float
    high: float


class DataStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What the model was trained on."""

    manifest_sha256: str
    n_train: int
    n_validation: int
    n_test: int
    split: str
    families: tuple[str, ...]
    about: str


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one should know before using a model."""

    schema: str = SCHEMA
    name: str
    created: str
    software_version: str
    variant: str
    filters: int
    inputs: tuple[str, ...]
    members: tuple[str, ...]
    grid: ModelGrid
    machine: str
    energy: str
    panel: ImagerPanel | None
    intended_use: str
    data: DataStatement
    settings: TrainingSettings
    configurations: dict[str, float]
    member_errors_percent: tuple[float, ...]
    calibrations: tuple[Calibration, ...]
    domain: tuple[TrainingRange, ...]
    training_seconds: float
    trained_on: str
    versions: dict[str, str]
    weights_sha256: str = ""

    def digest(self) -> str:
        """SHA-256 of the card without the hash of the weights."""
        plain = msgspec.structs.replace(self, weights_sha256="")
        return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A model that was read and whose hashes are right: weights per member."""

    card: ModelCard
    weights: tuple[dict[str, "Tensor"], ...]
    folder: Path


class _Card(Protocol):
    @property
    def name(self) -> str: ...

    def digest(self) -> str: ...


AnyCard = TypeVar("AnyCard", bound=_Card)


def save_model(folder: Path, card: AnyCard, weights: dict[str, dict[str, "Tensor"]]) -> AnyCard:
    """Write card and weights of an ensemble.

    Parameters
    ----------
    weights : dict
        By member the tensors of its network by name, of any shapes.

    Returns
    -------
    The card with the hash of the weights.
    """
    tensors = {f"{member}/{name}": tensor for member, part in weights.items() for name, tensor in part.items()}
    folder.mkdir(parents=True, exist_ok=True)
    digest = write_tensors(folder / WEIGHTS, tensors, {"card_sha256": card.digest(), "name": card.name})
    card = msgspec.structs.replace(card, weights_sha256=digest)  # type: ignore[type-var]
    with replacing(folder / CARD) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n")
    return card


def by_member(tensors: dict[str, "Tensor"], members: Sequence[str]) -> tuple[dict[str, "Tensor"], ...]:
    """Take the tensors of a file apart into those of each member, as `save_model` joined them."""
    return tuple(
        {name.removeprefix(f"{member}/"): tensor for name, tensor in tensors.items() if name.startswith(f"{member}/")}
        for member in members
    )


def read_card(folder: Path) -> ModelCard:
    """Read a model's card alone.

    Raises
    ------
    UnreadableFile
        Missing, no JSON, or not a card of this schema.
    """
    path = folder / CARD
    card = read_struct(path, ModelCard, complaint="not the card of a model", advice="Fetch or train the model again.")
    if card.schema != SCHEMA:
        raise UnreadableFile(f"{path}: schema {card.schema!r} found, {SCHEMA!r} expected. Train the model again.")
    return card


def read_model(folder: Path) -> StoredModel:
    """Read a model and check that its files are those it was saved with.

    Raises
    ------
    UnreadableFile
        Card or weights were changed, cut short, replaced, or are of another format.
    """
    card = read_card(folder)
    path = folder / WEIGHTS
    tensors, metadata = read_tensors(path)
    if file_sha256(path) != card.weights_sha256:
        raise UnreadableFile(f"{path} is not what its card states: its hash differs. Fetch or train the model again.")
    if metadata.get("card_sha256") != card.digest():
        raise UnreadableFile(f"{folder / CARD} is not the card these weights were saved with. Fetch the model again.")
    return StoredModel(card, by_member(tensors, card.members), folder)
