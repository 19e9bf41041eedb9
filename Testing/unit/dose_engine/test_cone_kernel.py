"""Cone kernels against the energy balance of water and the Monte Carlo table they are fitted to."""

import numpy as np
import pytest

from intrepid_epid.dose_engine.cone_kernel import POLAR_EDGES_DEG, collapsed_cone_kernel, primary_share
from intrepid_epid.dose_engine.dose_to_water import water_in_tissue_factors
from intrepid_epid.simulation.materials import TISSUES, mass_attenuation_cm2_g
from intrepid_rt.errors import InvalidSetting

# NIST mass energy-absorption coefficients of water, cm2/g (Hubbell and Seltzer, NISTIR 5632).
MU_EN_CM2_G = {0.2: 0.02967, 0.5: 0.03299, 1.0: 0.03103, 2.0: 0.02608, 6.0: 0.01806, 10.0: 0.01566}


@pytest.mark.parametrize("energy_mev", MU_EN_CM2_G)
def test_primary_energy_is_what_water_absorbs(energy_mev):
    expected = MU_EN_CM2_G[energy_mev] / float(mass_attenuation_cm2_g("water", energy_mev))
    assert float(primary_share(energy_mev)) == pytest.approx(expected, rel=0.008)
    assert collapsed_cone_kernel([energy_mev], [1.0]).primary_fraction == pytest.approx(expected, rel=0.008)


@pytest.mark.parametrize("energy_mev", [0.1, 1.0, 2.0, 6.0, 20.0])
def test_every_energy_has_a_normalised_and_faithful_fit(energy_mev):
    kernel = collapsed_cone_kernel([energy_mev], [1.0])
    assert kernel.primary_weights.sum() == pytest.approx(1.0)
    assert kernel.scatter_weights.sum() == pytest.approx(1.0)
    assert kernel.primary_fraction + kernel.scatter_fraction == 1.0
    assert kernel.largest_error < 0.015
    assert len(kernel.directions) == len(kernel.polar_deg) == len(POLAR_EDGES_DEG) - 1
    assert (np.diff(kernel.polar_deg) > 0).all()


def test_a_spectrum_is_fitted_better_than_single_energies():
    energy = np.arange(0.25, 6, 0.25)
    assert collapsed_cone_kernel(energy, np.exp(-energy)).largest_error < 0.001


def test_harder_photons_throw_their_electrons_farther_forward():
    soft, hard = (collapsed_cone_kernel([energy], [1.0]) for energy in (1.0, 6.0))
    forward = [kernel.primary_weights[:4].sum() for kernel in (soft, hard)]
    reach = [(k.primary_weights / k.primary_rates_cm2_g).sum() for k in (soft, hard)]
    assert forward[0] < forward[1]
    # Mean distance of energy deposition grows about with the electron energy: 0.44 and 3.9 MeV.
    assert reach[1] / reach[0] == pytest.approx(10, rel=0.2)


def test_the_scale_of_weights_does_not_matter():
    one, other = (collapsed_cone_kernel([1.0, 3.0], [w, 2 * w]) for w in (1.0, 1e9))
    assert one.primary_weights == pytest.approx(other.primary_weights, rel=1e-6)


def test_spectra_outside_the_table_are_refused():
    with pytest.raises(InvalidSetting, match="leave the kernel tables"):
        collapsed_cone_kernel([0.01, 1.0], [1.0, 1.0])
    with pytest.raises(InvalidSetting, match="needs weights"):
        collapsed_cone_kernel([1.0, 2.0], [-1.0, 1.0])


def test_water_in_bone_receives_more_than_bone():
    factors = dict(zip(TISSUES, water_in_tissue_factors([1.0, 2.0, 3.0], [1.0, 1.0, 0.5]), strict=True))
    assert factors["water"] == 1.0
    assert factors["lung"] == pytest.approx(1.0, abs=0.01)
    # An EGSnrc comparison of dose to water in bone with dose in dense water found 1 / 0.93 for a 6 MV beam.
    assert factors["bone"] == pytest.approx(1.07, abs=0.02)
