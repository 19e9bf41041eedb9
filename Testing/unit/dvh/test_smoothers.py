"""The smoothers made for comparison, against R 4.2.2 (``smooth.spline``; KernSmooth's ``dpill`` and ``locpoly``)."""

import numpy as np
import pytest

from intrepid_dvh.curve import DVH
from intrepid_dvh.kernel_smoothing import plug_in_bandwidth, smooth_on_grid
from intrepid_dvh.missing import MissingValue
from intrepid_dvh.smoothing_spline import smoothing_spline

# Logistic curve with noise, rows unordered, some x repeated (made with R's generator, seed 1).
# fmt: off
X = np.array([
    10.6, 14.9, 22.9, 36.3, 8.1, 35.9, 37.8, 26.4, 25.2, 2.5, 8.2, 7.1, 27.5, 15.4, 30.8, 19.9, 28.7, 39.7, 15.2, 31.1,
    37.4, 8.5, 26.1, 5, 10.7, 15.4, 0.5, 15.3, 34.8, 13.6, 19.3, 24, 19.7, 7.4, 33.1, 26.7, 31.8, 4.3, 28.9, 16.5,
    32.8, 25.9, 31.3, 22.1, 21.2, 31.6, 0.9, 19.1, 29.3, 27.7, 19.1, 34.4, 17.5, 9.8, 2.8, 4, 12.7, 20.7, 26.5, 16.3,
    36.5, 11.7, 18.4, 13.3, 26, 10.3, 19.1, 30.7, 3.4, 35, 13.6, 33.6, 13.9, 13.4, 19.1, 35.7, 34.6, 15.6, 31.1, 38.4,
])
Y = np.array([
    95.66, 84.3, 28.252, 0.992, 97.453, -0.211, 0.629, 11.358, 14.904, 100.589, 98.478, 98.049, 7.927, 81.12, 4.093,
    52.814, 4.848, -0.904, 83.772, 2.278, 2.703, 97.843, 12.264, 99.359, 94.946, 82.438, 98.045, 84.196, 0.868, 91.583,
    56.283, 20.151, 53.109, 97.588, 0, 9.971, 1.477, 99.47, 4.97, 75.665, 0.815, 12.14, 3.439, 31.658, 40.725, 2.383,
    100.892, 57.14, 4.681, 7.399, 56.902, 2.024, 70.866, 97.471, 101.264, 100.078, 90.657, 43.62, 9.054, 76.967,
    -0.213, 94.127, 62.115, 90.478, 11.266, 97.974, 58.161, 3.658, 99.99, 2.351, 88.774, 0.601, 89.858, 89.374, 57.237,
    0.138, 0.444, 80.976, 2.907, 0.039,
])
# fmt: on


def test_more_than_fifty_rows_thin_out_the_knots_as_r_does():
    # predict(smooth.spline(x, y), ...) of R 4.2.2: 73 distinct rows, 55 knots.
    found = smoothing_spline(X, Y)(np.array([1.0, 7.0, 13.0, 20.0, 26.0, 39.0]))
    expected = [
        *(99.8247578528291655, 98.2615015539468004, 91.2184853626465895),
        *(50.3324074481543349, 11.8677043283982275, -0.0718054612525781),
    ]
    assert found == pytest.approx(expected, rel=1e-7)


def test_fewer_rows_have_a_knot_each_as_in_r():
    found = smoothing_spline(X[:30], Y[:30])(np.array([5.0, 13.0, 20.0, 26.0, 32.0]))
    expected = [99.53230251126190, 92.18320799813465, 51.55861426472379, 12.37856179975998, 2.11141137849265]
    assert found == pytest.approx(expected, rel=1e-7)


def test_a_straight_line_stays_one():
    x = np.linspace(3.0, 9.0, 60) ** 2
    assert smoothing_spline(x, 2 - 0.5 * x)(np.array([10.0, 50.0])) == pytest.approx([-3.0, -23.0], rel=1e-9)


@pytest.mark.parametrize(("x", "reason"), [([1, 2, 3, 3], "3 different rows"), ([0, 0, 0, 0, 0, 9], "equal")])
def test_too_little_to_smooth_is_said(x, reason):
    with pytest.raises(MissingValue, match=reason):
        smoothing_spline(np.array(x, dtype=float), np.arange(float(len(x))))


def test_local_polynomial_agrees_with_r():
    assert plug_in_bandwidth(X, Y) == pytest.approx(0.773046160403265, rel=1e-9)
    grid, smooth = smooth_on_grid(X, Y)
    expected = [98.047866583584494, 92.314946226143050, 50.033443213153099, 0.418224271752785, -0.904002208147560]
    assert smooth[[0, 299, 500, 899, 1000]] == pytest.approx(expected, rel=1e-9)
    assert (grid[0], grid[-1]) == (0.5, 39.7)


def test_a_plateau_leaves_the_choice_of_bandwidth_as_in_r():
    assert plug_in_bandwidth(X, np.maximum(0, Y - 20)) == pytest.approx(0.721764804382791, rel=1e-9)


def test_rows_without_scatter_cannot_be_smoothed_as_in_r():
    dose_gy = np.linspace(0, 40, 90)
    with pytest.raises(MissingValue):
        plug_in_bandwidth(100 / (1 + np.exp((dose_gy - 20) / 3)), dose_gy)


def test_two_rows_cannot_be_smoothed():
    dvh = DVH("PTV", [0.0, 10.0], [8.0, 0.0], structure_volume_cc=8.0)
    assert dvh.metric("D50%", interp="ksmooth").value is None
    assert dvh.metric("D50%", interp="spline").value == pytest.approx(5.0)
