"""``intrepid commission``: open-field images and their portal doses to a machine profile."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from intrepid_cli.console import DONE, json_option, report
from intrepid_cli.progress import progress_bar

if TYPE_CHECKING:
    from intrepid_epid.commissioning import OpenField
    from intrepid_epid.machine_profile import MachineProfile
    from intrepid_epid.quality.records import QualityBaseline


@click.command("commission")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Machine profile to write (JSON).")
@click.option("--beam-model", type=click.Path(path_type=Path), help="Spectrum: CSV e_low_mev, e_high_mev, weight.")
@click.option("--ct-curve", type=click.Path(path_type=Path), help="CSV hu, density_g_cc, relative_electron_density.")
@click.option("--energy", default="6 MV", show_default=True, help="Name of the beam energy.")
@click.option(
    "--softening",
    type=click.FloatRange(0, 2),
    default=0.0,
    show_default=True,
    metavar="PERCENT",
    help="More attenuation per cm off the axis, for the forward check; 0.5 is published for 6 MV.",
)
@json_option
def command(
    folders: tuple[Path, ...],
    out: Path,
    beam_model: Path | None,
    ct_curve: Path | None,
    energy: str,
    softening: float,
    as_json: bool,
) -> int:
    """Make a machine profile from FOLDERs of open-field images with their portal doses and fields.csv."""
    import msgspec

    from intrepid_epid.commissioning import commission
    from intrepid_epid.machine_profile import CTCurvePoint, save_profile
    from intrepid_epid.spectrum import read_spectrum
    from intrepid_rt.ct_curve import read_ct_curve

    fields, machine = _fields(folders)
    curve = read_ct_curve(ct_curve) if ct_curve else None
    points = zip(curve.hu, curve.density_g_cc, curve.relative_electron_density, strict=True) if curve else ()
    profile = commission(
        fields,
        machine=machine,
        energy=energy,
        spectrum=read_spectrum(beam_model) if beam_model else None,
        spectrum_source=beam_model.name if beam_model else "",
        ct_curve=[CTCurvePoint(*map(float, point)) for point in points],
        ct_curve_source=ct_curve.name if ct_curve else "",
        softening_percent_per_cm=softening,
    )
    profile = msgspec.structs.replace(profile, quality=_quality(fields))
    save_profile(profile, out)
    report(_result(profile, out), _text(profile, out), as_json=as_json)
    return DONE


def _fields(folders: tuple[Path, ...]) -> "tuple[list[OpenField], str]":
    """Return the open fields of all folders and the one machine they are from."""
    from intrepid_epid.open_fields import read_open_fields
    from intrepid_rt.errors import AmbiguousInput

    with progress_bar(folders, unit="folder", desc="reading open fields") as bar:
        read = [field for folder in bar for field in read_open_fields(folder)]
    machines = {frame.machine for _, frame in read}
    if len(machines) > 1:
        raise AmbiguousInput(f"The fields are from {len(machines)} machines ({', '.join(sorted(machines))}); give one.")
    return [field for field, _ in read], machines.pop()


def _quality(fields: "list[OpenField]") -> "QualityBaseline":
    from intrepid_epid.quality.baseline import MeasuredField, quality_baseline
    from intrepid_epid.quality.open_image import read_field

    return quality_baseline(
        [
            MeasuredField(
                read_field(one.name, one.signal, meterset_mu=one.meterset_mu, area_cm2=one.area_cm2),
                one.signal,
                one.jaws_mm,
            )
            for one in fields
        ]
    )


def _result(profile: "MachineProfile", out: Path) -> dict[str, Any]:
    import msgspec

    valid = profile.valid_for
    residuals = [{"name": field.name, "residual_percent": field.residual_percent} for field in profile.fields]
    return {
        "profile": str(out),
        "sha256": profile.hash(),
        "machine": profile.machine,
        "energy": profile.energy,
        "n_fields": profile.n_fields,
        "valid_for": {
            "source_to_image_mm": valid.source_to_image_mm,
            "meterset_mu": valid.meterset_mu,
            "area_cm2": valid.area_cm2,
            "off_axis_mm": valid.off_axis_mm,
        },
        "residual_percent": {"worst": profile.worst_residual_percent(), "fields": residuals},
        "horns": msgspec.to_builtins(profile.horns),
        "softening_percent_per_cm": profile.softening_percent_per_cm,
        "quality": msgspec.to_builtins(profile.quality),
    }


def _text(profile: "MachineProfile", out: Path) -> str:
    valid = profile.valid_for
    return (
        f"Machine {profile.machine}, {profile.energy}: {profile.n_fields} open field(s), worst residual "
        f"{profile.worst_residual_percent():.2f} %.\nValid for {valid.area_cm2[0]:g} to {valid.area_cm2[1]:g} cm2, "
        f"{valid.source_to_image_mm[0]:g} mm from the source, within {valid.off_axis_mm:.0f} mm of the axis.\n"
        f"{_horns_text(profile)}{_quality_text(profile.quality)}Profile: {out}"
    )


def _horns_text(profile: "MachineProfile") -> str:
    if not profile.horns:
        return ""
    last = profile.horns[-1]
    return f"Fluence {last.radius_mm:.0f} mm off the axis: {100 * (last.factor - 1):+.1f} % of that on it.\n"


def _quality_text(quality: "QualityBaseline | None") -> str:
    """Say in a line each what the checks of the imager found."""
    if quality is None:
        return ""
    even = quality.uniformity
    lines = [f"Uniformity of {even.field}: {even.spread_percent:.2f} %, asymmetry {even.asymmetry_percent:.2f} %."]
    if quality.linearity:
        lines.append(f"Linearity with MU, field {quality.linearity.field}: {quality.linearity.worst_percent:+.2f} %.")
    if quality.ghosting:
        lost = 100 * quality.ghosting.lost_share
        lines.append(
            f"Ghosting: {lost:.2f} % lost in short exposures, built up over {quality.ghosting.build_up_mu:.0f} MU."
        )
    if quality.reproducibility:
        lines.append(f"Reproducibility: {quality.reproducibility.sigma_percent:.2f} % (1 sigma).")
    if quality.gantry_sag:
        largest = max((p.x_mm**2 + p.y_mm**2) ** 0.5 for p in quality.gantry_sag)
        lines.append(f"Gantry sag: up to {largest:.2f} mm in the imager plane.")
    lines += [f"Not measured: {reason}" for reason in quality.not_measured]
    return "\n".join(lines) + "\n"
