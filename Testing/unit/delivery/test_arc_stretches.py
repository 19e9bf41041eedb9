"""Stretches of an arc: together the whole arc, each at its place in the plan, each predicted as what it is."""

from dataclasses import replace

import numpy as np
import pytest

from intrepid_epid.delivery.arc_dose import ArcSector
from intrepid_epid.delivery.arc_prediction import arc_portal_dose
from intrepid_epid.delivery.arc_stretches import portal_parts, predicted_stretches
from intrepid_epid.delivery.assignment import assign_frames
from intrepid_epid.delivery.frames import DeliveryFrame
from intrepid_rt.errors import MissingObject
from simulated_arcs import PANEL, random_arc
from simulated_portal_images import PROFILE, Patient, way

PLAN = random_arc(np.random.default_rng(7), start_deg=300.0)  # 300 to 120 degrees, over the top
BODY = Patient((140.0, 100.0), ((0.28, (60.0, 0.0, 0.0), 40.0, False),)).density(8.0)
ANGLES = (300.0 + np.arange(3.0, 180.0, 6.0)) % 360  # 30 frames


def parts(angles=ANGLES):
    frames = [DeliveryFrame(PANEL, str(n), number=n, gantry_angle_deg=angle) for n, angle in enumerate(angles.tolist())]
    # Two frames share each step of the reconstruction.
    sectors = [ArcSector(n, n + 1, PANEL.with_values(np.full((2, 2), 1.0 + n))) for n in range(0, len(frames), 2)]
    return portal_parts(sectors, assign_frames(frames, PLAN.beam), PLAN.beam), sectors


def test_parts_are_the_whole_arc_and_lie_between_their_frames():
    made, sectors = parts()
    edges = [made[0].begin_weight, *(part.end_weight for part in made)]
    assert [part.begin_weight for part in made[1:]] == edges[1:-1]
    assert (edges[0], edges[-1]) == (0.0, 9.0)
    # Sectors of 12 degrees are joined to 24; a weight of 1 is 20 degrees.
    assert np.diff(edges)[:-1] == pytest.approx(24.0 / 20.0)
    total = sum(part.portal_dose.values for part in made)
    np.testing.assert_allclose(total, sum(one.portal_gy.values for one in sectors))
    assert made[0].portal_dose.values[0, 0] == 1.0 + 3.0


def test_sectors_wider_than_a_stretch_stay_alone():
    made, _ = parts(np.array([310.0, 325.0, 20.0, 35.0]))
    assert len(made) == 2
    assert made[0].end_weight == pytest.approx((25.0 + 80.0) / 2 / 20)


def test_stretches_add_up_to_the_prediction_of_the_arc():
    made, _ = parts()
    empty = [replace(part, portal_dose=PANEL) for part in made]
    whole, sectors = predicted_stretches(PLAN.beam, empty, PROFILE, lambda angle: way(BODY, angle))
    expected = arc_portal_dose(PLAN.beam, PANEL, PROFILE, lambda angle: way(BODY, angle))
    scale = expected.total_gy.values.max()
    np.testing.assert_allclose(whole.total_gy.values, expected.total_gy.values, atol=3e-3 * scale)
    np.testing.assert_allclose(whole.open_share.values, expected.open_share.values, atol=1e-3)
    parts_sum = sum(sector.predicted.total_gy.values for sector in sectors)
    np.testing.assert_allclose(parts_sum, whole.total_gy.values, rtol=1e-9)
    source = sectors[0].primary_beam.frame.source_lps_mm / 1000
    assert np.degrees(np.arctan2(source[0], -source[1])) == pytest.approx(-48.0, abs=0.5)


def test_an_arc_that_stays_closed_is_refused():
    closed = tuple(replace(opening, high_mm=opening.low_mm) for opening in PLAN.openings)
    made, _ = parts()
    with pytest.raises(MissingObject, match="opens no field"):
        predicted_stretches(replace(PLAN, openings=closed).beam, made, PROFILE, lambda angle: way(BODY, angle))
