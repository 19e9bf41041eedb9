"""From many plans to one treatment: which is main, boost, adaptation, and with which factor each dose counts."""

from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatch

from intrepid_cohort.curation.decision import PlanDecision, TreatmentDecision
from intrepid_cohort.curation.facts import DoseFacts, PatientFacts, PlanFacts
from intrepid_cohort.curation.rules import Rules


def choose_plans(facts: PatientFacts, rules: Rules, made: TreatmentDecision, by_hand: dict[str, str]) -> None:
    """Give every plan its role and factor; what cannot be told holds the patient for review.

    ``by_hand`` are roles by plan UID that a person set: main, boost or left out.
    """
    made.plans = [_with_fractions(plan, rules, made) for plan in facts.plans]
    for plan, decision in zip(facts.plans, made.plans, strict=True):
        _first_sorting(plan, decision, rules, by_hand.get(plan.uid))
    candidates = [plan for plan in facts.plans if made.plan(plan.uid).role == "main"]
    if not candidates:
        made.leave("excluded", "plan with dose", _why_none(facts, made))
        return
    main = _main(candidates, rules, made, by_hand)
    if main is None:
        return
    made.main_plan_uid = main.uid
    if rules.plans.approved_only and main.approval != "APPROVED":
        made.leave("excluded", "approved plan", f"The main plan is {main.approval or 'without approval status'}.")
    _others(candidates, main, rules, made)
    for boost in (plan for plan in facts.plans if made.plan(plan.uid).role == "boost"):
        _boost(boost, main, rules, made)
    _total(facts, main, made, rules)


def _with_fractions(plan: PlanFacts, rules: Rules, made: TreatmentDecision) -> PlanDecision:
    source: str | None = next((source for source in rules.fractions.sources if source in plan.delivered), None)
    delivered: float | None = None if source is None else plan.delivered[source]
    if delivered is None and rules.fractions.unknown == "as planned" and plan.fractions is not None:
        source, delivered = "assumed as planned", float(plan.fractions)
    return PlanDecision(
        plan_uid=plan.uid, role="main", reason="", fractions_planned=plan.fractions, fractions_delivered=delivered,
        fractions_source=source,
    )  # fmt: skip


def _first_sorting(plan: PlanFacts, decision: PlanDecision, rules: Rules, by_hand: str | None) -> None:
    """Tell boosts and plans that are none of a treatment by their label, dose and delivery."""
    stated = decision.fractions_source in ("CSV", "RTRECORD")
    if by_hand is not None:
        decision.role, decision.reason = by_hand, "A person set it."
    elif _like(plan.label, rules.plans.ignore_labels):
        decision.role, decision.reason = "left out", f"Its label {plan.label!r} is one that the rules leave out."
    elif plan.approval == "REJECTED":
        decision.role, decision.reason = "left out", "It is rejected."
    elif stated and decision.fractions_delivered == 0:
        decision.role, decision.reason = "left out", f"No fraction was delivered ({decision.fractions_source})."
    elif _like(plan.label, rules.boost.labels):
        decision.role, decision.reason = "boost", f"Its label {plan.label!r} says boost."
    if decision.role in ("main", "boost") and not doses_of(plan, rules):
        decision.role, decision.reason = "left out", "It has no dose of the whole plan, nor one of each beam."
    if decision.role in ("main", "boost"):
        decision.dose_uids = [dose.uid for dose in doses_of(plan, rules)]


def _like(label: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(label.lower(), pattern.lower()) for pattern in patterns)


def doses_of(plan: PlanFacts, rules: Rules) -> list[DoseFacts]:
    """Return the doses that make up a plan: the one of the whole plan, else those of all beams; none if it is unclear.

    Of several doses of the whole plan none is chosen: they may be versions, or parts.
    """
    whole = [dose for dose in plan.plan_doses if dose.max_gy >= rules.dose.least_gy]
    if whole:
        return whole if len(whole) == 1 else []
    return plan.beam_doses


