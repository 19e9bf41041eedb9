"""Which beam a portal image shows: by its reference, or concluded from gantry angle, machine, date and order."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from intrepid_rt.plan import Beam
from intrepid_rt.study import PlanFile, PortalFile

# Gantry read-outs agree with the plan to a few tenths of a degree; beams of one plan lie several degrees apart.
_GANTRY_TOLERANCE_DEG = 1.5

_Candidate = tuple[PlanFile, Beam]


def match_portal_images(images: Iterable[PortalFile], plans: Sequence[PlanFile]) -> tuple[PortalFile, ...]:
    """Link the images of one patient to the beams of the patient's plans.

    An image that names plan and beam is held to it: if they are not there or the gantry stood elsewhere it stays
    unlinked. One that names less is matched only where exactly one beam fits, or where as many images as beams fit
    and the order of acquisition tells them apart. Whatever is concluded says so in ``how``.

    Returns
    -------
    tuple of PortalFile, in the order given.
    """
    if not plans:
        return tuple(replace(image, how="has no RTPLAN of the same patient beside it") for image in images)
    stated = [_by_reference(image, plans) for image in images]
    taken = {(image.plan_uid, image.beam_number, image.fraction) for image in stated if image.link}
    fitting = [[] if image.link or image.how else _fitting(image, plans, taken) for image in stated]
    return tuple(
        image if image.link or image.how else _concluded(index, stated, fitting) for index, image in enumerate(stated)
    )


def _by_reference(image: PortalFile, plans: Sequence[PlanFile]) -> PortalFile:
    """Link an image that names plan and beam, reject one whose reference leads nowhere, leave others as they are."""
    header = image.header
    if not header.plan_uid:
        return image
    plan = next((file for file in plans if file.sop_instance_uid == header.plan_uid), None)
    if plan is None:
        return replace(image, how=f"references RTPLAN {header.plan_uid}, which is not among this patient's files")
    if header.beam_number is None:
        return image
    beam = plan.plan.beam_numbered(header.beam_number)
    if beam is None:
        return replace(image, how=f"references beam {header.beam_number}, which RTPLAN {header.plan_uid} does not have")
    if not beam.delivers_treatment:
        return replace(image, how=f"shows beam {beam.number}, which is a {beam.treatment_delivery_type} beam")
    if not _gantry_fits(image, beam):
        return replace(
            image,
            how=f"references beam {beam.number} with gantry {beam.control_points[0].gantry_angle_deg:g} degrees, but "
            f"was taken at {header.gantry_angle_deg:g} degrees",
        )
    return replace(image, plan_uid=header.plan_uid, beam_number=beam.number, link="stated", how="named by the image")


def _fitting(image: PortalFile, plans: Sequence[PlanFile], taken: set[tuple[str, int | None, str]]) -> list[_Candidate]:
    """Beams that an image without full reference may show."""
    header = image.header
    return [
        (plan, beam)
        for plan in plans
        if header.plan_uid in ("", plan.sop_instance_uid) and _not_before(image, plan)
        for beam in plan.treatment_beams
        if header.beam_number in (None, beam.number)
        and (plan.sop_instance_uid, beam.number, image.fraction) not in taken
        and header.machine.casefold() in ("", beam.machine.casefold())
        and _gantry_fits(image, beam)
    ]


def _not_before(image: PortalFile, plan: PlanFile) -> bool:
    acquired = image.header.acquired
    return plan.planned_on is None or acquired is None or acquired.date() >= plan.planned_on


def _gantry_fits(image: PortalFile, beam: Beam) -> bool:
    """Whether the gantry angle of the image speaks not against the beam; an arc or an unknown angle fits any."""
    angle = image.header.gantry_angle_deg
    if angle is None or beam.is_arc:
        return True
    planned = [point.gantry_angle_deg for point in beam.control_points]
    return any(abs((angle - one + 180) % 360 - 180) <= _GANTRY_TOLERANCE_DEG for one in planned)


def _concluded(index: int, images: Sequence[PortalFile], fitting: Sequence[list[_Candidate]]) -> PortalFile:
    image, candidates = images[index], fitting[index]
    if not candidates:
        return replace(image, how="fits no beam of the patient's plans by gantry angle, machine and date")
    if len(candidates) == 1:
        return _linked(image, candidates[0], "the only beam that fits gantry angle, machine and date")
    names = ", ".join(f"{beam.name} of {plan.path.name}" for plan, beam in candidates)
    rivals = [
        other
        for other, others_candidates in zip(images, fitting, strict=True)
        if others_candidates == candidates and other.fraction == image.fraction
    ]
    if len({plan.sop_instance_uid for plan, _ in candidates}) > 1 or image.header.gantry_angle_deg is None:
        return replace(image, how=f"may show several beams ({names}) and names none")
    times = [other.header.acquired for other in rivals]
    if len(rivals) != len(candidates) or None in times or len(set(times)) < len(times):
        return replace(image, how=f"may show several beams ({names}), and the order of acquisition does not tell which")
    rank = sorted(times, key=str).index(image.header.acquired)
    return _linked(image, candidates[rank], f"number {rank + 1} in order of acquisition among beams that fit ({names})")


def _linked(image: PortalFile, candidate: _Candidate, how: str) -> PortalFile:
    plan, beam = candidate
    return replace(image, plan_uid=plan.sop_instance_uid, beam_number=beam.number, link="matched", how=how)
