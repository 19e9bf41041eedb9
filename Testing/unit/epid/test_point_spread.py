"""Spread and its undoing against the analytic exponential."""

import numpy as np
import pytest

from chain_phantoms import beam_on, panel, water_box
from intrepid_epid.beam_model import readings_gy_cm2
from intrepid_epid.incident_fluence import incident_fluence
from intrepid_epid.point_spread import spread, transfer

WIDTHS, WEIGHTS = (0.0, 2.0, 12.0), (0.7, 0.2, 0.1)


def test_a_point_becomes_the_exponential():
    """Rows 1 mm, columns 1.5 mm apart; away from the point one pixel collects density times its area."""
    point = np.zeros((121, 91))
    point[60, 45] = 1.0
    made = spread(point, (1.0, 1.5), [9.0], [1.0])
    row, column = np.meshgrid(np.arange(121) - 60, np.arange(91) - 45, indexing="ij")
    r = np.hypot(row * 1.0, column * 1.5)
    expected = np.exp(-r / 9.0) / (2 * np.pi * 81) * 1.5
    at = (r > 6) & (r < 45)
    np.testing.assert_allclose(made[at], expected[at], rtol=0.02)
    assert made.sum() == pytest.approx(1.0, abs=0.01)
    assert made[60, 45] == pytest.approx(expected[60, 45], rel=0.1)


def test_wide_fields_keep_their_level():
    made = spread(np.ones((200, 160)), (2.0, 2.5), WIDTHS, WEIGHTS)
    assert made[100, 80] == pytest.approx(1.0, abs=1e-4)
    # At a straight edge far from the corners half of the spread part comes back.
    assert made[0, 80] == pytest.approx(0.7 + 0.3 / 2, abs=0.035)


def test_nothing_comes_round_the_edge():
    point = np.zeros((64, 48))
    point[0, 0] = 1.0
    made = spread(point, (1.0, 1.0), [8.0], [1.0])
    # Without padding the far edges would be next to the point and read as much as its neighbours.
    assert made[1, 0] > 0.8 * made[0, 0]
    assert (np.abs([made[-1, 0], made[0, -1], made[-1, -1]]) < 1e-2 * made[1, 0]).all()


def test_shift_and_order_do_not_matter():
    random = np.random.default_rng(3).random((40, 50))
    shifted = np.zeros((60, 70))
    shifted[7:47, 11:61] = random
    one = spread(shifted, (1.0, 1.3), WIDTHS, WEIGHTS)
    np.testing.assert_allclose(spread(shifted.T, (1.3, 1.0), WIDTHS, WEIGHTS), one.T, atol=1e-12)
    np.testing.assert_allclose(spread(shifted[::-1], (1.0, 1.3), WIDTHS, WEIGHTS), one[::-1], atol=1e-9)
    np.testing.assert_allclose(spread(shifted * 3, (1.0, 1.3), WIDTHS, WEIGHTS), 3 * one, atol=1e-9)


def test_transfer_is_the_transform_of_the_exponential():
    """Hankel transform of exp(-r/s)/(2 pi s^2) by quadrature."""
    r = np.linspace(0, 400, 400_001)
    from scipy.special import j0

    for f in (0.0, 0.01, 0.05):
        numeric = np.trapezoid(j0(2 * np.pi * f * r) * np.exp(-r / 7.0) / 49.0 * r, r)
        assert transfer(np.array(f), 7.0) == pytest.approx(numeric, abs=1e-6)


def test_fluence_undoes_the_spread_of_the_detector():
    """No patient: smooth fluence, spread in water, comes back; scaled to the isocentre plane by 1.6 squared."""
    image = panel(np.zeros((128, 128)), (3.2, 3.2))
    x, y = np.meshgrid(image.x_mm, image.y_mm)
    fluence = 1e8 * np.exp(-((x - 20) ** 2 + (y + 30) ** 2) / (2 * 35.0**2))
    beam = beam_on(water_box((2, 2, 2), density=0.0))
    water = readings_gy_cm2(beam.spectrum.energy_mev)[:, 1]
    dose = spread(fluence * (beam.spectrum.weight @ water), image.pixel_spacing_mm, WIDTHS, WEIGHTS)
    made = incident_fluence(image.with_values(dose, unit="Gy"), beam, water, widths_mm=WIDTHS, weights=WEIGHTS)
    np.testing.assert_allclose(made.values, fluence * 1.6**2, atol=2e-3 * 1e8 * 1.6**2)
    assert made.source_to_image_mm == 1000.0
    assert made.pixel_spacing_mm == pytest.approx((2.0, 2.0))
    assert made.x_mm[0] * 1.6 == pytest.approx(image.x_mm[0])
    assert (made.values >= 0).all()
