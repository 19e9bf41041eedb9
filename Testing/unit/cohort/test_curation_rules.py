"""Choosing plans, factors, sides and exclusions, from facts made by hand; rules that are refused."""

from dataclasses import replace
from datetime import date, datetime

import msgspec
import pytest

from intrepid_cohort.curation.deciding import STEPS, decide
from intrepid_cohort.curation.facts import DoseFacts, OrganFacts, PatientFacts, PlanFacts, SetFacts
from intrepid_cohort.curation.rules import Rules, read_rules, rules_schema
from intrepid_rt.errors import InvalidSetting, MissingObject


def dose(uid, kind="PLAN", beam=None, max_gy=52.0):
    return DoseFacts(1, uid, "sha", kind, beam, "frame", max_gy)


def plan(uid, **changed):
    base = PlanFacts(
        uid=uid,
        label="Breast",
        approval="APPROVED",
        timestamp=datetime(2026, 1, 1),
        fractions=25,
        prescription_gy=50.0,
        structure_set_uid="set",
        frame_uid="frame",
        study_id=1,
        beam_numbers=frozenset({1, 2}),
        doses=(dose(f"d{uid}"),),
    )
    return replace(base, **changed)


def patient(*plans, organs=()):
    return PatientFacts(
        id=1, pseudonym="P1", centre="A", sex="F", content_digest="c", study_days=(date(2026, 1, 1),), plans=plans,
        structure_sets=(SetFacts(1, "set", "frame", "ct", "CT 1", "TPS", None),
                        SetFacts(2, "auto", "frame", "ct", "AutoSeg v2", "Segmenter", None),
                        SetFacts(3, "far", "other", "ct2", "AutoSeg v2", "Segmenter", None)),
        organs=organs,
    )  # fmt: skip


def rules(**parts):
    return msgspec.convert({"name": "r", **parts}, Rules)


def roles(made):
    return {one.plan_uid: one.role for one in made.plans}


def test_the_approved_plan_is_main_and_the_other_is_listed():
    made = decide(patient(plan("1"), plan("2", approval="UNAPPROVED")), rules())
    assert (made.status, made.main_plan_uid, made.main_plan_rule) == ("included", "1", "approved")
    assert roles(made) == {"1": "main", "2": "left out"}
    assert all(one.reason for one in made.plans)
    assert "assumed to be delivered as planned" in made.warnings[0]


def test_the_plan_that_delivered_most_fractions_stands_for_all():
    first = plan("1", delivered={"RTRECORD": 10.0})
    second = plan("2", delivered={"RTRECORD": 14.0})
    made = decide(patient(first, second), rules())
    assert (made.main_plan_uid, made.main_plan_rule) == ("2", "delivered")
    assert made.plan("2").dose_factor == pytest.approx(24 / 25)
    assert made.plan("1").dose_factor is None
    summed = decide(patient(first, second), rules(plans={"adaptations": "sum"}))
    assert [summed.plan(uid).dose_factor for uid in "12"] == pytest.approx([10 / 25, 14 / 25])
    assert summed.prescription_dose_gy == pytest.approx(48.0)


def test_a_csv_counts_before_records_and_zero_fractions_leave_a_plan_out():
    first = plan("1", delivered={"CSV": 20.0, "RTRECORD": 25.0})
    made = decide(patient(first, plan("2", delivered={"CSV": 0.0})), rules())
    assert made.main_plan_uid == "1"
    assert made.plan("1").dose_factor == pytest.approx(0.8)
    assert "No fraction was delivered" in made.plan("2").reason


def test_the_first_plan_or_a_person():
    earlier, later = plan("1", timestamp=datetime(2026, 1, 1)), plan("2", timestamp=datetime(2026, 2, 1))
    assert decide(patient(later, earlier), rules()).main_plan_uid == "1"
    assert decide(patient(later, earlier), rules(plans={"choose_by": ["last"]})).main_plan_uid == "2"
    alike = decide(patient(plan("1"), plan("2")), rules())
    assert (alike.status, alike.exclusion_step, alike.main_plan_uid) == ("review", "main plan", None)
    by_hand = decide(patient(plan("1"), plan("2")), rules(), {"2": "main"})
    assert (by_hand.main_plan_uid, by_hand.main_plan_rule) == ("2", "by hand")


def test_boosts_are_summed_or_scaled_by_where_they_lie():
    boost = plan("b", label="Boost", fractions=5, prescription_gy=10.0)
    made = decide(patient(plan("1"), boost), rules())
    assert (roles(made)["b"], made.prescription_dose_gy, made.outside_factor) == ("boost", 60.0, 1.0)
    elsewhere = decide(patient(plan("1"), replace(boost, frame_uid="other")), rules())
    assert roles(elsewhere)["b"] == "boost elsewhere"
    assert elsewhere.outside_factor == pytest.approx(1.2)
    assert elsewhere.plan("b").dose_factor is None
    assert any("scaling factor" in warning for warning in elsewhere.warnings)
    out = decide(patient(plan("1"), replace(boost, frame_uid="other")), rules(boost={"other_images": "exclude"}))
    assert (out.status, out.exclusion_step) == ("excluded", "boost on other images")
    nothing = decide(patient(plan("1"), replace(boost, frame_uid="other", prescription_gy=None)), rules())
    assert (nothing.status, nothing.exclusion_step) == ("review", "boost on other images")


