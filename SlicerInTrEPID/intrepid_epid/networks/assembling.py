"""From finished runs to a model: the best configuration's networks as an ensemble, its band, domain and card."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import combinations
from pathlib import Path

import numpy as np

from intrepid_epid.dataset.manifest import Manifest, Pair, load_manifest
from intrepid_epid.dataset.pair_file import read_pair
from intrepid_epid.networks.campaign import RUNS, Campaign, read_campaign
from intrepid_epid.networks.card import Calibration, DataStatement, ModelCard, ModelGrid, save_model
from intrepid_epid.networks.domain import properties, training_ranges
from intrepid_epid.networks.ensemble import Ensemble
from intrepid_epid.networks.inputs import block_factor
from intrepid_epid.networks.model_grid import grid_image
from intrepid_epid.networks.pair_prediction import told_of
from intrepid_epid.networks.settings import runs
from intrepid_epid.networks.training import BEST, RunResult, finished_result
from intrepid_epid.networks.training_data import input_of_pair, open_gy
from intrepid_epid.networks.uncertainty import HeldOut, band_quality, conformal_quantile, error_guess
from intrepid_epid.networks.weights import read_tensors
from intrepid_rt.errors import MissingObject

SPLIT = (
    "train, validation and test by phantom and plan; folds of the cross-validation by phantom and plan within train; "
    "test never seen"
)


def finished_runs(folder: Path, campaign: Campaign) -> list[RunResult]:
    """Return the results of all runs of a training.

    Raises
    ------
    MissingObject
        Some are not done.
    """
    wanted = runs(campaign.settings)
    results = [finished_result(folder / RUNS / run.id) for run in wanted]
    done = [result for result in results if result is not None]
    if len(done) < len(wanted):
        raise MissingObject(
            f"{folder}: {len(done)} of {len(wanted)} runs are done. Run 'intrepid train' again with the same --out."
        )
    return done


def configurations(results: Sequence[RunResult]) -> dict[str, float]:
    """Mean validation error of every configuration, percent, best first."""
    errors: dict[str, list[float]] = {}
    for result in results:
        errors.setdefault(result.run.configuration, []).append(result.validation_error_percent)
    return dict(sorted(((name, float(np.mean(found))) for name, found in errors.items()), key=lambda item: item[1]))


def assemble(folder: Path, dataset: Path, *, name: str, about: str, intended_use: str) -> ModelCard:
    """Make the model of a finished training in ``folder/model``: the mean of the best networks of every run.

    Parameters
    ----------
    folder : Path
        Of the runs (:mod:`intrepid_epid.networks.campaign`).
    dataset : Path
        What they were trained on; its validation part calibrates the band.
    name, about, intended_use : str
        For the card: name of the model, what the data are, what it may be used for.

    Raises
    ------
    MissingObject
        Runs are missing.
    UnreadableFile
        A run's files or the dataset were changed.
    """
    campaign = read_campaign(folder)
    settings, manifest = campaign.settings, load_manifest(dataset)
    results = finished_runs(folder, campaign)
    ranking = configurations(results)
    chosen = [result for result in results if result.run.configuration == next(iter(ranking))]
    weights = {result.run.id: read_tensors(folder / RUNS / result.run.id / BEST)[0] for result in chosen}
    block = block_factor(manifest.grid.size_px, settings.size_px)
    filters = chosen[0].run.filters
    grid = ModelGrid(manifest.grid.size_px, manifest.grid.pixel_mm, block)
    n_inputs, pixel_mm = 1 + len(settings.inputs), grid.pixel_mm * block
    ensembles = {key: Ensemble(settings.variant, n_inputs, filters, [one], pixel_mm) for key, one in weights.items()}
    unseen = _unseen_by(manifest, chosen)
    views = [combo for n in range(len(settings.inputs) + 1) for combo in combinations(settings.inputs, n)]
    calibrations = [
        _calibration(view, list(_held_out(dataset, manifest, grid, ensembles, unseen, settings.inputs, view)), manifest)
        for view in views
    ]
    card = ModelCard(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software_version=version("slicer-intrepid"),
        variant=settings.variant,
        filters=filters,
        inputs=settings.inputs,
        members=tuple(weights),
        grid=grid,
        machine=manifest.machine,
        energy=manifest.energy,
        panel=manifest.panel,
        intended_use=intended_use,
        data=_statement(campaign, manifest, about),
        settings=settings,
        configurations=ranking,
        member_errors_percent=tuple(result.validation_error_percent for result in chosen),
        calibrations=tuple(calibrations),
        domain=training_ranges(_properties(dataset, manifest)),
        training_seconds=sum(result.seconds for result in results),
        trained_on=f"{results[0].device}, {results[0].machine}",
        versions=results[0].versions,
    )
    return save_model(folder / "model", card, weights)


def _unseen_by(manifest: Manifest, chosen: Sequence[RunResult]) -> dict[str, list[str]]:
    """Members that have not seen each pair kept for calibration: all, for the pairs of a validation part."""
    kept = manifest.of_split("validation")
    if kept:
        return {pair.id: [result.run.id for result in chosen] for pair in kept}
    return {
        pair.id: [result.run.id for result in chosen if pair.id in result.validation_pairs]
        for pair in manifest.of_split("train")
    }


def _held_out(
    dataset: Path,
    manifest: Manifest,
    grid: ModelGrid,
    ensembles: dict[str, Ensemble],
    unseen: dict[str, list[str]],
    inputs: Sequence[str],
    view: Sequence[str],
) -> Iterator[HeldOut]:
    """Predict the pairs kept for calibration with only the inputs of ``view`` known."""
    for pair in manifest.pairs:
        if pair.id not in unseen:
            continue
        arrays = read_pair(dataset, pair, manifest.grid)
        any_one = next(iter(ensembles.values()))
        seen = input_of_pair(
            told_of(arrays, view),
            inputs,
            sees=any_one.variant.sees,
            factor=grid.block_px,
            open_gy=open_gy(manifest, pair) if "transmission" in view else None,
        )
        physics = grid_image(arrays.physics_gy, grid.pixel_mm)
        doses = np.concatenate([ensembles[member].doses_gy(seen, physics) for member in unseen[pair.id]])
        yield HeldOut(doses.mean(axis=0), doses.std(axis=0), arrays.physics_gy, arrays.portal_dose_gy, grid.pixel_mm)


def _calibration(view: Sequence[str], held_out: Sequence[HeldOut], manifest: Manifest) -> Calibration:
    guess = error_guess(view)
    quantile = conformal_quantile(held_out, guess)
    quality = band_quality(held_out, guess, quantile)
    return Calibration(
        inputs=tuple(view),
        quantile=quantile,
        floor=guess.floor,
        edge_mm=guess.edge_mm,
        share=guess.share,
        n_pairs=len(held_out),
        held_out="validation part" if manifest.of_split("validation") else "train part, each pair by unseeing members",
        coverage_percent=quality.coverage_percent,
        half_width_percent=quality.half_width_percent,
        error_percent=quality.error_percent,
    )


def _properties(dataset: Path, manifest: Manifest) -> Iterator[dict[str, float]]:
    for pair in manifest.of_split("train"):
        arrays = read_pair(dataset, pair, manifest.grid)
        yield properties(
            arrays.physics_gy,
            manifest.grid.pixel_mm,
            source_to_image_mm=pair.source_to_image_mm,
            open_gy=open_gy(manifest, pair),
            thickness_g_cm2=arrays.thickness_g_cm2,
        )


def _statement(campaign: Campaign, manifest: Manifest, about: str) -> DataStatement:
    def count(split: str) -> int:
        return len(manifest.of_split(split))

    def families(pairs: Sequence[Pair]) -> tuple[str, ...]:
        return tuple(sorted({pair.family for pair in pairs}))

    return DataStatement(
        manifest_sha256=campaign.dataset_sha256,
        n_train=count("train"),
        n_validation=count("validation"),
        n_test=count("test"),
        split=SPLIT,
        families=families(manifest.of_split("train")),
        about=about,
    )
