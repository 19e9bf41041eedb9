"""Errors put in on purpose into simulated arcs: detected, and the cause named, for plans and patients at random.

Every kind of error is made once here and ten times by ``make test-full``: eight of ten must name the cause, ten clean
arcs must stay without alarm. The arcs come from ``simulated_arcs``.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from intrepid_epid.error_causes import causes
from simulated_arcs import ArcSetting, arc_setting, delivered, random_arc
from simulated_portal_images import random_patient

SEEDS = range(300, 310)  # no threshold was chosen with these


def clean(at: ArcSetting, rng: np.random.Generator):
    return delivered(at.plan, at.patient, rng)


def output(at: ArcSetting, rng: np.random.Generator):
    return delivered(at.plan, at.patient, rng, output=1.03)


def setup_shift(at: ArcSetting, rng: np.random.Generator):
    direction = rng.normal(size=3)
    return delivered(at.plan, at.patient, rng, shift_lps_mm=tuple(5 * direction / np.linalg.norm(direction)))


def thickness_change(at: ArcSetting, rng: np.random.Generator):
    return delivered(at.plan, replace(at.patient, fat_mm=10.0), rng)  # 2 cm along any line


def stuck_leaf(at: ArcSetting, rng: np.random.Generator):
    return delivered(at.plan.with_stuck_pair(rng), at.patient, rng)


def wrong_arc(at: ArcSetting, rng: np.random.Generator):
    return delivered(random_arc(rng, at.plan.start_deg), at.patient, rng)


def wrong_patient(at: ArcSetting, rng: np.random.Generator):
    return delivered(at.plan, random_patient(rng), rng)


KINDS = {
    "output": output,
    "setup shift": setup_shift,
    "thickness change": thickness_change,
    "MLC leaf": stuck_leaf,
    "wrong beam": wrong_arc,
    "wrong patient": wrong_patient,
}


def named(make, seed: int) -> str:
    at = arc_setting(seed)
    found = causes(at.evidence(make(at, np.random.default_rng(1000 + seed))))
    return found[0].name if found else "none"


@pytest.mark.parametrize("kind", KINDS)
def test_the_cause_of_an_arc_is_named(kind):
    assert named(KINDS[kind], SEEDS[0]) == kind


def test_a_clean_arc_raises_no_alarm():
    assert [named(clean, seed) for seed in SEEDS[:2]] == ["none", "none"]


@pytest.mark.full
@pytest.mark.parametrize("kind", [*KINDS, "none"])
def test_ten_arcs_of_every_kind(kind):
    names = Counter(named(KINDS.get(kind, clean), seed) for seed in SEEDS)
    print(kind, dict(names))
    assert names[kind] >= (8 if kind in KINDS else 10), names
    assert kind == "none" or names["none"] == 0, names


def test_a_shift_is_measured_in_the_patient():
    at = arc_setting(SEEDS[0])
    found = at.evidence(delivered(at.plan, at.patient, np.random.default_rng(0), shift_lps_mm=(4.0, -6.0, 3.0)))
    assert found.anatomy_shift_mm == pytest.approx((4.0, -6.0, 3.0), abs=1.5)
    assert found.directions == 9
