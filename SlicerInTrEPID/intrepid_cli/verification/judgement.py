"""Constraints and the verdict, each with its reasons."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from intrepid_dvh import DVH, DoseStatistics, check_constraints, read_constraints, unmatched
from intrepid_rt.verification import ConstraintOutcome, GammaOutcome, PointDose, Verdict

# As used for 8,474 transit tests of 386 patients with SOFTDISO (doi 10.1177/1533033818779201).
RATIO_LIMITS = (0.95, 1.05)


def constraint_outcomes(
    path: Path | None, curves: Mapping[str, tuple[DVH | None, DVH]], *, fractions: int, is_relative: bool
) -> tuple[tuple[ConstraintOutcome, ...], tuple[str, ...]]:
    """Check the constraints of a file on planned and reconstructed DVHs; returns outcomes and warnings.

    Constraints are for the course of treatment, so DVHs of fewer than its ``fractions`` are scaled up to it.
    """
    if path is None:
        return (), ()
    constraints = read_constraints(path)
    if is_relative:
        reason = "The result is relative: there is no dose in Gy to judge."
        return tuple(ConstraintOutcome(c.structure, c.text, reason=reason) for c in constraints), ()
    measured = [_of_course(measured, fractions) for _, measured in curves.values()]
    planned = [_of_course(planned, fractions) for planned, _ in curves.values() if planned is not None]
    before = {(r.structure, r.constraint, r.level): r for r in check_constraints(planned, constraints)}
    outcomes = []
    for result in check_constraints(measured, constraints):
        earlier = before.get((result.structure, result.constraint, result.level))
        outcomes.append(
            ConstraintOutcome(
                structure=result.structure,
                constraint=result.constraint,
                unit=result.unit,
                observed=result.observed,
                planned_observed=earlier.observed if earlier else None,
                compliance=result.compliance,
                planned_compliance=earlier.compliance if earlier else None,
                delta=result.delta,
                distance=result.distance,
                reason=result.reason,
            )
        )
    scaled = f"Constraints are judged on {fractions} fractions like the imaged one."
    alone = tuple(
        f"Constraint {c.text!r} is for structure {c.structure!r}, which has no DVH here."
        for c in unmatched(measured, constraints)
    )
    return tuple(outcomes), (scaled, *alone) if fractions > 1 else alone


def _of_course(dvh: DVH, fractions: int) -> DVH:
    times = fractions / (dvh.fractions or 1)
    stated = {name: None if gy is None else gy * times for name, gy in vars(dvh.stated).items()}
    return replace(
        dvh,
        dose_gy=dvh.dose_gy * times,
        stated=DoseStatistics(**stated),
        prescription_gy=dvh.prescription_gy * times if dvh.prescription_gy is not None else None,
        fractions=fractions,
    )


def verdict(
    gammas: tuple[GammaOutcome, ...],
    points: tuple[PointDose, ...],
    constraints: tuple[ConstraintOutcome, ...],
    *,
    is_relative: bool,
    planned_reason: str,
    doubts: tuple[str, ...] = (),
) -> Verdict:
    """Judge by the gamma limit of TG-218, the ratio at the isocentre and the constraints on the reconstructed dose.

    Any limit that is broken fails a plan, but none passes without its gamma, nor with ``doubts`` about the anatomy.
    """
    if is_relative:
        return Verdict("not judged", ("Relative result: no machine profile was given, so no limit can be applied.",))
    by_gamma = _gamma_reasons(gammas)
    judged = [*by_gamma, *_ratio_reasons(points), *_constraint_reasons(constraints)]
    reasons = tuple(text for _, text in judged)
    if not all(passed for passed, _ in judged):
        return Verdict("fail", reasons)
    if not by_gamma:
        absent = next((gamma.reason for gamma in gammas if gamma.reason), "No gamma criterion with a limit was asked.")
        return Verdict("not judged", (planned_reason or absent, *reasons))
    return Verdict("not judged", (*doubts, *reasons)) if doubts else Verdict("pass", reasons)


def _gamma_reasons(gammas: tuple[GammaOutcome, ...]) -> list[tuple[bool, str]]:
    return [
        (
            gamma.pass_rate_percent >= gamma.limit_percent,
            f"3D gamma {gamma.criteria}: {gamma.pass_rate_percent:.1f} % of points pass, "
            f"{gamma.limit_percent:g} % demanded (AAPM TG-218).",
        )
        for gamma in gammas
        if gamma.limit_percent is not None and gamma.pass_rate_percent is not None
    ]


def _ratio_reasons(points: tuple[PointDose, ...]) -> list[tuple[bool, str]]:
    low, high = RATIO_LIMITS
    return [
        (
            low <= point.ratio <= high,
            f"{point.name}: reconstructed over planned dose R = {point.ratio:.3f}, {low:g} to {high:g} demanded.",
        )
        for point in points
        if point.ratio is not None
    ]


def _constraint_reasons(constraints: tuple[ConstraintOutcome, ...]) -> list[tuple[bool, str]]:
    return [
        (
            outcome.compliance,
            f"{outcome.structure}: {outcome.constraint} is {'met' if outcome.compliance else 'not met'}.",
        )
        for outcome in constraints
        if outcome.compliance is not None
    ]
