"""Physics on simulated cases that no training saw: portal dose against the simulation's truth, by phantom family.

    intrepid simulate phantoms FOLDER --set unseen --seed 2025
    intrepid commission FOLDER/open_fields --out PROFILE.json --beam-model FOLDER/open_fields/beam_model.csv \
      --ct-curve FOLDER/open_fields/ct_curve.csv
    python Testing/benchmarks/unseen_cases.py FOLDER --machine PROFILE.json [--split test] [--table FILE.md]

The set has 32 pairs on eight phantoms of the kinds of the Monte Carlo reference cases, none of them the same and none
in the training set; scatter in its truth is a photon Monte Carlo, in the physics under test an integral over single
scatter. Four answers are compared: with the phantom's CT, with the plan, with the monitor units, from the image alone.
Networks are judged on the same folder by 'intrepid dataset build' and 'intrepid evaluate'.

Definition: reference = simulated portal dose, evaluated = ours, distances at the isocentre plane, norm = maximum of the
reference, 10 % cut; the mean is over pixels above 90 % of the maximum.
"""

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from intrepid_cli.verification.comparison import at_isocentre
from intrepid_epid.beam_model import beam_model
from intrepid_epid.machine_profile import MachineProfile, load_profile
from intrepid_epid.networks.physics_model import PhysicsModel
from intrepid_epid.networks.portal_dose_model import exposure_of
from intrepid_epid.portal_reader import read_portal_image
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_gamma import gamma_index
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.ct_curve import read_ct_curve
from intrepid_rt.dicom_ct import read_ct
from intrepid_rt.dicom_plan import read_plan
from intrepid_rt.plan import Beam
from intrepid_rt.portal_image import PortalImage

CRITERIA = ((3, 3), (2, 2))
ANSWERS = ("with CT", "with plan", "with MU", "image only")


def beams_of(folder: Path, profile: MachineProfile, curve_path: Path) -> Iterator[tuple[Beam, PrimaryBeam]]:
    """Yield every beam of a phantom's plan, and its way through the phantom."""
    ct = read_ct(sorted(folder.glob("CT_*.dcm")))
    density = ct.with_values(read_ct_curve(curve_path).density(ct.values).astype(np.float32))
    anatomy = anatomy_of(density)
    for beam in read_plan(folder / "RTPLAN.dcm").beams:
        point = beam.control_points[0]
        frame = beam_frame(point.gantry_angle_deg, point.isocentre_lps_mm)
        yield beam, PrimaryBeam(anatomy, beam_model(profile).spectrum, frame)


def judged(reference: PortalImage, evaluated: PortalImage) -> list[float]:
    """Pass rates of the criteria, and the deviation of the mean in the high dose, all in percent."""
    pair = at_isocentre(reference), at_isocentre(evaluated)
    rates = [gamma_index(*pair, dose_percent=d, distance_mm=mm).pass_rate_percent for d, mm in CRITERIA]
    high = reference.values > 0.9 * reference.values.max()
    return [*rates, 100 * float(evaluated.values[high].mean() / reference.values[high].mean() - 1)]


def evaluate(folder: Path, profile: MachineProfile, split: str) -> dict[str, dict[str, list[list[float]]]]:
    """Answer and family to the results of their pairs."""
    results: dict[str, dict[str, list[list[float]]]] = {answer: defaultdict(list) for answer in ANSWERS}
    rows = list(csv.DictReader((folder / "pairs.csv").read_text(encoding="utf-8").splitlines()))
    for phantom in dict.fromkeys(row["phantom"] for row in rows if row["split"] == split):
        curve = folder / "open_fields" / "ct_curve.csv"
        beams = {beam.number: (beam, way) for beam, way in beams_of(folder / phantom, profile, curve)}
        for row in (one for one in rows if one["phantom"] == phantom):
            frame = read_portal_image(folder / row["image"])
            truth = read_portal_image(folder / row["portal_dose"]).image
            beam, way = beams[frame.beam_number or 0]
            told = exposure_of(frame, profile, meterset_mu=beam.meterset_mu, beam=beam, patient=way)
            with_plan = replace(told, patient=None)
            with_meterset = replace(with_plan, open_share=None)
            ways = (told, with_plan, with_meterset, replace(with_meterset, meterset_mu=None))
            for answer, exposure in zip(ANSWERS, ways, strict=True):
                found = judged(truth, PhysicsModel().predict(exposure).dose)
                results[answer][row["family"]].append(found)
                print(f"{row['id']:<40} {answer:<10} " + " ".join(f"{value:7.2f}" for value in found), flush=True)
    return results


def table(results: dict[str, dict[str, list[list[float]]]]) -> str:
    """Means and the worst case by family, as Markdown."""
    lines = ["| answer | phantom | n | 3 %/3 mm mean (worst) | 2 %/2 mm mean (worst) | mean >90 %, worst |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for answer, families in results.items():
        everything = [one for found in families.values() for one in found]
        for family, found in (*families.items(), ("all", everything)):
            rates = np.array(found)
            cells = [f"{rates[:, i].mean():.2f} % ({rates[:, i].min():.2f} %)" for i in range(len(CRITERIA))]
            worst = rates[np.argmax(np.abs(rates[:, -1])), -1]
            lines.append(f"| {answer} | {family} | {len(found)} | {' | '.join(cells)} | {worst:+.2f} % |")
    return "\n".join(lines)


def main() -> None:
    """Print every pair and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--machine", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    made = table(evaluate(options.folder, load_profile(options.machine), options.split))
    print(made)
    if options.table:
        options.table.write_text(made + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
