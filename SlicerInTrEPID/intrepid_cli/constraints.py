"""``intrepid constraints``: list, check and convert dose constraints."""

from pathlib import Path
from typing import Any

import click

from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report


@click.group("constraints")
def command() -> None:
    """List, check and convert dose constraints."""


@command.command("list")
@click.argument("source", required=False)
@json_option
def list_constraints(source: str | None, as_json: bool) -> int:
    """List the templates that come with the package, or the constraints of a file or template."""
    from intrepid_dvh.constraint_reading import library_or_table, read_template, template_names
    from intrepid_dvh.constraint_schema import Library

    if source is None:
        names = {name: read_template(name).name for name in template_names()}
        text = "\n".join(f"{name:<24} {title}" for name, title in names.items())
        report({"templates": [{"name": name, "title": title} for name, title in names.items()]}, text, as_json=as_json)
        return DONE
    found = library_or_table(source)
    constraints = found.constraints() if isinstance(found, Library) else found
    rows = [_row(constraint) for constraint in constraints]
    notes = list(found.notes) if isinstance(found, Library) else []
    text = "\n".join([*(_line(row) for row in rows), *notes])
    report({"constraints": rows, "warnings": notes}, text, as_json=as_json)
    return DONE


def _row(constraint: Any) -> dict[str, Any]:
    from intrepid_dvh.constraint_grammar import parse_constraint

    parsed = parse_constraint(constraint.text)
    return {
        "constraint": constraint.text,
        "canonical": parsed.canonical,
        "valid": parsed.valid,
        "problem": parsed.problem or parsed.missing,
        "patient_id": constraint.patient,
        "structure": constraint.structure,
        "level": constraint.level,
        "fractions": list(constraint.fractions) if constraint.fractions else None,
        "citation": constraint.citation,
    }


def _line(row: dict[str, Any]) -> str:
    scope = f"{row['structure']:<16} {row['constraint']:<24} {row['level']:<10}"
    fractions = f" {row['fractions'][0]}-{row['fractions'][1]} fractions" if row["fractions"] else ""
    return f"{scope}{fractions} {row['citation']} {row['problem']}".rstrip()


@command.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--constraints", "source", metavar="FILE|NAME", help="Constraint file, or a template's name.")
@click.option("--constraint", "texts", multiple=True, metavar="TEXT", help="Such as 'V20Gy < 30%'; repeatable.")
@click.option("--format", "format_name", metavar="NAME", help="Format of the DVH files; by default the content tells.")
@click.option("--encoding", help="Encoding of the DVH files.")
@click.option("--fractions", type=click.IntRange(min=1), help="Number of fractions, if the files do not state it.")
@click.option("--interp", type=click.Choice(["linear", "spline", "ksmooth", "smooth"]), default="linear")
@click.option("--model-args", metavar="JSON", help='Model parameters, such as {"EUDa": 8, "NTCPtd50": 50}.')
@json_option
def check(files: tuple[str, ...], as_json: bool, **options: Any) -> int:
    """Check DVH exports against constraints; exits with 1 if a limit is violated or could not be judged."""
    from dataclasses import replace

    from intrepid_dvh.constraint_reading import read_constraints
    from intrepid_dvh.constraints import Constraint, check_constraints, describe, unmatched
    from intrepid_dvh.model_arguments import model_arguments_of
    from intrepid_dvh.results import constraint_result
    from intrepid_dvh.text.decoding import Options
    from intrepid_dvh.text.reading import read_dvh_files
    from intrepid_rt.errors import InvalidSetting

    constraints = [Constraint(text) for text in options["texts"]]
    constraints += read_constraints(options["source"]) if options["source"] else []
    if not constraints:
        raise InvalidSetting("No constraints were given; use --constraints or --constraint.")
    dvhs = read_dvh_files(files, format=options["format_name"], options=Options(encoding=options["encoding"]))
    if options["fractions"]:
        dvhs = [replace(dvh, fractions=options["fractions"]) for dvh in dvhs]
    lost = unmatched(dvhs, constraints)
    if len(lost) == len(constraints):
        raise InvalidSetting("No constraint is for a structure at hand; check names and number of fractions.")
    results = check_constraints(
        dvhs, constraints, interp=options["interp"], **model_arguments_of(options["model_args"])
    )
    warnings = [f"{c.text} is for {c.structure}, which matches no DVH." for c in lost]
    text = "\n".join([*(describe(result) for result in results), *warnings])
    report(
        {"constraints": [constraint_result(result) for result in results], "warnings": warnings}, text, as_json=as_json
    )
    return CHECK_FAILED if any(result.failed for result in results) else DONE


@command.command("convert")
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--to", "kind", type=click.Choice(["table", "library", "roe"]), required=True, help="Form of TARGET.")
@json_option
def convert(source: str, target: Path, kind: str, as_json: bool) -> int:
    """Convert constraints between a text table, a library with sources, and ROE criteria."""
    from intrepid_dvh.constraint_files import write_constraint_table
    from intrepid_dvh.constraint_reading import library_of, library_or_table
    from intrepid_dvh.constraint_roe import write_roe
    from intrepid_dvh.constraint_schema import Library, write_library

    found = library_or_table(source)
    left_out: list[str] = list(found.notes) if isinstance(found, Library) else []
    if kind == "table":
        write_constraint_table(target, found.constraints() if isinstance(found, Library) else found)
        left_out += (
            ["Levels, fractionation and sources have no place in a table."] if isinstance(found, Library) else []
        )
    else:
        library = found if isinstance(found, Library) else library_of(found, Path(source).stem)
        if kind == "library":
            write_library(target, library)
        else:
            left_out += [f"{name} has no equivalent in ROE." for name in write_roe(target, library)]
    report({"written": str(target), "warnings": left_out}, "\n".join([f"wrote {target}", *left_out]), as_json=as_json)
    return DONE
