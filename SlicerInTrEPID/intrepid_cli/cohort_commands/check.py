"""``intrepid cohort check``: quality checks of a curated collection, and DVHs of a sample computed another way."""

from pathlib import Path
from typing import Any

import click

from intrepid_cli.cohort_commands.shared import PATH, database_option, library
from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report


@click.command("check")
@click.argument("collection")
@database_option
@click.option("--limits", type=PATH, metavar="JSON", help="What is usual; see docs/cohort.md.")
@click.option("--crosscheck", "sample", type=click.IntRange(min=1), metavar="N",
              help="Also compute N stored DVHs anew, with other libraries.")  # fmt: skip
@json_option
def command(collection: str, database: str, limits: Path | None, sample: int | None, as_json: bool) -> int:
    """Check the treatments of COLLECTION: doses, targets, structures, outliers, duplicates, units, CT slices.

    Findings are kept in the table findings; exits with 1 if one of them is an error.
    """
    engine = library().open_database(database)
    from intrepid_cohort.curation.checks import check_collection

    found = check_collection(engine, collection, _limits(limits))
    shown: dict[str, Any] = {"findings": found}
    lines = [f"{one['severity']:<8} {one['pseudonym']}  {one['check_name']}: {one['message']}" for one in found]
    lines.append(f"{len(found)} findings.")
    if sample is not None:
        from intrepid_cohort.curation.crosscheck import crosscheck

        shown["crosscheck"] = crosscheck(engine, sample=sample)
        worst = max((abs(one["mean_difference_gy"]) for one in shown["crosscheck"]), default=0.0)
        lines.append(f"{len(shown['crosscheck'])} DVHs computed anew: means differ by at most {worst:.3f} Gy.")
    report(shown, "\n".join(lines), as_json=as_json)
    return CHECK_FAILED if any(one["severity"] == "error" for one in found) else DONE


def _limits(path: Path | None) -> Any:
    import msgspec

    from intrepid_cohort.curation.checks import CheckLimits
    from intrepid_rt.errors import InvalidSetting

    if path is None:
        return CheckLimits()
    try:
        return msgspec.json.decode(path.read_bytes(), type=CheckLimits)
    except (OSError, msgspec.MsgspecError) as error:
        raise InvalidSetting(f"{path} holds no limits: {error}.") from error