def _why_none(facts: PatientFacts, made: TreatmentDecision) -> str:
    if not facts.plans:
        return "There is no plan."
    if all(plan.role == "boost" for plan in made.plans if plan.role != "left out") and any(
        plan.role == "boost" for plan in made.plans
    ):
        return "There is a boost but no main plan."
    return "No plan can be used: " + " ".join(sorted({plan.reason for plan in made.plans}))


def _main(
    candidates: list[PlanFacts], rules: Rules, made: TreatmentDecision, by_hand: dict[str, str]
) -> PlanFacts | None:
    chosen = [plan for plan in candidates if by_hand.get(plan.uid) == "main"]
    if len(chosen) == 1:
        return _decided(chosen[0], "by hand", made)
    left = chosen or candidates
    if len(left) == 1:
        return _decided(left[0], "only", made)
    for rule in rules.plans.choose_by:
        left = _narrowed(left, rule, made)
        if len(left) == 1:
            return _decided(left[0], rule, made)
    labels = ", ".join(sorted(plan.label for plan in left))
    made.leave("review", "main plan", f"{len(left)} plans ({labels}) are alike by all rules. Set one as main by hand.")
    return None


def _decided(plan: PlanFacts, rule: str, made: TreatmentDecision) -> PlanFacts:
    made.main_plan_rule = rule
    made.plan(plan.uid).reason = {
        "only": "It is the only plan that may be main.",
        "by hand": "A person set it.",
    }.get(rule, f"It is the one by the rule {rule!r}.")
    made.log("main plan", plan.uid, made.plan(plan.uid).reason)
    return plan


def _narrowed(plans: list[PlanFacts], rule: str, made: TreatmentDecision) -> list[PlanFacts]:
    """Apply one rule; all plans remain where it tells nothing."""
    if rule == "approved":
        approved = [plan for plan in plans if plan.approval == "APPROVED"]
        return approved or plans
    if rule == "delivered":
        known = {plan.uid: made.plan(plan.uid) for plan in plans}
        if not all(one.fractions_source in ("CSV", "RTRECORD") for one in known.values()):
            return plans
        most = max(one.fractions_delivered or 0.0 for one in known.values())
        return [plan for plan in plans if known[plan.uid].fractions_delivered == most]
    if any(plan.timestamp is None for plan in plans):
        return plans
    pick = min if rule == "first" else max
    day = pick(plan.timestamp or datetime.min for plan in plans)
    return [plan for plan in plans if plan.timestamp == day]


def _others(candidates: list[PlanFacts], main: PlanFacts, rules: Rules, made: TreatmentDecision) -> None:
    """Plans that could have been main: adaptations of which fractions were delivered, or left out."""
    main_decision = made.plan(main.uid)
    for plan in candidates:
        decision = made.plan(plan.uid)
        if plan.uid == main.uid:
            continue
        stated = decision.fractions_source in ("CSV", "RTRECORD") and (decision.fractions_delivered or 0) > 0
        if not stated:
            decision.role, decision.reason, decision.dose_uids = "left out", "Another plan was chosen.", []
        elif rules.plans.adaptations == "sum" and plan.frame_uid == main.frame_uid:
            decision.role, decision.reason = "adaptation", "Part of the fractions were delivered with it."
            decision.dose_factor = _factor(decision, rules)
        else:
            decision.role, decision.dose_uids = "adaptation", []
            decision.reason = "Part of the fractions were delivered with it; the main plan's dose stands for them."
    main_decision.dose_factor = _factor(main_decision, rules)
    _cover_adaptations(main, main_decision, made, rules)


