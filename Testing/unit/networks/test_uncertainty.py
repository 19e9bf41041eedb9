"""The band covers what it says, on pairs it was not made with."""

import numpy as np
import pytest

from intrepid_epid.networks.uncertainty import ErrorGuess, HeldOut, band_quality, conformal_quantile, error_guess

GUESS = error_guess(("transmission",))


def held_out(rng, *, spread_tells=True):
    """A field whose error per pixel is as large as the members' spread says, times three, and blurred."""
    at = np.linspace(-1, 1, 48)
    truth = rng.uniform(0.5, 2) / (1 + np.exp(-(0.6 - np.hypot(*np.meshgrid(at, at * rng.uniform(0.7, 1.4)))) / 0.05))
    spread = 0.01 * truth.max() * rng.gamma(2.0, 0.5, truth.shape)
    error = 3 * spread * rng.standard_normal(truth.shape)
    return HeldOut(truth + error, spread if spread_tells else np.zeros_like(spread), truth, truth, 2.0)


@pytest.mark.parametrize("spread_tells", [True, False])
def test_coverage_on_new_pairs(spread_tells):
    rng = np.random.default_rng(5)
    made_with, new = ([held_out(rng, spread_tells=spread_tells) for _ in range(20)] for _ in range(2))
    quality = band_quality(new, GUESS, conformal_quantile(made_with, GUESS))
    assert 93 < quality.coverage_percent < 97


def test_spread_that_tells_makes_the_band_narrower():
    rng = np.random.default_rng(6)
    widths = []
    for spread_tells in (True, False):
        pairs = [held_out(rng, spread_tells=spread_tells) for _ in range(30)]
        widths.append(band_quality(pairs, GUESS, conformal_quantile(pairs, GUESS)).half_width_percent)
    assert widths[0] < 0.9 * widths[1]


def test_a_band_is_as_wide_as_the_errors_it_was_made_with():
    at = np.ones((8, 8))
    pairs = [HeldOut(at * (1 + error), 0 * at, at, at, 1.0) for error in (0.01, -0.01, 0.02, -0.02)]
    quality = band_quality(pairs, GUESS, conformal_quantile(pairs, GUESS))
    assert quality.half_width_percent == pytest.approx(2.0, rel=0.03)
    assert quality.error_percent == pytest.approx(1.5)


def test_where_nothing_is_known_the_band_grows_with_what_the_network_changes():
    at = np.ones((8, 8))
    little, much = (ErrorGuess(0.001, 0.01, 0.1).gy(at, 0 * at, at * physics, 1.0) for physics in (1.0, 0.96))
    assert little == pytest.approx(0.001)
    assert much == pytest.approx(0.001 + 0.1 * 0.04)
    assert error_guess(()).share == 0.1
    assert error_guess(("thickness",)).share == 0.0
