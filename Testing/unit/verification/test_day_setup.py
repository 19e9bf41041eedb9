"""Where the beams hit: every way to know it, with signs from IEC 61217."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from intrepid_cli.verification.day_setup import beam_setup, parse_couch_shift, parse_position
from intrepid_cli.verification.settings import VerificationSettings
from intrepid_rt.errors import InvalidSetting, MissingObject, UnsupportedGeometry
from intrepid_rt.plan import Plan
from intrepid_rt.registration.rigid_transform import IDENTITY, rigid_about

ISOCENTRE = np.array([10.0, -20.0, 30.0])
MOTION = rigid_about(ISOCENTRE, shift_mm=(3.0, -4.0, 5.0), rotation_deg=(1.0, 2.0, -3.0))
PLAN = Plan("P", "1.2", "1.3", "HFS", (), 1, None)
SETTINGS = VerificationSettings(Path("s"), Path("o"), anatomy=Path("d"))


def setup(motion=MOTION, *, same_frame=True, position="HFS", plan=PLAN, stated=None, **settings):
    return beam_setup(
        replace(SETTINGS, **settings), plan, ISOCENTRE, motion, same_frame=same_frame, position=position,
        displacement_mm=stated,
    )  # fmt: skip


def test_treated_as_imaged_the_beam_misses_by_what_the_patient_moved():
    found = setup().motion
    np.testing.assert_allclose(found.matrix, MOTION.inverse.matrix, atol=1e-12)
    np.testing.assert_allclose(
        setup(rigid_about(ISOCENTRE, shift_mm=(3, -4, 5))).motion.shift_at(ISOCENTRE), (-3, 4, -5)
    )


def test_a_couch_matched_to_the_plan_leaves_the_rotation():
    found = setup(setup="matched").motion
    np.testing.assert_allclose(found.shift_at(ISOCENTRE), 0.0, atol=1e-12)
    assert found.angle_deg == pytest.approx(MOTION.angle_deg)
    assert setup(setup="matched-6d").motion.angle_deg == pytest.approx(0.0, abs=1e-6)


def test_an_entered_isocentre_is_where_the_beams_are():
    found = setup(same_frame=False, isocentre_mm=(0.0, 0.0, 0.0)).motion
    np.testing.assert_allclose(found.apply(ISOCENTRE), MOTION.inverse.apply((0.0, 0.0, 0.0)), atol=1e-12)


@pytest.mark.parametrize(
    ("shift", "position", "expected"),
    [
        # The table moves the patient; seen from the patient the beam moves the other way. Head first, supine: lateral
        # +X is the patient's left (+x), longitudinal +Y towards the gantry is the head (+z), up is anterior (-y).
        ("2,0,0", "HFS", (-2, 0, 0)),
        ("0,2,0", "HFS", (0, 0, -2)),
        ("0,0,2", "HFS", (0, 2, 0)),
        ("0,0,2", "HFP", (0, -2, 0)),
        ("0,2,0", "FFS", (0, 0, 2)),
    ],
)
def test_couch_shifts_have_the_signs_of_the_table(shift, position, expected):
    plan = replace(PLAN, patient_position=position)
    found = setup(IDENTITY, couch_shift=shift, plan=plan, position=position).motion
    np.testing.assert_allclose(found.shift_at(ISOCENTRE), expected, atol=1e-9)


def test_a_couch_rotation_turns_about_the_isocentre():
    found = setup(IDENTITY, couch_shift="0,0,0,0,0,5").motion
    np.testing.assert_allclose(found.shift_at(ISOCENTRE), 0.0, atol=1e-9)
    # The table turns the patient counter-clockwise seen from above (anterior, -y), so the beam turns about +y by 5.
    np.testing.assert_allclose(found.rotation_deg, (0.0, 5.0, 0.0), atol=1e-6)


def test_the_shift_that_undoes_the_motion_puts_the_beam_back():
    motion = rigid_about(ISOCENTRE, shift_mm=(3.0, -4.0, 5.0))
    found = setup(motion, couch_shift="-3,-5,-4").motion  # lateral -x, longitudinal -z, vertical down is +y
    np.testing.assert_allclose(found.matrix, np.eye(4), atol=1e-9)


def test_the_plan_states_the_couch_shift():
    found = setup(IDENTITY, couch_shift="plan", stated=np.array([2.0, 0.0, 0.0]))
    np.testing.assert_allclose(found.motion.shift_at(ISOCENTRE), (-2, 0, 0), atol=1e-9)
    assert "lateral 2" in found.how
    with pytest.raises(MissingObject, match="no set-up displacement"):
        setup(IDENTITY, couch_shift="plan")


def test_nothing_is_guessed():
    with pytest.raises(MissingObject, match="--isocentre"):
        setup(same_frame=False)
    with pytest.raises(InvalidSetting, match="contradict"):
        setup(isocentre_mm=(0.0, 0.0, 0.0), setup="matched")
    with pytest.raises(UnsupportedGeometry, match="FFS"):
        setup(position="FFS")
    assert setup(position="FFS", setup="matched-6d").motion.angle_deg == pytest.approx(0.0, abs=1e-6)
    for text in ("1,2", "1,2,x", "nan,0,0", ""):
        with pytest.raises(InvalidSetting):
            parse_couch_shift(text)
        with pytest.raises(InvalidSetting):
            parse_position(text)
