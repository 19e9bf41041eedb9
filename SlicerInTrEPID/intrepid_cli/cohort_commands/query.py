"""``intrepid cohort query``: structures that meet conditions, on screen or as a file."""

from pathlib import Path
from typing import Any

import click

from intrepid_cli.cohort_commands.shared import PATH, database_option, library, question, question_options, table
from intrepid_cli.console import DONE, json_option, report


@click.command("query")
@database_option
@question_options
@click.option("--out", type=PATH, metavar="FILE", help="Write the rows to a .csv, .json, .xlsx, .dta or .parquet file.")
@click.option("--save", metavar="NAME", help="Keep the question in the database under this name.")
@click.option("--forget", metavar="NAME", help="Remove a saved query.")
@click.option("--list-saved", is_flag=True, help="List the saved queries.")
@click.option("--columns", is_flag=True, help="List the names for --where and --show.")
@json_option
def command(database: str, out: Path | None, as_json: bool, **options: Any) -> int:
    """Show dose and metrics of the structures that meet all conditions.

    Conditions: name ~ heart|herz (any case, * for anything), centre = A|B, mean_gy = 5..10, date >= 2024-06,
    D95% >= 47.5, plan_intent = none; joined by and, or, not and parentheses.
    """
    cohort = library()
    from intrepid_cohort import saved_queries
    from intrepid_cohort.query import column_names

    if options["columns"]:
        report({"columns": column_names()}, "\n".join(column_names()), as_json=as_json)
        return DONE
    if options["organ"] == "list":
        return _organs(as_json=as_json)
    engine = cohort.open_database(database)
    if options["list_saved"] or options["forget"]:
        if options["forget"]:
            saved_queries.forget(engine, options["forget"])
        names = saved_queries.saved_names(engine)
        report({"saved": names}, "\n".join(names) or "No query is saved.", as_json=as_json)
        return DONE
    asked = question(engine, options)
    rows = list(asked.ask(engine))
    if options["save"]:
        saved_queries.save(engine, options["save"], asked)
    if out is not None:
        from intrepid_cohort.row_files import write_rows

        write_rows(out, rows, [*asked.names, *(f"{metric} reason" for metric in asked.metrics)])
        report({"rows": len(rows), "file": str(out)}, f"{len(rows)} rows written to {out}.", as_json=as_json)
    else:
        report({"rows": rows}, f"{table(rows, asked.names)}\n{len(rows)} rows", as_json=as_json)
    return DONE


def _organs(*, as_json: bool) -> int:
    from intrepid_cohort.organ_parameters import SOURCE, organs

    shown = [{"organ": name, **values} for name, values in organs().items()]
    text = f"{table(shown, ['organ', 'endpoint', 'EUDa', 'NTCPgamma50', 'NTCPtd50', 'source'])}\nSource: {SOURCE}"
    report({"organs": shown, "source": SOURCE}, text, as_json=as_json)
    return DONE
