"""Who, which plan, which files, which versions: what a report must state to be repeated."""

import hashlib
import platform
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import pydicom

from intrepid_cli.verification.inputs import Inputs
from intrepid_cli.verification.settings import VerificationSettings
from intrepid_epid.dose_reconstruction import DOSE_MODELS
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.networks.card import read_card
from intrepid_epid.networks.registry import find_model
from intrepid_epid.refinement.card import find_refinement, read_refinement
from intrepid_rt.frame_table import FRAME_TABLE, raw_files
from intrepid_rt.verification import InputObject, PatientIdentity, PlanIdentity, ProfileIdentity, Provenance

DAY_SETTINGS = ("registration", "setup", "isocentre_mm", "couch_shift", "anatomy_curve", "truncated")
_PACKAGES = ("slicer-intrepid", "numpy", "scipy", "pydicom", "numba")


def provenance(inputs: Inputs, settings: VerificationSettings) -> Provenance:
    """Collect versions, settings and the hash of every input file."""
    stated = {key: str(value) for key, value in asdict(settings).items() if value is not None}
    if settings.model not in DOSE_MODELS:
        card = read_card(find_model(settings.model))
        stated["model"] = f"{card.name} (card SHA-256 {card.digest()}; weights SHA-256 {card.weights_sha256})"
    if settings.refinement != "none":
        refinement = read_refinement(find_refinement(settings.refinement)).card
        stated["refinement"] = f"{refinement.name} (weights SHA-256 {refinement.weights_sha256})"
    if not settings.assigned:
        del stated["assigned"]
    if settings.anatomy is None:
        stated = {key: value for key, value in stated.items() if key not in DAY_SETTINGS}
    stated["ct_curve"] = f"{inputs.curve.name} ({inputs.curve.source}; SHA-256 {inputs.curve.sha256})"
    return Provenance(
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        versions={"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        settings=stated,
        inputs=tuple(_inputs(inputs, settings)),
        device=f"{platform.system()} {platform.machine()}",
        model=settings.model,
    )


def _inputs(inputs: Inputs, settings: VerificationSettings) -> Iterator[InputObject]:
    chosen = inputs.selection
    yield InputObject("RTPLAN", chosen.plan.path.name, chosen.plan.sop_instance_uid, _sha256([chosen.plan.path]))
    slices = sorted(chosen.ct.paths)
    yield InputObject("CT", f"{len(slices)} slices", chosen.ct.series_uid, _sha256(slices))
    if chosen.structure_set is not None:
        file = chosen.structure_set
        yield InputObject("RTSTRUCT", file.path.name, file.sop_instance_uid, _sha256([file.path]))
    for dose in chosen.doses:
        yield InputObject("RTDOSE", dose.path.name, dose.sop_instance_uid, _sha256([dose.path]))
    for image in (image for images in chosen.frames.values() for image in images):
        yield InputObject("RTIMAGE", image.path.name, image.header.sop_instance_uid, _sha256([image.path]))
        for raw in raw_files(image.path) if image.path.name == FRAME_TABLE else ():
            yield InputObject("raw frame", raw.name, "", _sha256([raw]))
    if inputs.day is not None:
        files = sorted(inputs.day.paths)
        yield InputObject("CT of the day", f"{len(files)} slices", inputs.day.series_uid, _sha256(files))
        for role, name in (("transform", settings.registration), ("CT curve of the day", settings.anatomy_curve or "")):
            if Path(name).is_file():
                yield InputObject(role, Path(name).name, "", _sha256([Path(name)]))
    for role, path in (("machine profile", settings.machine), ("constraints", settings.constraints)):
        if path is not None:
            yield InputObject(role, path.name, "", _sha256([path]))


def _sha256(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def identities(inputs: Inputs, profile: MachineProfile) -> tuple[PatientIdentity, PlanIdentity, ProfileIdentity]:
    """Read who was treated by which plan, and which profile calibrated the images."""
    header = pydicom.dcmread(inputs.selection.plan.path, stop_before_pixels=True, force=True)

    def stated(keyword: str) -> str:
        return str(header.get(keyword, "") or "")

    patient = PatientIdentity(
        stated("PatientID"), stated("PatientName"), stated("PatientBirthDate"), stated("PatientSex")
    )
    plan = PlanIdentity(
        label=inputs.plan.label,
        sop_instance_uid=inputs.plan.sop_instance_uid,
        name=stated("RTPlanName"),
        date=stated("RTPlanDate"),
        approval=stated("ApprovalStatus"),
        prescription_gy=inputs.plan.prescription_gy,
        fractions_planned=inputs.plan.fractions_planned,
        patient_position=inputs.plan.patient_position,
        study_instance_uid=stated("StudyInstanceUID"),
        study_date=stated("StudyDate"),
        study_description=stated("StudyDescription"),
        structure_set_uid=inputs.plan.referenced_structure_set_uid,
        frame_of_reference_uid=inputs.plan.frame_of_reference_uid,
    )
    valid = {
        "source to image (mm)": profile.valid_for.source_to_image_mm,
        "MU": profile.valid_for.meterset_mu,
        "field area (cm2)": profile.valid_for.area_cm2,
        "off axis (mm)": profile.valid_for.off_axis_mm,
    }
    identity = ProfileIdentity(
        profile.machine or "unknown machine",
        profile.hash() if profile.fields else "",
        profile.energy,
        valid if profile.fields else {},
    )
    return patient, plan, identity
