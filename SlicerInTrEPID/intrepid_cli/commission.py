"""``intrepid commission``: open-field images and their portal doses to a machine profile."""

from pathlib import Path

import click

from intrepid_cli.console import DONE, json_option, report


@click.command("commission")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Machine profile to write (JSON).")
@click.option("--beam-model", type=click.Path(path_type=Path), help="Spectrum: CSV e_low_mev, e_high_mev, weight.")
@click.option("--ct-curve", type=click.Path(path_type=Path), help="CSV hu, density_g_cc, relative_electron_density.")
@click.option("--energy", default="6 MV", show_default=True, help="Name of the beam energy.")
@json_option
def command(
    folders: tuple[Path, ...], out: Path, beam_model: Path | None, ct_curve: Path | None, energy: str, as_json: bool
) -> int:
    """Make a machine profile from FOLDERs of open-field images with their portal doses and fields.csv."""
    from tqdm import tqdm

    from intrepid_epid.commissioning import commission
    from intrepid_epid.machine_profile import CTCurvePoint, save_profile
    from intrepid_epid.open_fields import read_open_fields
    from intrepid_epid.spectrum import read_spectrum
    from intrepid_rt.ct_curve import read_ct_curve
    from intrepid_rt.errors import AmbiguousInput

    with tqdm(folders, unit="folder", desc="reading open fields") as bar:
        fields = [field for folder in bar for field in read_open_fields(folder)]
    machines = {frame.machine for _, frame in fields}
    if len(machines) > 1:
        raise AmbiguousInput(f"The fields are from {len(machines)} machines ({', '.join(sorted(machines))}); give one.")
    curve = read_ct_curve(ct_curve) if ct_curve else None
    points = zip(curve.hu, curve.density_g_cc, curve.relative_electron_density, strict=True) if curve else ()
    profile = commission(
        [field for field, _ in fields],
        machine=machines.pop(),
        energy=energy,
        spectrum=read_spectrum(beam_model) if beam_model else None,
        spectrum_source=beam_model.name if beam_model else "",
        ct_curve=[CTCurvePoint(*map(float, point)) for point in points],
        ct_curve_source=ct_curve.name if ct_curve else "",
    )
    save_profile(profile, out)
    residuals = [{"name": field.name, "residual_percent": field.residual_percent} for field in profile.fields]
    valid = profile.valid_for
    result = {
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
    }
    text = (
        f"Machine {profile.machine}, {profile.energy}: {profile.n_fields} open field(s), worst residual "
        f"{profile.worst_residual_percent():.2f} %.\nValid for {valid.area_cm2[0]:g} to {valid.area_cm2[1]:g} cm2, "
        f"{valid.source_to_image_mm[0]:g} mm from the source, within {valid.off_axis_mm:.0f} mm of the axis.\n"
        f"Profile: {out}"
    )
    report(result, text, as_json=as_json)
    return DONE
