"""``intrepid dvh-text``: metrics and constraints from planning systems' DVH exports."""

from pathlib import Path
from typing import Any

import click

from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report

FORMATS = "Eclipse, CadPlan, MasterPlan, Pinnacle, Monaco, HiArt, RayStation, ProSoma, PRIMO, Mirada or table"


@click.command("dvh-text")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--format", "format_name", metavar="NAME", help=f"{FORMATS}; by default the content tells.")
@click.option("--encoding", help="Encoding, such as UTF-8 or latin1; by default guessed.")
@click.option("--plan-info", type=click.Choice(["doseRx"]), help="Take the prescription from the plan's name.")
@click.option("--course-as-id", is_flag=True, help="Make the course part of the patient ID (Eclipse).")
@click.option("--uncertainty", is_flag=True, help="Read uncertainty plans as structures (Eclipse).")
@click.option("--volume-from-dvh", is_flag=True, help="Largest volume of the table = structure volume, if not stated.")
@click.option("--info", type=click.Path(path_type=Path), metavar="FILE.json", help="What the files do not hold.")
@click.option("--metric", "metrics", multiple=True, metavar="TEXT", help="Such as D95%, V20Gy_cc, DMEAN; repeatable.")
@click.option("--model-args", metavar="JSON", help='Model parameters, such as {"EUDa": 8, "NTCPtd50": 50}.')
@click.option("--interp", type=click.Choice(["linear", "spline", "ksmooth", "smooth"]), default="linear")
@click.option("--patient", "patients", multiple=True, help="Only this patient; repeatable.")
@click.option("--structure", "structures", multiple=True, help="Only this structure; repeatable.")
@click.option("--regex", is_flag=True, help="Patients and structures are regular expressions.")
@click.option("--constraints", type=click.Path(path_type=Path), metavar="FILE", help="Constraints to check.")
@click.option("--signed", is_flag=True, help="Deviations and distances positive where violated, else negative.")
@click.option("--sort-by", multiple=True, metavar="KEY", help="Order of the constraints, such as observed; repeatable.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="Diagrams, a file each: png, svg or pdf.")
@click.option("--plot-by", type=click.Choice(["patient", "structure"]), default="patient", help="A diagram for each.")
@click.option("--plot-cc", is_flag=True, help="Volumes of the diagrams in cm3.")
@click.option("--plot-differential", is_flag=True, help="Differential curves in the diagrams.")
@click.option("--plot-mean", is_flag=True, help="Mean and bands of 1 and 2 SD in the diagrams.")
@click.option("--dump", is_flag=True, help="Add header and curve as read.")
@json_option
def command(files: tuple[str, ...], **options: Any) -> int:
    """Read DVH exports; print metrics and check constraints.

    Exits with 1 if a constraint is violated or could not be evaluated.
    """
    from intrepid_dvh.constraint_reading import read_constraints
    from intrepid_dvh.model_arguments import model_arguments_of
    from intrepid_dvh.results import selected
    from intrepid_dvh.text.reading import read_dvh_files

    dvhs = read_dvh_files(files, format=options["format_name"], options=_reading_options(options))
    dvhs = selected(dvhs, patients=options["patients"], structures=options["structures"], regex=options["regex"])
    model_args = model_arguments_of(options["model_args"])
    structures = [_structure(dvh, options, model_args) for dvh in dvhs]
    wanted = read_constraints(options["constraints"]) if options["constraints"] else []
    constraints, warnings = _constraints(dvhs, wanted, options, model_args)
    result: dict[str, Any] = {"structures": structures, "constraints": constraints, "warnings": warnings}
    if options["plot"]:
        result["plots"], not_shown = _plot(dvhs, wanted, options)
        warnings += not_shown
    report(result, _text(result), as_json=options["as_json"])
    failed = any(row["compliance"] is not True and row["level"] != "ideal" for row in constraints)
    return CHECK_FAILED if failed else DONE


def _reading_options(options: dict[str, Any]) -> Any:
    """Return the reading options, one per file if the information given differs by file."""
    from intrepid_dvh.text.decoding import Options

    common = {
        "encoding": options["encoding"],
        "prescription_from_plan": options["plan_info"] == "doseRx",
        "course_as_id": options["course_as_id"],
        "uncertainty": options["uncertainty"],
        "volume_from_dvh": options["volume_from_dvh"],
    }
    info = _info(options["info"])
    return [Options(**common, info=i) for i in info] if isinstance(info, list) else Options(**common, info=info)


def _info(path: Path | None) -> Any:
    """Return the user's information: an object for all files or a list with one per file."""
    from intrepid_rt.errors import UnreadableFile
    from intrepid_rt.small_files import parse_json, read_small_text

    if path is None:
        return {}
    info = parse_json(read_small_text(path), str(path))
    # The same lists are also written under the format's name: {"hiart": [{...}]}.
    if isinstance(info, dict) and len(info) == 1 and isinstance(next(iter(info.values())), list):
        info = next(iter(info.values()))
    if isinstance(info, list) and len(info) == 1:
        info = info[0]
    if isinstance(info, dict) or (isinstance(info, list) and all(isinstance(item, dict) for item in info)):
        return info
    raise UnreadableFile(f"{path} holds {type(info).__name__}; expected an object, or a list with one per file.")


def _structure(dvh: Any, options: dict[str, Any], model_args: dict[str, Any]) -> dict[str, Any]:
    from intrepid_dvh.results import curve_result, structure_result

    metrics = [text for given in options["metrics"] for text in _listed(given)]
    result = structure_result(dvh, metrics, interp=options["interp"], model_args=model_args)
    return result | (curve_result(dvh) if options["dump"] else {})


def _listed(given: str) -> list[str]:
    """Return the metrics of a list such as ``DMEAN, V20Gy``; what is no list of metrics stays one text."""
    from intrepid_dvh.metric_grammar import parse_metric

    parts = [part.strip() for part in given.split(",")]
    return parts if len(parts) > 1 and all(parse_metric(part).valid for part in parts) else [given]


def _constraints(
    dvhs: list, wanted: list, options: dict[str, Any], model_args: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[str]]:
    from intrepid_dvh.constraints import check_constraints, unmatched
    from intrepid_dvh.results import constraint_result
    from intrepid_rt.errors import InvalidSetting

    warnings = list(dict.fromkeys(warning for dvh in dvhs for warning in dvh.warnings))
    lost = unmatched(dvhs, wanted)
    if wanted and len(lost) == len(wanted):
        raise InvalidSetting(f"No constraint of {options['constraints']} is for a structure at hand; check the names.")
    warnings += [f"{c.text} is for {c.structure} of {c.patient}, which matches no DVH." for c in lost]
    rows = check_constraints(
        dvhs,
        wanted,
        interp=options["interp"],
        signed=options["signed"],
        sort_by=_sort_fields(options["sort_by"]),
        **model_args,
    )
    return [constraint_result(row) for row in rows], warnings


def _plot(dvhs: list, constraints: list, options: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Write the diagrams; return their files, and what a diagram does not show as it was asked for."""
    from intrepid_dvh.plot_limits import panels
    from intrepid_dvh.plots import not_drawn, save_figures, show_panels
    from intrepid_rt.errors import InvalidSetting

    path = options["plot"]
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InvalidSetting(f"{path} should end in .png, .svg or .pdf.")
    differential = options["plot_differential"]
    shown = panels(
        dvhs, by=options["plot_by"], relative_volume=not options["plot_cc"], differential_curves=differential
    )
    drawn = [] if differential else constraints  # a constraint stands at a point of the cumulative curve
    figures = show_panels(shown, constraints=drawn, spread=options["plot_mean"])
    not_shown = [warning for panel in shown for warning in (*panel.warnings, *not_drawn(panel, drawn))]
    if constraints and differential:
        not_shown.append("Constraints are not drawn beside differential curves.")
    return [str(file) for file in save_figures(figures, shown, path)], not_shown


_SORT_FIELDS = {
    "patID": "patient_id",
    "deltaV": "delta_volume",
    "deltaD": "delta_dose",
    "dstMin": "distance",
    "dstMinRel": "distance_percent",
}


def _sort_fields(names: tuple[str, ...]) -> list[str]:
    from dataclasses import fields

    from intrepid_dvh.constraints import ConstraintResult
    from intrepid_rt.errors import InvalidSetting

    known = [field.name for field in fields(ConstraintResult)]
    wanted = [_SORT_FIELDS.get(name, name) for name in names]
    for name in wanted:
        if name not in known:
            raise InvalidSetting(f"Constraints cannot be sorted by '{name}'; choose one of {', '.join(known)}.")
    return wanted


def _text(result: dict[str, Any]) -> str:
    lines = [f"warning: {warning}" for warning in result["warnings"]]
    for structure in result["structures"]:
        lines.append(f"{structure['patient_id']}  {structure['name']}  {_volume(structure['volume_cc'])}")
        for text, metric in structure["metrics"].items():
            lines.append(f"    {text:<14} {_value(metric)}")
    lines += [_verdict(row) for row in result["constraints"]]
    lines += [f"wrote {path}" for path in result.get("plots", [])]
    return "\n".join(lines)


def _volume(volume_cc: float | None) -> str:
    return "volume unknown" if volume_cc is None else f"{volume_cc:.2f} cc"


def _value(metric: dict[str, Any]) -> str:
    value = "-" if metric["value"] is None else f"{metric['value']:.6g} {metric['unit']}".rstrip()
    return f"{value}  ({metric['reason']})" if "reason" in metric else value


def _verdict(row: dict[str, Any]) -> str:
    verdict = {True: "met", False: "VIOLATED", None: "NOT EVALUATED"}[row["compliance"]]
    observed = "" if row["observed"] is None else f", observed {row['observed']:.6g} {row['unit']}".rstrip()
    reason = f" ({row['reason']})" if row["reason"] else ""
    return f"{verdict:<14} {row['patient_id']}  {row['structure']}  {row['constraint']}{observed}{reason}"
