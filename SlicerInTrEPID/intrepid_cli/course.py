"""``intrepid course``: reconstructed fractions in, dose of the course and its comparison with the plan out."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report

if TYPE_CHECKING:
    from intrepid_cli.verification.course import CourseResult

_PATH = click.Path(path_type=Path)


@click.command("course")
@click.argument("folders", metavar="RESULT_DIR...", nargs=-1, required=True, type=_PATH)
@click.option("--out", "out_dir", required=True, type=_PATH, help="Folder for the summed dose and its results.")
@click.option("--study", type=_PATH, help="Folder with plan, dose and structures; default: the first fraction's.")
@click.option(
    "--missing",
    type=click.Choice(["left-out", "as-imaged", "as-planned"]),
    default="left-out",
    show_default=True,
    help="What stands for fractions that were not imaged.",
)
@click.option("--constraints", type=_PATH, help="Constraint file for the DVHs of the course.")
@click.option("--criteria", default="3/3,3/2,2/2", show_default=True, help="Gamma criteria, percent/mm.")
@json_option
def command(
    folders: tuple[Path, ...],
    out_dir: Path,
    study: Path | None,
    missing: str,
    constraints: Path | None,
    criteria: str,
    as_json: bool,
) -> int:
    """Add the fractions in RESULT_DIR... (of 'intrepid reconstruct') and compare the sum with the plan."""
    from intrepid_cli.verification.course import as_course_results, sum_course, write_course
    from intrepid_cli.verification.settings import parse_criteria
    from intrepid_rt.atomic import staged_folder

    course = sum_course(
        folders, study=study, missing=missing, criteria=parse_criteria(criteria), constraints=constraints
    )
    with staged_folder(out_dir) as stage:
        write_course(course, stage)
    report(as_course_results(course), _summary(course, out_dir), as_json=as_json)
    return CHECK_FAILED if course.verdict.status == "fail" else DONE


def _summary(course: "CourseResult", out_dir: Path) -> str:
    from intrepid_cli.verification.course import DOSE
    from intrepid_cli.verification.results import gamma_rate

    lines = [course.composition, f"Verdict: {course.verdict.status}", *(f"  {r}" for r in course.verdict.reasons)]
    lines += [f"{one.fraction or one.folder.name}: {one.verdict}, on the {one.anatomy}" for one in course.fractions]
    against = f"against {course.compared_fractions} planned fractions"
    lines += [f"3D gamma {outcome.criteria} {against}: {gamma_rate(outcome)}" for outcome in course.gamma_3d]
    lines += [f"Note: {warning}" for warning in course.warnings]
    return "\n".join([*lines, f"Dose: {out_dir / DOSE}"])
