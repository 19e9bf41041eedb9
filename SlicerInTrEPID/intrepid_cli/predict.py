"""``intrepid predict``: portal dose images from EPID images alone."""

from pathlib import Path

import click

from intrepid_cli.console import DONE, json_option, report

# Behind 0 to 30 cm of water the panel reads 0 to 6 % less per dose than in the open beam (detector kernels of a 6 MV
# spectrum, docs/physics.md). Without the patient's CT the middle of that is the best guess of the error.
HARDENING_PERCENT = 3.0


@click.command("predict")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--machine", required=True, type=click.Path(path_type=Path), help="Machine profile.")
@click.option("--out", "out_dir", required=True, type=click.Path(path_type=Path), help="Folder for the portal doses.")
@click.option("--model", default="physics", show_default=True, help="Portal dose model: physics.")
@json_option
def command(images: tuple[Path, ...], machine: Path, out_dir: Path, model: str, as_json: bool) -> int:
    """Turn RTIMAGE files into portal dose images (Gy, NRRD) by the machine profile, without knowing the patient."""
    from intrepid_cli.verification.suitability import beyond_validity
    from intrepid_epid.image_grid import binned
    from intrepid_epid.machine_profile import load_profile
    from intrepid_epid.portal_dose import open_portal_dose
    from intrepid_epid.portal_dose_file import write_portal_dose
    from intrepid_epid.portal_reader import read_portal_image
    from intrepid_rt.atomic import staged_folder
    from intrepid_rt.errors import AmbiguousInput, InvalidSetting, MissingObject, UnusableInput

    if model != "physics":
        raise InvalidSetting(f"No portal dose model is called {model!r}; use --model physics.")
    profile = load_profile(machine)
    if len({path.stem for path in images}) < len(images):
        raise AmbiguousInput("Two images have the same file name, so their results would overwrite each other.")
    results = []
    with staged_folder(out_dir) as stage:
        for path in images:
            frame = read_portal_image(path)
            if frame.is_relative:
                raise UnusableInput(f"{path.name} holds relative signal only, which the profile cannot turn into Gy.")
            signal = binned(frame.repaired)
            if not (signal.values > 0).any():
                raise MissingObject(f"{path.name} shows no signal. Give an image taken with the beam on.")
            dose = open_portal_dose(signal, profile)
            name = f"{path.stem}_portal_dose.nrrd"
            write_portal_dose(dose, stage / name)
            warnings = [*frame.warnings, "No patient is known: behind one, this dose is up to 6 % too low."]
            warnings += beyond_validity(signal, profile, meterset_mu=frame.meterset_mu)
            if frame.machine and frame.machine != profile.machine:
                warnings.append(f"The image is from machine {frame.machine}, the profile from {profile.machine}.")
            results.append(
                {
                    "file": str(path),
                    "portal_dose": str(out_dir / name),
                    "max_gy": float(dose.values.max()),
                    "uncertainty_percent": HARDENING_PERCENT + profile.worst_residual_percent(),
                    "warnings": warnings,
                }
            )
    lines = [f"{r['portal_dose']}: maximum {r['max_gy']:.3f} Gy +- {r['uncertainty_percent']:.1f} %" for r in results]
    report({"images": results, "machine": profile.machine, "model": model}, "\n".join(lines), as_json=as_json)
    return DONE
