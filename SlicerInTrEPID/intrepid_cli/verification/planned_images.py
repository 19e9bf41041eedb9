"""Images with the beam, monitor units and anatomy that plan and CT beside them state: what ``predict`` may know."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from intrepid_cli.verification.beam_geometry import first_frame
from intrepid_cli.verification.inputs import curve_of, density_of
from intrepid_cli.verification.selection import check_frames, ct_of, structure_set_of, with_assignments
from intrepid_epid.beam_model import beam_model
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.portal_reader import PortalFrame
from intrepid_epid.ray_tracing import Anatomy
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_rt.dicom_ct import read_ct_series
from intrepid_rt.dicom_file import collecting, read_dataset
from intrepid_rt.dicom_image import portal_header
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.errors import AmbiguousInput, MissingObject, UnusableInput
from intrepid_rt.plan import Beam
from intrepid_rt.scan import scan_files
from intrepid_rt.small_files import entries_below
from intrepid_rt.study import PlanFile, PortalFile, Study

METERSET_TOLERANCE = 0.02


@dataclass(frozen=True)
class PlannedImage:
    """An image file and the beam it shows, by the same rules as in a reconstruction.

    ``unasked``: nobody gave the plan; the image names it, and it lies in the image's folder.
    """

    file: PortalFile
    study: Study
    plan: PlanFile
    beam: Beam
    unasked: bool = False


def images_of_study(folder: Path, assigned: Sequence[tuple[int, str]] = ()) -> list[PlannedImage]:
    """Every measured image of a study folder with its beam.

    ``assigned`` names the image file of a beam where a person knows better than the files.

    Raises
    ------
    MissingObject
        The folder holds no image, or one that belongs to no beam.
    """
    studies = _as_assigned(scan_files(entries_below(folder), place=str(folder)), assigned)
    files = [file for study in studies for file in study.portal_images]
    if not files:
        raise MissingObject(f"{folder} holds no portal image (RTIMAGE). Add the images of the treatment.")
    return [_planned(file.path, studies) for file in files]


def images_with_plan(
    images: Sequence[Path], *, study_dir: Path | None, plan: Path | None, assigned: Sequence[tuple[int, str]] = ()
) -> list[PlannedImage]:
    """Match images to the beams of the plan in ``study_dir``, or of the RTPLAN ``plan``.

    ``assigned`` names the image file of a beam where a person knows better than the files.

    Raises
    ------
    MissingObject
        An image belongs to no beam of it; the message says why.
    """
    beside = entries_below(study_dir) if study_dir else [plan] if plan else []
    given = {path.resolve() for path in images}
    others = [path for path in beside if path.resolve() not in given]
    studies = _as_assigned(scan_files([*images, *others], place=str(study_dir or plan)), assigned)
    return [_planned(path, studies) for path in images]


def images_beside_their_plans(images: Sequence[Path]) -> list[tuple[PlannedImage | None, str]]:
    """Return each image with its beam if the plan it names lies in its folder, and what a user has to be told.

    Plan and beam are those whose SOP Instance UID and number the image states; nothing is concluded from file names,
    angles or times. None for an image that names no plan, or a plan that is not there.
    """
    # The images of a folder share it: it is read once for this list, not kept, because files change.
    read: dict[Path, list[Study]] = {}
    return [_beside_its_plan(image, read) for image in images]


def _beside_its_plan(image: Path, read: dict[Path, list[Study]]) -> tuple[PlannedImage | None, str]:
    try:
        with collecting([]):  # what the parser complains about is told when the image itself is read
            named = portal_header(read_dataset(image, pixels=False)).plan_uid
        if named and image.parent not in read:
            beside = sorted(path for path in image.parent.iterdir() if path.is_file())
            read[image.parent] = scan_files(beside, place=str(image.parent))
    except (UnusableInput, PermissionError):  # no DICOM, or a folder that may not be listed: nothing is told
        return None, ""
    studies = read[image.parent] if named else []
    study = next((study for study in studies if study.plan_with_uid(named)), None)
    plan = study.plan_with_uid(named) if study else None
    if study is None or plan is None:
        return None, ""
    file = next((file for file in study.portal_images if file.path == image), None)
    if file is None or file.link != "stated":
        reason = file.how if file and file.how else "does not state its beam"
        return None, f"A plan that the image names lies beside it and is not used: the image {reason}."
    planned = replace(_planned(image, [study]), unasked=True)
    return planned, f"{plan.path.name}, the plan that the image names, lies beside it and was used; see --alone."


def _as_assigned(studies: list[Study], assigned: Sequence[tuple[int, str]]) -> list[Study]:
    if not assigned:
        return studies
    imaged = [study for study in studies if study.portal_images]
    if len(imaged) > 1:
        raise AmbiguousInput(f"--assign needs images of one patient; {len(imaged)} were found.")
    return [with_assignments(study, assigned)[0] if study.portal_images else study for study in studies]


def _planned(path: Path, studies: Sequence[Study]) -> PlannedImage:
    place = next(((s, file) for s in studies for file in s.portal_images if file.path == path), None)
    if place is None:
        reason = next((why for s in studies for one, why in s.unused if one == path), "it is no portal image")
        raise MissingObject(f"{path.name} cannot be matched to a beam: {reason}.")
    study, file = place
    plan = study.plan_with_uid(file.plan_uid) if file.link else None
    beam = plan.plan.beam_numbered(file.beam_number or 0) if plan else None
    if plan is None or beam is None:
        raise MissingObject(f"{path.name} {file.how}. Give the plan it belongs to, or predict it without a plan.")
    return PlannedImage(file, study, plan, beam)


def planned_meterset(image: PlannedImage, frame: PortalFrame) -> tuple[float | None, str]:
    """Monitor units of the plan, which must be those the image states, and where they are from.

    Raises
    ------
    AmbiguousInput
        Both state them and disagree.
    """
    planned, stated = image.beam.meterset_mu, frame.meterset_mu
    if planned and stated is not None and abs(stated / planned - 1) > METERSET_TOLERANCE:
        raise AmbiguousInput(
            f"{image.file.path.name} states {stated:g} MU, its beam {image.beam.name} {planned:g} MU. Say which holds "
            "with --meterset-mu."
        )
    plan = "from the plan that the image names" if image.unasked else "from the plan"
    return (planned, plan) if planned else (stated, "from the image")


def patient_of(
    image: PlannedImage, profile: MachineProfile, ct_curve: Path | None
) -> tuple[PrimaryBeam | None, tuple[str, ...]]:
    """Return the beam through the planning CT, None if there is no CT or the beam turns, and notes.

    Raises
    ------
    AmbiguousInput, FrameOfReferenceMismatch, UnsupportedGeometry
        Several CT series may be meant, or plan and CT do not fit each other.
    """
    if not image.study.ct_series:
        return None, ()
    if image.beam.is_arc:
        return None, (f"Beam {image.beam.name} is an arc: no one direction leads through the CT, so it is not used.",)
    structures, _ = structure_set_of(image.study, image.plan)
    ct = ct_of(image.study, image.plan, structures)
    check_frames(image.plan, ct, structures, ())
    files = (*ct.paths, *([structures.path] if structures else []))
    written = tuple(path.stat().st_mtime_ns for path in files)
    anatomy, notes = _anatomy(ct.paths, structures.path if structures else None, profile, ct_curve, written)
    frame = first_frame(image.beam, image.plan.plan.patient_position)
    return PrimaryBeam(anatomy, beam_model(profile).spectrum, frame), notes


# The images of a study share their CT; when its files were written is part of the key, so that a changed one is read.
@lru_cache(maxsize=1)
def _anatomy(
    slices: tuple[Path, ...],
    structures: Path | None,
    profile: MachineProfile,
    ct_curve: Path | None,
    _written: tuple[int, ...],
) -> tuple[Anatomy, tuple[str, ...]]:
    ct = read_ct_series(slices)
    curve, curve_notes = curve_of(ct_curve, profile)
    density, density_notes = density_of(ct.grid, curve, read_structure_set(structures) if structures else None)
    return anatomy_of(density), (*ct.notes, *curve_notes, *density_notes)
