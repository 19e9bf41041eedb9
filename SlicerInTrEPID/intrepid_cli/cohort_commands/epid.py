"""``intrepid cohort epid``: results of ``intrepid reconstruct`` beside the plans they verify."""

from datetime import datetime
from pathlib import Path

import click

from intrepid_cli.cohort_commands.shared import PATH, database_option, library
from intrepid_cli.console import DONE, json_option, report


@click.command("epid")
@click.argument("results", nargs=-1, required=True, type=PATH)
@database_option
@click.option("--course", metavar="TEXT", help="Course of treatment.")
@click.option("--fraction", type=click.IntRange(min=1), metavar="N", help="Number of the fraction.")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="Day of the fraction.")
@json_option
def command(
    results: tuple[Path, ...],
    database: str,
    course: str | None,
    fraction: int | None,
    day: datetime | None,
    as_json: bool,
) -> int:
    """Add gamma per beam and of all beams, and R, from RESULTS (files results.json) to the patients of the plans."""
    engine = library().open_database(database)
    from intrepid_cohort.epid_results import add_results

    counts = {
        str(path): add_results(
            engine, path, course=course, fraction_number=fraction, treatment_date=day.date() if day else None
        )
        for path in results
    }
    text = "\n".join(f"{path}: {count} rows" for path, count in counts.items())
    report({"rows": counts}, text, as_json=as_json)
    return DONE
