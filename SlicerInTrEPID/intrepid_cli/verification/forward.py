"""Forward check: every measured portal dose against the one that plan, machine profile and CT predict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from intrepid_cli.verification.beam_geometry import frame_at
from intrepid_cli.verification.comparison import gamma_2d
from intrepid_cli.verification.inputs import Inputs
from intrepid_cli.verification.reconstruction import ReconstructionTools
from intrepid_cli.verification.settings import VerificationSettings
from intrepid_epid.delivery.arc_prediction import arc_portal_dose
from intrepid_epid.error_causes import causes
from intrepid_epid.forward_evidence import evidence, mismatch_percent
from intrepid_epid.forward_portal_dose import ForwardPortalDose, forward_portal_dose
from intrepid_epid.image_grid import on_grid_of
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_rt.errors import UnusableInput
from intrepid_rt.plan import Beam
from intrepid_rt.verification import BeamResult, ErrorCause, ForwardCheck

PREDICTED = "predicted by InTrEPID's own forward physics, not by the planning system"
ARC = "Causes are not told for an arc: shift and thickness show differently from every direction."
NO_PROFILE = "Without a machine profile the dose is relative, and no portal dose is predicted."


def forward_checked(
    beams: Sequence[BeamResult], inputs: Inputs, tools: ReconstructionTools, settings: VerificationSettings
) -> tuple[BeamResult, ...]:
    """Predict the portal dose of every beam, compare, and name the causes of differences.

    A beam without a planned portal dose gets the predicted one, marked as such. What cannot be predicted says why.
    """
    if inputs.profile is None:
        return tuple(replace(beam, forward_check=ForwardCheck(reason=NO_PROFILE)) for beam in beams)
    anatomy = anatomy_of(tools.grid.density_g_cc)
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
) -> ForwardPortalDose | str:
    """Return the prediction, or why there is none."""
    try:
        if plan.is_arc:
            return arc_portal_dose(plan, beam.portal_dose, tools.profile, way_at)
        return forward_portal_dose(plan, beam.portal_dose, tools.profile, way)
    except UnusableInput as error:
        return str(error)


def _checked(
    beam: BeamResult,
    plan: Beam,
    way: PrimaryBeam,
    number: int,
    predictions: Sequence[ForwardPortalDose | str],
    names: Sequence[str],
    settings: VerificationSettings,
) -> BeamResult:
    own = predictions[number]
    if isinstance(own, str):
        return replace(beam, forward_check=ForwardCheck(reason=own))
    others = {
        name: _mismatch(other, beam)
        for index, (name, other) in enumerate(zip(names, predictions, strict=True))
        if index != number and not isinstance(other, str)
    }
    gamma = gamma_2d(own.total_gy, beam.portal_dose, settings)
    found = evidence(own, beam.portal_dose, plan, way)
    named = () if plan.is_arc else causes(found, others)
    check = ForwardCheck(
        predicted=own.total_gy,
        gamma=gamma,
        causes=tuple(ErrorCause(cause.name, cause.evidence) for cause in named),
        evidence=_of_any_direction(found.numbers()) if plan.is_arc else found.numbers(),
        notes=(*own.notes, ARC) if plan.is_arc else own.notes,
        causes_sought=not plan.is_arc,
    )
    if beam.planned_portal_dose is not None:
        return replace(beam, forward_check=check)
    return replace(
        beam, forward_check=check, planned_portal_dose=own.total_gy, gamma_2d=gamma, planned_portal_source=PREDICTED
    )


def _of_any_direction(numbers: Mapping[str, object]) -> dict[str, object]:
    """Keep what holds for a sum over many directions; shifts, water and leaves are told of one direction alone."""
    kept = ("level_percent", "pattern_percent", "overlap", "mismatch_percent")
    return {name: value if name in kept else None for name, value in numbers.items()}


def _mismatch(other: ForwardPortalDose, beam: BeamResult) -> float:
    on_image = on_grid_of(other.total_gy, beam.portal_dose)
    return mismatch_percent(on_image.with_values(np.nan_to_num(on_image.values)), beam.portal_dose)
