"""``intrepid constancy``: open-field images of today against the baseline of the machine profile."""

from pathlib import Path

import click

from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report


@click.command("constancy")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--machine", required=True, type=click.Path(path_type=Path), help="Machine profile with its baseline.")
@click.option("--dose-percent", type=float, default=2.0, show_default=True, help="Tolerance of dose per MU.")
@click.option("--position-mm", type=float, default=2.0, show_default=True, help="Tolerance of the field's centre.")
@json_option
def command(folder: Path, machine: Path, dose_percent: float, position_mm: float, as_json: bool) -> int:
    """Compare images of FOLDER (fields.csv and RTIMAGEs, no portal doses) with the profile's commissioning fields.

    Exit code 1 if a field left its tolerance; the defaults are those of AAPM TG-307.
    """
    from intrepid_epid.machine_profile import load_profile
    from intrepid_epid.open_fields import read_open_images
    from intrepid_epid.quality.constancy import constancy
    from intrepid_rt.errors import InvalidSetting, UnusableInput

    if not dose_percent > 0 or not position_mm > 0:
        raise InvalidSetting("Tolerances must be above 0.")
    profile = load_profile(machine)
    images = read_open_images(folder)
    for stated, _, frame in images:
        if frame.machine and frame.machine != profile.machine:
            raise UnusableInput(f"Field {stated.name} is from machine {frame.machine}, the profile {profile.machine}.")
    found = constancy(
        [(stated.name, stated.meterset_mu, signal) for stated, signal, _ in images],
        profile,
        dose_percent=dose_percent,
        position_mm=position_mm,
    )
    passed = all(one.passed for one in found)
    fields = [
        {
            "field": one.field,
            "dose_percent": one.dose_percent,
            "moved_mm": one.moved_mm,
            "passed": one.passed,
            "saturated_pixels": int(frame.saturated.sum()),
        }
        for one, (_, _, frame) in zip(found, images, strict=True)
    ]
    lines = [
        f"{one.field:<16} dose {one.dose_percent:+6.2f} %  "
        + ("position: no baseline" if one.moved_by_mm is None else f"moved {one.moved_by_mm:.2f} mm")
        + ("" if one.passed else "  OUT OF TOLERANCE")
        for one in found
    ]
    result = {
        "machine": profile.machine,
        "baseline": profile.created,
        "tolerance": {"dose_percent": dose_percent, "position_mm": position_mm},
        "passed": passed,
        "fields": fields,
    }
    report(result, "\n".join(lines), as_json=as_json)
    return DONE if passed else CHECK_FAILED
