"""Training of a refinement: it learns, it can be stopped, and its band covers what it states."""

import msgspec
import numpy as np
import pytest

from intrepid_epid.networks.settings import runs
from intrepid_epid.networks.training import BEST, Compute
from intrepid_epid.networks.weights import read_tensors
from intrepid_epid.refinement.anatomies import KINDS, generated_anatomy
from intrepid_epid.refinement.assembling import assemble, train_members
from intrepid_epid.refinement.beam_view import VOXEL_MM
from intrepid_epid.refinement.cases import Case, read_cases
from intrepid_epid.refinement.refinement_model import refinement_model
from intrepid_epid.refinement.training import SETTINGS, RefinementTraining
from intrepid_epid.refinement.uncertainty import HeldOut, conformal_quantile, covered_percent
from intrepid_rt.errors import MissingObject

SHORT = msgspec.structs.replace(SETTINGS, epochs=4, folds=2, filters=(3,), learning_rates=(5e-3,))


@pytest.fixture(scope="module")
def doses(tmp_path_factory):
    """Physics that is 3 % too low everywhere, with 4 % of noise on the truth."""
    folder = tmp_path_factory.mktemp("doses")
    rng = np.random.default_rng(3)
    for number, split in enumerate(["train"] * 6 + ["calibration"] * 2 + ["test"] * 2):
        shape = (16, 12, 12)
        z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
        dose = np.exp(-((x**2 + y**2) ** 2) * rng.uniform(2, 6)) * np.exp(-0.4 * (z + 1)) / 1.0
        # A voxel of next to nothing, so that physics and truth are the same mean.
        planes = np.stack([dose, np.ones(shape), 0.4 * (z + 1), np.full(shape, 0.01)])
        truth, sigma = 1.03 * dose, 0.04 * np.sqrt(dose)  # as counting statistics have it
        np.savez(
            folder / f"{number:02d}.npz",
            split=split,
            kind="water",
            area_cm2=20.0,
            planes=np.stack([planes] * 3).astype(np.float16),
            level_gy=np.full(3, 2.0),
            truth_gy=2.0 * (truth + sigma * rng.standard_normal(shape)),
            sigma_gy=2.0 * sigma,
        )
    return folder


def case_of(truth, density, grid_mm):
    planes = np.stack([np.ones_like(truth), density, np.ones_like(truth), np.full_like(truth, grid_mm / VOXEL_MM)])
    one = np.ones_like(truth)
    return Case("x", "water", "train", 20.0, planes[None], np.array([2.0]), truth, one, one)


@pytest.mark.parametrize("grid_mm", [2.5, 4.0])
def test_the_truth_of_a_view_is_the_mean_over_the_voxels_of_its_physics(grid_mm):
    """A Gaussian of variance s2 spread over a cube of side g has s2 + g2/12 along every axis."""
    axis = (np.arange(41) - 20) * VOXEL_MM
    z, y, x = np.meshgrid(axis[:21] + 10 * VOXEL_MM, axis[:31] + 5 * VOXEL_MM, axis, indexing="ij")
    truth = np.exp(-(x**2 + y**2 + z**2) / (2 * 9.0**2))
    seen = case_of(truth, np.ones_like(truth), grid_mm).truth_over_level(0)
    assert seen.sum() == pytest.approx(truth.sum() / 2.0, rel=1e-3)
    for along in (x, y, z):
        spread = (seen * along**2).sum() / seen.sum() - (truth * along**2).sum() / truth.sum()
        assert spread == pytest.approx(grid_mm**2 / 12, rel=0.02)


@pytest.mark.parametrize("grid_mm", [3.0, 4.0])
def test_the_noise_of_that_mean_is_known(grid_mm):
    noise = np.random.default_rng(4).standard_normal((40, 44, 48))
    case = case_of(noise, np.ones(noise.shape), grid_mm)
    assert case.truth_over_level(0)[1:-1, 1:-1, 1:-1].std() == pytest.approx(
        case.sigma_over_level(0)[0, 0, 0], rel=0.02
    )


