"""Picture of docs/refinement.md: ``python docs/pictures/make_refinement.py DOSES REFINEMENT CASE``.

One beam that no network saw, on a grid of 3 mm: dose along and across the beam by Monte Carlo, physics and refinement
with its band.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from intrepid_epid.refinement.beam_view import VOXEL_MM
from intrepid_epid.refinement.card import find_refinement, read_refinement
from intrepid_epid.refinement.cases import read_cases
from intrepid_epid.refinement.refinement_model import corrections, members
from intrepid_epid.refinement.training import JUDGED_VIEW
from intrepid_epid.refinement.uncertainty import guessed_error

HERE = Path(__file__).parent


def main(doses: str, refinement: str, name: str) -> None:
    """Draw and write the picture."""
    stored = read_refinement(find_refinement(refinement))
    (case,) = [one for one in read_cases(Path(doses), ["train", "calibration", "test"]) if one.id == name]
    planes = case.planes[JUDGED_VIEW]
    answers = corrections(members(stored.weights, stored.card.filters), planes)
    refined = planes[0] + answers.mean(axis=0)
    half = stored.card.quantile * guessed_error(refined, answers.std(axis=0), VOXEL_MM)
    truth, sigma = case.truth_over_level(JUDGED_VIEW), case.sigma_over_level(JUDGED_VIEW)
    # The middle of the field where the dose is highest.
    k = int(planes[0].max(axis=(1, 2)).argmax()) + 8
    j, i = (round(c) for c in np.argwhere(planes[0][k] > 0.6 * planes[0][k].max()).mean(axis=0))
    figure, axes = plt.subplots(2, 2, figsize=(10, 5.6), sharex="col", height_ratios=[2, 1.2], layout="constrained")
    for column, (where, axis_mm, label) in enumerate((
        ((slice(None), j, i), np.arange(truth.shape[0]) * VOXEL_MM, "along the beam, mm"),
        ((k, j, slice(None)), (np.arange(truth.shape[2]) - i) * VOXEL_MM, "across the beam, mm"),
    )):  # fmt: skip
        upper, lower = axes[:, column]
        upper.errorbar(axis_mm, 100 * truth[where], 100 * sigma[where], fmt="k.", ms=4, lw=0.8, label="Monte Carlo")
        upper.plot(axis_mm, 100 * planes[0][where], color="tab:blue", lw=1.2, label="physics")
        upper.plot(axis_mm, 100 * refined[where], color="tab:red", lw=1.2, label="refined")
        if column == 0:
            upper.fill_between(axis_mm, 0, 12 * planes[1][where], color="0.85", step="mid", label="density x 12")
        lower.fill_between(
            axis_mm, -100 * half[where], 100 * half[where], color="tab:red", alpha=0.2, label="95 % band"
        )
        for dose, colour in ((planes[0], "tab:blue"), (refined, "tab:red")):
            lower.plot(axis_mm, 100 * (dose - truth)[where], ".-", color=colour, lw=0.8, ms=3)
        lower.axhline(0, color="k", lw=0.6)
        lower.set(xlabel=label, ylim=(-12, 12))
    axes[0, 0].set_ylabel("dose, % of the level")
    axes[1, 0].set_ylabel("less Monte Carlo, %")
    axes[0, 0].legend(fontsize=8)
    axes[1, 0].legend(fontsize=8)
    figure.suptitle(f"{case.kind}, {case.area_cm2:.0f} cm2, voxels of 4 mm: a beam that no network saw", fontsize=10)
    figure.savefig(HERE / "refinement.png", dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
