"""Attenuation and stopping powers against printed NIST values, and the tissue assignment."""

import numpy as np
import pytest

from intrepid_epid.simulation.make_material_tables import ELEMENTS
from intrepid_epid.simulation.materials import (
    MATERIALS,
    PROCESSES,
    TISSUES,
    linear_attenuation_per_cm,
    mass_attenuation_cm2_g,
    material_of_density,
    stopping_power_mev_cm2_g,
)
from intrepid_rt.errors import InvalidSetting


# Water and tissues: XCOM data as EGSnrc prepared them for another program (1/cm, without coherent scatter).
# Elements: xraylib 4.3.0, whose photoelectric and Compton data have their own lineage (Kissel; Cromer).
@pytest.mark.parametrize(
    ("material", "energy_mev", "expected_cm2_g"),
    [
        ("water", 0.96875, 0.0717074), ("water", 2.96875, 0.0398282), ("water", 5.96875, 0.0277038),
        ("lung", 0.96875, 0.0745561 / 1.05),
        ("bone", 2.96875, 0.0702584 / 1.85), ("titanium", 5.96875, 0.129991 / 4.54),
        ("Cu", 0.1, 0.414020), ("Cu", 0.5, 0.0815592), ("Gd", 0.2, 0.512288), ("Pb", 0.5, 0.149922),
    ],
)  # fmt: skip
def test_total_attenuation_agrees_with_independent_tables(material, energy_mev, expected_cm2_g):
    assert mass_attenuation_cm2_g(material, energy_mev) == pytest.approx(expected_cm2_g, rel=3e-3)


# Printed ESTAR tables of liquid water.
@pytest.mark.parametrize(("energy_mev", "collision", "radiative"), [(1.0, 1.849, 0.01280), (10.0, 1.968, 0.1832)])
def test_stopping_powers_of_water_are_those_of_estar(energy_mev, collision, radiative):
    assert stopping_power_mev_cm2_g("water", energy_mev) == pytest.approx(collision, rel=1e-3)
    assert stopping_power_mev_cm2_g("water", energy_mev, kind="radiative") == pytest.approx(radiative, rel=0.012)


def test_collision_stopping_power_of_copper_follows_bethe():
    # At 50 keV the density effect is negligible; mean excitation energy 322 eV (ICRU Report 37).
    tau = 0.05 / 0.51099895
    beta2 = tau * (tau + 2) / (tau + 1) ** 2
    shape = 1 - beta2 + (tau**2 / 8 - (2 * tau + 1) * np.log(2)) / (tau + 1) ** 2
    number = np.log(tau**2 * (tau + 2) / (2 * (322e-6 / 0.51099895) ** 2)) + shape
    bethe = 0.153536 * MATERIALS["copper"].electrons_mol_g / beta2 * number
    assert stopping_power_mev_cm2_g("copper", 0.05) == pytest.approx(bethe, rel=5e-3)


def test_between_the_nodes_compton_follows_klein_nishina():
    # Binding is negligible here; XCOM adds radiative and double Compton corrections, which reach 0.3 % at 7.5 MeV.
    energy = np.array([2.5, 7.5])
    k = energy / 0.51099895
    bracket = (1 + k) / k**2 * (2 * (1 + k) / (1 + 2 * k) - np.log1p(2 * k) / k)
    per_electron = 2 * np.pi * 0.0794078 * (bracket + np.log1p(2 * k) / (2 * k) - (1 + 3 * k) / (1 + 2 * k) ** 2)
    expected = per_electron * 0.602214 * MATERIALS["water"].electrons_mol_g
    assert mass_attenuation_cm2_g("water", energy, process="compton") == pytest.approx(expected, rel=3.5e-3)


def test_the_k_edge_of_gadolinium_is_a_jump():
    below, above = mass_attenuation_cm2_g("Gd", [0.05023, 0.05025])
    assert above / below == pytest.approx(5.3, rel=0.05)


def test_pair_production_starts_at_twice_the_electron_mass():
    assert mass_attenuation_cm2_g("Cu", [0.9, 1.02], process="pair").tolist() == [0.0, 0.0]
    assert 0 < mass_attenuation_cm2_g("Cu", 1.1, process="pair") < mass_attenuation_cm2_g("Cu", 1.25, process="pair")


@pytest.mark.parametrize("name", list(MATERIALS))
def test_compositions_add_up(name):
    material = MATERIALS[name]
    assert sum(material.mass_fractions.values()) == pytest.approx(1.0, abs=1e-5)
    per_gram = sum(w * ELEMENTS[symbol][0] / ELEMENTS[symbol][1] for symbol, w in material.mass_fractions.items())
    assert material.electrons_mol_g == pytest.approx(per_gram, rel=2e-5)


def test_processes_sum_to_the_total():
    energy = np.geomspace(0.01, 24, 40)
    parts = sum(mass_attenuation_cm2_g("bone", energy, process=name) for name in PROCESSES)
    assert parts == pytest.approx(mass_attenuation_cm2_g("bone", energy), rel=1e-12)


def test_density_chooses_the_tissue_and_scales_its_attenuation():
    density = np.array([[0.001, 0.02], [0.79, 0.80], [1.12, 3.20]])
    expected = [["air", "lung"], ["lung", "water"], ["bone", "titanium"]]
    assert [[TISSUES[i] for i in row] for row in material_of_density(density)] == expected
    assert linear_attenuation_per_cm(1.7, 2.0) == pytest.approx(1.7 * mass_attenuation_cm2_g("bone", 2.0))


@pytest.mark.parametrize("energy_mev", [0.009, 24.1, float("nan")])
def test_energies_outside_the_table_are_refused(energy_mev):
    with pytest.raises(InvalidSetting, match="leave the attenuation table"):
        mass_attenuation_cm2_g("water", energy_mev)


def test_unknown_names_are_refused():
    with pytest.raises(InvalidSetting, match="Unknown material 'kryptonite'; known are air"):
        mass_attenuation_cm2_g("kryptonite", 1.0)
    with pytest.raises(InvalidSetting, match="Unknown photon process"):
        mass_attenuation_cm2_g("water", 1.0, process="magic")
    with pytest.raises(InvalidSetting, match="No stopping powers for 'tin'"):
        stopping_power_mev_cm2_g("tin", 1.0)
