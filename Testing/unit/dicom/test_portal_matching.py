"""Which beam an image shows: as named, or concluded where only one answer is possible, and never guessed."""

from datetime import date
from pathlib import Path

import pytest

import builders
from builders import BeamSpec, Ids
from intrepid_rt.dicom_image import portal_header
from intrepid_rt.dicom_plan import read_plan
from intrepid_rt.portal_matching import match_portal_images
from intrepid_rt.study import PlanFile, PortalFile

IDS = Ids()
PIXELS = builders.elekta_pixels(builders.field_signal(), 3e4)


def plan_file(beams, ids=IDS, *, planned_on=None, tmp="plan.dcm") -> PlanFile:
    return PlanFile(Path(tmp), read_plan(builders.rtplan(beams, ids)), planned_on)


def image(name, *, refer_to_plan=False, beam_number=None, ids=IDS, **options) -> PortalFile:
    made = builders.rtimage(PIXELS, ids, refer_to_plan=refer_to_plan, beam_number=beam_number, **options)
    return PortalFile(Path(name), portal_header(made))


TWO_BEAMS = [BeamSpec("AP", (0.0,)), BeamSpec("LL", (90.0,))]


def matched(images, *plans):
    return [(one.beam_number, one.link) for one in match_portal_images(images, plans)]


def test_reference_is_followed():
    plan = plan_file(TWO_BEAMS)
    assert matched([image("a", refer_to_plan=True, beam_number=2, gantry_deg=90.0)], plan) == [(2, "stated")]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"refer_to_plan": True, "beam_number": 9}, "references beam 9, which RTPLAN"),
        ({"refer_to_plan": True, "beam_number": 2, "gantry_deg": 0.0}, "gantry 90 degrees, but was taken at 0 degrees"),
        ({"refer_to_plan": True, "beam_number": 1, "ids": Ids()}, "which is not among this patient's files"),
        ({"gantry_deg": 45.0}, "fits no beam"),
        ({"machine": "LINAC2"}, "fits no beam"),
        ({"gantry_deg": None}, "may show several beams (AP of plan.dcm, LL of plan.dcm) and names none"),
    ],
)
def test_what_does_not_fit_stays_unlinked_with_the_reason(options, reason):
    (one,) = match_portal_images([image("a", **options)], [plan_file(TWO_BEAMS)])
    assert (one.link, one.beam_number, one.plan_uid) == ("", None, "")
    assert reason in one.how


def test_gantry_angle_tells_the_beam():
    images = [image("a", gantry_deg=90.3), image("b", gantry_deg=359.8)]
    linked = match_portal_images(images, [plan_file(TWO_BEAMS)])
    assert [(one.beam_number, one.link) for one in linked] == [(2, "matched"), (1, "matched")]
    assert linked[0].how == "the only beam that fits gantry angle, machine and date"


def test_machine_tells_the_beam():
    plan = plan_file([BeamSpec("A", machine="LINAC1"), BeamSpec("B", machine="LINAC2")])
    assert matched([image("a", machine="linac2")], plan) == [(2, "matched")]


def test_named_plan_without_beam_number_limits_the_choice():
    other = Ids()
    plans = [plan_file(TWO_BEAMS), plan_file(TWO_BEAMS, other)]
    (one,) = match_portal_images([image("a", refer_to_plan=True, ids=other, gantry_deg=90.0)], plans)
    assert (one.plan_uid, one.beam_number, one.link) == (other.plan, 2, "matched")


def test_two_plans_with_the_same_angle_are_not_chosen_from():
    (one,) = match_portal_images([image("a", gantry_deg=90.0)], [plan_file(TWO_BEAMS), plan_file(TWO_BEAMS, Ids())])
    assert one.link == ""
    assert "may show several beams" in one.how


def test_a_plan_made_after_the_image_is_not_shown_by_it():
    later = plan_file(TWO_BEAMS, Ids(), planned_on=date(2026, 2, 1))
    earlier = plan_file(TWO_BEAMS, planned_on=date(2026, 1, 1))
    (one,) = match_portal_images([image("a", gantry_deg=90.0)], [later, earlier])
    assert one.plan_uid == IDS.plan


SAME_ANGLE = [BeamSpec("first"), BeamSpec("second"), BeamSpec("LL", (90.0,))]


def test_order_of_acquisition_tells_beams_of_one_angle_apart():
    images = [image("late", acquired="20260105084500"), image("early", acquired="20260105083000")]
    linked = match_portal_images(images, [plan_file(SAME_ANGLE)])
    assert [one.beam_number for one in linked] == [2, 1]
    assert "number 2 in order of acquisition" in linked[0].how


@pytest.mark.parametrize("times", [["083000"], ["083000", "083000"], ["083000", "084000", "085000"]])
def test_order_is_not_used_when_it_does_not_tell(times):
    images = [image(str(n), acquired="20260105" + time) for n, time in enumerate(times)]
    assert {link for _, link in matched(images, plan_file(SAME_ANGLE))} == {""}


def test_order_counts_within_one_fraction():
    images = [image(f"{day}{time}", acquired=f"202601{day}{time}") for day in ("05", "06") for time in ("0830", "0840")]
    assert [number for number, _ in matched(images, plan_file(SAME_ANGLE))] == [1, 2, 1, 2]


def test_a_beam_that_an_image_names_is_taken():
    images = [image("named", refer_to_plan=True, beam_number=1), image("unnamed")]
    assert matched(images, plan_file(SAME_ANGLE)) == [(1, "stated"), (2, "matched")]


def test_two_images_of_one_beam_and_day_are_both_linked_to_it():
    """Whoever selects must refuse to choose, so both have to be there."""
    assert matched([image("a", gantry_deg=90.0), image("b", gantry_deg=90.0)], plan_file(TWO_BEAMS)) == [
        (2, "matched"),
        (2, "matched"),
    ]


def test_setup_beams_are_never_shown():
    plan = plan_file([BeamSpec("kV", delivery_type="SETUP"), BeamSpec("AP")])
    assert matched([image("a")], plan) == [(2, "matched")]
    (one,) = match_portal_images([image("b", refer_to_plan=True, beam_number=1)], [plan])
    assert "is a SETUP beam" in one.how


def test_an_arc_fits_any_gantry_angle():
    plan = plan_file([BeamSpec("arc", (181.0, 0.0, 179.0))])
    assert matched([image("a", gantry_deg=33.0)], plan) == [(1, "matched")]
    assert matched([image("b", gantry_deg=None)], plan) == [(1, "matched")]


def test_fraction_is_its_number_or_its_day():
    made = builders.rtimage(PIXELS, IDS)
    assert PortalFile(Path("a"), portal_header(made)).fraction == "2026-01-05"
    made.FractionNumber = 3
    assert PortalFile(Path("a"), portal_header(made)).fraction == "fraction 3"
