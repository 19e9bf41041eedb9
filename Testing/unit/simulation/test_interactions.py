"""Sampled interactions against the formulas they sample."""

import numpy as np
import pytest

from intrepid_epid.kerma import compton_transfer_fraction
from intrepid_epid.simulation import interactions


@pytest.mark.parametrize("energy_mev", [0.1, 1.0, 6.0])
def test_compton_electrons_take_the_klein_nishina_mean(energy_mev):
    taken = np.array([energy_mev - interactions.compton(energy_mev)[0] for _ in range(20_000)])
    sigma = taken.std() / np.sqrt(taken.size)
    assert abs(taken.mean() - energy_mev * compton_transfer_fraction(energy_mev)) < 4 * sigma


def test_compton_conserves_energy_and_momentum():
    for _ in range(200):
        scattered, cosine = interactions.compton(2.0)
        assert scattered == pytest.approx(2.0 / (1 + 2.0 / 0.51099895 * (1 - cosine)))
        electron = 2.0 - scattered
        momentum = np.sqrt(electron * (electron + 2 * 0.51099895))
        along = scattered * cosine + momentum * interactions.recoil_cosine(2.0, electron)
        assert along == pytest.approx(2.0, abs=1e-6)


def test_bremsstrahlung_has_the_mean_of_its_spectrum():
    x = np.linspace(0.01, 1, 20_001)
    shape = (1 - x + 0.75 * x**2) / x
    expected = np.trapezoid(x * shape, x) / np.trapezoid(shape, x)
    drawn = np.array([interactions.bremsstrahlung_fraction(0.01) for _ in range(20_000)])
    assert abs(drawn.mean() - expected) < 4 * drawn.std() / np.sqrt(drawn.size)


def test_photoelectrons_follow_sauters_leading_term():
    energy = 0.3
    beta = np.sqrt(1 - 1 / (1 + energy / 0.51099895) ** 2)
    c = np.linspace(-1, 1, 20_001)
    density = (1 - c**2) / (1 - beta * c) ** 4
    expected = np.trapezoid(c * density, c) / np.trapezoid(density, c)
    drawn = np.array([interactions.photoelectron_cosine(energy) for _ in range(20_000)])
    assert abs(drawn.mean() - expected) < 4 * drawn.std() / np.sqrt(drawn.size)


@pytest.mark.parametrize("direction", [(0.0, 0.0, 1.0), (0.0, 0.0, -1.0), (0.6, 0.0, 0.8), (-0.48, 0.6, -0.64)])
def test_a_turn_has_its_angle_and_keeps_length(direction):
    for cosine in (-0.7, 0.2, 0.99):
        turned = np.array(interactions.turned(*direction, cosine))
        assert turned @ turned == pytest.approx(1.0)
        assert turned @ direction == pytest.approx(cosine)