def test_noise_in_air_does_not_reach_the_truth_in_tissue():
    density = np.ones((9, 10, 11))
    density[:4] = 0.0012
    truth = np.where(density > 0.5, 1.0, 30.0)
    seen = case_of(truth, density, 4.0).truth_over_level(0)
    np.testing.assert_allclose(seen[4:], 0.5, rtol=3e-3)


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not(doses, tmp_path):
    cases = read_cases(doses, ["train"])
    run = runs(SHORT)[0]

    def training(folder):
        folder.mkdir(exist_ok=True)
        return RefinementTraining(run, SHORT, cases[1:], cases[:1], folder, Compute())

    whole = training(tmp_path / "whole")()
    stopped = training(tmp_path / "stopped")
    stopped.epoch()
    stopped.epoch()
    stopped.save()
    resumed = training(tmp_path / "stopped")()
    assert len(resumed.epochs) == len(whole.epochs) == SHORT.epochs
    assert resumed.weights_sha256 == whole.weights_sha256


def test_an_ensemble_learns_what_the_physics_lacks(doses, tmp_path):
    card = assemble(doses, tmp_path, msgspec.structs.replace(SHORT, epochs=10), Compute(), "learnt")
    trials = {trial.split: trial for trial in card.trials}
    assert trials["test"].physics_rms_percent == pytest.approx(1.6, abs=0.5)
    assert trials["test"].refined_rms_percent < 0.6 * trials["test"].physics_rms_percent
    assert set(card.beams) == {"train", "calibration", "test"}
    assert not set(card.beams["train"]) & set(card.beams["test"])
    assert len(refinement_model(str(tmp_path / "learnt")).members) == SHORT.folds


def test_members_go_on_from_the_former_run_of_their_fold(doses, tmp_path):
    once = msgspec.structs.replace(SHORT, epochs=1)
    former = {run.fold: run.id for run, _ in train_members(doses, tmp_path / "former", once, Compute())}
    hardly = msgspec.structs.replace(once, learning_rates=(1e-9,))
    for run, _ in train_members(doses, tmp_path / "new", hardly, Compute(), start=tmp_path / "former"):
        before = read_tensors(tmp_path / "former" / former[run.fold] / BEST)[0]
        after = read_tensors(tmp_path / "new" / run.id / BEST)[0]
        assert max(float((after[name] - before[name]).abs().max()) for name in before) < 1e-6
    with pytest.raises(MissingObject, match="holds 0 runs of the fold"):
        list(train_members(doses, tmp_path / "again", hardly, Compute(), start=tmp_path / "nowhere"))


def test_the_band_covers_95_percent_of_true_errors_behind_a_noisy_truth():
    """Errors of 0.8 to 2.4 times the guess behind noise as large: what is stated is the error without the noise."""
    rng = np.random.default_rng(8)

    def held_out(n):
        for _ in range(n):
            guess = rng.uniform(0.008, 0.012, (20, 20, 20))
            error = rng.standard_normal(guess.shape) * guess
            noise = 0.01 * rng.standard_normal(guess.shape)
            dose = np.full(guess.shape, 0.8)
            yield HeldOut(dose, guess, dose - error - noise, np.full(guess.shape, 0.01), np.ones(guess.shape, bool))

    quantile = conformal_quantile(list(held_out(6)))
    assert quantile == pytest.approx(1.96, abs=0.2)
    assert np.mean(covered_percent(list(held_out(6)), quantile)) == pytest.approx(95, abs=1.5)


@pytest.mark.parametrize("kind", KINDS)
def test_generated_anatomies_are_patients_in_air(kind):
    grid = generated_anatomy(kind, np.random.default_rng(11), voxel_mm=8.0)
    values = grid.values
    assert values[0].max() < 0.9
    assert values[-1].max() < 0.9
    assert 0.8 < np.median(values[values > 0.5]) < 1.6
    assert (values < 2.0).all()
    if kind in ("thorax", "slabs"):
        assert ((values > 0.1) & (values < 0.5)).mean() > 0.01
