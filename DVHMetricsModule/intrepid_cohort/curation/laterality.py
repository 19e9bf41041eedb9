"""The side of a target: from the dose in two organs, and from where the PTV lies in the body."""

from intrepid_cohort.curation.decision import TreatmentDecision
from intrepid_cohort.curation.facts import OrganFacts, PatientFacts, PlanFacts
from intrepid_cohort.curation.rules import LateralityRules


def decide_laterality(facts: PatientFacts, main: PlanFacts, rules: LateralityRules, made: TreatmentDecision) -> None:
    """Write side and evidence; two methods that disagree, or numbers that are missing, leave it open."""
    if rules.method == "none":
        return
    organs = [organ for organ in facts.organs if organ.structure_set_uid == main.structure_set_uid]
    told: dict[str, str | None] = {}
    evidence: dict[str, float] = {}
    if "dose" in rules.method:
        told["dose"] = _by_dose(organs, main, rules, evidence)
    if "geometry" in rules.method:
        told["geometry"] = _by_geometry(organs, rules, evidence)
    made.laterality_evidence = {**evidence, **{f"by_{name}": side for name, side in told.items()}}
    sides = set(told.values())
    if len(sides) == 1 and None not in sides:
        made.laterality = sides.pop()
    reason = "All methods agree." if made.laterality else "Methods disagree, or a number is missing."
    made.log("laterality", made.laterality or "unknown", reason, **made.laterality_evidence)


def _by_dose(
    organs: list[OrganFacts], main: PlanFacts, rules: LateralityRules, evidence: dict[str, float]
) -> str | None:
    means = []
    for name in (rules.left_organ, rules.right_organ):
        doses = [dose.id for dose in main.plan_doses]
        found = [organ.mean_gy_by_dose[d] for organ in organs for d in doses
                 if organ.name == name and d in organ.mean_gy_by_dose]  # fmt: skip
        if len(found) != 1:
            return None
        means.append(found[0])
    left_gy, right_gy = means
    evidence["left_gy"], evidence["right_gy"] = left_gy, right_gy
    if left_gy > rules.ratio * right_gy:
        return "left"
    return "right" if right_gy > rules.ratio * left_gy else "bilateral"


def _by_geometry(organs: list[OrganFacts], rules: LateralityRules, evidence: dict[str, float]) -> str | None:
    body = [organ.centroid_x_mm for organ in organs if organ.interpreted_type == "EXTERNAL"]
    targets = [organ.centroid_x_mm for organ in organs if organ.interpreted_type == "PTV"]
    if len(body) != 1 or body[0] is None or not targets or None in targets:
        return None
    # LPS: x grows towards the patient's left.
    offsets_mm = [x - body[0] for x in targets if x is not None]
    evidence["ptv_offset_mm"] = max(offsets_mm, key=abs)
    sides = {"midline" if abs(x) < rules.offset_mm else "left" if x > 0 else "right" for x in offsets_mm}
    if sides >= {"left", "right"}:
        return "bilateral"
    return sides.pop() if len(sides) == 1 else None
