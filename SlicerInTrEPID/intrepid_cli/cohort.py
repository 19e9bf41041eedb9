"""``intrepid cohort``: a database of many patients' plans, structures and doses."""

from pathlib import Path
from typing import Any

import click

from intrepid_cli.cohort_commands import check, curate, edit, epid, export, fetch, names, query, statistics
from intrepid_cli.cohort_commands.shared import PATH, Progress, database_option, library
from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report

_UNUSED_SHOWN = 20


@click.group("cohort")
def command() -> None:
    """Bring treatments from DICOM folders into a database, query and export them."""


@command.command("init")
@click.argument("database")
@click.option("--pseudonym-key", type=PATH, metavar="FILE", help="Key of at least 32 characters; default: random.")
@json_option
def init(database: str, pseudonym_key: Path | None, as_json: bool) -> int:
    """Create the tables in DATABASE (a file or a URL), or upgrade those of an older version.

    Databases made with one key give one patient of one centre the same pseudonym.
    """
    from intrepid_rt.small_files import read_small_text

    initialise = library().initialise
    key = read_small_text(pseudonym_key, largest_mb=0.1).strip() if pseudonym_key else None
    engine = initialise(database, pseudonym_key=key)
    shown = engine.url.render_as_string(hide_password=True)
    report({"database": shown}, f"{shown} is ready.", as_json=as_json)
    return DONE


@command.command("import")
@click.argument("folders", nargs=-1, required=True, type=PATH)
@database_option
@click.option("--centre", default="", metavar="NAME", help="Where these patients come from.")
@click.option("--processes", type=click.IntRange(min=1), metavar="N", help="Default: as many as processors.")
@click.option("--scheduler", metavar="ADDRESS",
              help="Dask cluster that does the work, such as tcp://host:8786; it must see the same files.")  # fmt: skip
@click.option("--unused", "unused_file", type=PATH, metavar="FILE", help="Write the unused files to a CSV file.")
@json_option
def import_(
    folders: tuple[Path, ...],
    database: str,
    centre: str,
    processes: int | None,
    scheduler: str | None,
    unused_file: Path | None,
    as_json: bool,
) -> int:
    """Import all DICOM files below FOLDERS; run it again after an interruption or when files were added.

    Files are read where they lie and never changed. Exits with 1 if a patient could not be imported.
    """
    cohort = library()
    from intrepid_cohort.importing import import_folders

    engine = cohort.open_database(database)
    with Progress() as progress:
        result = import_folders(engine, folders, centre=centre, processes=processes, scheduler=scheduler,
                                progress=progress.show)  # fmt: skip
    if unused_file is not None:
        from intrepid_cohort.row_files import write_rows

        write_rows(
            unused_file, [{"file": path, "reason": reason} for path, reason in result.unused], ["file", "reason"]
        )
    shown = {
        "files_seen": result.files_seen,
        "files_read": result.files_read,
        "patients_imported": result.patients_imported,
        "unused": [{"file": path, "reason": reason} for path, reason in result.unused],
        "failures": [{"patient": name, "reason": reason} for name, reason in result.failures],
    }
    report(shown, _import_text(shown), as_json=as_json)
    return CHECK_FAILED if result.failures else DONE


def _import_text(shown: dict[str, Any]) -> str:
    unused, failures = shown["unused"], shown["failures"]
    lines = [f"not used: {entry['file']}: {entry['reason']}" for entry in unused[:_UNUSED_SHOWN]]
    if len(unused) > _UNUSED_SHOWN:
        lines.append(f"... and {len(unused) - _UNUSED_SHOWN} more; --unused FILE or --json lists all.")
    lines += [f"NOT IMPORTED: {entry['patient']}: {entry['reason']}" for entry in failures]
    lines.append(
        f"{shown['files_seen']} files seen, {shown['files_read']} read, {len(unused)} not used; "
        f"{shown['patients_imported']} patients imported, {len(failures)} failed."
    )
    return "\n".join(lines)


for each in (
    check.command,
    curate.command,
    edit.command,
    epid.command,
    fetch.command,
    names.command,
    query.command,
    statistics.command,
    export.command,
):
    command.add_command(each)