def _cover_adaptations(main: PlanFacts, decision: PlanDecision, made: TreatmentDecision, rules: Rules) -> None:
    """Let the dominant plan stand for the fractions of adaptations whose dose is not summed."""
    covered = sum(p.fractions_delivered or 0 for p in made.plans if p.role == "adaptation" and p.dose_factor is None)
    if covered and rules.fractions.scale and main.fractions:
        total = (decision.fractions_delivered or 0) + covered
        decision.dose_factor = total / main.fractions
        made.log("adaptations", f"{decision.dose_factor:.4f}", f"The main plan stands for {covered:g} fractions more.",
                 fractions=total, planned=main.fractions)  # fmt: skip


def _factor(decision: PlanDecision, rules: Rules) -> float | None:
    """Delivered over planned fractions; None if one of them is not known."""
    if not rules.fractions.scale:
        return 1.0
    if decision.fractions_delivered is None or not decision.fractions_planned:
        return None
    return decision.fractions_delivered / decision.fractions_planned


def _boost(boost: PlanFacts, main: PlanFacts, rules: Rules, made: TreatmentDecision) -> None:
    decision = made.plan(boost.uid)
    if boost.frame_uid and boost.frame_uid == main.frame_uid:
        if rules.boost.same_images == "leave out":
            decision.role, decision.reason, decision.dose_uids = "left out", "The rules leave boosts out.", []
            return
        decision.dose_factor = _factor(decision, rules)
        return
    decision.role, decision.dose_uids = "boost elsewhere", []
    decision.reason += " It lies on another image set."
    if rules.boost.other_images == "exclude":
        made.leave("excluded", "boost on other images", "A boost lies on another image set.")
    elif rules.boost.other_images == "leave out":
        decision.role = "left out"


def _total(facts: PatientFacts, main: PlanFacts, made: TreatmentDecision, rules: Rules) -> None:
    """Sum prescriptions and fractions; find the factor for boosts on other image sets."""
    plans = {plan.uid: plan for plan in facts.plans}
    used = [p for p in made.plans if p.role in ("main", "boost", "boost elsewhere", "adaptation")]
    summed = [p for p in used if p.dose_factor is not None]
    doses = {p.plan_uid: _delivered_gy(plans[p.plan_uid], p, rules) for p in used}
    inside = [doses[p.plan_uid] for p in summed]
    outside = [doses[p.plan_uid] for p in used if p.role == "boost elsewhere"]
    known = [dose for dose in inside + outside if dose is not None]
    if len(known) == len(inside) + len(outside):
        made.prescription_dose_gy = round(sum(known), 6)
    made.outside_factor = 1.0
    if outside:
        _scale_for_boosts_elsewhere(doses[main.uid], outside, made)
    planned = [p.fractions_planned for p in used if p.role != "adaptation"]
    made.fractions_planned = None if None in planned else sum(n for n in planned if n is not None)
    delivered = [p.fractions_delivered for p in used]
    made.fractions_delivered = None if None in delivered else sum(n for n in delivered if n is not None)


def _delivered_gy(plan: PlanFacts, decision: PlanDecision, rules: Rules) -> float | None:
    factor = decision.dose_factor if decision.dose_factor is not None else _factor(decision, rules)
    return None if plan.prescription_gy is None or factor is None else plan.prescription_gy * factor


def _scale_for_boosts_elsewhere(main_gy: float | None, outside: list[float | None], made: TreatmentDecision) -> None:
    if not main_gy or None in outside:
        made.leave("review", "boost on other images",
                   "A boost lies on another image set, and prescriptions are not known to scale by.")  # fmt: skip
        return
    boosts_gy = sum(dose for dose in outside if dose is not None)
    made.outside_factor = (main_gy + boosts_gy) / main_gy
    made.log("boost on other images", f"{made.outside_factor:.4f}",
             "The main dose is scaled by the prescriptions.", main_gy=main_gy, boosts_gy=boosts_gy)  # fmt: skip
    made.warnings = [
        *made.warnings,
        "A boost on another image set is in by a scaling factor: its dose has the main plan's shape, which overstates "
        "what organs far from the boost receive.",
    ]
