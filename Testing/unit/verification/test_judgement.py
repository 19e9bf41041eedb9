"""Constraints are for the whole course, images for one fraction."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from intrepid_cli.verification.day_quality import doubts_about, setup_warnings
from intrepid_cli.verification.judgement import constraint_outcomes, verdict
from intrepid_dvh import DVH
from intrepid_rt.day_anatomy import AnatomyQuality, StructureOverlap
from intrepid_rt.verification import GammaOutcome


def dvh_of_one_fraction(mean_gy: float) -> DVH:
    return DVH.from_samples(np.linspace(mean_gy - 0.2, mean_gy + 0.2, 401), 0.1, structure="PTV", prescription_gy=2.0)


@pytest.fixture
def constraint_file(tmp_path: Path) -> Path:
    path = tmp_path / "constraints.csv"
    path.write_text("structure;constraint\nPTV;D50% > 49Gy\nPTV;DMAX < 54Gy\nHeart;DMEAN < 5Gy\n", encoding="utf-8")
    return path


def test_the_dose_of_a_fraction_is_judged_as_that_of_the_course(constraint_file):
    curves = {"PTV": (dvh_of_one_fraction(2.0), dvh_of_one_fraction(1.9))}
    outcomes, warnings = constraint_outcomes(constraint_file, curves, fractions=25, is_relative=False)
    median, maximum = outcomes
    assert (median.planned_observed, median.observed) == pytest.approx((50.0, 47.5), rel=1e-3)
    assert (median.planned_compliance, median.compliance) == (True, False)
    assert (maximum.planned_observed, maximum.observed) == pytest.approx((55.0, 52.5), rel=1e-3)
    assert (maximum.planned_compliance, maximum.compliance) == (False, True)
    assert "25 fractions" in warnings[0]
    assert "Heart" in warnings[1]


def test_a_single_fraction_is_taken_as_it_is(constraint_file):
    curves = {"PTV": (None, dvh_of_one_fraction(50.0))}
    outcomes, warnings = constraint_outcomes(constraint_file, curves, fractions=1, is_relative=False)
    assert outcomes[0].observed == pytest.approx(50.0, rel=1e-3)
    assert outcomes[0].planned_observed is None
    assert len(warnings) == 1


def test_a_relative_result_is_not_judged(constraint_file):
    curves = {"PTV": (None, dvh_of_one_fraction(50.0))}
    outcomes, _ = constraint_outcomes(constraint_file, curves, fractions=1, is_relative=True)
    assert {outcome.compliance for outcome in outcomes} == {None}
    assert all("relative" in outcome.reason for outcome in outcomes)


def quality(**changes):
    zero = (0.0, 0.0, 0.0)
    usual = AnatomyQuality("CT", "rigid", zero, zero, "", zero, zero, repeat_shift_mm=0.1, repeat_rotation_deg=0.05)
    return replace(usual, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"repeat_shift_mm": None}, "did not end"),
        ({"repeat_shift_mm": 1.4}, "ends 1.4 mm"),
        ({"repeat_rotation_deg": 0.8}, "0.8 degrees"),
        ({"structures": (StructureOverlap("BODY", None, 0.84, "x"),)}, "BODY: Dice of only 0.84"),
    ],
)
def test_no_plan_passes_on_an_anatomy_that_is_in_doubt(changes, said):
    gamma = GammaOutcome(3, 2, pass_rate_percent=99.0, n_points=10, n_passed=10, limit_percent=95.0)
    doubts = doubts_about(quality(**changes))
    assert len(doubts) == 1
    assert said in doubts[0]
    found = verdict((gamma,), (), (), is_relative=False, planned_reason="", doubts=doubts)
    assert (found.status, found.reasons[0]) == ("not judged", doubts[0])
    bad = replace(gamma, pass_rate_percent=50.0)
    assert verdict((bad,), (), (), is_relative=False, planned_reason="", doubts=doubts).status == "fail"
    assert verdict((gamma,), (), (), is_relative=False, planned_reason="").status == "pass"


def test_a_good_registration_leaves_no_doubt_and_a_large_setup_error_is_told():
    assert doubts_about(quality(structures=(StructureOverlap("BODY", None, 0.97, "x"),))) == ()
    assert setup_warnings(quality()) == ()
    assert "25 mm" in setup_warnings(quality(setup_shift_mm=(0.0, 25.0, 0.0)))[0]
