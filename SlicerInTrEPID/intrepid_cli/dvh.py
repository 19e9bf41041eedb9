"""``intrepid dvh``: DVHs of a structure set in a dose, metrics and constraints."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report

if TYPE_CHECKING:
    from intrepid_dvh.constraints import ConstraintResult
    from intrepid_dvh.curve import DVH

_FILE = click.Path(path_type=Path)


@click.command("dvh")
@click.argument("dose", type=_FILE)
@click.argument("structures", type=_FILE)
@click.option("--roi", "rois", multiple=True, metavar="NAME", help="Only this structure; repeatable.")
@click.option("--metric", "metrics", multiple=True, metavar="TEXT", help="Such as D95%, V20Gy_cc, DMEAN; repeatable.")
@click.option("--interp", type=click.Choice(["linear", "spline", "ksmooth"]), default="linear", show_default=True)
@click.option("--constraints", type=_FILE, metavar="FILE", help="Constraints to check.")
@click.option("--prescription-gy", type=float, metavar="X", help="Dose to which relative doses refer.")
@click.option("--fractions", type=int, metavar="N", help="Number of fractions.")
@click.option("--plan", type=_FILE, metavar="RTPLAN", help="Take prescription and fractions from this plan.")
@click.option(
    "--end-caps",
    type=click.Choice(["none", "half_slice", "rounded"]),
    help="Beyond the first and last contour; default: half_slice, with --between-planes shape rounded.",
)
@click.option(
    "--between-planes",
    type=click.Choice(["slab", "linear", "shape"]),
    default="slab",
    show_default=True,
    help="Each contour up to half way to the next, linear from one to the next, or blended shapes.",
)
@click.option("--stored", is_flag=True, help="Use the DVHs stored in the RTDOSE instead of computing them.")
@click.option("--curves", type=_FILE, metavar="FILE", help="Write the curves: .csv or .json.")
@json_option
def command(dose: Path, structures: Path, **options: Any) -> int:
    """Compute the DVHs of an RTSTRUCT (STRUCTURES) in an RTDOSE (DOSE); print metrics and check constraints.

    Exits with 1 if a constraint is violated or could not be evaluated.
    """
    from intrepid_dvh.results import constraint_result

    dvhs, missing, warnings = _dvhs(dose, structures, options)
    shown = [_structure(dvh, options) for dvh in dvhs] + missing
    checked, remarks = _checked(dvhs, options)
    if options["curves"] is not None:
        _write_curves(options["curves"], dvhs)
    result = {
        "structures": shown,
        "constraints": [constraint_result(row) for row in checked],
        "warnings": warnings + remarks,
    }
    report(result, _text(result, checked), as_json=options["as_json"])
    return CHECK_FAILED if any(row.failed for row in checked) else DONE


def _dvhs(dose: Path, structures: Path, options: dict[str, Any]) -> tuple[list["DVH"], list[dict], list[str]]:
    """Return the DVHs, entries for structures without one (with the reason), and warnings."""
    from intrepid_dvh.dicom_dvh import read_dvhs
    from intrepid_rt.dicom_structures import read_structure_set

    structure_set = read_structure_set(structures)
    chosen = _chosen(structure_set.structures, options["rois"], structures)
    prescription_gy, fractions = _prescription(options)
    warnings = list(structure_set.notes)
    if options["stored"]:
        names = {structure.number: structure.name for structure in chosen}
        stored = [
            dvh
            for dvh in read_dvhs(dose, names=names, prescription_gy=prescription_gy)
            if dvh.structure in names.values()
        ]
        warnings += dict.fromkeys(note for dvh in stored for note in dvh.warnings)
        return stored, [], warnings
    computed, missing = _computed(dose, structures, structure_set, chosen, prescription_gy, fractions, options)
    return computed, missing, warnings


def _computed(
    dose: Path,
    structures: Path,
    structure_set: Any,
    chosen: list,
    prescription_gy: float | None,
    fractions: int | None,
    options: dict[str, Any],
) -> tuple[list["DVH"], list[dict]]:
    from dataclasses import replace

    from intrepid_dvh.compute import compute_dvh
    from intrepid_dvh.slabs import common_slice_spacing_mm
    from intrepid_rt.dicom_file import collecting, read_dataset, text
    from intrepid_rt.errors import MissingObject, UnsupportedGeometry
    from intrepid_rt.image_files import read_dose_file

    grid = read_dose_file(dose)
    with collecting([]):  # what is odd about the header has been noted when the structures were read
        patient_id = text(read_dataset(structures, modality="RTSTRUCT"), "PatientID")
    spacing_mm = common_slice_spacing_mm(structure_set.structures)
    computed: list[DVH] = []
    missing: list[dict] = []
    for structure in chosen:
        uid = structure.frame_of_reference_uid or structure_set.frame_of_reference_uid
        try:
            dvh = compute_dvh(
                grid,
                replace(structure, frame_of_reference_uid=uid),
                end_caps=options["end_caps"],
                between_planes=options["between_planes"],
                slice_spacing_mm=spacing_mm,
                prescription_gy=prescription_gy,
                fractions=fractions,
                patient_id=patient_id,
            )
        except (MissingObject, UnsupportedGeometry) as error:
            missing.append(_without_dvh(structure.name, patient_id, str(error)))
            continue
        computed.append(dvh)
    return computed, missing


def _chosen(structures: Any, rois: tuple[str, ...], source: Path) -> list:
    from intrepid_rt.errors import MissingObject

    wanted = {name.strip().casefold(): name.strip() for name in rois}
    chosen = [s for s in structures if not wanted or s.name.strip().casefold() in wanted]
    unknown = wanted.keys() - {s.name.strip().casefold() for s in chosen}
    if unknown or not chosen:
        raise MissingObject(
            f"{source.name} has no structure {', '.join(sorted(wanted[name] for name in unknown)) or 'at all'}. "
            f"It has: {', '.join(s.name for s in structures) or 'none'}."
        )
    return chosen


def _prescription(options: dict[str, Any]) -> tuple[float | None, int | None]:
    from intrepid_rt.dicom_plan import read_plan
    from intrepid_rt.errors import InvalidSetting

    prescription_gy, fractions = options["prescription_gy"], options["fractions"]
    if prescription_gy is not None and not 0 < prescription_gy < 1000:
        raise InvalidSetting(f"--prescription-gy is {prescription_gy:g}; expected a dose in Gy above 0.")
    if fractions is not None and fractions < 1:
        raise InvalidSetting(f"--fractions is {fractions}; expected at least 1.")
    if options["plan"] is None:
        return prescription_gy, fractions
    plan = read_plan(options["plan"])
    return prescription_gy or plan.prescription_gy, fractions or plan.fractions_planned


def _without_dvh(name: str, patient_id: str, reason: str) -> dict[str, Any]:
    unknown = dict.fromkeys(("volume_cc", "volume_outside_dose_cc", "min_gy", "max_gy", "mean_gy"))
    return {"name": name, "patient_id": patient_id, **unknown, "metrics": {}, "warnings": [], "reason": reason}


def _structure(dvh: "DVH", options: dict[str, Any]) -> dict[str, Any]:
    from intrepid_dvh.results import structure_result

    metrics = [text.strip() for given in options["metrics"] for text in given.split(",") if text.strip()]
    return structure_result(dvh, metrics, interp=options["interp"])


def _checked(dvhs: list["DVH"], options: dict[str, Any]) -> tuple[list["ConstraintResult"], list[str]]:
    """Check the constraints; return their results and a line for each that is for no structure at hand."""
    from intrepid_dvh.constraint_reading import read_constraints
    from intrepid_dvh.constraints import check_constraints, unmatched
    from intrepid_rt.errors import InvalidSetting

    if options["constraints"] is None:
        return [], []
    constraints = read_constraints(options["constraints"])
    lost = unmatched(dvhs, constraints)
    if constraints and len(lost) == len(constraints):
        raise InvalidSetting(f"No constraint of {options['constraints']} is for a structure at hand; check the names.")
    remarks = [f"{c.text} is for {c.structure}, which matches no DVH." for c in lost]
    return check_constraints(dvhs, constraints, interp=options["interp"]), remarks


def _write_curves(path: Path, dvhs: list["DVH"]) -> None:
    import json

    from intrepid_cli.console import plain
    from intrepid_rt.atomic import write_text
    from intrepid_rt.errors import InvalidSetting

    if path.suffix.lower() == ".json":
        curves = [{"structure": d.structure, "dose_gy": d.dose_gy, "volume_cc": d.volume_cc} for d in dvhs]
        write_text(path, json.dumps(plain(curves), allow_nan=False))
    elif path.suffix.lower() == ".csv":
        lines = ["structure,dose_gy,volume_cc,volume_percent"]
        for dvh in dvhs:
            name = '"' + dvh.structure.replace('"', '""') + '"'
            columns = zip(dvh.dose_gy, dvh.volume_cc, dvh.volume_percent, strict=True)
            lines += [f"{name},{dose:.7g},{volume:.8g},{percent:.8g}" for dose, volume, percent in columns]
        write_text(path, "\n".join(lines) + "\n")
    else:
        raise InvalidSetting(f"{path.name}: curves are written as .csv or .json.")


def _text(result: dict[str, Any], checked: list["ConstraintResult"]) -> str:
    from intrepid_dvh.constraints import describe

    lines = [f"warning: {warning}" for warning in result["warnings"]]
    for structure in result["structures"]:
        lines.append(f"{structure['name']:<24} {_summary(structure)}")
        lines += [f"    {text:<14} {_value(metric)}" for text, metric in structure["metrics"].items()]
        lines += [f"    note: {note}" for note in structure["warnings"]]
    return "\n".join(lines + [describe(row) for row in checked])


def _summary(structure: dict[str, Any]) -> str:
    if structure["volume_cc"] is None and "reason" in structure:
        return f"no DVH: {structure['reason']}"
    volume = "-" if structure["volume_cc"] is None else f"{structure['volume_cc']:.3f} cc"
    doses = [structure[f"{name}_gy"] for name in ("min", "mean", "max")]
    return f"{volume}, min / mean / max " + " / ".join("-" if d is None else f"{d:.3f}" for d in doses) + " Gy"


def _value(metric: dict[str, Any]) -> str:
    value = "-" if metric["value"] is None else f"{metric['value']:.6g} {metric['unit']}".rstrip()
    return f"{value}  ({metric['reason']})" if metric.get("reason") else value
