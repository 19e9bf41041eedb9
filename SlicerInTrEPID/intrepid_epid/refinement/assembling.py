"""Train an ensemble on training doses and make a refinement of it.

    python -m intrepid_epid.refinement.assembling DOSES OUT --name simulated-6mv

Runs that are done are kept, a run that was stopped goes on from its last checkpoint.
"""

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np

from intrepid_epid.networks.card import save_model
from intrepid_epid.networks.settings import RunSettings, TrainingSettings, runs
from intrepid_epid.networks.training import BEST, Compute, RunResult, finished_result
from intrepid_epid.networks.weights import read_tensors
from intrepid_epid.refinement.beam_view import VOXEL_MM
from intrepid_epid.refinement.card import RefinementCard, Trial
from intrepid_epid.refinement.cases import Case, read_cases
from intrepid_epid.refinement.domain import properties, training_ranges
from intrepid_epid.refinement.refinement_model import corrections, members
from intrepid_epid.refinement.training import SETTINGS, RefinementTraining
from intrepid_epid.refinement.uncertainty import HeldOut, conformal_quantile, covered_percent, guessed_error
from intrepid_rt.errors import MissingObject

INTENDED_USE = (
    "Research: 6 MV photon beams through patients as tissues of 0 to 2 g/cm3, no metal; arcs as sums of sectors of ten "
    "degrees."
)
ABOUT = (
    "Monte Carlo doses by pyRadMC 0.2.1 in generated anatomies (water, slabs, inserts, thorax, head) as water of the "
    "electron density, beside superposition of the known fluence and of the one reconstructed from simulated images."
)


def train_members(
    doses: Path, folder: Path, settings: TrainingSettings, compute: Compute, n_members: int | None = None,
    start: Path | None = None,
) -> Iterator[tuple[RunSettings, RunResult]]:  # fmt: skip
    """Train one member per fold of the training beams; each is judged on the fold it has not seen.

    ``n_members`` stops after so many; ``start`` is the folder of former runs of the same folds, from whose weights
    they go on.
    """
    cases = read_cases(doses, ["train"])
    for run in runs(settings)[:n_members]:
        out = folder / run.id
        result = finished_result(out)
        if result is None:
            out.mkdir(parents=True, exist_ok=True)
            held_out = [case for number, case in enumerate(cases) if number % settings.folds == run.fold]
            train = [case for number, case in enumerate(cases) if number % settings.folds != run.fold]
            training = RefinementTraining(run, settings, train, held_out, out, compute)
            if start is not None:
                training.network.load_state_dict(read_tensors(_former(start, run) / BEST)[0])
            result = training(lambda progress, run=run: print(run.id, progress.epochs[-1], flush=True))  # type: ignore[misc]
        yield run, result


def _former(folder: Path, run: RunSettings) -> Path:
    """Return the one run in a folder that left out the same fold."""
    found = sorted(folder.glob(f"*_{run.id.rpartition('_')[2]}"))
    if len(found) != 1:
        raise MissingObject(f"{folder} holds {len(found)} runs of the fold of {run.id}; one is needed.")
    return found[0]


def assemble(
    doses: Path, folder: Path, settings: TrainingSettings, compute: Compute, name: str, n_members: int | None = None,
    quiet: Path | None = None, start: Path | None = None,
) -> RefinementCard:  # fmt: skip
    """Train what is missing, calibrate the band and write ``folder/NAME``.

    ``quiet`` is a folder of other doses with little noise, which calibrate in place of those of ``doses``;
    ``start`` see `train_members`.
    """
    results = list(train_members(doses, folder, settings, compute, n_members, start))
    weights = {run.id: read_tensors(folder / run.id / BEST)[0] for run, _ in results}
    networks = members(list(weights.values()), settings.filters[0])
    train = read_cases(doses, ["train"])
    kept = {"calibration": read_cases(quiet or doses, ["calibration", "test"] if quiet else ["calibration"])}
    kept["test"] = read_cases(doses, ["test"])
    held_out = {split: list(_held_out(cases, networks)) for split, cases in kept.items()}
    quantile = conformal_quantile(held_out["calibration"])
    card = RefinementCard(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software_version=version("slicer-intrepid"),
        energy="6 MV",
        intended_use=INTENDED_USE,
        about_data=ABOUT,
        beams={split: tuple(case.id for case in cases) for split, cases in (("train", train), *kept.items())},
        filters=settings.filters[0],
        members=tuple(weights),
        settings=settings,
        quantile=quantile,
        trials=tuple(_trial(split, kept[split], held_out[split], quantile) for split in kept),
        domain=training_ranges(properties(planes) for case in train for planes in case.planes),
        training_seconds=sum(result.seconds for _, result in results),
    )
    return save_model(folder / name, card, weights)


def _held_out(cases: Sequence[Case], networks: Sequence) -> Iterator[HeldOut]:
    """Refine the views of beams from images; every view is one."""
    for case in cases:
        for view in case.imaged:
            planes = case.planes[view]
            answers = corrections(networks, planes)
            dose = planes[0] + answers.mean(axis=0)
            guess = guessed_error(dose, answers.std(axis=0), VOXEL_MM)
            yield HeldOut(dose, guess, case.truth_over_level(view), case.sigma_over_level(view), case.counted)


def _trial(split: str, cases: Sequence[Case], held_out: Sequence[HeldOut], quantile: float) -> Trial:
    physics = [case.planes[view, 0] for case in cases for view in case.imaged]
    width = [100 * quantile * one.guess[one.counted & (one.dose > 0.1)].mean() for one in held_out]
    return Trial(
        split=split,
        n_beams=len(cases),
        physics_rms_percent=float(np.mean([_rms(dose, one) for dose, one in zip(physics, held_out, strict=True)])),
        refined_rms_percent=float(np.mean([_rms(one.dose, one) for one in held_out])),
        coverage_percent=float(np.mean(covered_percent(held_out, quantile))),
        half_width_percent=float(np.mean(width)),
    )


def _rms(dose: np.ndarray, one: HeldOut) -> float:
    """Root mean square error where there is more than a tenth of the level, the noise of the truth taken off."""
    inside = one.counted & (one.truth > 0.1)
    square = ((dose - one.truth)[inside] ** 2 - one.sigma[inside] ** 2).mean()
    return float(100 * np.sqrt(max(square, 0.0)))


def main() -> None:
    """Train, calibrate and write a refinement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("doses", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--epochs", type=int, default=SETTINGS.epochs)
    parser.add_argument("--quiet", type=Path, help="doses with little noise, to calibrate with")
    parser.add_argument("--members", type=int, help="train so many of the folds' networks; default: all")
    parser.add_argument("--start", type=Path, help="runs of the same folds from whose weights to go on")
    parser.add_argument("--learning-rate", type=float, default=SETTINGS.learning_rates[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    settings = msgspec.structs.replace(SETTINGS, epochs=options.epochs, learning_rates=(options.learning_rate,))
    compute = Compute(options.device, options.threads)
    card = assemble(
        options.doses, options.out, settings, compute, options.name, options.members, options.quiet, options.start
    )
    print(msgspec.json.format(msgspec.json.encode(card.trials), indent=1).decode())


if __name__ == "__main__":
    main()
