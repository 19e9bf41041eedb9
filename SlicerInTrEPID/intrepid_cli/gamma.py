"""``intrepid gamma``: two dose distributions in, pass rate and gamma map out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intrepid_gamma import GammaResult, GammaSettings
    from intrepid_rt.grids import Grid

_FILE = click.Path(path_type=Path)


@click.command("gamma")
@click.argument("reference", type=_FILE)
@click.argument("evaluated", type=_FILE)
@click.option("--dose-percent", required=True, type=float, help="Dose criterion in percent.")
@click.option("--distance-mm", required=True, type=float, help="Distance criterion in mm.")
@click.option(
    "--norm", default="max", show_default=True, help="Normalisation: max (of the reference), prescription, or Gy."
)
@click.option("--plan", type=_FILE, help="RTPLAN with the prescription; by default sought beside the reference.")
@click.option("--cutoff-percent", default=10.0, show_default=True, help="Analyse from this percentage of the norm on.")
@click.option(
    "--cutoff-on", type=click.Choice(["reference", "evaluated", "either"]), default="reference", show_default=True
)
@click.option("--local", is_flag=True, help="Dose criterion in percent of the reference dose at each point.")
@click.option("--max-gamma", type=float, help="Report larger values as this one; default: true values.")
@click.option(
    "--interp",
    type=click.Choice(["linear", "none"]),
    default="linear",
    show_default=True,
    help="Search the interpolated dose, or sample centres only.",
)
@click.option("--structures", type=_FILE, help="RTSTRUCT with the structure to analyse.")
@click.option("--roi", help="Name of that structure.")
@click.option("--out", type=_FILE, help="Gamma map: .nrrd, .nii, .nii.gz, .mha (NaN where not analysed) or .dcm (0).")
@click.option("--pass-limit-percent", type=float, help="Exit with code 1 if the pass rate is below this.")
@json_option
def command(
    reference: Path,
    evaluated: Path,
    norm: str,
    plan: Path | None,
    structures: Path | None,
    roi: str | None,
    out: Path | None,
    pass_limit_percent: float | None,
    interp: str,
    as_json: bool,
    **options: Any,
) -> int:
    """Compare the EVALUATED with the REFERENCE (planned) dose: RTDOSE, NRRD, NIfTI or MetaImage, 2D or 3D."""
    from intrepid_gamma import GammaSettings
    from intrepid_rt.image_files import read_dose_file

    # Checked before anything slow, with the norm still open.
    settings = GammaSettings(interpolate=interp == "linear", **options)
    planned, delivered = read_dose_file(reference), read_dose_file(evaluated)
    settings = settings.with_norm(_norm_gy(norm, reference, plan))
    mask = _mask(structures, roi, planned)
    result, seconds = _timed(planned, delivered, settings, mask)
    if out is not None:
        _write(out, result, planned, reference)
    summary = result.summary() | {"roi": roi, "seconds": seconds, "out": str(out) if out else None}
    report(summary, _text(result, seconds, out), as_json=as_json)
    failed = pass_limit_percent is not None and result.pass_rate_percent < pass_limit_percent
    return CHECK_FAILED if failed else DONE


def _timed(
    planned: "Grid", delivered: "Grid", settings: "GammaSettings", mask: "NDArray | None"
) -> tuple["GammaResult", float]:
    """Compute; the seconds are of the computation alone, compiling done before."""
    from time import perf_counter

    import numpy as np

    from intrepid_gamma import gamma_indices
    from intrepid_gamma.compiling import compile_for, is_compiled

    if not is_compiled():
        click.echo("Compiling the gamma search for this machine, once; this takes up to half a minute.", err=True)
    compile_for(np.result_type(planned.values, delivered.values))
    start = perf_counter()
    result = gamma_indices(planned, delivered, [settings], mask=mask)[0]
    return result, perf_counter() - start


def _norm_gy(norm: str, reference: Path, plan: Path | None) -> float | None:
    from intrepid_rt.errors import InvalidSetting

    if norm == "max":
        return None
    if norm == "prescription":
        return _prescription_gy(reference, plan)
    try:
        return float(norm)
    except ValueError:
        raise InvalidSetting(f"--norm is {norm!r}; expected max, prescription, or a dose in Gy.") from None


def _prescription_gy(reference: Path, plan: Path | None) -> float:
    from intrepid_rt.dicom_plan import read_plan
    from intrepid_rt.errors import MissingObject

    path = plan or _plan_beside(reference)
    prescription_gy = read_plan(path).prescription_gy
    if prescription_gy is None:
        raise MissingObject(f"{path.name} states no prescription. Give the normalisation dose as --norm GY.")
    return prescription_gy


def _plan_beside(reference: Path) -> Path:
    """Find the RTPLAN that the reference dose refers to, in the folder of the dose."""
    from intrepid_rt.dicom_dose import read_dose_object
    from intrepid_rt.dicom_file import read_dataset
    from intrepid_rt.errors import MissingObject, UnusableInput
    from intrepid_rt.image_files import is_dicom

    wanted = read_dose_object(reference).plan_uid if is_dicom(reference) else ""
    for path in sorted(reference.parent.iterdir()) if wanted else ():
        try:
            if read_dataset(path, modality="RTPLAN", pixels=False).SOPInstanceUID == wanted:
                return path
        except (UnusableInput, OSError):
            continue  # not a plan
    raise MissingObject(
        f"No RTPLAN that {reference.name} refers to lies beside it. Give it by --plan, or the dose as --norm GY."
    )


def _mask(structures: Path | None, roi: str | None, planned: "Grid") -> "NDArray | None":
    from intrepid_rt.dicom_structures import read_structure_set
    from intrepid_rt.errors import FrameOfReferenceMismatch, InvalidSetting, MissingObject
    from intrepid_rt.structure_mask import structure_mask

    if structures is None and roi is None:
        return None
    if structures is None or roi is None:
        raise InvalidSetting("--structures and --roi belong together: give both, or neither.")
    found = read_structure_set(structures)
    structure = found.named(roi)
    if structure is None:
        names = ", ".join(s.name for s in found.structures)
        raise MissingObject(f"{structures.name} has no structure {roi!r}. It has: {names}.")
    uids = {planned.frame_of_reference_uid, structure.frame_of_reference_uid or found.frame_of_reference_uid} - {""}
    if len(uids) > 1:
        raise FrameOfReferenceMismatch(
            f"The structures and the reference dose are in different frames of reference "
            f"({' and '.join(sorted(uids))}). Choose the structure set of this dose's plan."
        )
    return structure_mask(structure, planned)


def _write(out: Path, result: "GammaResult", planned: "Grid", reference: Path) -> None:
    from intrepid_rt.image_files import dimensions_of, write_image

    if out.suffix.lower() == ".dcm":
        _write_dicom(out, result, planned, reference)
        return
    write_image(out, result.gamma.astype("float32"), planned, planar=dimensions_of(reference) == 2)


def _write_dicom(out: Path, result: "GammaResult", planned: "Grid", reference: Path) -> None:
    """Write gamma as RTDOSE of relative units beside the reference: DICOM has no object of its own for it."""
    import numpy as np

    from intrepid_rt.dicom_dose import DoseReferences, read_dose_object, write_dose
    from intrepid_rt.dicom_file import read_dataset
    from intrepid_rt.errors import InvalidSetting
    from intrepid_rt.grids import DoseGrid
    from intrepid_rt.image_files import is_dicom

    if not is_dicom(reference):
        raise InvalidSetting(
            f"{out.name}: gamma is written as RTDOSE only for a DICOM reference. Choose one of these: .nrrd, .nii, "
            ".nii.gz, .mha."
        )
    gamma = np.asarray(result.gamma, np.float32)
    largest = max(2.0, float(gamma[np.isfinite(gamma)].max(initial=0.0)))
    stored = np.nan_to_num(gamma, nan=0.0, posinf=largest)
    source = read_dose_object(reference)
    write_dose(
        out,
        DoseGrid(stored, planned.index_to_lps, planned.frame_of_reference_uid),
        references=DoseReferences(source.plan_uid, source.structure_set_uid),
        template=read_dataset(reference, pixels=False),
        units="RELATIVE",
        comment=f"Gamma {result.dose_percent:g} % / {result.distance_mm:g} mm; 0 where not analysed",
        series_description="InTrEPID gamma",
    )


def _text(result: "GammaResult", seconds: float, out: Path | None) -> str:
    kind = "local" if result.settings.local else f"global, norm {result.norm_gy:.4g} Gy"
    lines = [
        f"Gamma {result.dose_percent:g} % / {result.distance_mm:g} mm ({kind}, cut-off "
        f"{result.settings.cutoff_percent:g} %): {result.pass_rate_percent:.2f} % of {result.n_points} points pass.",
        f"Mean gamma {_number(result.mean_gamma)}, largest {_number(result.max_gamma)}; {seconds:.2f} s.",
    ]
    if result.n_missing:
        lines.append(f"{result.n_missing} points have no evaluated dose at their position and count as failed.")
    if result.n_reach_outside:
        lines.append(f"The search of {result.n_reach_outside} points reached beyond the evaluated grid.")
    invalid = result.n_reference_invalid, result.n_evaluated_invalid
    if any(invalid):
        lines.append(
            f"Samples that are not numbers: {invalid[0]} of the reference, {invalid[1]} of the evaluated dose."
        )
    if out:
        lines.append(f"Gamma map: {out}")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
