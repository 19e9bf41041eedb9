"""One patient's facts and the rules to one decision; a pure function, so that a dry run shows what will happen."""

import hashlib

from intrepid_cohort.curation.choosing import choose_plans
from intrepid_cohort.curation.decision import SetDecision, TreatmentDecision
from intrepid_cohort.curation.facts import PatientFacts, PlanFacts
from intrepid_cohort.curation.laterality import decide_laterality
from intrepid_cohort.curation.rules import AugmentedSet, Range, Rules
from intrepid_cohort.names.words import fold

# In this order patients leave; the flow is drawn from it.
STEPS = ("by hand", "sex", "study year", "plan with dose", "main plan", "approved plan", "delivered fractions",
         "boost on other images", "prescription", "fractions", "structures", "laterality", "dose")  # fmt: skip


def decide(facts: PatientFacts, rules: Rules, by_hand: dict[str, str] | None = None) -> TreatmentDecision:
    """Decide what the treatment of a patient is.

    ``by_hand`` holds what people set: a role by plan UID, and under ``status`` the word excluded with its reason.
    """
    by_hand = by_hand or {}
    made = TreatmentDecision(pseudonym=facts.pseudonym, content_digest=digest(facts, rules, by_hand))
    if "status" in by_hand:
        made.leave("excluded", "by hand", by_hand["status"])
    _who(facts, rules, made)
    choose_plans(facts, rules, made, by_hand)
    if made.main_plan_uid is None:
        return made
    main = next(plan for plan in facts.plans if plan.uid == made.main_plan_uid)
    _check_fractions(main, rules, made)
    _choose_sets(facts, main, rules, made)
    decide_laterality(facts, main, rules.laterality, made)
    _include(facts, main, rules, made)
    return made


def digest(facts: PatientFacts, rules: Rules, by_hand: dict[str, str]) -> str:
    """Return the hash of all that a treatment is made from."""
    names = sorted((organ.structure_set_uid, organ.name) for organ in facts.organs)
    delivered = sorted((plan.uid, sorted(plan.delivered.items())) for plan in facts.plans)
    made_from = (facts.content_digest, names, delivered, rules.sha256, sorted(by_hand.items()))
    return hashlib.sha256(repr(made_from).encode()).hexdigest()


def _who(facts: PatientFacts, rules: Rules, made: TreatmentDecision) -> None:
    wanted = rules.include
    if wanted.sex and facts.sex not in wanted.sex:
        made.leave("excluded", "sex", f"PatientSex is {facts.sex or 'not stated'}.")
    if wanted.study_years is not None:
        years = [day.year for day in facts.study_days]
        if not years or not _within(years[0], wanted.study_years):
            made.leave("excluded", "study year", f"The first study is of {years[0] if years else 'no known year'}.")


def _check_fractions(main: PlanFacts, rules: Rules, made: TreatmentDecision) -> None:
    decision = made.plan(main.uid)
    used = [plan for plan in made.plans if plan.role in ("main", "boost", "adaptation")]
    unknown = [plan for plan in used if plan.fractions_delivered is None]
    if unknown and rules.fractions.unknown in ("exclude", "review"):
        status = "excluded" if rules.fractions.unknown == "exclude" else "review"
        made.leave(status, "delivered fractions", "It is not known how many fractions were delivered.")
    elif decision.dose_factor is None:
        made.leave("review", "delivered fractions", "The plan does not state its number of fractions.")
    if decision.dose_factor is not None and 100 * decision.dose_factor < rules.fractions.least_percent:
        made.leave("excluded", "delivered fractions",
                   f"{100 * decision.dose_factor:.0f} % of the main plan's fractions were delivered.")  # fmt: skip
    assumed = [plan for plan in used if plan.fractions_source == "assumed as planned"]
    if assumed:
        made.warnings = [*made.warnings, f"Fractions of {len(assumed)} plans are assumed to be delivered as planned."]


def _choose_sets(facts: PatientFacts, main: PlanFacts, rules: Rules, made: TreatmentDecision) -> None:
    """Choose the main plan's structure set, and augmented ones in the same frame of reference."""
    made.structure_sets = []
    for one in facts.structure_sets:
        if one.uid == main.structure_set_uid:
            made.structure_sets.append(SetDecision(structure_set_uid=one.uid, role="clinical"))
        elif one.frame_uid == main.frame_uid:
            found = next((rule for rule in rules.augmented if _fits(one.label, one.manufacturer, rule)), None)
            if found is not None:
                made.structure_sets.append(
                    SetDecision(structure_set_uid=one.uid, role="augmented", source=found.source)
                )  # fmt: skip


def _fits(label: str, manufacturer: str, rule: AugmentedSet) -> bool:
    from fnmatch import fnmatch

    return fnmatch(fold(label), fold(rule.label)) and fnmatch(fold(manufacturer), fold(rule.manufacturer))


def _include(facts: PatientFacts, main: PlanFacts, rules: Rules, made: TreatmentDecision) -> None:
    wanted = rules.include
    for step, value, allowed in (
        ("prescription", made.prescription_dose_gy, wanted.prescription_gy),
        ("fractions", made.fractions_planned, wanted.fractions),
    ):
        if allowed is not None and (value is None or not _within(value, allowed)):
            found = "not known" if value is None else f"{value:g}"
            made.leave("excluded", step, f"{step} {found}, expected {allowed[0]:g} to {allowed[1]:g}.")
    present = {organ.name for organ in facts.organs if organ.structure_set_uid == main.structure_set_uid}
    missing = [name for name in wanted.structures if not _is_there(name, present)]
    if missing:
        made.leave("excluded", "structures", f"Missing: {', '.join(missing)}.")
    if wanted.laterality and made.laterality not in wanted.laterality:
        made.leave("excluded" if made.laterality else "review", "laterality",
                   f"The target is {made.laterality or 'of a side that is not certain'}.")  # fmt: skip


def _is_there(name: str, present: set[str]) -> bool:
    if name.endswith("_?"):
        return any(f"{name[:-1]}{side}" in present for side in "LR")
    return name in present


def _within(value: float, allowed: Range) -> bool:
    return allowed[0] - 1e-6 <= value <= allowed[1] + 1e-6
