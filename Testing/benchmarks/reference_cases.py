"""Monte Carlo reference cases through ``intrepid reconstruct``: portal dose and 3D dose against the truth.

    python Testing/benchmarks/reference_cases.py --truth NPZ_DIR --converted DIR [--model physics] [--refinement none]
        [--table FILE.md]

``NPZ_DIR`` holds the cases (``<case>.npz`` with ``dose3d_smooth``), ``DIR`` one folder per case as the converter writes
it (``study/``, ``open_fields/``, ``truth/``). One profile is commissioned from all open-field folders together.

Definition: reference = noise-reduced Monte Carlo, evaluated = reconstructed; 3D: norm = the reference's 99.9th
percentile inside BODY, 10 % cut, voxels in BODY of 0.15 to 1.12 g/cm3; portal dose: norm = maximum of the reference,
10 % cut, distances at the isocentre plane. Nothing of the cases but the open fields is used for computing.

With a refinement, "band covers" is the share of the counted voxels whose reference lies within the 95 % band, allowing
for its noise (half of that of the raw Monte Carlo), and "half-width" the mean of the band in percent of the norm.
"""

import argparse
import csv
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from intrepid_cli.main import run
from intrepid_cli.verification.comparison import at_isocentre
from intrepid_epid.portal_dose_file import read_portal_dose
from intrepid_gamma import gamma_index
from intrepid_rt.ct_curve import read_ct_curve
from intrepid_rt.dicom_dose import read_dose
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.grids import DoseGrid, affine_from_axes
from intrepid_rt.image_files import read_dose_file
from intrepid_rt.structure_mask import structure_mask

CRITERIA = ((3, 3), (3, 2), (2, 2))
COLUMNS = (
    "case", "portal 3/3", "portal 2/2", "portal mean >90 %", "3D 3/3", "3D 3/2", "3D 2/2", "mean >80 %", "mean 20-80 %",
)  # fmt: skip
BAND_COLUMNS = ("band covers", "half-width")


def evaluate(case: str, npz: Path, converted: Path, out: Path, curve_path: Path) -> dict[str, float | str]:
    """Compare one reconstructed case with its truth."""
    truth = np.load(npz)
    affine = affine_from_axes(truth["dose_origin_lps"], truth["dose_spacing"])
    measured = replace(read_dose(out / "RTDOSE_total.dcm"), frame_of_reference_uid="")
    reference = DoseGrid(truth["dose3d_smooth"], affine)
    body = read_structure_set(converted / "study" / "RTSTRUCT.dcm").external
    inside = structure_mask(body, reference)
    density = read_ct_curve(curve_path).density(truth["ct_hu"])
    mask = inside & (density >= 0.15) & (density <= 1.12)
    norm_gy = float(np.percentile(reference.values[inside], 99.9))
    row: dict[str, float | str] = {"case": case}
    for dose, distance in CRITERIA:
        result = gamma_index(reference, measured, dose_percent=dose, distance_mm=distance, norm_gy=norm_gy, mask=mask)
        row[f"3D {dose}/{distance}"] = result.pass_rate_percent
    error_percent = 100 * (measured.resampled_to(reference) - reference.values) / norm_gy
    level = reference.values / norm_gy
    row["mean >80 %"] = float(error_percent[mask & (level > 0.8)].mean())
    row["mean 20-80 %"] = float(error_percent[mask & (level > 0.2) & (level <= 0.8)].mean())
    if (out / "dose_uncertainty.nrrd").exists():
        counted = mask & (level > 0.1)
        half = 100 * read_dose_file(out / "dose_uncertainty.nrrd").resampled_to(reference)[counted] / norm_gy
        noise = 100 * 0.5 * truth["dose_unc"][counted] / norm_gy
        row["band covers"] = float(100 * (error_percent[counted] ** 2 <= half**2 + (1.96 * noise) ** 2).mean())
        row["half-width"] = float(half.mean())
    return row | evaluate_portal_dose(case, converted, out)


def evaluate_portal_dose(case: str, converted: Path, out: Path) -> dict[str, float]:
    """Compare the portal dose of one case with its truth."""
    name, distances = f"{case}_portal_dose.nrrd", {"source_to_image_mm": 1600.0, "source_to_axis_mm": 1000.0}
    reference = at_isocentre(read_portal_dose(converted / "truth" / name, **distances))
    measured = at_isocentre(read_portal_dose(out / name, **distances))
    row = {
        f"portal {dose}/{distance}": gamma_index(
            reference, measured, dose_percent=dose, distance_mm=distance
        ).pass_rate_percent
        for dose, distance in ((3, 3), (2, 2))
    }
    high = reference.values > 0.9 * reference.values.max()
    x, y = np.meshgrid(reference.x_mm, reference.y_mm)
    ratio = measured.sample(x, y)[high].mean() / reference.values[high].mean()
    return row | {"portal mean >90 %": float(100 * (ratio - 1))}


def markdown(rows: list[dict[str, float | str]]) -> str:
    """Table with mean and worst case of the pass rates and the largest deviation of the means."""
    columns = [c for c in (*COLUMNS, *BAND_COLUMNS) if all(c in row for row in rows)]
    numbers = {c: np.array([row[c] for row in rows], float) for c in columns[1:]}
    worst = {c: v.min() if "mean" not in c else v[np.abs(v).argmax()] for c, v in numbers.items()}
    summary = [{"case": "**mean**"} | {c: v.mean() for c, v in numbers.items()}, {"case": "**worst**"} | worst]
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in [*rows, *summary]:
        cells = [f"{row[c]:+.2f}" if "mean" in c else f"{row[c]:.2f}" for c in columns[1:]]
        lines.append("| " + " | ".join([str(row["case"]), *cells]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--converted", type=Path, required=True)
    parser.add_argument("--model", default="physics")
    parser.add_argument("--refinement", default="none")
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    cases = sorted(p.stem for p in options.truth.glob("*.npz") if (options.converted / p.stem).is_dir())
    fields = [str(options.converted / case / "open_fields") for case in cases]
    curve, spectrum = options.truth / "ct_curve.csv", options.truth / "spectrum_6mv.csv"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        profile = str(Path(folder) / "profile.json")
        assert (
            run(["commission", *fields, "--out", profile, "--beam-model", str(spectrum), "--ct-curve", str(curve)]) == 0
        )
        for case in cases:
            out, start = Path(folder) / case, time.perf_counter()
            study = options.converted / case
            code = run(["reconstruct", str(study / "study"), "--out", str(out), "--machine", profile,
                        "--model", options.model, "--refinement", options.refinement,
                        "--planned-portal", str(study / "truth")])  # fmt: skip
            assert code in (0, 1), f"{case}: exit code {code}"
            rows.append(evaluate(case, options.truth / f"{case}.npz", study, out, curve))
            print(f"{case}: {time.perf_counter() - start:.0f} s", flush=True)
    table = markdown(rows)
    print(table)
    if options.table:
        options.table.write_text(table + "\n", encoding="utf-8")
        with options.table.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
