"""The manifest of a dataset: every pair with its source files, its hash, its part of the split and its checks."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from intrepid_rt.atomic import replacing
from intrepid_rt.errors import UnreadableFile
from intrepid_rt.small_files import read_struct

SCHEMA = "intrepid-dataset-1"
MANIFEST = "manifest.json"
SPLITS = ("train", "validation", "test")


class DatasetGrid(msgspec.Struct, frozen=True):
    """A square grid at the isocentre plane: rows along -Y, columns along +X of the image receptor, axis at the centre.

    The centre of pixel [row, column] is x = (column - (size_px - 1) / 2) * pixel_mm, y = ((size_px - 1) / 2 - row) *
    pixel_mm.
    """

    size_px: int
    pixel_mm: float


class SourceFile(msgspec.Struct, frozen=True):
    """A file a pair was made from, relative to the folder it was found in."""

    file: str
    sha256: str


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One image with its portal dose.

    ``family`` is the kind of phantom (OMG, CIRS, SLAB, MULTIPLUG, OPEN, ...). ``fold_group`` is the phantom, or phantom
    and plan where a clinic has few phantoms: what must stay on one side of every split. ``file`` is relative to the
    dataset's folder.
    """

    id: str
    phantom: str
    family: str
    field: str
    plan: str
    split: str
    fold_group: str
    file: str
    sha256: str
    sources: tuple[SourceFile, ...]
    meterset_mu: float
    gantry_angle_deg: float | None
    source_to_image_mm: float
    area_cm2: float
    equivalent_square_cm: float
    checks: tuple[str, ...] = ()


class ImagerPanel(msgspec.Struct, frozen=True):
    """The panel that took the images: who made it, and its active area in the imager plane."""

    vendor: str
    width_mm: float
    height_mm: float


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a dataset holds and where it comes from.

    ``open_gy_per_mu`` is the portal dose per MU in the open beam (``MachineProfile.open_gy_per_mu``), by which
    a network tells how much of the beam a phantom lets through.
    """

    schema: str = SCHEMA
    created: str
    software_version: str
    machine: str
    energy: str
    profile_sha256: str
    grid: DatasetGrid
    pairs: tuple[Pair, ...]
    open_gy_per_mu: float | None = None
    panel: ImagerPanel | None = None

    def of_split(self, split: str) -> tuple[Pair, ...]:
        """Pairs of one part of the split: train, validation or test."""
        return tuple(pair for pair in self.pairs if pair.split == split)


def save_manifest(manifest: Manifest, folder: str | Path) -> None:
    """Write ``manifest.json`` into a dataset's folder."""
    with replacing(Path(folder) / MANIFEST) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")


def load_manifest(folder: str | Path) -> Manifest:
    """Read the manifest of a dataset's folder.

    Raises
    ------
    UnreadableFile
        Missing, no JSON, of another schema, or contradicting itself; the message names the first wrong entry.
    """
    path = Path(folder) / MANIFEST
    manifest = read_struct(
        path, Manifest, complaint="no manifest of a dataset", advice="Make it with 'intrepid dataset build'."
    )
    if manifest.schema != SCHEMA:
        raise UnreadableFile(f"{path}: schema {manifest.schema!r} found, {SCHEMA!r} expected. Build the dataset anew.")
    problem = _problem(manifest)
    if problem:
        raise UnreadableFile(f"{path}: the dataset {problem}. Build it anew.")
    return manifest


def _problem(manifest: Manifest) -> str:
    """Say what makes a well-formed manifest unusable; empty if nothing does."""
    ids = [pair.id for pair in manifest.pairs]
    repeated = sorted({one for one in ids if ids.count(one) > 1})
    unknown = sorted({pair.split for pair in manifest.pairs} - set(SPLITS))
    outside = [pair.file for pair in manifest.pairs if Path(pair.file).is_absolute() or ".." in Path(pair.file).parts]
    if not manifest.pairs:
        return "lists no pair"
    if repeated:
        return f"lists pair {repeated[0]} twice"
    if unknown:
        return f"has a split called {unknown[0]!r}; known are {', '.join(SPLITS)}"
    if outside:
        return f"points outside its folder with {outside[0]!r}"
    if manifest.grid.size_px < 1 or not manifest.grid.pixel_mm > 0:
        return "has a grid without pixels"
    leaking = leaking_groups(manifest.pairs)
    return f"has fold group {leaking[0]!r} on both sides of its split" if leaking else ""


def leaking_groups(pairs: Iterable[Pair]) -> list[str]:
    """Fold groups that occur in more than one part of the split, sorted; a sound dataset has none."""
    parts: dict[str, set[str]] = {}
    for pair in pairs:
        parts.setdefault(pair.fold_group, set()).add(pair.split)
    return sorted(group for group, splits in parts.items() if len(splits) > 1)
