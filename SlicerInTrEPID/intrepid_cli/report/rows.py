"""Words and numbers of the report's tables; what is absent is a dash with its reason, never 0."""

from intrepid_rt.verification import (
    ConstraintOutcome,
    ForwardCheck,
    GammaOutcome,
    PlanIdentity,
    PointDose,
    StructureResult,
    VerificationResult,
)

ABSENT = "–"
VERDICT_WORDS = {"pass": "Pass", "fail": "Fail", "not judged": "Not judged"}
VERDICT_SIGNS = {"pass": "✓", "fail": "✕", "not judged": "?"}


def number(value: float | None, digits: int = 2) -> str:
    """Format a number; an absent one is a dash.

    >>> number(1.005, 1), number(None), number(2)
    ('1.0', '–', '2.00')
    """
    return ABSENT if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 2) -> str:
    """Format a difference with its sign.

    >>> signed(-0.5, 1), signed(0.25), signed(None)
    ('−0.5', '+0.25', '–')
    """
    return ABSENT if value is None else f"{value:+.{digits}f}".replace("-", "−")


def date(dicom_date: str) -> str:
    """Write a DICOM date as ISO 8601; anything else stays as it is.

    >>> date("20261122"), date("")
    ('2026-11-22', '–')
    """
    if len(dicom_date) == 8 and dicom_date.isdigit():
        return f"{dicom_date[:4]}-{dicom_date[4:6]}-{dicom_date[6:]}"
    return dicom_date or ABSENT


def person(name: str) -> str:
    """Write a DICOM person name as it is read: family name, given names.

    >>> person("Synthetic^Thorax^^")
    'Synthetic, Thorax'
    """
    return ", ".join(part for part in name.split("=")[0].split("^") if part) or ABSENT


def css_safe(text: str) -> str:
    """Keep what can do no harm inside a CSS string: letters, digits and a few signs; the rest becomes a blank.

    >>> css_safe('A"; } body { display: none')
    'A      body   display  none'
    """
    return "".join(c if c.isalnum() or c in "._-/+ " else " " for c in text)


def tiles(result: VerificationResult) -> list[dict[str, str]]:
    """Return the key numbers under the verdict: label, value and a line of explanation."""
    found = []
    for outcome in sorted(result.gamma_3d, key=lambda o: o.limit_percent is None)[:1]:  # the one that is judged
        value = ABSENT if outcome.pass_rate_percent is None else f"{outcome.pass_rate_percent:.1f} %"
        limit_percent = limit(outcome, result)
        demanded = "no limit applied" if limit_percent is None else f"limit {limit_percent:g} %"
        text = outcome.reason or f"of {outcome.n_points:,} points in {outcome.region or 'the dose grid'}, {demanded}"
        found.append({"label": f"3D gamma {outcome.criteria}", "value": value, "text": text})
    for point in result.points[:1]:
        if result.is_relative:
            found.append({"label": "Dose ratio R", "value": ABSENT, "text": "1 by normalisation: says nothing"})
        else:
            text = point.reason or f"{point.name}: reconstructed over planned"
            found.append({"label": "Dose ratio R", "value": number(point.ratio, 3), "text": text})
    if result.constraints:
        judged = [c for c in result.constraints if c.compliance is not None]
        kept = sum(bool(c.compliance) for c in judged)
        text = f"{len(result.constraints) - len(judged)} could not be judged"
        found.append({"label": "Constraints kept", "value": f"{kept} of {len(judged)}", "text": text})
    n = len(result.warnings)
    found.append({"label": "Warnings", "value": str(n), "text": "listed below" if n else ""})
    return found


def unit(result: VerificationResult, name: str = "Gy") -> str:
    """Return the unit as column heads show it: in a relative result nothing is in Gy."""
    return "rel." if result.is_relative and name == "Gy" else name


def limit(outcome: GammaOutcome, result: VerificationResult) -> float | None:
    """Return the demanded pass rate; a relative result is judged by none."""
    return None if result.is_relative else outcome.limit_percent


def compliance(constraint: ConstraintOutcome) -> tuple[str, str]:
    """Return CSS class and word of a constraint's outcome in the reconstructed dose."""
    if constraint.compliance is None:
        return "undecided", "not judged"
    return ("pass", "kept") if constraint.compliance else ("fail", "broken")


def outcome_class(outcome: GammaOutcome, result: VerificationResult) -> str:
    """CSS class of a pass rate: coloured only where a limit judges it."""
    limit_percent = limit(outcome, result)
    if outcome.pass_rate_percent is None or limit_percent is None:
        return ""
    return "pass" if outcome.pass_rate_percent >= limit_percent else "fail"


def forward_gamma(check: ForwardCheck) -> str:
    """Pass rate and criteria of the forward check: the comparison with a limit, else the first."""
    outcome = min(check.gamma, key=lambda outcome: outcome.limit_percent is None, default=None)
    if outcome is None or outcome.pass_rate_percent is None:
        return ABSENT
    return f"{outcome.pass_rate_percent:.1f} ({outcome.criteria})"


def metric_names(structures: tuple[StructureResult, ...]) -> list[tuple[str, str]]:
    """Every (metric, unit) in order of appearance, but minimum, mean and maximum: these have their own columns."""
    metrics = dict.fromkeys((m.metric, m.unit) for s in structures for m in s.metrics)
    return [(name, unit) for name, unit in metrics if name.upper() not in ("DMIN", "DMEAN", "DMAX")]


def prescription(plan: PlanIdentity) -> str:
    """Prescribed dose and fractions, as far as the plan states them.

    >>> prescription(PlanIdentity("x", prescription_gy=50.0, fractions_planned=25))
    '50.00 Gy in 25 fractions'
    >>> prescription(PlanIdentity("x", fractions_planned=1))
    'dose not stated, 1 fraction'
    """
    n = plan.fractions_planned
    dose = "dose not stated" if plan.prescription_gy is None else f"{plan.prescription_gy:.2f} Gy"
    if n is None:
        return f"{dose}, fractions not stated"
    fractions = f"{n} fraction" if n == 1 else f"{n} fractions"
    return f"{dose}, {fractions}" if plan.prescription_gy is None else f"{dose} in {fractions}"


def position(point: PointDose) -> str:
    """LPS position in mm.

    >>> import numpy as np
    >>> position(PointDose("I", np.array([1.0, -2.25, 3.0]), 1.0))
    '(1.0, −2.2, 3.0)'
    """
    return "(" + ", ".join(f"{float(v):.1f}" for v in point.position_lps_mm).replace("-", "−") + ")"
