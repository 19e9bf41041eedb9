"""Portal dose models on Monte Carlo cases that no model was trained on.

    python Testing/benchmarks/portal_dose_cases.py --converted DIR --spectrum CSV --ct-curve CSV [--model NAME ...]

``DIR`` holds one folder per case as the converter writes it (``study/``, ``open_fields/``, ``truth/``). One profile is
commissioned from all open-field folders together; nothing else of the cases is used for computing. Each model answers
from the image alone, with its monitor units, with its plan, and with plan and CT, all by ``intrepid predict``.

Definition: reference = Monte Carlo portal dose, evaluated = predicted, norm = maximum of the reference, 10 % cut,
distances at the isocentre plane; "mean >90 %" is the error of the mean over pixels above 90 % of the maximum; the
band's coverage and half-width (percent of the maximum) are over the pixels above 10 %.
"""

import argparse
import contextlib
import io
import json
import tempfile
from pathlib import Path

import numpy as np

from intrepid_cli.main import run
from intrepid_cli.verification.comparison import at_isocentre
from intrepid_epid.portal_dose_file import read_portal_dose
from intrepid_gamma import gamma_index
from intrepid_rt.dicom_plan import read_plan
from intrepid_rt.portal_image import PortalImage

WHERE = {"source_to_image_mm": 1600.0, "source_to_axis_mm": 1000.0}
CRITERIA = ((3, 3), (2, 2))


def told(arguments: list[str]) -> dict:
    """Run a command with --json and return its answer."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        code = run([*arguments, "--json"])
    assert code in (0, 1), arguments
    return json.loads(printed.getvalue())


def judged(reference: PortalImage, evaluated: PortalImage, half: PortalImage | None) -> dict[str, float]:
    """Numbers of one case and one answer."""
    reference, evaluated = at_isocentre(reference), at_isocentre(evaluated)
    row = {
        f"{dose}/{distance}": gamma_index(
            reference, evaluated, dose_percent=dose, distance_mm=distance
        ).pass_rate_percent
        for dose, distance in CRITERIA
    }
    at = np.meshgrid(reference.x_mm, reference.y_mm)
    dose, highest = evaluated.sample(*at), reference.values.max()
    high, inside = reference.values > 0.9 * highest, reference.values > 0.1 * highest
    row["mean >90 %"] = float(100 * (dose[high].mean() / reference.values[high].mean() - 1))
    if half is not None:
        width = at_isocentre(half).sample(*at)[inside]
        row["covered"] = float(100 * (np.abs(dose - reference.values)[inside] <= width).mean())
        row["half-width"] = float(100 * width.mean() / highest)
    return row


def answers(
    case: Path, profile: str, model: str, out: Path, curve_path: Path
) -> dict[str, tuple[dict[str, float], str]]:
    """Judge what a model says to one case: by answer, the numbers and who answered."""
    study = case / "study"
    truth = read_portal_dose(case / "truth" / f"{case.name}_portal_dose.nrrd", **WHERE)
    image = str(next(study.glob("RTIMAGE_*.dcm")))
    ways = {
        "image": [image, "--alone"],
        "image, MU": [image, "--alone", "--meterset-mu", str(read_plan(study / "RTPLAN.dcm").beams[0].meterset_mu)],
        "image, plan": [image, "--plan", str(study / "RTPLAN.dcm")],
        "image, plan, CT": [str(study), "--ct-curve", str(curve_path)],
    }
    found = {}
    for answer, options in ways.items():
        said = told(["predict", *options, "--machine", profile, "--model", model, "--out", str(out)])["images"][0]
        half = read_portal_dose(said["half_width"], **WHERE) if "half_width" in said else None
        found[answer] = (judged(truth, read_portal_dose(said["portal_dose"], **WHERE), half), said["model"])
    return found


def table(rows: dict[str, dict[str, tuple[dict[str, float], str]]]) -> str:
    """Markdown: every case, then mean and worst, for each answer."""
    lines = []
    for answer in next(iter(rows.values())):
        columns = list(dict.fromkeys(key for case in rows.values() for key in case[answer][0]))
        lines += [
            f"\n**{answer}**\n",
            "| case | " + " | ".join(columns) + " | by |",
            "|" + " --- |" * (len(columns) + 2),
        ]
        for name, case in rows.items():
            row, by = case[answer]
            lines.append(
                f"| {name} | " + " | ".join(f"{row[c]:.2f}" if c in row else "-" for c in columns) + f" | {by} |"
            )
        for label in ("mean", "worst"):
            cells = []
            for column in columns:
                values = np.array([case[answer][0][column] for case in rows.values() if column in case[answer][0]])
                worst = values[np.abs(values).argmax()] if column in ("mean >90 %", "half-width") else values.min()
                cells.append(f"{values.mean() if label == 'mean' else worst:.2f}")
            lines.append(f"| **{label}** | " + " | ".join(cells) + " | |")
    return "\n".join(lines)


def main() -> None:
    """Print every case and the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--converted", type=Path, required=True)
    parser.add_argument("--spectrum", type=Path, required=True)
    parser.add_argument("--ct-curve", type=Path, required=True)
    parser.add_argument("--model", action="append")
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    cases = sorted(path.parent for path in options.converted.glob("*/truth"))
    with tempfile.TemporaryDirectory() as folder:
        profile, text = str(Path(folder) / "profile.json"), ""
        fields = [str(case / "open_fields") for case in cases]
        beam = ["--beam-model", str(options.spectrum), "--ct-curve", str(options.ct_curve)]
        told(["commission", *fields, "--out", profile, *beam])
        for model in options.model or ["physics"]:
            rows = {}
            for case in cases:
                out = Path(folder) / Path(model).name / case.name
                rows[case.name] = answers(case, profile, model, out, options.ct_curve)
                print(model, case.name, {k: v[0] for k, v in rows[case.name].items()}, flush=True)
            text += f"\n### {model}\n{table(rows)}\n"
    print(text)
    if options.table:
        options.table.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
