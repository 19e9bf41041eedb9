"""``intrepid predict``: portal dose images from EPID images alone."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from intrepid_cli.console import DONE, json_option, report

if TYPE_CHECKING:
    from intrepid_epid.machine_profile import MachineProfile
    from intrepid_epid.networks.portal_dose_model import PortalDoseModel


@click.command("predict")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--machine", required=True, type=click.Path(path_type=Path), help="Machine profile.")
@click.option("--out", "out_dir", required=True, type=click.Path(path_type=Path), help="Folder for the portal doses.")
@click.option("--model", "model_name", default="physics", show_default=True, help="physics, or a network's name.")
@click.option("--meterset-mu", type=click.FloatRange(min=0, min_open=True), help="Monitor units, if images lack them.")
@json_option
def command(
    images: tuple[Path, ...], machine: Path, out_dir: Path, model_name: str, meterset_mu: float | None, as_json: bool
) -> int:
    """Turn RTIMAGE files into portal dose images (Gy, NRRD) by the machine profile, without knowing the patient.

    A network also writes the half-width of its 95 % band per pixel; outside what it was trained on, the physics answers
    and the warnings say why.
    """
    from intrepid_cli.needed import needed
    from intrepid_epid.machine_profile import load_profile
    from intrepid_epid.networks.network_model import portal_dose_model
    from intrepid_rt.atomic import staged_folder
    from intrepid_rt.errors import AmbiguousInput

    if model_name != "physics":
        needed("torch", "safetensors", purpose="Predicting by a network", extra="nn")
    model = portal_dose_model(model_name)
    profile = load_profile(machine)
    if len({path.stem for path in images}) < len(images):
        raise AmbiguousInput("Two images have the same file name, so their results would overwrite each other.")
    with staged_folder(out_dir) as stage:
        results = [_predicted(path, model, profile, meterset_mu, stage, out_dir) for path in images]
    lines = [
        f"{r['portal_dose']}: maximum {r['max_gy']:.3f} Gy +- {r['uncertainty_percent']:.1f} % ({r['model']})"
        for r in results
    ]
    report({"images": results, "machine": profile.machine, "model": model.name}, "\n".join(lines), as_json=as_json)
    return DONE


def _predicted(
    path: Path,
    model: "PortalDoseModel",
    profile: "MachineProfile",
    meterset_mu: float | None,
    stage: Path,
    out_dir: Path,
) -> dict[str, object]:
    """Predict one image and write its files into ``stage``."""
    from intrepid_cli.verification.suitability import beyond_validity
    from intrepid_epid.networks.portal_dose_model import exposure_of
    from intrepid_epid.portal_dose_file import write_portal_dose
    from intrepid_epid.portal_reader import read_portal_image
    from intrepid_rt.errors import MissingObject, UnusableInput

    frame = read_portal_image(path)
    if frame.is_relative:
        raise UnusableInput(f"{path.name} holds relative signal only, which the profile cannot turn into Gy.")
    if not (frame.repaired.values > 0).any():
        raise MissingObject(f"{path.name} shows no signal. Give an image taken with the beam on.")
    exposure = exposure_of(frame, profile, meterset_mu=meterset_mu)
    prediction = model.predict(exposure)
    names = {"portal_dose": f"{path.stem}_portal_dose.nrrd"}
    write_portal_dose(prediction.dose, stage / names["portal_dose"])
    if prediction.half_width_gy is not None:
        names["half_width"] = f"{path.stem}_half_width.nrrd"
        write_portal_dose(prediction.half_width_gy, stage / names["half_width"])
    warnings = [*frame.warnings, *prediction.warnings]
    warnings += beyond_validity(exposure.signal, profile, meterset_mu=exposure.meterset_mu)
    if frame.machine and frame.machine != profile.machine:
        warnings.append(f"The image is from machine {frame.machine}, the profile from {profile.machine}.")
    return {
        "file": str(path),
        **{key: str(out_dir / name) for key, name in names.items()},
        "max_gy": float(prediction.dose.values.max()),
        "uncertainty_percent": prediction.uncertainty_percent,
        "model": prediction.model,
        "warnings": warnings,
    }
