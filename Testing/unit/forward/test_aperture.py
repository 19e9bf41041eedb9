"""Open shares against areas on paper, against points sampled in time and space, and on a clinical plan."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from intrepid_epid.aperture import leaf_boundaries_mm, open_area_cm2, open_share
from intrepid_rt.dicom_plan import read_plan
from intrepid_rt.errors import MissingObject, UnsupportedGeometry
from intrepid_rt.plan import Beam, ControlPoint, MultileafCollimator
from intrepid_rt.portal_image import PortalImage

# Rows and columns of different size, the axis at no pixel's centre.
PLANE = PortalImage(np.zeros((90, 110)), (-87.3, 70.9), (1.7, 1.5), 1500.0, 1000.0)
SMALL = PortalImage(np.zeros((34, 38)), (-36.3, 27.9), (1.7, 1.5), 1500.0, 1000.0)
PIXEL_CM2 = 1.7 * 1.5 / 1.5**2 / 100
BREAST = Path(__file__).parents[2] / "data" / "breast_imrt" / "rtplan.dcm"


def point(index, weight, x=None, y=None, mlc=(), collimator=0.0):
    return ControlPoint(index, weight, 0.0, collimator, 0.0, 0.0, np.zeros(3), x, y, tuple(mlc))


def beam(*points):
    return Beam(1, "B", "M", "PHOTON", 1000.0, 100.0, points[-1].cumulative_meterset_weight, points)


def leaves(low, high, *, first=-20.0, width=5.0, direction="X"):
    return MultileafCollimator(direction, first + width * np.arange(len(low) + 1), np.array(low), np.array(high))


def axes(plane=PLANE):
    return np.meshgrid(plane.x_mm / plane.magnification, plane.y_mm / plane.magnification)


@pytest.mark.parametrize("collimator", [0.0, 90.0, 180.0, 270.0, 33.0])
def test_a_rectangle_has_its_area_and_lies_where_the_collimator_turns_it(collimator):
    jaws = beam(point(0, 0.0, (-10.3, 30.7), (5.1, 24.4), collimator=collimator))
    share = open_share(jaws, PLANE).values
    assert share.sum() * PIXEL_CM2 == pytest.approx(4.1 * 1.93, rel=1e-9 if collimator % 90 == 0 else 2e-3)
    assert open_area_cm2(jaws) == pytest.approx(4.1 * 1.93)
    x, y = axes()
    turn = np.deg2rad(collimator)  # IEC 61217: counter-clockwise seen from the source
    centre = (10.2 * np.cos(turn) - 14.75 * np.sin(turn), 10.2 * np.sin(turn) + 14.75 * np.cos(turn))
    assert (share * x).sum() / share.sum() == pytest.approx(centre[0], abs=0.02)
    assert (share * y).sum() / share.sum() == pytest.approx(centre[1], abs=0.02)


def test_an_edge_through_a_pixel_counts_in_part():
    x_edge = PLANE.x_mm[60] / 1.5 + 0.25  # a quarter millimetre of a pixel of one beyond its centre
    share = open_share(beam(point(0, 0.0, (-20.0, x_edge), (-20.0, 20.0))), PLANE).values
    np.testing.assert_allclose(share[45, 58:63], [1, 1, 0.75, 0, 0], atol=1e-9)


def test_a_sliding_gap_opens_every_point_for_the_time_it_takes_to_pass():
    start, end = leaves([-40.0] * 8, [-30.0] * 8), leaves([30.0] * 8, [40.0] * 8)
    slide = beam(*(point(i, float(i), (-50.0, 50.0), (-20.0, 20.0), [mlc]) for i, mlc in enumerate((start, end))))
    share = open_share(slide, PLANE)
    x, y = axes()
    flat = (np.abs(x) < 28) & (np.abs(y) < 18)
    np.testing.assert_allclose(share.values[flat], 10 / 70, rtol=1e-9)
    assert open_area_cm2(slide) == pytest.approx(4.0)


def test_steps_count_by_their_meterset_and_moves_without_beam_not_at_all():
    first, second = leaves([-20.0] * 8, [0.0] * 8), leaves([0.0] * 8, [30.0] * 8)
    frame = ((-50.0, 50.0), (-20.0, 20.0))
    steps = beam(
        point(0, 0.0, *frame, [first]), point(1, 0.3, *frame, [first]),
        point(2, 0.3, *frame, [second]), point(3, 1.0, *frame, [second]),
    )  # fmt: skip
    share = open_share(steps, PLANE)
    at = share.sample([-10.0, 15.0, 40.0], [0.0, 0.0, 0.0])
    np.testing.assert_allclose(at, [0.3, 0.7, 0.0], atol=1e-9)


@pytest.mark.parametrize("direction", ["X", "Y"])
def test_any_motion_agrees_with_points_sampled_in_time_and_space(direction):
    rng = np.random.default_rng(5)
    states = []
    for _ in range(3):
        low = rng.uniform(-35, 5, 8)
        states.append((low, low + rng.uniform(0, 40, 8)))
    along, across = ((-25.0, 28.0), (-17.3, 18.9)) if direction == "X" else ((-17.3, 18.9), (-25.0, 28.0))
    weights = (0.0, 0.4, 1.0)
    moving = beam(
        *(point(i, w, along, across, [leaves(*s, direction=direction)])
          for i, (w, s) in enumerate(zip(weights, states, strict=True)))
    )  # fmt: skip
    expected = sampled(states, weights, direction)
    share = open_share(moving, SMALL).values
    assert abs(share - expected).max() < 0.04  # 16 points across an edge are wrong by up to 0.03, 60 times by 0.01
    assert abs(share.sum() / expected.sum() - 1) < 2e-3


def sampled(states, weights, direction, *, times=60, points=16):
    """Open share from points in time and space, written without the code under test."""
    x, y = axes(SMALL)
    total = np.zeros(x.shape)
    offsets = (np.arange(points) + 0.5) / points - 0.5
    for segment in range(len(states) - 1):
        for part in (np.arange(times) + 0.5) / times:
            low, high = ((1 - part) * states[segment][b] + part * states[segment + 1][b] for b in (0, 1))
            for dx in offsets * 1.0:
                for dy in offsets * 1.7 / 1.5:
                    u, v = (x + dx, y + dy) if direction == "X" else (y + dy, x + dx)
                    pair = np.clip(np.floor((v + 20) / 5).astype(int), 0, 7)
                    is_open = (u > low[pair]) & (u < high[pair]) & (u > -25) & (u < 28) & (v > -17.3) & (v < 18.9)
                    total += (weights[segment + 1] - weights[segment]) * is_open
    return total / (times * points**2)


def test_moving_jaws_open_on_average_what_lies_between_their_ends():
    dynamic = beam(point(0, 0.0, (-30.0, -20.0), (-20.0, 20.0)), point(1, 1.0, (-30.0, 30.0), (-20.0, 20.0)))
    assert open_area_cm2(dynamic) == pytest.approx(4.0 * (1 + 6) / 2, rel=1e-6)
    share = open_share(dynamic, PLANE)
    assert share.sample([-25.0, 5.0], [0.0, 0.0]) == pytest.approx([1.0, 0.5], abs=0.04)  # sixteen steps


def test_a_clinical_sliding_window_plan_stays_between_closed_and_open():
    for each in read_plan(BREAST).beams:
        share = open_share(each, replace(PLANE, values=np.zeros((200, 200)), first_pixel_mm=(-300.0, 300.0),
                                         pixel_spacing_mm=(3.0, 3.0))).values  # fmt: skip
        assert share.min() >= -1e-12
        assert 0.2 < share.max() <= 1 + 1e-9
        assert share.sum() * 0.2**2 == pytest.approx(open_area_cm2(each), rel=5e-3)
        assert leaf_boundaries_mm(each)[0] == "X"
        assert len(leaf_boundaries_mm(each)[1]) == 61


def test_what_cannot_be_followed_is_refused():
    with pytest.raises(MissingObject, match="neither jaws nor leaves"):
        open_share(beam(point(0, 0.0)), PLANE)
    with pytest.raises(UnsupportedGeometry, match="turns the collimator"):
        open_share(beam(point(0, 0.0, (-5.0, 5.0)), point(1, 1.0, (-5.0, 5.0), collimator=10.0)), PLANE)
    both = [leaves([-5.0], [5.0]), leaves([-5.0], [5.0], direction="Y")]
    with pytest.raises(UnsupportedGeometry, match="along both axes"):
        open_share(beam(point(0, 0.0, (-5.0, 5.0), (-5.0, 5.0), both)), PLANE)
