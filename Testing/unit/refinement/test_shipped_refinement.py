"""The refinement that ships: whole, small, told apart from its training, and bounded on a beam."""

import numpy as np

from intrepid_epid.refinement.card import find_refinement, read_refinement
from intrepid_epid.refinement.refinement_model import refinement_model
from toy_refinement import toy_beam


def test_files_are_whole_and_small():
    folder = find_refinement("simulated-6mv")
    card = read_refinement(folder).card
    assert card.energy == "6 MV"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4_000_000
    used = [set(card.beams[split]) for split in ("train", "test")]
    assert all(used)
    assert not used[0] & used[1]
    trials = {trial.split: trial for trial in card.trials}
    assert trials["test"].refined_rms_percent < trials["test"].physics_rms_percent
    assert 90 <= trials["test"].coverage_percent <= 98


def test_a_beam_through_water_changes_by_little():
    dose, beam = toy_beam()
    refined = refinement_model("simulated-6mv").refine(dose, beam, energy="6 MV")
    assert refined.notes == ()
    assert 0 < np.abs(refined.dose_gy - dose).max() <= 0.08 * 1.1
    assert 0 < refined.half_width_gy.mean() < 0.1
