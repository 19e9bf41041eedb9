"""Physics and refined dose of training-like beams beside their Monte Carlo, region by region.

    python Testing/benchmarks/refinement_cases.py DOSES REFINEMENT [--split test] [--table FILE.md]

``DOSES`` is a folder of ``python -m intrepid_epid.refinement.training_doses``. Every view from an image counts. Errors
in percent of the level of the beam (99.9th percentile): means in regions, rms with the noise of the truth taken off;
gamma with the level as norm and a 10 % cut, which noise of the truth lowers for physics and refined dose alike.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.refinement.beam_view import DEPTH_UNIT_G_CM2, VOXEL_MM
from intrepid_epid.refinement.card import find_refinement, read_refinement
from intrepid_epid.refinement.cases import Case, read_cases
from intrepid_epid.refinement.domain import properties, reasons_outside
from intrepid_epid.refinement.refinement_model import corrections, members
from intrepid_epid.refinement.uncertainty import HeldOut, covered_percent, guessed_error
from intrepid_gamma import gamma_index
from intrepid_rt.grids import DoseGrid, affine_from_axes

CRITERIA = ((3, 3), (2, 2))
COLUMNS = ("3/3", "2/2", "rms", ">80 %", "20-80 %", "lung", "build-up", "bone")


def regions(case: Case, planes: NDArray) -> dict[str, NDArray]:
    """Return masks of the regions in which mean errors are reported."""
    counted, density, depth = case.counted, planes[1], planes[2] * DEPTH_UNIT_G_CM2
    dose = planes[0]  # regions by the physics: by the noisy truth, its noise would become an error
    return {
        ">80 %": counted & (dose > 0.8),
        "20-80 %": counted & (dose > 0.2) & (dose <= 0.8),
        "lung": counted & (dose > 0.2) & (density < 0.6),
        "build-up": counted & (dose > 0.3) & (depth < 1.0),
        "bone": counted & (dose > 0.2) & (density > 1.2),
    }


def judged(case: Case, view: int, dose: NDArray) -> dict[str, float]:
    """Compare one dose, over the level, with the truth."""
    planes, truth, sigma = case.planes[view], case.truth_over_level(view), case.sigma_over_level(view)
    error = 100 * (dose - truth)
    row = {}
    for name, inside in regions(case, planes).items():
        if np.count_nonzero(inside) >= 50:
            row[name] = float(error[inside].mean())
    inside = case.counted & (planes[0] > 0.1)
    row["rms"] = float(np.sqrt(max((error[inside] ** 2 - (100 * sigma[inside]) ** 2).mean(), 0.0)))
    affine = affine_from_axes((0, 0, 0), (VOXEL_MM,) * 3)
    reference, evaluated = DoseGrid(truth, affine), DoseGrid(np.asarray(dose, np.float32), affine)
    for percent, distance in CRITERIA:
        found = gamma_index(
            reference, evaluated, dose_percent=percent, distance_mm=distance, norm_gy=1.0, mask=case.counted
        )
        row[f"{percent}/{distance}"] = found.pass_rate_percent
    return row


def table(rows: dict[str, list[dict[str, float]]]) -> list[str]:
    """Markdown lines: means over the views of every group."""
    lines = ["| dose | views | " + " | ".join(COLUMNS) + " |", "| --- |" + " --- |" * (len(COLUMNS) + 1)]
    for name in sorted(rows, key=lambda key: key.split(", ")[::-1]):
        cells = []
        for column in COLUMNS:
            found = [row[column] for row in rows[name] if column in row]
            form = "+.2f" if column in COLUMNS[3:] else ".2f"
            cells.append(f"{np.mean(found):{form}}" if found else "-")
        lines.append(f"| {name} | {len(rows[name])} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("doses", type=Path)
    parser.add_argument("refinement")
    parser.add_argument("--split", default="test")
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    stored = read_refinement(find_refinement(options.refinement))
    networks = members(stored.weights, stored.card.filters)
    rows: dict[str, list[dict[str, float]]] = defaultdict(list)
    covered, outside = [], 0
    for case in read_cases(options.doses, options.split.split(",")):
        for view in case.imaged:
            planes = case.planes[view]
            if reasons_outside(properties(planes), stored.card.domain):
                outside += 1
                continue
            answers = corrections(networks, planes)
            dose = planes[0] + answers.mean(axis=0)
            guess = guessed_error(dose, answers.std(axis=0), VOXEL_MM)
            held = HeldOut(dose, guess, case.truth_over_level(view), case.sigma_over_level(view), case.counted)
            covered += covered_percent([held], stored.card.quantile)
            for name, one in (("physics", planes[0]), ("refined", dose)):
                rows[f"{name}, all"].append(judged(case, view, one))
                rows[f"{name}, {case.kind}"].append(rows[f"{name}, all"][-1])
                if case.area_cm2 < 10:
                    rows[f"{name}, below 10 cm2"].append(rows[f"{name}, all"][-1])
    lines = table(rows)
    lines.append(
        f"\nBand covers {np.mean(covered):.1f} %, {min(covered):.1f} at least; {outside} views outside the domain."
    )
    print("\n".join(lines))
    if options.table:
        options.table.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
