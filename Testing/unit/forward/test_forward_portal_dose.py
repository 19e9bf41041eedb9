"""Predicted portal dose against the commissioned dose, attenuation on paper, and what it must refuse."""

from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from intrepid_epid.commissioning import eroded_aperture
from intrepid_epid.forward_portal_dose import fluence_per_mu, forward_portal_dose
from intrepid_epid.simulation.detector_kernels import response_gy_cm2
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_rt.errors import MissingObject, UnsupportedGeometry
from intrepid_rt.grids import Grid, affine_from_axes
from simulated_portal_images import IMAGER, METERSET, PROFILE, SPECTRUM, Opening, way

SQUARE = Opening(-50.0, (-50.0,) * 10, (50.0,) * 10)
AIR = Grid(np.zeros((20, 20, 20), np.float32), affine_from_axes((-95.0, -95.0, -95.0), (10.0,) * 3), "1")


def slab(thickness_mm: float, spacing_mm: float = 5.0) -> Grid:
    """Water 400 mm wide, centred on the isocentre along y; one voxel of air around it."""
    density = np.zeros((80, round(thickness_mm / spacing_mm) + 2, 80), np.float32)
    density[:, 1:-1] = 1.0
    origin = [-(n - 1) / 2 * spacing_mm for n in density.shape[::-1]]
    return Grid(density, affine_from_axes(origin, (spacing_mm,) * 3), "1")


def predicted(opening, density, gantry_deg=0.0, **changes):
    return forward_portal_dose(replace(opening.beam(gantry_deg), **changes), IMAGER, PROFILE, way(density, gantry_deg))


def test_without_a_patient_it_is_the_commissioned_dose():
    field = next(f for f in PROFILE.fields if f.area_cm2 == 100.0)
    dose = predicted(SQUARE, AIR).total_gy
    level = dose.values[eroded_aperture(dose)].mean() / METERSET * field.meterset_mu
    # Long fields stand in the profile by their area alone, which costs 0.6 %.
    assert level == pytest.approx(field.mean_dose_gy, rel=0.008)


def test_it_is_proportional_to_the_monitor_units():
    single, double = (predicted(SQUARE, slab(100.0), meterset_mu=mu).total_gy.values for mu in (50.0, 100.0))
    np.testing.assert_allclose(double, 2 * single, rtol=1e-12)


@pytest.mark.parametrize("gantry_deg", [0.0, 180.0])
def test_the_primary_part_is_attenuated_as_on_paper(gantry_deg):
    strength = SPECTRUM.weight * response_gy_cm2("water_15mm", SPECTRUM.energy_mev.clip(0.05))
    mu = mass_attenuation_cm2_g("water", SPECTRUM.energy_mev)
    thick, thin = (predicted(SQUARE, slab(t), gantry_deg).transmission[89, 84] for t in (200.0, 100.0))
    for transmission, t_cm in ((thick, 20.0), (thin, 10.0)):
        on_paper = (strength * np.exp(-mu * t_cm)).sum() / strength.sum()
        assert transmission == pytest.approx(on_paper, rel=1e-3)


def test_scatter_is_a_small_smooth_addition():
    forward = predicted(SQUARE, slab(200.0))
    scatter = forward.total_gy.values - forward.primary_gy.values
    assert 0.02 < scatter[89, 84] / forward.primary_gy.values[89, 84] < 0.12
    assert scatter.min() >= 0
    assert abs(np.diff(scatter, axis=1)).max() < 0.02 * scatter.max()


def test_a_lump_lies_in_the_image_where_the_beam_sees_it():
    density = slab(200.0)
    lump = density.values.copy()
    at = np.argwhere(lump > 0)
    lps = density.index_to_position(at[:, ::-1])
    inside = np.linalg.norm(lps - np.array([20.0, 0.0, -15.0]), axis=1) < 15.0
    lump[tuple(at[inside].T)] = 2.0
    shadow = predicted(SQUARE, density.with_values(lump)).transmission / predicted(SQUARE, density).transmission
    weight = 1 - shadow
    # Gantry 0, head first supine: +X_g is patient left (+x), +Y_g is superior (+z).
    assert (weight * IMAGER.x_mm).sum() / weight.sum() / 1.6 == pytest.approx(20.0, abs=1.0)
    assert (weight.T * IMAGER.y_mm).sum() / weight.sum() / 1.6 == pytest.approx(-15.0, abs=1.0)


def test_fluence_per_mu_is_flat_for_a_source_without_head_scatter_and_clamped_beyond():
    values = [fluence_per_mu(PROFILE, SPECTRUM, area)[0] for area in (4.0, 25.0, 100.0)]
    assert max(values) / min(values) < 1.008
    beyond, notes = fluence_per_mu(PROFILE, SPECTRUM, 400.0)
    assert beyond == values[-1]
    assert "400.0 cm2" in notes[0]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"meterset_mu": None}, MissingObject, "no monitor units"),
        ({"accessories": ("Wedges",)}, UnsupportedGeometry, "wedges"),
    ],
)
def test_what_cannot_be_predicted_is_refused(changes, error, words):
    with pytest.raises(error, match=words):
        predicted(SQUARE, AIR, **changes)


def test_closed_fields_and_other_sources_are_refused():
    with pytest.raises(MissingObject, match="opens no field"):
        predicted(Opening(-10.0, (0.0, 0.0), (0.0, 0.0)), AIR)
    unflattened = structs.replace(PROFILE, energy="6 MV FFF")
    with pytest.raises(UnsupportedGeometry, match="flattening"):
        forward_portal_dose(SQUARE.beam(0.0), IMAGER, unflattened, way(AIR, 0.0))
    with pytest.raises(MissingObject, match="no commissioning field"):
        fluence_per_mu(structs.replace(PROFILE, fields=()), SPECTRUM, 10.0)
