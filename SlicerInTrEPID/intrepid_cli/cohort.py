"""``intrepid cohort``: a database of many patients' plans, structures and doses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report

_FOLDER = click.Path(path_type=Path)
_UNUSED_SHOWN = 20

_database = click.option(
    "--database", required=True, metavar="URL", help="SQLite file, or postgresql://user@host/name."
)


@click.group("cohort")
def command() -> None:
    """Bring treatments from DICOM folders into a database, query and export them."""


@command.command("init")
@click.argument("database")
@click.option("--pseudonym-key", type=_FOLDER, metavar="FILE", help="Key of at least 32 characters; default: random.")
@json_option
def init(database: str, pseudonym_key: Path | None, as_json: bool) -> int:
    """Create the tables in DATABASE (a file or a URL), or upgrade those of an older version.

    Databases made with one key give one patient of one centre the same pseudonym.
    """
    initialise = _library().initialise
    key = pseudonym_key.read_text(encoding="utf-8").strip() if pseudonym_key else None
    engine = initialise(database, pseudonym_key=key)
    shown = engine.url.render_as_string(hide_password=True)
    report({"database": shown}, f"{shown} is ready.", as_json=as_json)
    return DONE


@command.command("import")
@click.argument("folders", nargs=-1, required=True, type=_FOLDER)
@_database
@click.option("--centre", default="", metavar="NAME", help="Where these patients come from.")
@click.option("--processes", type=click.IntRange(min=1), metavar="N", help="Default: as many as processors.")
@click.option("--unused", "unused_file", type=_FOLDER, metavar="FILE", help="Write the unused files to a CSV file.")
@json_option
def import_(
    folders: tuple[Path, ...],
    database: str,
    centre: str,
    processes: int | None,
    unused_file: Path | None,
    as_json: bool,
) -> int:
    """Import all DICOM files below FOLDERS; run it again after an interruption or when files were added.

    Files are read where they lie and never changed. Exits with 1 if a patient could not be imported.
    """
    library = _library()
    from intrepid_cohort.importing import import_folders

    engine = library.open_database(database)
    with _Progress() as progress:
        result = import_folders(engine, folders, centre=centre, processes=processes, progress=progress.show)
    if unused_file is not None:
        _write_unused(unused_file, result.unused)
    shown = {
        "files_seen": result.files_seen,
        "files_read": result.files_read,
        "patients_imported": result.patients_imported,
        "unused": [{"file": path, "reason": reason} for path, reason in result.unused],
        "failures": [{"patient": name, "reason": reason} for name, reason in result.failures],
    }
    report(shown, _import_text(shown), as_json=as_json)
    return CHECK_FAILED if result.failures else DONE


@command.command("query")
@_database
@click.option("--where", "conditions", multiple=True, metavar="TEXT",
              help="Such as 'roi_name ~ lung*', 'not centre = A|B'; repeatable, all must hold.")  # fmt: skip
@click.option("--show", multiple=True, metavar="NAME", help="A further column; repeatable.")
@click.option("--metric", "metrics", multiple=True, metavar="TEXT", help="Such as D95%, V20Gy; repeatable.")
@click.option("--out", type=_FOLDER, metavar="FILE", help="Write the rows to a .csv or .json file.")
@click.option("--columns", is_flag=True, help="List the names for --where and --show.")
@json_option
def query(database: str, out: Path | None, columns: bool, as_json: bool, **options: Any) -> int:
    """Show dose and metrics of the structures that meet all conditions."""
    library = _library()
    from intrepid_cohort.query import SHOWN, column_names, query_dvhs

    if columns:
        report({"columns": column_names()}, "\n".join(column_names()), as_json=as_json)
        return DONE
    engine = library.open_database(database)
    show = tuple(dict.fromkeys((*SHOWN, *options["show"])))
    rows = list(query_dvhs(engine, options["conditions"], show=show, metrics=options["metrics"]))
    if out is not None:
        _write_rows(out, rows, [*show, *(name for text in options["metrics"] for name in (text, f"{text} reason"))])
        report({"rows": len(rows), "file": str(out)}, f"{len(rows)} rows written to {out}.", as_json=as_json)
    else:
        report({"rows": rows}, _table(rows, [*show, *options["metrics"]]), as_json=as_json)
    return DONE


@command.command("export")
@_database
@click.argument("out", type=_FOLDER)
@click.option("--format", "kind", type=click.Choice(["csv", "json"]), default="csv", show_default=True,
              help="csv: a folder with a file per table; json: one file.")  # fmt: skip
@click.option("--canonical", is_flag=True, help="One file of sorted lines without times, to compare databases.")
@json_option
def export(database: str, out: Path, kind: str, canonical: bool, as_json: bool) -> int:
    """Write all tables to OUT, with a data dictionary."""
    library = _library()
    from intrepid_cohort.export import export_canonical, export_csv, export_json

    engine = library.open_database(database)
    if canonical:
        counts = {"lines": export_canonical(engine, out)}
    else:
        counts = export_csv(engine, out) if kind == "csv" else export_json(engine, out)
    text = "\n".join(f"{name:<20} {count}" for name, count in counts.items())
    report({"file": str(out), "rows": counts}, f"{text}\nWritten to {out}.", as_json=as_json)
    return DONE


def _library() -> Any:
    """Return the database module, or say what to install for it."""
    from intrepid_rt.errors import MissingObject

    try:
        from intrepid_cohort import database
    except ModuleNotFoundError as error:
        raise MissingObject(
            f"The cohort database needs the package {error.name}. Run: pip install 'slicer-intrepid[cohort]'"
        ) from error
    return database


class _Progress:
    """A bar per stage on standard error, with rate and time left."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, stage: str, done: int, total: int) -> None:
        from tqdm import tqdm

        if stage != self._stage:
            self.__exit__()
            self._bar, self._stage = tqdm(total=total, desc=stage), stage
        self._bar.update(done - self._bar.n)


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


def _write_unused(path: Path, unused: list[tuple[str, str]]) -> None:
    _write_csv(path, ["file", "reason"], [list(entry) for entry in unused])


def _write_rows(path: Path, rows: list[dict[str, Any]], names: list[str]) -> None:
    import json

    from intrepid_cli.console import plain
    from intrepid_rt.atomic import write_text
    from intrepid_rt.errors import InvalidSetting

    writers: dict[str, Callable[[], None]] = {
        ".json": lambda: write_text(path, json.dumps(plain(rows), allow_nan=False)),
        ".csv": lambda: _write_csv(path, names, [[row.get(name) for name in names] for row in rows]),
    }
    if path.suffix.lower() not in writers:
        raise InvalidSetting(f"{path.name}: rows are written as .csv or .json.")
    writers[path.suffix.lower()]()


def _write_csv(path: Path, names: list[str], rows: list[list[Any]]) -> None:
    import csv

    from intrepid_rt.atomic import replacing

    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)


def _table(rows: list[dict[str, Any]], names: list[str]) -> str:
    cells = [names] + [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([*lines, f"{len(rows)} rows"])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
