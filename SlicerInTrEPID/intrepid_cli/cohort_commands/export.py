"""``intrepid cohort export``: tables, DICOM of chosen patients, the methods paragraph."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from intrepid_cli.cohort_commands.shared import PATH, Progress, database_option, library
from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report

if TYPE_CHECKING:
    from intrepid_cohort.dicom_export import DicomExport


@click.command("export")
@database_option
@click.argument("out", type=PATH, required=False)
@click.option("--format", "kind", default="csv", show_default=True,
              type=click.Choice(["csv", "json", "excel", "stata", "parquet", "dicom"]),
              help="csv, stata, parquet: a folder with a file per table; json, excel: one file.")  # fmt: skip
@click.option("--canonical", is_flag=True, help="One file of sorted lines without times, to compare databases.")
@click.option("--methods", is_flag=True, help="The paragraph for a paper: OUT is optional.")
@click.option(
    "--where", "conditions", multiple=True, metavar="TEXT", help="dicom: patients with a DVH that meets this."
)
@click.option("--collection", metavar="NAME", help="dicom: patients whose treatment this curated collection includes.")
@click.option(
    "--to", "address", metavar="PEER", help="dicom: send to AETITLE@host:port by C-STORE; OUT is the log (CSV)."
)
@click.option("--key", "key_file", type=PATH, metavar="FILE", help="dicom: secret key of the pseudonyms.")
@json_option
def command(database: str, out: Path | None, kind: str, as_json: bool, **options: Any) -> int:
    """Write all tables to OUT with a data dictionary, or the files of chosen patients, de-identified."""
    from intrepid_rt.errors import InvalidSetting

    engine = library().open_database(database)
    if options["methods"]:
        return _methods(engine, out, as_json=as_json)
    if out is None:
        raise InvalidSetting("OUT is missing; expected where to write to.")
    if kind == "dicom":
        return _dicom(engine, out, as_json=as_json, **options)
    counts = _tables(engine, out, "canonical" if options["canonical"] else kind)
    text = "\n".join(f"{name:<24} {count}" for name, count in counts.items())
    report({"file": str(out), "rows": counts}, f"{text}\nWritten to {out}.", as_json=as_json)
    return DONE


def _tables(engine: Any, out: Path, kind: str) -> dict[str, int]:
    from intrepid_cohort import export, table_files

    writers = {
        "canonical": lambda: {"lines": export.export_canonical(engine, out)},
        "csv": lambda: export.export_csv(engine, out),
        "json": lambda: export.export_json(engine, out),
        "excel": lambda: table_files.export_excel(engine, out),
        "stata": lambda: table_files.export_stata(engine, out),
        "parquet": lambda: table_files.export_parquet(engine, out),
    }
    return writers[kind]()


def _methods(engine: Any, out: Path | None, *, as_json: bool) -> int:
    from intrepid_cohort.methods import methods_paragraph
    from intrepid_rt.atomic import write_text

    text = methods_paragraph(engine)
    if out is not None:
        write_text(out, text + "\n")
    report({"methods": text}, text, as_json=as_json)
    return DONE


def _dicom(engine: Any, out: Path, *, address: str | None, key_file: Path | None, as_json: bool, **options: Any) -> int:
    from intrepid_cohort.dicom_export import chosen_files, export_folder, export_to_peer
    from intrepid_rt.deidentify import key_from_file

    files = chosen_files(engine, options["conditions"], collection=options["collection"])
    key = key_from_file(key_file or Path(click.get_app_dir("intrepid")) / "deidentify.key")
    with Progress() as bar:

        def progress(done: int, total: int) -> None:
            bar.show("de-identifying", done, total)

        if address is None:
            result = export_folder(files, out, key, progress=progress)
        else:
            from intrepid_rt.network.peer import parse_peer

            result = export_to_peer(files, parse_peer(address), key, progress=progress)
    if address is not None:
        from intrepid_cohort.row_files import write_rows

        write_rows(out.with_suffix(".csv"), result.log, ["sop_instance_uid", "outcome", "reason"])
    return _told(result, out, address, as_json=as_json)


def _told(result: "DicomExport", out: Path, address: str | None, *, as_json: bool) -> int:
    done = result.deidentified
    refused = [row for row in result.log if row["outcome"] != "taken"]
    shown = {
        "patients": result.patients,
        "files": result.files,
        "sent": len(result.log) - len(refused),
        "refused": refused,
        "left_out": [{"file": file, "reason": reason} for file, reason in (*done.left_out, *done.flagged)],
        "identifiers_left": [{"file": file, "where": where} for file, where in done.leaks],
    }
    lines = [f"left out: {entry['file']}: {entry['reason']}" for entry in shown["left_out"][:20]]  # type: ignore[index]
    if done.leaks:
        lines.append(f"FOUND {len(done.leaks)} identifiers, so nothing was written.")
    place = f"sent to {address}, {len(refused)} refused" if address else f"written to {out}"
    lines.append(f"{result.files} files of {result.patients} patients {place}.")
    report(shown, "\n".join(lines), as_json=as_json)
    return CHECK_FAILED if done.leaks or refused else DONE
