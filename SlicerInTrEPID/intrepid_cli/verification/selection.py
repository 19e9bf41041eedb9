"""Choosing from a scanned folder what one verification needs, refusing wherever a choice would be a guess."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from intrepid_rt.errors import AmbiguousInput, FrameOfReferenceMismatch, InvalidSetting, MissingObject
from intrepid_rt.plan import Beam
from intrepid_rt.study import CTFiles, DoseFile, PlanFile, PortalFile, StructureSetFile, Study, telling_names


@dataclass(frozen=True)
class Selection:
    """The objects of one verification; ``planned_reason`` says why there is no planned dose.

    ``beams`` names the first image of every beam, ``frames`` all of them by beam number.
    """

    study: Study
    plan: PlanFile
    beams: tuple[tuple[Beam, PortalFile], ...]
    ct: CTFiles
    structure_set: StructureSetFile | None
    doses: tuple[DoseFile, ...]
    planned_reason: str
    notes: tuple[str, ...]
    frames: Mapping[int, tuple[PortalFile, ...]]


def select(studies: list[Study], assigned: Sequence[tuple[int, str]] = ()) -> Selection:
    """Choose patient, plan, images, CT, structures and planned dose.

    ``assigned`` names the image file of a beam where a person knows better than the files.

    Raises
    ------
    MissingObject
        No portal image, plan, CT, or an image for every treatment beam.
    AmbiguousInput
        Images of several patients or plans, two images of one beam and fraction that are no frames of one
        acquisition, or several planned doses.
    FrameOfReferenceMismatch
        The chosen objects do not share one frame of reference.
    """
    study, by_hand = with_assignments(_study(studies), assigned)
    plan = _plan(study)
    beams = _imaged_beams(study, plan)
    structure_set, notes = structure_set_of(study, plan)
    ct = ct_of(study, plan, structure_set)
    doses, planned_reason = planned_doses(study, plan)
    if len(doses) > 1:
        notes += (f"No total dose of the plan was found: the planned dose is the sum of its {len(doses)} beam doses.",)
    check_frames(plan, ct, structure_set, doses)
    firsts = tuple((beam, files[0]) for beam, files in beams)
    frames = {beam.number: files for beam, files in beams}
    return Selection(study, plan, firsts, ct, structure_set, doses, planned_reason, (*by_hand, *notes), frames)


def with_assignments(study: Study, assigned: Sequence[tuple[int, str]]) -> tuple[Study, tuple[str, ...]]:
    """Link images to beams as a person says; returns the study and a note for each, which the report shows.

    Raises
    ------
    InvalidSetting
        An image or beam that is not there, or an image for two beams.
    AmbiguousInput
        A name that several images have, or a folder with several plans: the beam number alone does not tell which plan
        is meant.
    """
    if not assigned:
        return study, ()
    if len({name for _, name in assigned}) < len(assigned) or len({number for number, _ in assigned}) < len(assigned):
        raise InvalidSetting("--assign names an image or a beam twice. Give one image for each beam.")
    if len(study.plans) != 1:
        raise AmbiguousInput(f"--assign needs a folder with one RTPLAN; {len(study.plans)} were found.")
    plan, images, notes = study.plans[0], {image.path: image for image in study.portal_images}, []
    for number, name in assigned:
        beam = plan.plan.beam_numbered(number)
        if beam is None:
            raise InvalidSetting(f"--assign {number}={name}: there is no beam {number} in the study.")
        before = images[_image_named(study, number, name).path]
        if before.link == "assigned":
            raise InvalidSetting(f"--assign {number}={name}: this image was given to another beam already.")
        said = f"linked to beam {before.beam_number}" if before.link else "linked to no beam"
        notes.append(f"By hand: {name} was assigned to beam {beam.name}; by its own data it was {said}.")
        images[before.path] = replace(
            before, plan_uid=plan.sop_instance_uid, beam_number=number, link="assigned", how="assigned by hand"
        )
    chosen = dict(assigned)
    # An image that a beam would have had otherwise gives way to the one named by hand.
    kept = [
        image if image.link == "assigned" or image.beam_number not in chosen
        else replace(image, link="", beam_number=None, how="gave way to an image assigned by hand")
        for image in images.values()
    ]  # fmt: skip
    return replace(study, portal_images=tuple(kept)), tuple(notes)


def _image_named(study: Study, number: int, name: str) -> PortalFile:
    found = study.portal_images_named(name)
    if not found:
        raise InvalidSetting(f"--assign {number}={name}: there is no portal image {name} in the study.")
    if len(found) > 1:
        names = telling_names([image.path for image in study.portal_images])
        known = [n for n, image in zip(names, study.portal_images, strict=True) if image in found]
        raise AmbiguousInput(
            f"--assign {number}={name}: {len(found)} portal images are called so. Name the folder too: "
            f"{', '.join(known[:4])}."
        )
    return found[0]


def _study(studies: list[Study]) -> Study:
    imaged = [study for study in studies if study.portal_images]
    if len(imaged) > 1:
        raise AmbiguousInput(f"The folder holds portal images of {len(imaged)} patients. Give one patient's folder.")
    if not imaged:
        raise MissingObject("No portal image (RTIMAGE) was found. Add the images of the treatment to the folder.")
    return imaged[0]


def _plan(study: Study) -> PlanFile:
    if not study.plans:
        raise MissingObject("No RTPLAN of the imaged patient was found. Add the plan to the folder.")
    uids = {image.plan_uid for image in study.portal_images if image.link}
    if not uids:
        image = study.portal_images[0]
        raise MissingObject(f"No portal image belongs to a beam of a plan: {image.path.name} {image.how}.")
    if len(uids) > 1:
        raise AmbiguousInput(
            f"Portal images belong to {len(uids)} plans ({', '.join(sorted(uids))}). Give one folder per plan."
        )
    plan = study.plan_with_uid(uids.pop())
    if plan is None:
        raise MissingObject("The plan of the portal images is not in the folder. Add it.")
    return plan


def _imaged_beams(study: Study, plan: PlanFile) -> tuple[tuple[Beam, tuple[PortalFile, ...]], ...]:
    linked = [image for image in study.portal_images if image.link and image.plan_uid == plan.sop_instance_uid]
    fractions = sorted({image.fraction for image in linked})
    if len(fractions) > 1:
        raise AmbiguousInput(
            f"The folder holds images of {len(fractions)} fractions ({', '.join(fractions)}). Give one folder each."
        )
    by_beam: dict[int, list[PortalFile]] = defaultdict(list)
    for image in linked:
        by_beam[image.beam_number or 0].append(image)
    for number, images in by_beam.items():
        beam = plan.plan.beam_numbered(number)
        if len(images) > 1 and not (beam is not None and _are_frames(images, beam)):
            names = " and ".join(image.path.name for image in images[:4]) + (" ..." if len(images) > 4 else "")
            raise AmbiguousInput(
                f"Beam {number} has {len(images)} images of one fraction: {names}. Keep one, or give all frames of one "
                "series that state gantry angle (arcs) or monitor units."
            )
    missing = [beam.name for beam in plan.treatment_beams if beam.number not in by_beam]
    if missing:
        unlinked = "; ".join(f"{image.path.name} {image.how}" for image in study.portal_images if not image.link)
        raise MissingObject(
            f"No portal image shows beam {', '.join(missing)}; every treatment beam needs one for a total dose"
            f"{f' ({unlinked})' if unlinked else ''}. Add the image of each beam, with its references."
        )
    return tuple((beam, tuple(by_beam[beam.number])) for beam in plan.treatment_beams)


def _are_frames(images: list[PortalFile], beam: Beam) -> bool:
    """Whether images are frames of one acquisition, each of a part of the beam, and not repeated images of all of it.

    Frames of an arc tell their gantry angle. Those of a standing gantry look alike: only monitor units, stated by each
    and adding up to no more than the beam's, show that every frame is a part.
    """
    headers = [image.header for image in images]
    if len({header.series_uid for header in headers}) > 1 or any(header.n_frames > 1 for header in headers):
        return False
    if beam.is_arc:
        return all(header.gantry_angle_deg is not None for header in headers)
    if all(header.meterset_weights is not None for header in headers):
        return len({header.meterset_weights for header in headers}) > 1
    metersets = [header.meterset_mu for header in headers if header.meterset_mu is not None]
    return len(metersets) == len(headers) and sum(metersets) <= 1.1 * (beam.meterset_mu or 0.0)


def structure_set_of(study: Study, plan: PlanFile) -> tuple[StructureSetFile | None, tuple[str, ...]]:
    """Return the structures that the plan names, or the only ones in its frame of reference, with notes."""
    wanted = plan.plan.referenced_structure_set_uid
    named = [s for s in study.structure_sets if s.sop_instance_uid == wanted]
    if named:
        return named[0], ()
    others = [s for s in study.structure_sets if s.frame_of_reference_uid == plan.plan.frame_of_reference_uid]
    if len(others) == 1:
        return others[0], (f"The plan's structure set is not in the folder; {others[0].path.name} is used instead.",)
    found = (
        f"{len(study.structure_sets)} other structure set(s) were found" if study.structure_sets else "none was found"
    )
    return None, (f"The plan's structure set is missing ({found}): no DVH, no constraints, gamma not limited to BODY.",)


def ct_of(study: Study, plan: PlanFile, structure_set: StructureSetFile | None) -> CTFiles:
    """Return the CT that the structures were drawn on, or the only one in the plan's frame of reference.

    Raises
    ------
    MissingObject, AmbiguousInput
        None, or several.
    """
    if not study.ct_series:
        raise MissingObject("No CT was found. Add the planning CT to the folder.")
    if structure_set is not None and structure_set.ct_series_uid:
        named = [ct for ct in study.ct_series if ct.series_uid == structure_set.ct_series_uid]
        if named:
            return named[0]
    frame = plan.plan.frame_of_reference_uid
    fitting = [ct for ct in study.ct_series if not frame or ct.frame_of_reference_uid == frame] or list(study.ct_series)
    if len(fitting) > 1:
        raise AmbiguousInput(f"{len(fitting)} CT series could be the planning CT. Keep the one that was planned on.")
    return fitting[0]


def planned_doses(study: Study, plan: PlanFile) -> tuple[tuple[DoseFile, ...], str]:
    """Total dose of the plan, or its beam doses; none with the reason.

    Raises
    ------
    AmbiguousInput
        Several total doses of the plan.
    """
    ours = [dose for dose in study.doses if dose.plan_uid == plan.sop_instance_uid]
    totals = [dose for dose in ours if dose.summation_type == "PLAN"]
    if len(totals) > 1:
        names = " and ".join(dose.path.name for dose in totals)
        raise AmbiguousInput(f"The plan has {len(totals)} total doses: {names}. Keep one.")
    if totals:
        return (totals[0],), ""
    numbers = [beam.number for beam in plan.treatment_beams]
    by_beam = [dose for dose in ours if dose.summation_type == "BEAM"]
    if sorted(dose.beam_number or 0 for dose in by_beam) == sorted(numbers):
        return tuple(by_beam), ""
    if not study.doses:
        return (), "The folder holds no RTDOSE, so there is no planned dose to compare with."
    return (), "No RTDOSE in the folder is the total dose of this plan, nor the doses of all its beams."


def check_frames(
    plan: PlanFile, ct: CTFiles, structure_set: StructureSetFile | None, doses: tuple[DoseFile, ...]
) -> None:
    """Refuse objects that do not lie in one frame of reference.

    Raises
    ------
    FrameOfReferenceMismatch
    """
    objects = [("RTPLAN", plan.plan.frame_of_reference_uid), ("CT", ct.frame_of_reference_uid)]
    if structure_set is not None:
        objects.append(("RTSTRUCT", structure_set.frame_of_reference_uid))
    objects += [("RTDOSE", dose.frame_of_reference_uid) for dose in doses]
    frames = {uid: name for name, uid in objects if uid}
    if len(frames) > 1:
        described = ", ".join(f"{name} in {uid}" for uid, name in frames.items())
        raise FrameOfReferenceMismatch(
            f"Objects lie in different frames of reference: {described}. Register them or give those planned together."
        )