def test_a_plan_without_usable_dose_is_no_treatment():
    made = decide(patient(plan("1", doses=())), rules())
    assert (made.status, made.exclusion_step) == ("excluded", "plan with dose")
    both = decide(patient(plan("1", doses=(dose("a"), dose("b")))), rules())
    assert both.status == "excluded"
    one_beam = decide(patient(plan("1", doses=(dose("a", "BEAM", 1),))), rules())
    assert one_beam.status == "excluded"
    beams = decide(patient(plan("1", doses=(dose("a", "BEAM", 1), dose("b", "BEAM", 2)))), rules())
    assert beams.plan("1").dose_uids == ["a", "b"]
    tiny = decide(patient(plan("1", doses=(dose("a", max_gy=0.5),))), rules())
    assert tiny.status == "excluded"


def test_unknown_fractions_are_assumed_excluded_or_held():
    for unknown, status in (("as planned", "included"), ("exclude", "excluded"), ("review", "review")):
        assert decide(patient(plan("1")), rules(fractions={"unknown": unknown})).status == status
    assert decide(patient(plan("1", fractions=None)), rules()).status == "review"
    short = plan("1", delivered={"CSV": 5.0})
    assert decide(patient(short), rules(fractions={"least_percent": 80})).exclusion_step == "delivered fractions"


def test_who_belongs_to_the_cohort():
    for include, step in (
        ({"sex": ["M"]}, "sex"),
        ({"study_years": [2010, 2020]}, "study year"),
        ({"prescription_gy": [60, 70]}, "prescription"),
        ({"fractions": [1, 5]}, "fractions"),
        ({"structures": ["Heart", "Lung_?"]}, "structures"),
    ):
        made = decide(patient(plan("1")), rules(include=include))
        assert (made.status, made.exclusion_step) == ("excluded", step)
        assert step in STEPS
    heart = OrganFacts("set", "Heart", "ORGAN", 10.0, {})
    lung = OrganFacts("set", "Lung_R", "ORGAN", 10.0, {})
    kept = decide(patient(plan("1"), organs=(heart, lung)), rules(include={"structures": ["Heart", "Lung_?"]}))
    assert kept.status == "included"


def side(ptv_x_mm, left_gy, right_gy, method="dose and geometry", **more):
    organs = (
        OrganFacts("set", "External", "EXTERNAL", 0.0, {}),
        OrganFacts("set", "PTV", "PTV", ptv_x_mm, {}),
        OrganFacts("set", "Lung_L", "ORGAN", 70.0, {1: left_gy}),
        OrganFacts("set", "Lung_R", "ORGAN", -70.0, {1: right_gy}),
    )
    return decide(patient(plan("1"), organs=organs), rules(laterality={"method": method}, **more))


def test_the_side_by_dose_and_geometry():
    assert side(70.0, 8.0, 1.0).laterality == "left"
    assert side(-70.0, 1.0, 8.0).laterality == "right"
    assert side(-70.0, 8.0, 1.0).laterality is None
    assert side(5.0, 4.0, 4.2, "geometry").laterality == "midline"
    assert side(70.0, 4.0, 4.2, "dose").laterality == "bilateral"
    assert side(70.0, 8.0, 1.0).laterality_evidence["left_gy"] == 8.0
    held = side(-70.0, 8.0, 1.0, include={"laterality": ["left"]})
    assert (held.status, held.exclusion_step) == ("review", "laterality")
    assert side(-70.0, 1.0, 8.0, include={"laterality": ["left"]}).status == "excluded"


def test_augmented_sets_must_lie_in_the_frame_of_the_plan():
    made = decide(patient(plan("1")), rules(augmented=[{"source": "auto", "label": "autoseg*"}]))
    assert {(one.structure_set_uid, one.role, one.source) for one in made.structure_sets} == {
        ("set", "clinical", None),
        ("auto", "augmented", "auto"),
    }


def test_the_digest_changes_with_what_is_decided_by():
    first = decide(patient(plan("1")), rules()).content_digest
    assert decide(patient(plan("1")), rules()).content_digest == first
    assert decide(patient(plan("1")), rules(include={"sex": ["F"]})).content_digest != first
    assert decide(patient(plan("1")), rules(), {"1": "main"}).content_digest != first
    assert decide(patient(plan("1", delivered={"CSV": 20.0})), rules()).content_digest != first


def test_rules_from_files(tmp_path):
    (tmp_path / "r.toml").write_text('name = "breast"\n[boost]\nlabels = ["*tumour bed*"]\n')
    assert read_rules(tmp_path / "r.toml").boost.labels == ("*tumour bed*",)
    (tmp_path / "r.json").write_text('{"name": "x", "plnas": {}}')
    with pytest.raises(InvalidSetting, match="plnas"):
        read_rules(tmp_path / "r.json")
    (tmp_path / "r.json").write_text('{"name": "x", "plans": {"choose_by": ["best"]}}')
    with pytest.raises(InvalidSetting, match="best"):
        read_rules(tmp_path / "r.json")
    with pytest.raises(MissingObject):
        read_rules(tmp_path / "none.json")
    assert rules_schema()["$defs"]["PlanRules"]
