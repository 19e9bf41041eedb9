"""The steps of one verification in order."""

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from intrepid_cli.verification.comparison import (
    Reference,
    gamma_2d,
    gamma_3d,
    isocentre_points,
    point_dose,
    structure_results,
)
from intrepid_cli.verification.day_anatomy import carried_dose, on_day
from intrepid_cli.verification.forward import forward_checked
from intrepid_cli.verification.inputs import Inputs, read_inputs
from intrepid_cli.verification.judgement import constraint_outcomes, verdict
from intrepid_cli.verification.network_portal_dose import network_model
from intrepid_cli.verification.planned_portal import planned_portal_dose
from intrepid_cli.verification.provenance import identities, provenance
from intrepid_cli.verification.reconstruction import ReconstructionTools, reconstruct_beams
from intrepid_cli.verification.refinement import refinement_of
from intrepid_cli.verification.results import file_stems
from intrepid_cli.verification.selection import select
from intrepid_cli.verification.settings import DEFAULT_GRID_MM, VerificationSettings
from intrepid_epid.beam_model import beam_model
from intrepid_epid.calculation_grid import calculation_grid, solid_extent
from intrepid_epid.compute.device import physics_device
from intrepid_epid.dose_engine.dose_to_water import MEANINGS
from intrepid_epid.dose_reconstruction import DOSE_MODELS, dose_model
from intrepid_epid.machine_profile import MachineProfile, relative_profile
from intrepid_epid.networks.registry import find_model
from intrepid_epid.refinement.refinement_model import RefinementModel
from intrepid_rt.errors import MissingObject
from intrepid_rt.grids import DoseGrid, Grid, affine_from_axes
from intrepid_rt.scan import scan
from intrepid_rt.verification import BeamResult, VerificationResult

Progress = Callable[[float, str], None]  # fraction done, what begins now


@dataclass(frozen=True, eq=False)
class VerifiedStudy:
    """A verification and the RTPLAN file it is of."""

    result: VerificationResult
    plan_file: Path


