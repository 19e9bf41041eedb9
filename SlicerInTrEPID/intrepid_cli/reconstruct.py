"""``intrepid reconstruct``: portal images and a plan in, dose in the patient, comparison and report out."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from intrepid_cli.console import CHECK_FAILED, DONE, UNUSABLE_INPUT, json_option, report
from intrepid_cli.progress import progress_bar

if TYPE_CHECKING:
    from intrepid_cli.verification import VerificationSettings
    from intrepid_rt.verification import VerificationResult

_PATH = click.Path(path_type=Path)


@click.command("reconstruct")
@click.argument("study_dir", type=_PATH)
@click.option("--out", "out_dir", required=True, type=_PATH, help="Folder for doses, scene, report and results.")
@click.option("--machine", type=_PATH, help="Machine profile; without one the result is relative.")
@click.option("--model", default="physics", show_default=True, help="physics, first-order, or a network's name.")
@click.option("--refinement", default="none", show_default=True, help="none, or the name of a dose refinement.")
@click.option("--ct-curve", type=_PATH, help="CT calibration: CSV hu, density_g_cc, relative_electron_density.")
@click.option(
    "--assign",
    "assigned",
    multiple=True,
    metavar="BEAM=FILE",
    help="The image of a beam, by hand: a file, a folder of raw frames, or FOLDER/FILE.",
)
@click.option("--anatomy", default="planning", show_default=True, help="planning, or a folder with the CT of the day.")
@click.option("--registration", default="rigid", show_default=True, help="rigid, deformable, dicom (REG), or a file.")
@click.option(
    "--setup", type=click.Choice(["image", "matched", "matched-6d"]), help="Where the beams hit the day's CT."
)
@click.option("--isocentre", help="Isocentre in the CT of the day: X,Y,Z, DICOM mm.")
@click.option("--couch-shift", help="After that CT: LAT,LONG,VERT mm[,PITCH,ROLL,ROTATION degrees], or plan.")
@click.option("--anatomy-curve", help="Calibration of the CT of the day: a file, planning or matched.")
@click.option(
    "--truncated",
    type=click.Choice(["refuse", "complete"]),
    default="refuse",
    show_default=True,
    help="If the CT of the day does not show the whole patient.",
)
@click.option("--planned-portal", "planned_portal_dir", type=_PATH, help="Folder of planned portal doses.")
@click.option("--constraints", type=_PATH, help="Constraint file for the DVHs.")
@click.option("--criteria", default="3/3,3/2,2/2", show_default=True, help="Gamma criteria, percent/mm.")
@click.option("--grid-mm", type=float, help="Dose grid spacing; default: the planned dose's grid, else 3 mm.")
@click.option(
    "--dose-to",
    type=click.Choice(["water", "water-in-tissue", "tissue"]),
    default="water",
    show_default=True,
    help="What absorbs the dose (docs/physics.md): matters in bone and metal.",
)
@click.option("--batch", is_flag=True, help="STUDY_DIR holds one folder per study; finished ones are kept.")
@click.option("--jobs", type=click.IntRange(1), help="With --batch: processes; default: all cores.")
@click.option("--scheduler", metavar="ADDRESS", help="With --batch: a Dask scheduler, such as tcp://host:8786.")
@click.option("--device", default="cpu", show_default=True, help="What computes: cpu, cuda, or mps (networks only).")
@json_option
def command(  # type: ignore[no-untyped-def]
    study_dir: Path,
    out_dir: Path,
    criteria: str,
    anatomy: str,
    isocentre: str | None,
    assigned: tuple[str, ...],
    batch: bool,
    jobs: int | None,
    scheduler: str | None,
    as_json: bool,
    **given,
) -> int:  # fmt: skip
    """Reconstruct the dose of the fraction imaged in STUDY_DIR and compare it with the plan."""
    from intrepid_cli.verification import VerificationSettings, parse_criteria
    from intrepid_cli.verification.day_setup import parse_position
    from intrepid_cli.verification.device import check_device
    from intrepid_cli.verification.settings import parse_assignment
    from intrepid_rt.errors import InvalidSetting

    grid_mm = given["grid_mm"]
    if grid_mm is not None and not 0.5 <= grid_mm <= 20:
        raise InvalidSetting(f"--grid-mm {grid_mm:g}: expected a spacing between 0.5 and 20 mm.")
    settings = VerificationSettings(
        study_dir,
        out_dir,
        criteria=parse_criteria(criteria),
        assigned=tuple(parse_assignment(text) for text in assigned),
        anatomy=None if anatomy == "planning" else Path(anatomy),
        isocentre_mm=parse_position(isocentre) if isocentre else None,
        **given,
    )
    check_device(settings)
    if batch:
        return _batch(settings, jobs, scheduler, as_json=as_json)
    if jobs is not None or scheduler is not None:
        raise InvalidSetting("--jobs and --scheduler are for many studies: add --batch.")
    result = reconstruct(settings)
    from intrepid_cli.verification.results import as_results

    report(as_results(result), summary(result, out_dir), as_json=as_json)
    return CHECK_FAILED if result.verdict.status == "fail" else DONE


def _batch(settings: "VerificationSettings", jobs: int | None, scheduler: str | None, *, as_json: bool) -> int:
    """Reconstruct every study below a folder; each tells its line on standard error as it is ready."""
    from intrepid_cli.verification.batch import batch_settings, run_batch

    outcomes = []
    for outcome in run_batch(batch_settings(settings), jobs=jobs or os.cpu_count() or 1, scheduler=scheduler):
        outcomes.append(outcome)
        said = ": ".join(part for part in (outcome.state, outcome.verdict or outcome.reason) if part)
        click.echo(f"{outcome.study}: {said}", err=True)
    outcomes.sort(key=lambda outcome: outcome.study)
    failed = [outcome.study for outcome in outcomes if outcome.state == "failed"]
    text = f"{len(outcomes)} studies, {len(failed)} could not be reconstructed" + (
        f": {', '.join(failed)}" if failed else ""
    )
    report(
        {"studies": [vars(outcome) for outcome in outcomes]}, f"{text}.\nResults: {settings.out_dir}", as_json=as_json
    )
    if failed:
        return UNUSABLE_INPUT
    return CHECK_FAILED if any(outcome.verdict == "fail" for outcome in outcomes) else DONE


def reconstruct(settings: "VerificationSettings", *, show_progress: bool = True) -> "VerificationResult":
    """Verify a study and write all outputs, whole or not at all, with a progress bar on standard error."""
    from intrepid_cli.verification import verify_study
    from intrepid_cli.verification.outputs import write_outputs
    from intrepid_rt.atomic import staged_folder

    with (
        staged_folder(settings.out_dir) as stage,
        progress_bar(
            total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}", dynamic_ncols=True, disable=not show_progress
        ) as bar,
    ):

        def progress(fraction: float, step: str) -> None:
            bar.set_description_str(step)
            bar.update(max(0, round(100 * fraction) - bar.n))

        verified = verify_study(settings, progress=progress)
        result = write_outputs(verified.result, stage, verified.plan_file, progress=lambda step: progress(0.9, step))
        progress(1.0, "done")
    return result


def summary(result: "VerificationResult", out_dir: Path) -> str:
    """Tell on a few lines what was found and where it lies."""
    from intrepid_cli.verification.results import gamma_rate

    lines = [f"Verdict: {result.verdict.status}", *(f"  {reason}" for reason in result.verdict.reasons)]
    lines += [f"3D gamma {outcome.criteria}: {gamma_rate(outcome)}" for outcome in result.gamma_3d]
    lines += [
        f"{beam.name}: portal dose gamma {outcome.criteria}: {gamma_rate(outcome)}"
        for beam in result.beams
        for outcome in beam.gamma_2d
    ]
    if result.dose_uncertainty_percent is not None:
        lines.append(f"95 % band of the dose: +- {result.dose_uncertainty_percent:.1f} % where it is high")
    lines += [f"Note: {warning}" for warning in result.warnings]
    lines += [f"{name}: {out_dir / file}" for name, file in (("Report", "report.html"), ("Scene", "scene.mrb"))]
    dose = "none, the result is relative" if result.is_relative else out_dir / "RTDOSE_total.dcm"
    lines.append(f"Dose: {dose}")
    return "\n".join(lines)
