"""The Monte Carlo against conservation laws, ranges and independent coefficients."""

import numpy as np
import pytest

from intrepid_epid.simulation.detector_kernels import response_gy_cm2
from intrepid_epid.simulation.detector_monte_carlo import EPID_LAYERS, EPID_SCORED, Layer, pencil_beam
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_epid.simulation.medium import at, tabulate
from intrepid_epid.simulation.point_monte_carlo import point_kernel
from intrepid_epid.simulation.tally import Tally
from intrepid_epid.simulation.transport import ELECTRON, follow, new_stack, push


def _electrons(energy_mev, histories=300):
    """Energy deposited by electrons along +z from the origin of water, on fine radial bins."""
    media = tabulate([("water", 1.0)])
    tally = Tally(np.zeros((2, 60)), 0.001, 60 / np.log(10.0 / 0.001), 1, np.empty((0, 2)))
    for _ in range(histories):
        stack = new_stack()
        n = push(stack, 0, ELECTRON, energy_mev, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        follow(stack, n, np.array([-1e9, 1e9]), media, 1.0, tally)
    return tally.deposited_mev / histories


def test_no_energy_is_made_or_lost():
    for energy in (0.1, 2.0, 15.0):
        _, share = point_kernel(energy, histories=500, seed=3)
        assert share.sum() == pytest.approx(1.0, abs=1e-9)


def test_the_same_seed_gives_the_same_numbers():
    first, second, other = (point_kernel(1.0, histories=50, seed=seed)[1] for seed in (7, 7, 8))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_electrons_stop_within_their_csda_range():
    # ESTAR: 0.4367 g/cm2 for 1 MeV in water. They use most of it sideways, so that few get beyond three quarters.
    assert at(tabulate([("water", 1.0)]).range_cm, 0, 1.0) == pytest.approx(0.4367, rel=0.02)
    deposited = _electrons(1.0)[0]
    radius = 0.001 * np.exp((np.arange(60) - 1) / (60 / np.log(10.0 / 0.001)))  # inner
    assert deposited[radius > 0.46].sum() == 0
    assert deposited[radius > 0.35].sum() < 0.05 < deposited[radius > 0.2].sum()


def test_bremsstrahlung_carries_off_the_radiation_yield():
    # ESTAR radiation yield of water at 10 MeV: 4.16 %; photons leave by far, so scatter counts what they deposit.
    deposited = _electrons(10.0, histories=3000)
    assert deposited[1].sum() / 10.0 == pytest.approx(0.0416, abs=0.004)


def test_backscatter_and_transmission_of_a_photon_slab_conserve_energy():
    # 20 keV photons in 10 cm of titanium: nothing escapes but a little backscatter.
    result = pencil_beam((Layer("titanium", 4.54, 100.0),), (0,), 0.02, histories=2000, seed=1)
    absorbed_mev = result.dose_gy_cm2.sum() / 1.602176634e-10 * 4.54 * 10.0
    assert 0.93 * 0.02 < absorbed_mev <= 0.02 * (1 + 1e-9)


def test_the_imager_table_comes_out_again():
    result = pencil_beam(EPID_LAYERS, EPID_SCORED, 1.0, histories=40_000, seed=11)
    expected = float(response_gy_cm2("epid", 1.0))
    assert abs(result.dose_gy_cm2.sum() - expected) < 4 * result.relative_sigma[0] * expected
    assert result.relative_sigma[0] < 0.03


def test_first_electrons_in_water_deposit_mu_en_over_mu():
    # NIST mu_en/rho of water at 2 MeV: 0.02608 cm2/g.
    _, share = point_kernel(2.0, histories=20_000, seed=5)
    assert share[0].sum() == pytest.approx(0.02608 / float(mass_attenuation_cm2_g("water", 2.0)), rel=0.015)