class _Stopwatch:
    """Seconds spent in each named stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str):  # type: ignore[no-untyped-def]
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def verify_study(settings: VerificationSettings, *, progress: Progress = lambda fraction, step: None) -> VerifiedStudy:
    """Reconstruct the dose of one treated fraction and compare it with the plan; nothing is written.

    Parameters
    ----------
    settings : VerificationSettings
    progress : callable
        Told the fraction done and the name of each step as it begins.

    Raises
    ------
    UnusableInput
        The folder does not hold what is needed; the message says what and what to do.
    """
    watch = _Stopwatch()
    if settings.model not in DOSE_MODELS:
        find_model(settings.model)  # an unknown name is said before minutes of reading
    refinement = refinement_of(settings)
    with watch.stage("read"):
        progress(0.0, "reading the study")
        inputs = read_inputs(select(scan(settings.study_dir), settings.assigned), settings)
    if settings.anatomy is not None:
        with watch.stage("anatomy"):
            inputs = on_day(inputs, settings, lambda step: progress(0.02, step))
    tools = _tools(inputs, settings, refinement)
    with watch.stage("reconstruct"):
        beams = tuple(reconstruct_beams(inputs, tools, lambda part, step: progress(0.05 + 0.65 * part, step)))
        if inputs.profile is None:
            beams = _normalised(beams, inputs)
        on_anatomy = _sum(beams)
    with watch.stage("compare"):
        progress(0.7, "comparing")
        named = zip(beams, file_stems(beams), strict=True)
        beams = tuple(_compared(beam, stem, settings, tools.profile) for beam, stem in named)
    with watch.stage("forward check"):
        progress(0.72, "predicting the portal doses")
        beams = forward_checked(beams, inputs, tools, settings)
    with watch.stage("compare"):
        beams = tuple(_on_planning_ct(beam, inputs) for beam in beams)
        result = _judged(beams, inputs, tools, settings, lambda step: progress(0.8, step))
    day = replace(inputs.day, dose=on_anatomy) if inputs.day is not None else None
    return VerifiedStudy(replace(result, seconds=watch.seconds, day=day), inputs.selection.plan.path)


def _tools(inputs: Inputs, settings: VerificationSettings, refinement: RefinementModel | None) -> ReconstructionTools:
    """Choose models and grids: the dose is computed on a grid that serves the wanted one."""
    is_network = settings.model not in DOSE_MODELS
    wanted = _wanted_lattice(inputs, settings)
    return ReconstructionTools(
        grid=calculation_grid(wanted, inputs.density_g_cc),
        wanted=wanted,
        profile=inputs.profile or relative_profile(inputs.beams[0][1].machine),
        model=beam_model(inputs.profile),
        dose_model=dose_model("physics" if is_network else settings.model),
        network=network_model(settings.model, inputs.profile, settings.device) if is_network else None,
        dose_to=settings.dose_to,
        refinement=refinement,
        device=physics_device(settings.device),
    )


def _judged(
    beams: tuple[BeamResult, ...],
    inputs: Inputs,
    tools: ReconstructionTools,
    settings: VerificationSettings,
    progress: Callable[[str], None],
) -> VerificationResult:
    """Compare the sum of the beams with the plan: gamma, isocentres, DVHs and constraints, and the verdict on them."""
    total, is_relative = _sum(beams), inputs.profile is None
    selection, reason = inputs.selection, inputs.selection.planned_reason
    reference = Reference(inputs.plan, inputs.structure_set, inputs.planned, reason)
    gammas = gamma_3d(reference, total, settings.criteria)
    structures, curves = structure_results(reference, total, progress)
    points = isocentre_points(inputs, total)
    constraints, alone = constraint_outcomes(
        settings.constraints, curves, fractions=inputs.plan.fractions_planned or 1, is_relative=is_relative
    )
    doubts = inputs.day.quality.doubts if inputs.day is not None else ()
    patient, plan, profile = identities(inputs, tools.profile)
    return VerificationResult(
        patient=patient,
        plan=plan,
        profile=profile,
        anatomy=inputs.ct.grid,
        structure_set=inputs.structure_set,
        beams=beams,
        reconstructed=total,
        planned=inputs.planned,
        planned_reason=reason,
        planned_dose_uid=selection.doses[0].sop_instance_uid if len(selection.doses) == 1 else "",
        ct_series_uid=inputs.ct.series_uid,
        is_relative=is_relative,
        gamma_3d=gammas,
        structures=structures,
        constraints=constraints,
        points=points,
        verdict=verdict(gammas, points, constraints, is_relative=is_relative, planned_reason=reason, doubts=doubts),
        warnings=(*_warnings(inputs, (*tools.model.notes, *_meaning(settings)), alone), *_causes(beams)),
        provenance=provenance(inputs, settings),
        fraction=selection.beams[0][1].fraction,
    )


def _wanted_lattice(inputs: Inputs, settings: VerificationSettings) -> Grid:
    if inputs.planned is not None and settings.grid_mm is None:
        return inputs.planned
    spacing = settings.grid_mm or DEFAULT_GRID_MM
    grid = inputs.density_g_cc
    extent = solid_extent(grid)
    if extent is None:
        raise MissingObject("The CT shows nothing denser than air inside the patient outline. Check the CT curve.")
    # All eight corners: the axes of the CT may lie along any direction of the patient.
    corners = grid.index_to_position(list(product(*zip(*extent, strict=True))))
    low, high = corners.min(axis=0), corners.max(axis=0)
    counts = np.ceil((high - low) / spacing).astype(int) + 1
    affine = affine_from_axes(low, (spacing,) * 3)
    return Grid(np.broadcast_to(np.float32(0), counts[::-1]), affine, grid.frame_of_reference_uid)


def _on_planning_ct(beam: BeamResult, inputs: Inputs) -> BeamResult:
    band = beam.dose_uncertainty
    band = None if band is None else carried_dose(band, inputs.day)
    return replace(beam, dose=carried_dose(beam.dose, inputs.day), dose_uncertainty=band)


def _normalised(beams: tuple[BeamResult, ...], inputs: Inputs) -> tuple[BeamResult, ...]:
    """Scale a relative result to the planned dose at the first isocentre, or to 1 there without a planned dose."""
    total = _sum(beams)
    at_isocentre = point_dose("", beams[0].isocentre_lps_mm, inputs.planned, total)
    if not at_isocentre.reconstructed_gy or at_isocentre.reconstructed_gy <= 0:
        raise MissingObject(
            "There is no dose at the isocentre to normalise to. Commission the machine and give --machine."
        )
    factor = (at_isocentre.planned_gy or 1.0) / at_isocentre.reconstructed_gy
    return tuple(
        replace(
            beam,
            dose=beam.dose * factor,
            dose_uncertainty=None if beam.dose_uncertainty is None else beam.dose_uncertainty * factor,
            portal_dose=beam.portal_dose.with_values(beam.portal_dose.values * factor, unit="relative"),
        )
        for beam in beams
    )


def _sum(beams: tuple[BeamResult, ...]) -> DoseGrid:
    first = beams[0].dose
    return first.with_values(np.add.reduce([beam.dose.values for beam in beams]))


def _compared(beam: BeamResult, stem: str, settings: VerificationSettings, profile: MachineProfile) -> BeamResult:
    planned = planned_portal_dose(settings.planned_portal_dir, beam, stem) if settings.planned_portal_dir else None
    if planned is None or not profile.fields:
        return beam
    outcomes = gamma_2d(planned, beam.portal_dose, settings)
    return replace(beam, planned_portal_dose=planned, gamma_2d=outcomes, planned_portal_source="--planned-portal")


def _warnings(inputs: Inputs, physics: tuple[str, ...], unmatched: tuple[str, ...]) -> tuple[str, ...]:
    study = inputs.selection.study
    unused = tuple(f"{path.name} was not used: {reason}." for path, reason in study.unused)
    return tuple(dict.fromkeys((*inputs.notes, *physics, *unmatched, *_relative(inputs), *study.notes, *unused)))


def _causes(beams: tuple[BeamResult, ...]) -> tuple[str, ...]:
    """Say which beams do not look as predicted, and why."""
    return tuple(
        f"Beam {beam.name} does not look as predicted ({cause.name}): {cause.evidence}"
        for beam in beams
        if beam.forward_check is not None
        for cause in beam.forward_check.causes
    )


def _meaning(settings: VerificationSettings) -> tuple[str, ...]:
    """Say what absorbs the dose, if it is not what planning systems usually report."""
    if settings.dose_to == "water":
        return ()
    return (f"{MEANINGS[settings.dose_to]} Compare it with a planned dose of the same meaning only.",)


def _relative(inputs: Inputs) -> tuple[str, ...]:
    """Say to what a result without machine profile was normalised, and what that cannot tell."""
    if inputs.profile is not None:
        return ()
    to = "the planned dose at the first isocentre" if inputs.planned is not None else "1 at the first isocentre"
    notes = [f"No machine profile was given: the dose is relative, normalised to {to}."]
    if len(inputs.beams) > 1 and any(frame.is_relative for _, frame in inputs.beams):
        notes.append("The signal of each image is known up to its own factor only: the balance of the beams is not.")
    return tuple(notes)
