"""A dataset from clinics' folders: all pairs made, checked, split, and listed in a manifest with their hashes."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from intrepid_epid.dataset.manifest import DatasetGrid, ImagerPanel, Manifest, Pair, save_manifest
from intrepid_epid.dataset.pairing import PairingRules, make_pair, source_files
from intrepid_epid.dataset.sources import FoundPairs, PairSource, find_pairs
from intrepid_epid.dataset.splitting import check_stated, split_groups
from intrepid_epid.machine_profile import MachineProfile
from intrepid_rt.atomic import replacing, write_text
from intrepid_rt.errors import AmbiguousInput, InvalidSetting, UnusableInput

REFUSED = "refused.csv"
GROUPINGS = ("phantom", "plan")


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """How a dataset is made.

    ``group_by`` "phantom" keeps all plans of a phantom together; "plan" only the pairs of one plan, for a clinic with
    very few phantoms. ``leave_out`` builds without pairs that are refused or incomplete, listing them. All pairs of the
    ``validation_folders`` join the validation part, whatever their table states.
    """

    grid: DatasetGrid = field(default_factory=lambda: DatasetGrid(256, 1.0))
    largest_shift_mm: float = 5.0
    test_percent: float = 10.0
    validation_percent: float = 15.0
    seed: int = 0
    group_by: str = "phantom"
    leave_out: bool = False
    validation_folders: tuple[Path, ...] = ()


@dataclass(frozen=True)
class BuiltDataset:
    """The manifest, and (pair or file, reason) of what was left out."""

    manifest: Manifest
    refused: tuple[tuple[str, str], ...]


class _Finished(msgspec.Struct, frozen=True):
    """A pair as an interrupted build left it, and what it was made with."""

    pair: Pair
    panel: ImagerPanel
    profile_sha256: str
    grid: DatasetGrid
    largest_shift_mm: float


def build_dataset(
    folders: Sequence[str | Path],
    out: str | Path,
    profile: MachineProfile,
    settings: BuildSettings,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> BuiltDataset:
    """Build a dataset, or finish one that was interrupted: pairs whose files have not changed are not made again.

    The manifest is written last; a folder without one is no dataset.

    Parameters
    ----------
    folders : sequence of paths
        Each as :func:`intrepid_epid.dataset.sources.find_pairs` reads it.
    profile : MachineProfile
        Of the imager that took all of them.
    progress : callable
        Is told how many pairs of how many are done.

    Raises
    ------
    UnusableInput
        Pairs are refused or incomplete and ``leave_out`` was not asked for; the message names the first and counts.
    AmbiguousInput
        Pairs of the same name in two folders, or a stated split that tears a phantom apart.
    InvalidSetting
        Settings without meaning.
    """
    out = Path(out)
    _check(settings)
    kept = [_all_for_validation(find_pairs(folder)) for folder in settings.validation_folders]
    found = [*(find_pairs(folder) for folder in folders), *kept]
    sources = [source for one in found for source in one.pairs]
    refused = [(line.split(":")[0], line) for one in found for line in one.missing]
    _refuse_double(sources)
    made: list[tuple[Pair, ImagerPanel]] = []
    for number, source in enumerate(sources, 1):
        try:
            made.append(_made_or_kept(source, out, profile, settings))
        except UnusableInput as error:
            refused.append((source.id, str(error)))
        progress(number, len(sources))
    _report(refused, out, settings)
    if not made:
        raise UnusableInput(f"No pair is left of {len(sources)}. The first: {refused[0][1]}")
    pairs = _split([pair for pair, _ in made], settings, apart={pair.id for one in kept for pair in one.pairs})
    manifest = Manifest(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software_version=version("slicer-intrepid"),
        machine=profile.machine,
        energy=profile.energy,
        profile_sha256=profile.hash(),
        grid=settings.grid,
        pairs=tuple(pairs),
        open_gy_per_mu=profile.open_gy_per_mu,
        panel=_one_panel([panel for _, panel in made]),
    )
    save_manifest(manifest, out)
    return BuiltDataset(manifest, tuple(refused))


def _check(settings: BuildSettings) -> None:
    grid = settings.grid
    if grid.size_px < 16 or not grid.pixel_mm > 0 or not settings.largest_shift_mm >= 0:
        raise InvalidSetting(f"A grid of {grid.size_px} pixels of {grid.pixel_mm:g} mm cannot be used; 16 are needed.")
    if settings.group_by not in GROUPINGS:
        raise InvalidSetting(f"--group-by {settings.group_by} is not known; use {' or '.join(GROUPINGS)}.")


def _all_for_validation(found: FoundPairs) -> FoundPairs:
    return replace(found, pairs=tuple(replace(pair, split="validation") for pair in found.pairs))


def _refuse_double(sources: Sequence[PairSource]) -> None:
    places: dict[str, Path] = {}
    for source in sources:
        if source.id in places:
            raise AmbiguousInput(
                f"Pair {source.id} is in {places[source.id]} and in {source.root}. Give each its own id."
            )
        places[source.id] = source.root


def _made_or_kept(
    source: PairSource, out: Path, profile: MachineProfile, settings: BuildSettings
) -> tuple[Pair, ImagerPanel]:
    note = out / "pairs" / f"{source.id}.json"
    kept = _kept(note, source, profile, settings)
    if kept is not None:
        return kept
    pair, panel = make_pair(source, profile, PairingRules(settings.grid, settings.largest_shift_mm), out)
    finished = _Finished(pair, panel, profile.hash(), settings.grid, settings.largest_shift_mm)
    with replacing(note) as temporary:
        temporary.write_bytes(msgspec.json.encode(finished))
    return pair, panel


def _kept(
    note: Path, source: PairSource, profile: MachineProfile, settings: BuildSettings
) -> tuple[Pair, ImagerPanel] | None:
    """Return what an earlier build made of the same files with the same profile and grid; None if there is none."""
    try:
        found = msgspec.json.decode(note.read_bytes(), type=_Finished)
    except (OSError, msgspec.DecodeError):
        return None
    same = (
        found.profile_sha256 == profile.hash()
        and (found.grid, found.largest_shift_mm) == (settings.grid, settings.largest_shift_mm)
        and found.pair.sources == source_files(source)
        and (note.parent.parent / found.pair.file).is_file()
    )
    stated = {"phantom": source.phantom, "family": source.family, "field": source.field, "split": source.split}
    return (msgspec.structs.replace(found.pair, **stated), found.panel) if same else None


def _report(refused: list[tuple[str, str]], out: Path, settings: BuildSettings) -> None:
    if refused and not settings.leave_out:
        raise UnusableInput(
            f"{len(refused)} pairs cannot be used, the first: {refused[0][1]} Correct them, or build without them by "
            "--leave-out."
        )
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerows([("pair", "reason"), *refused])
    write_text(out / REFUSED, table.getvalue())


def _split(pairs: list[Pair], settings: BuildSettings, *, apart: set[str]) -> list[Pair]:
    """Give every pair its fold group and its part: as stated, or dealt by group; ``apart`` are the ids never dealt."""
    by_phantom = settings.group_by == "phantom"
    grouped = [
        msgspec.structs.replace(pair, fold_group=pair.phantom if by_phantom else f"{pair.phantom}/{pair.plan}")
        for pair in pairs
    ]
    own = [pair for pair in grouped if pair.id not in apart]
    if not any(pair.split for pair in own):
        parts = _dealt(own, settings)
        grouped = [
            pair if pair.id in apart else msgspec.structs.replace(pair, split=parts[pair.fold_group])
            for pair in grouped
        ]
    elif not all(pair.split for pair in own):
        raise AmbiguousInput("Some pairs state their part of the split and some do not. State all, or none.")
    stated = defaultdict(list)
    for pair in grouped:
        stated[pair.fold_group].append(pair.split)
    check_stated(stated)
    return grouped


def _dealt(pairs: list[Pair], settings: BuildSettings) -> dict[str, str]:
    counts = Counter(pair.fold_group for pair in pairs)
    return split_groups(
        {pair.fold_group: (pair.family, counts[pair.fold_group]) for pair in pairs},
        test_percent=settings.test_percent,
        validation_percent=settings.validation_percent,
        seed=settings.seed,
    )


def _one_panel(panels: list[ImagerPanel]) -> ImagerPanel:
    different = set(panels)
    if len(different) > 1:
        raise AmbiguousInput(f"The images are from {len(different)} panels of different make or size; give one.")
    return panels[0]
