"""Forward check: every measured portal dose against the one that plan, machine profile and CT predict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from intrepid_cli.verification.beam_geometry import frame_at
from intrepid_cli.verification.comparison import gamma_2d
from intrepid_cli.verification.inputs import Inputs
from intrepid_cli.verification.reconstruction import ReconstructionTools
from intrepid_cli.verification.settings import VerificationSettings
from intrepid_epid.delivery.arc_prediction import arc_portal_dose
from intrepid_epid.delivery.arc_stretches import coarse, predicted_stretches
from intrepid_epid.error_causes import causes
from intrepid_epid.forward_evidence import Evidence, Sector, arc_evidence, evidence, mismatch_percent
from intrepid_epid.forward_portal_dose import ForwardPortalDose, forward_portal_dose
from intrepid_epid.image_grid import on_grid_of
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.errors import UnusableInput
from intrepid_rt.plan import Beam
from intrepid_rt.verification import BeamResult, ErrorCause, ForwardCheck

PREDICTED = "predicted by InTrEPID's own forward physics, not by the planning system"
LOST = "Causes are not told for this arc: {dropped} of its frames are missing."
BY_TIME = "Causes are not told for this arc: its frames were placed by time, as if the dose rate had been constant."
NO_PROFILE = "Without a machine profile the dose is relative, and no portal dose is predicted."


@dataclass(frozen=True, eq=False)
class _Prediction:
    """What a beam should show; ``sectors`` of an arc beside what was measured there, or why they tell nothing."""

    whole: ForwardPortalDose
    sectors: tuple[Sector, ...] = ()
    why_no_causes: str = ""


def forward_checked(
    beams: Sequence[BeamResult], inputs: Inputs, tools: ReconstructionTools, settings: VerificationSettings
) -> tuple[BeamResult, ...]:
    """Predict the portal dose of every beam, compare, and name the causes of differences.

    A beam without a planned portal dose gets the predicted one, marked as such. What cannot be predicted says why.
    """
    if inputs.profile is None:
        return tuple(replace(beam, forward_check=ForwardCheck(reason=NO_PROFILE)) for beam in beams)
    anatomy = tools.anatomy
    planned = [beam for beam, _ in inputs.beams]
    ways = [PrimaryBeam(anatomy, tools.model.spectrum, beam.frame) for beam in beams]
    position = inputs.plan.patient_position

    def way_at(plan: Beam, angle_deg: float) -> PrimaryBeam:
        return PrimaryBeam(anatomy, tools.model.spectrum, inputs.frame_of(frame_at(plan, angle_deg, position)))

    predicted = [
        _predicted(plan, beam, tools, way, partial(way_at, plan))
        for plan, beam, way in zip(planned, beams, ways, strict=True)
    ]
    return tuple(
        _checked(beam, plan, way, number, predicted, [b.name for b in beams], settings)
        for number, (beam, plan, way) in enumerate(zip(beams, planned, ways, strict=True))
    )


def _predicted(
    plan: Beam,
    beam: BeamResult,
    tools: ReconstructionTools,
    way: PrimaryBeam,
    way_at: Callable[[float], PrimaryBeam],
) -> _Prediction | str:
    """Return the prediction, or why there is none."""
    try:
        if not plan.is_arc:
            return _Prediction(forward_portal_dose(plan, beam.portal_dose, tools.profile, way))
        why_not = _why_no_causes(beam)
        if why_not:
            seen = coarse(beam.portal_dose)
            return _Prediction(arc_portal_dose(plan, seen, tools.profile, way_at), why_no_causes=why_not)
        return _Prediction(*predicted_stretches(plan, beam.portal_parts, tools.profile, way_at))
    except UnusableInput as error:
        return str(error)


def _why_no_causes(arc: BeamResult) -> str:
    """Why the frames of an arc cannot be compared with what the plan predicts for each; empty if they can."""
    delivery = arc.delivery
    if delivery is not None and delivery.dropped:
        return LOST.format(dropped=delivery.dropped)
    return BY_TIME if delivery is not None and delivery.placed_by == "time" else ""


def _checked(
    beam: BeamResult,
    plan: Beam,
    way: PrimaryBeam,
    number: int,
    predictions: Sequence[_Prediction | str],
    names: Sequence[str],
    settings: VerificationSettings,
) -> BeamResult:
    own = predictions[number]
    if isinstance(own, str):
        return replace(beam, forward_check=ForwardCheck(reason=own))
    others = {
        name: _mismatch(other.whole, beam)
        for index, (name, other) in enumerate(zip(names, predictions, strict=True))
        if index != number and not isinstance(other, str)
    }
    total = own.whole.total_gy
    gamma = gamma_2d(total, beam.portal_dose, settings)
    found = _evidence(own, beam, plan, way)
    named = () if own.why_no_causes else causes(found, others)
    check = ForwardCheck(
        predicted=total,
        gamma=gamma,
        causes=tuple(ErrorCause(cause.name, cause.evidence) for cause in named),
        evidence=_of_any_direction(found.numbers()) if own.why_no_causes else found.numbers(),
        notes=(*own.whole.notes, own.why_no_causes) if own.why_no_causes else own.whole.notes,
        causes_sought=not own.why_no_causes,
    )
    if beam.planned_portal_dose is not None:
        return replace(beam, forward_check=check)
    return replace(
        beam, forward_check=check, planned_portal_dose=total, gamma_2d=gamma, planned_portal_source=PREDICTED
    )


def _evidence(own: _Prediction, beam: BeamResult, plan: Beam, way: PrimaryBeam) -> Evidence:
    if not plan.is_arc:
        return evidence(own.whole, beam.portal_dose, plan, way)
    whole = Sector(own.whole, coarse(beam.portal_dose), way)
    return arc_evidence(whole, own.sectors or (whole,), plan)


def _of_any_direction(numbers: Mapping[str, object]) -> dict[str, object]:
    """Keep what holds for a sum over many directions; shifts, water and leaves are told of one direction alone."""
    kept = ("level_percent", "pattern_percent", "overlap", "mismatch_percent")
    return {name: value if name in kept else None for name, value in numbers.items()}


def _mismatch(other: ForwardPortalDose, beam: BeamResult) -> float:
    on_image = on_grid_of(other.total_gy, beam.portal_dose)
    return mismatch_percent(on_image.with_values(np.nan_to_num(on_image.values)), beam.portal_dose)
