"""``intrepid predict``: portal dose images from EPID images and what is known about them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from intrepid_cli.console import DONE, json_option, report

if TYPE_CHECKING:
    from intrepid_cli.verification.planned_images import PlannedImage
    from intrepid_epid.machine_profile import MachineProfile
    from intrepid_epid.networks.portal_dose_model import PortalDoseModel
    from intrepid_epid.portal_reader import PortalFrame

_PATH = click.Path(path_type=Path)


@click.command("predict")
@click.argument("images", nargs=-1, required=True, type=_PATH)
@click.option("--machine", required=True, type=_PATH, help="Machine profile.")
@click.option("--out", "out_dir", required=True, type=_PATH, help="Folder for the portal doses.")
@click.option("--model", "model_name", default="physics", show_default=True, help="physics, or a network's name.")
@click.option("--study", "study_dir", type=_PATH, help="Folder with the plan and CT of the images.")
@click.option("--plan", type=_PATH, help="RTPLAN of the images; the CT then stays unknown.")
@click.option("--alone", is_flag=True, help="Take images by themselves, even if the plan they name lies beside them.")
@click.option(
    "--assign", "assigned", multiple=True, metavar="BEAM=FILE", help="Image of a beam by hand; as often as needed."
)
@click.option("--ct-curve", type=_PATH, help="CT calibration: CSV hu, density_g_cc, relative_electron_density.")
@click.option("--meterset-mu", type=click.FloatRange(min=0, min_open=True), help="Monitor units, whatever files state.")
@click.option("--device", default="cpu", show_default=True, help="Where a network runs: cpu, cuda or mps.")
@json_option
def command(
    images: tuple[Path, ...],
    machine: Path,
    out_dir: Path,
    model_name: str,
    study_dir: Path | None,
    plan: Path | None,
    alone: bool,
    assigned: tuple[str, ...],
    ct_curve: Path | None,
    meterset_mu: float | None,
    device: str,
    as_json: bool,
) -> int:
    """Turn RTIMAGE files, or the images of one study folder, into portal dose images (Gy, NRRD).

    The more is known the better: the plan tells monitor units and field, the CT what the beam has crossed. Images are
    matched to beams as in 'intrepid reconstruct'; an image given without study or plan is told by the plan it names,
    with its CT, if that lies in the same folder. A network also writes the half-width of its 95 % band per pixel;
    outside what it was trained on, the physics answers and the warnings say why.
    """
    from intrepid_cli.needed import needed
    from intrepid_epid.machine_profile import load_profile
    from intrepid_epid.networks.network_model import portal_dose_model
    from intrepid_rt.atomic import staged_folder
    from intrepid_rt.errors import AmbiguousInput

    if model_name != "physics":
        needed("torch", "safetensors", purpose="Predicting by a network", extra="nn")
    model = portal_dose_model(model_name, device=device)
    profile = load_profile(machine)
    found = _found(images, study_dir, plan, assigned, alone=alone)
    if len({path.stem for path, _, _ in found}) < len(found):
        raise AmbiguousInput("Two images have the same file name, so their results would overwrite each other.")
    with staged_folder(out_dir) as stage:
        results = [
            _predicted(path, planned, note, model, profile, meterset_mu, ct_curve, stage, out_dir)
            for path, planned, note in found
        ]
    report(
        {"images": results, "machine": profile.machine, "model": model.name},
        "\n".join(line for result in results for line in _lines(result)),
        as_json=as_json,
    )
    return DONE


def _found(
    images: tuple[Path, ...], study_dir: Path | None, plan: Path | None, assigned: tuple[str, ...], *, alone: bool
) -> "list[tuple[Path, PlannedImage | None, str]]":
    """Image files, each with its beam if a plan tells it, and with what the user has to be told of that."""
    from intrepid_cli.verification.planned_images import (
        images_beside_their_plans,
        images_of_study,
        images_with_plan,
    )
    from intrepid_cli.verification.settings import parse_assignment
    from intrepid_rt.errors import InvalidSetting

    by_hand = [parse_assignment(text) for text in assigned]
    folders = [path for path in images if path.is_dir()]
    if folders and (len(images) > 1 or study_dir or plan):
        raise InvalidSetting("Give either one study folder alone, or image files with --study or --plan.")
    if study_dir and plan:
        raise InvalidSetting("--study and --plan exclude each other: the study has its own plan.")
    if alone and (folders or study_dir or plan):
        raise InvalidSetting("--alone takes image files only: leave out the study or plan, or --alone.")
    if folders:
        return [(one.file.path, one, "") for one in images_of_study(folders[0], by_hand)]
    if study_dir or plan:
        planned = images_with_plan(images, study_dir=study_dir, plan=plan, assigned=by_hand)
        return [(one.file.path, one, "") for one in planned]
    if by_hand:
        raise InvalidSetting("--assign names a beam of a plan: give it with --study or --plan.")
    if alone:
        return [(path, None, "") for path in images]
    return [(path, *told) for path, told in zip(images, images_beside_their_plans(images), strict=True)]


def _lines(result: dict) -> list[str]:
    mu, ct = result["meterset_mu"], "CT known" if result["ct"] == "known" else "CT unknown"
    told = f"{mu:g} MU {result['meterset_from']}" if mu else "MU unknown"
    first = (
        f"{result['portal_dose']}: maximum {result['max_gy']:.3f} Gy +- {result['uncertainty_percent']:.1f} % "
        f"({result['model']}; {told}, {ct})"
    )
    return [first, *(f"  Warning: {warning}" for warning in result["warnings"])]


def _predicted(
    path: Path,
    planned: "PlannedImage | None",
    note: str,
    model: "PortalDoseModel",
    profile: "MachineProfile",
    meterset_mu: float | None,
    ct_curve: Path | None,
    stage: Path,
    out_dir: Path,
) -> dict[str, object]:
    """Predict one image and write its files into ``stage``."""
    from intrepid_cli.verification.planned_images import patient_of
    from intrepid_cli.verification.suitability import beyond_validity, refuse_unsuitable, refuse_unusable_image
    from intrepid_epid.image_corrections import corrected
    from intrepid_epid.networks.portal_dose_model import exposure_of
    from intrepid_epid.portal_dose_file import write_portal_dose
    from intrepid_epid.portal_reader import read_portal_image

    frame = read_portal_image(path)
    refuse_unusable_image(frame, path.name, profile)
    if planned is not None:
        refuse_unsuitable(planned.beam, frame, path.name, profile)
    patient, notes = patient_of(planned, profile, ct_curve) if planned else (None, ())
    meterset, source = (meterset_mu, "by hand") if meterset_mu else _stated_meterset(planned, frame)
    frame = corrected(frame, profile, meterset_mu=meterset)
    beam = planned.beam if planned else None
    exposure = exposure_of(frame, profile, meterset_mu=meterset, beam=beam, patient=patient)
    prediction = model.predict(exposure)
    names = {"portal_dose": f"{path.stem}_portal_dose.nrrd"}
    write_portal_dose(prediction.dose, stage / names["portal_dose"])
    if prediction.half_width_gy is not None:
        names["half_width"] = f"{path.stem}_half_width.nrrd"
        write_portal_dose(prediction.half_width_gy, stage / names["half_width"])
    warnings = [*frame.warnings, *([note] if note else []), *notes, *prediction.warnings]
    warnings += beyond_validity(exposure.signal, profile, meterset_mu=meterset)
    warnings += _doubts(planned, frame, profile)
    return {
        "file": str(path),
        **{key: str(out_dir / name) for key, name in names.items()},
        "max_gy": float(prediction.dose.values.max()),
        "uncertainty_percent": prediction.uncertainty_percent,
        "model": prediction.model,
        "beam": beam.name if beam else None,
        "meterset_mu": exposure.meterset_mu,
        "meterset_from": source if exposure.meterset_mu else "unknown",
        "ct": "known" if patient is not None else "unknown",
        "warnings": warnings,
    }


def _doubts(planned: "PlannedImage | None", frame: "PortalFrame", profile: "MachineProfile") -> list[str]:
    """Say what the user has to know of how image, beam and machine came together."""
    said = []
    if planned is not None and planned.file.link == "assigned":
        said.append(f"The image was assigned to beam {planned.beam.name} by hand.")
    if planned is not None and planned.file.link == "matched":
        said.append(f"The image does not name its beam; it was matched to {planned.beam.name}: {planned.file.how}.")
    if frame.machine and frame.machine != profile.machine:
        said.append(f"The image is from machine {frame.machine}, the profile from {profile.machine}.")
    return said


def _stated_meterset(planned: "PlannedImage | None", frame: "PortalFrame") -> tuple[float | None, str]:
    from intrepid_cli.verification.planned_images import planned_meterset

    return planned_meterset(planned, frame) if planned else (frame.meterset_mu, "from the image")
