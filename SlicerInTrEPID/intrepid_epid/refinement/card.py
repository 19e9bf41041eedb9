"""The card of a refinement and its folder: ``card.json`` beside ``weights.safetensors``, each with the other's hash."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from intrepid_epid.networks.card import CARD, WEIGHTS, TrainingRange, by_member
from intrepid_epid.networks.settings import TrainingSettings
from intrepid_epid.networks.weights import file_sha256, read_tensors
from intrepid_rt.errors import InvalidSetting, MissingObject, UnreadableFile
from intrepid_rt.resources import resource_folder
from intrepid_rt.small_files import read_struct

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = "intrepid-refinement-card-1"
FOLDER = "Refinements"


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How physics and refinement fared on one set of beams: rms errors and half-width in percent of the level."""

    split: str
    n_beams: int
    physics_rms_percent: float
    refined_rms_percent: float
    coverage_percent: float
    half_width_percent: float


class RefinementCard(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one should know before using a refinement.

    The half-width of the 95 % band is ``quantile`` times the guess of `intrepid_epid.refinement.uncertainty`, in units
    of the level of the beam.
    """

    schema: str = SCHEMA
    name: str
    created: str
    software_version: str
    energy: str
    intended_use: str
    about_data: str
    beams: dict[str, tuple[str, ...]]
    filters: int
    members: tuple[str, ...]
    settings: TrainingSettings
    quantile: float
    trials: tuple[Trial, ...]
    domain: tuple[TrainingRange, ...]
    training_seconds: float
    weights_sha256: str = ""

    def digest(self) -> str:
        """SHA-256 of the card without the hash of the weights."""
        plain = msgspec.structs.replace(self, weights_sha256="")
        return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()


@dataclass(frozen=True, eq=False)
class StoredRefinement:
    """A refinement that was read and whose hashes are right: weights per member."""

    card: RefinementCard
    weights: tuple[dict[str, "Tensor"], ...]


def read_refinement(folder: Path) -> StoredRefinement:
    """Read a refinement and check that its files are those it was saved with.

    Raises
    ------
    UnreadableFile
        Card or weights are missing, were changed or cut short, or are of another format.
    """
    card = read_struct(
        folder / CARD, RefinementCard, complaint="not the card of a refinement", advice="Fetch or train it again."
    )
    if card.schema != SCHEMA:
        raise UnreadableFile(f"{folder / CARD}: schema {card.schema!r} found, {SCHEMA!r} expected. Train it again.")
    tensors, metadata = read_tensors(folder / WEIGHTS)
    if file_sha256(folder / WEIGHTS) != card.weights_sha256 or metadata.get("card_sha256") != card.digest():
        raise UnreadableFile(f"{folder}: card and weights are not those saved together. Fetch or train it again.")
    return StoredRefinement(card, by_member(tensors, card.members))


def shipped_refinements() -> dict[str, Path]:
    """Folders of the refinements that ship, by name; empty if this installation has none."""
    try:
        return {path.parent.name: path.parent for path in sorted(resource_folder(FOLDER).glob(f"*/{CARD}"))}
    except MissingObject:
        return {}


def find_refinement(name: str) -> Path:
    """Return the folder of a refinement that ships, by name, or of any by the path of its folder.

    Raises
    ------
    InvalidSetting
        No refinement is called so.
    """
    shipped = shipped_refinements()
    if name in shipped:
        return shipped[name]
    if (Path(name) / CARD).is_file():
        return Path(name)
    raise InvalidSetting(f"No refinement is called {name!r}; there are {', '.join(['none', *shipped])}.")
