"""Complexity of apertures on paper: squares, a comb, steps, and beams of several segments."""

from types import SimpleNamespace

import numpy as np
import pytest

from intrepid_cohort.complexity import Aperture, add_complexity
from intrepid_cohort.schema import Beam, ControlPoint


def point(low, high, *, width=10.0, jaw_x=None, jaw_y=None, direction="X"):
    boundaries = np.arange(len(low) + 1) * width
    mlc = SimpleNamespace(
        direction=direction, leaf_boundaries_mm=boundaries, bank_1_mm=np.array(low, float),
        bank_2_mm=np.array(high, float),
    )  # fmt: skip
    return SimpleNamespace(mlc=(mlc,), jaw_x_mm=jaw_x, jaw_y_mm=jaw_y)


def beam(points, weights):
    rows = [ControlPoint(control_point_index=i, meterset_mu=mu) for i, mu in enumerate([*weights, 0.0])]
    made = Beam(beam_number=1, beam_meterset_mu=sum(weights), control_points=rows)
    add_complexity(made, points)
    return made


SQUARE = point([-50] * 10, [50] * 10)


def test_a_square_is_as_simple_as_can_be():
    aperture = Aperture.of(SQUARE)
    assert (aperture.area_mm2, aperture.side_mm, aperture.perimeter_mm) == (10_000.0, 200.0, 400.0)
    made = beam([SQUARE, SQUARE], [100.0])
    assert made.modulation_complexity_score == pytest.approx(1.0)
    assert made.edge_metric_per_mm == pytest.approx(200.0 / 10_000.0)
    assert made.mlc_perimeter_mean_mm == pytest.approx(400.0)


def test_jaws_cut_leaves_and_rows():
    aperture = Aperture.of(point([-50] * 10, [50] * 10, jaw_x=(-30, 20), jaw_y=(25, 75)))
    assert aperture.area_mm2 == pytest.approx(50 * 50)
    assert aperture.perimeter_mm == pytest.approx(200.0)


def test_a_comb_has_many_sides():
    comb = Aperture.of(point([-50, 0] * 5, [50, 0] * 5))
    assert comb.side_mm == pytest.approx(10 * 100.0)
    assert comb.area_mm2 == pytest.approx(5000.0)


def test_leaves_that_do_not_touch_share_no_side():
    apart = Aperture.of(point([-50, 10], [-10, 50]))
    assert apart.side_mm == pytest.approx(4 * 40.0)


def test_steps_lower_the_score_by_the_formula():
    steps = point([0, 10, 0, 10], [50, 50, 50, 50])
    # Bank 1 reaches 10 mm and jumps by all of it three times: variability 0. Bank 2 does not move: 1.
    assert Aperture.of(steps).leaf_sequence_variability == 0.0
    ramp = point([0, 5, 10, 15], [50] * 4)
    assert Aperture.of(ramp).leaf_sequence_variability == pytest.approx((15 - 5) * 3 / (3 * 15))
    made = beam([ramp, ramp], [80.0])
    assert made.modulation_complexity_score == pytest.approx(2 / 3)


def test_small_segments_lower_the_score_by_their_share_of_area():
    half = point([-25] * 10, [25] * 10)
    made = beam([SQUARE, SQUARE, half, half], [60.0, 0.0, 20.0])
    assert made.modulation_complexity_score == pytest.approx((60 * 1.0 + 20 * 0.5) / 80)
    assert made.edge_metric_per_mm == pytest.approx((60 * 0.02 + 20 * 100 / 5000) / 80)


def test_why_there_is_none():
    open_field = SimpleNamespace(mlc=(), jaw_x_mm=(-50, 50), jaw_y_mm=(-50, 50))
    assert "no multileaf collimator" in beam([open_field, open_field], [50.0]).complexity_reason
    closed = point([0] * 4, [0] * 4)
    assert "closed" in beam([closed, closed], [50.0]).complexity_reason
    assert "could not be read" in beam(None, [50.0]).complexity_reason
