"""What curation decided for one patient: plain data, so that it can be compared, logged and restored."""

from typing import Any

import msgspec


class PlanDecision(msgspec.Struct, kw_only=True):
    """The role of one plan."""

    plan_uid: str
    role: str
    reason: str
    fractions_planned: int | None = None
    fractions_delivered: float | None = None
    fractions_source: str | None = None
    dose_factor: float | None = None
    dose_uids: list[str] = []


class SetDecision(msgspec.Struct, kw_only=True):
    """The role of one structure set."""

    structure_set_uid: str
    role: str
    source: str | None = None


class TreatmentDecision(msgspec.Struct, kw_only=True):
    """One treatment, or why there is none."""

    pseudonym: str
    status: str = "included"
    exclusion_step: str | None = None
    exclusion_reason: str | None = None
    main_plan_uid: str | None = None
    main_plan_rule: str | None = None
    laterality: str | None = None
    laterality_evidence: dict[str, Any] = {}
    prescription_dose_gy: float | None = None
    fractions_planned: int | None = None
    fractions_delivered: float | None = None
    outside_factor: float | None = None
    decisions: list[dict[str, Any]] = []
    warnings: list[str] = []
    content_digest: str = ""
    plans: list[PlanDecision] = []
    structure_sets: list[SetDecision] = []

    def log(self, step: str, outcome: str, reason: str, **evidence: Any) -> None:
        """Add a decision to the log of this treatment."""
        self.decisions = [*self.decisions, {"step": step, "outcome": outcome, "reason": reason, "evidence": evidence}]

    def leave(self, status: str, step: str, reason: str) -> None:
        """Exclude the patient, or hold it for review; the first reason stands."""
        if self.status == "included":
            self.status, self.exclusion_step, self.exclusion_reason = status, step, reason
            self.log(step, status, reason)

    def plan(self, uid: str) -> PlanDecision:
        """Return the decision about a plan."""
        return next(plan for plan in self.plans if plan.plan_uid == uid)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return msgspec.to_builtins(self)
