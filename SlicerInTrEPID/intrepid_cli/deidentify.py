"""``intrepid deidentify``: a folder of DICOM without anything that names somebody."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report

if TYPE_CHECKING:
    from intrepid_rt.deidentify import DeidentifiedFolder

_PATH = click.Path(path_type=Path)
_SHOWN = 10


@click.command("deidentify")
@click.argument("source", metavar="IN", type=_PATH)
@click.argument("target", metavar="OUT", type=_PATH)
@click.option("--key", "key_file", type=_PATH, help="Secret key (made if missing); default: in the user's settings.")
@click.option("--no-dates", is_flag=True, help="Empty all dates instead of shifting them by patient.")
@click.option("--no-device", is_flag=True, help="Remove names and numbers of machines.")
@click.option("--no-characteristics", is_flag=True, help="Remove age, sex, size and weight.")
@click.option("--no-labels", is_flag=True, help="Remove labels instead of cutting identifiers out of them.")
@click.option("--no-private", is_flag=True, help="Remove all private elements, also the pixel factor of Elekta images.")
@click.option("--keep-flagged", is_flag=True, help="Write images too whose pixels may show text.")
@json_option
def command(source: Path, target: Path, key_file: Path | None, keep_flagged: bool, as_json: bool, **without) -> int:  # type: ignore[no-untyped-def]
    """De-identify all DICOM files below IN into OUT, after DICOM PS3.15 Annex E.

    The same key gives the same pseudonyms, UIDs and date shifts in every run and on every machine. Whoever has it can
    link the result to the patients: it stays where the patients are. Exit code 1: an identifier was found in an
    output (then nothing is written), or images were flagged because their pixels may show text.
    """
    from tqdm import tqdm

    from intrepid_rt.deidentify import Options, deidentify_folder, key_from_file

    options = Options(
        shifted_dates=not without["no_dates"],
        device=not without["no_device"],
        patient_characteristics=not without["no_characteristics"],
        clean_descriptors=not without["no_labels"],
        safe_private=not without["no_private"],
    )
    key_file = key_file or Path(click.get_app_dir("intrepid")) / "deidentify.key"
    key = key_from_file(key_file)
    with tqdm(unit=" files", dynamic_ncols=True) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        result = deidentify_folder(source, target, key, options, keep_flagged=keep_flagged, progress=progress)
    report(as_results(result), summary(result, target, key_file), as_json=as_json)
    return CHECK_FAILED if result.leaks or result.flagged else DONE


def as_results(result: "DeidentifiedFolder") -> dict[str, object]:
    """Return what was done as plain data; input files by name, because their owner must find them again."""
    return {
        "written": result.written,
        "patients": result.patients,
        "left_out": [{"file": file, "reason": reason} for file, reason in result.left_out],
        "flagged": [{"file": file, "reason": reason} for file, reason in result.flagged],
        "identifiers_searched": result.identifiers_searched,
        "identifiers_left": [{"file": file, "where": where} for file, where in result.leaks],
    }


def summary(result: "DeidentifiedFolder", target: Path, key_file: Path) -> str:
    """Tell on a few lines what was written and what was not."""
    lines = [
        f"{len(result.written)} file(s) of {len(result.patients)} patient(s) in {target}",
        f"{result.identifiers_searched} identifiers of the input were searched for in every file: "
        + (f"FOUND {len(result.leaks)} time(s), nothing was written" if result.leaks else "none is left"),
        f"Key: {key_file} (keep it where the patients are, and safe: whoever has it can link the files to them)",
    ]
    for title, rows in (("Found", result.leaks), ("Flagged", result.flagged), ("Left out", result.left_out)):
        lines += [f"{title}: {file}: {what}" for file, what in rows[:_SHOWN]]
        if len(rows) > _SHOWN:
            lines.append(f"{title}: {len(rows) - _SHOWN} more (see --json)")
    return "\n".join(lines)
