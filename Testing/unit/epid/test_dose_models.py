"""First-order dose against its definition; superposition against symmetries that any dose must have."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from chain_phantoms import beam_on, one_energy, panel, soft_field, water_box
from intrepid_epid.back_projection import first_order_dose
from intrepid_epid.dose_reconstruction import dose_model
from intrepid_epid.machine_profile import FieldRecord, MachineProfile, SpreadTerm, Validity
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_epid.superposition import superposition_dose
from intrepid_epid.transit_portal_dose import transit_portal_dose
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.grids import Grid, affine_from_axes

PROFILE = MachineProfile(
    machine="M",
    energy="6 MV",
    created="2026-01-01T00:00:00+00:00",
    software_version="0",
    source_to_axis_mm=1000.0,
    source_to_image_mm=1600.0,
    dose_depth_mm=15.0,
    spread=(SpreadTerm(0.0, 0.35), SpreadTerm(8.0, 0.05)),
    radial_factors=(),
    fields=(FieldRecord("f", 100.0, 100.0, 1.0, 0.4, 0.0, ""),),
    valid_for=Validity((1600.0, 1600.0), (100.0, 100.0), (100.0, 100.0), 70.0),
)


@pytest.mark.parametrize(
    ("gantry_deg", "couch_deg", "position"), [(0.0, 0.0, "HFS"), (35.0, 20.0, "HFS"), (200.0, 335.0, "FFP")]
)
def test_first_order_dose_is_its_definition(gantry_deg, couch_deg, position):
    """FOD = PDI (r' / r)^2 exp(mu L) in water for one energy; L from the point to the imager side of a tilted box."""
    tilt = Rotation.from_euler("zyx", [12, 7, -20], degrees=True).as_matrix()
    centre, isocentre = np.array([20.0, -15.0, 130.0]), np.array([25.0, -10.0, 120.0])
    box = water_box((40, 44, 48), (5.0, 5.0, 5.0), centre, axes=tilt)
    beam = beam_on(
        box,
        gantry_deg,
        isocentre=isocentre,
        spectrum=one_energy(2.0),
        couch_angle_deg=couch_deg,
        patient_position=position,
    )
    image = panel(np.zeros((321, 321)), (1.0, 1.0))
    pdi = image.with_values(0.3 + 0.0005 * image.x_mm[None, :] - 0.0004 * image.y_mm[:, None], unit="Gy")
    lattice = Grid(np.zeros((5, 5, 5)), affine_from_axes(isocentre - 20, (9.0, 8.0, 7.0)))
    made = first_order_dose(pdi, beam, lattice).values
    points = lattice.positions().reshape(-1, 3)
    source = beam.frame.source_lps_mm
    xy = beam.frame.projected(points, 1600.0)
    pixel = beam.frame.to_lps(np.column_stack([xy, np.full(len(xy), -600.0)]))
    mu = float(mass_attenuation_cm2_g("water", 2.0))
    # Half sizes of the box in its own axes; way from each point out of the box towards the imager.
    half = np.array([48, 44, 40]) * 5.0 / 2
    away = (pixel - points) / np.linalg.norm(pixel - points, axis=1, keepdims=True)
    inner, step = (points - centre) @ tilt.T, away @ tilt.T
    out_cm = np.min((np.sign(step) * half - inner) / step, axis=1) / 10
    r, r_imager = np.linalg.norm(points - source, axis=1), np.linalg.norm(pixel - source, axis=1)
    expected = (0.3 + 0.0005 * xy[:, 0] - 0.0004 * xy[:, 1]) * (r_imager / r) ** 2 * np.exp(mu * out_cm)
    np.testing.assert_allclose(made.ravel(), expected, rtol=2e-3)


def test_first_order_dose_beyond_the_image_is_zero():
    beam = beam_on(water_box(), spectrum=one_energy(2.0))
    small = panel(np.ones((11, 11)), (2.0, 2.0))
    dose = first_order_dose(small, beam, beam.anatomy.density).values
    assert (dose[:, :, 0] == 0).all()
    assert dose.max() > 0
    assert np.isfinite(dose).all()


def reconstructed(density, signal, gantry_deg=0.0, **frame):
    beam = beam_on(density, gantry_deg, **frame)
    return superposition_dose(transit_portal_dose(signal, PROFILE, beam), beam)


def assert_agree(one, two, spacing_mm):
    """Within 1 % of the maximum or a tenth of a voxel: the lines of the collapsed cones are rounded to voxels."""
    steepest = np.sqrt(sum(np.gradient(one, spacing_mm, axis=axis) ** 2 for axis in range(3)))
    assert (np.abs(one - two) <= 0.01 * one.max() + 0.1 * spacing_mm * steepest).all()
    assert np.abs(one - two).mean() < 0.002 * one.max()


BOX = water_box((24, 24, 24), (7.5, 7.5, 7.5))
FIELD = soft_field(40, 30)


@pytest.fixture(scope="module")
def central_dose():
    return reconstructed(BOX, FIELD)


def test_dose_in_water_is_symmetric(central_dose):
    """Field and phantom are mirror symmetric about both axes of the beam."""
    assert_agree(central_dose, central_dose[:, :, ::-1], 7.5)
    assert_agree(central_dose, central_dose[::-1], 7.5)
    axis = central_dose[11:13, :, 11:13].mean(axis=(0, 2))
    assert (np.diff(axis[2:-1]) < 0).all()  # falls with depth behind the build-up
    assert axis[0] < axis[1]
    assert np.isfinite(central_dose).all()


def test_wide_side_of_the_field_is_wide_in_the_patient(central_dose):
    """40 mm half width along x, 30 mm along z at the isocentre plane: half of the central dose lies there."""
    plane = central_dose[:, 12, :] / central_dose[11:13, 12, 11:13].mean()
    at_mm = 7.5 * (np.arange(24) - 11.5)
    for line, half_mm in ((plane[11:13].mean(axis=0), 40), (plane[:, 11:13].mean(axis=1), 30)):
        edge = np.interp(-0.5, -line[12:], at_mm[12:])
        assert edge == pytest.approx(half_mm * 1.00375, abs=2.5)


def test_twice_the_signal_is_twice_the_dose(central_dose):
    twice = reconstructed(BOX, FIELD.with_values(2 * FIELD.values))
    np.testing.assert_allclose(twice, 2 * central_dose, rtol=1e-3, atol=1e-5)


def test_patient_and_isocentre_move_together(central_dose):
    shift = np.array([37.0, -81.5, 412.0])
    moved = reconstructed(water_box((24, 24, 24), (7.5, 7.5, 7.5), shift), FIELD, isocentre=shift)
    np.testing.assert_allclose(moved, central_dose, rtol=1e-3, atol=1e-4 * central_dose.max())


def test_turning_gantry_and_couch_with_the_phantom(central_dose):
    """A cube looks the same to a beam from the left: the dose turns with the gantry, X_g of the field to posterior."""
    from_left = reconstructed(BOX, FIELD, gantry_deg=90.0)
    # The beam comes from +x and +X_g is +y: dose(x, y, z) of gantry 90 is dose(y, -x, z) of gantry 0.
    turned = np.swapaxes(central_dose, 1, 2)[:, :, ::-1]
    assert_agree(turned, from_left, 7.5)


@pytest.mark.parametrize("way", ["reversed", "exchanged"])
def test_description_of_the_grid_changes_nothing(way):
    """The same voxels listed in another order: the same dose at the same points, for an oblique off-centre beam."""
    values = np.ones((18, 20, 22), np.float32)
    values[4:10, 5:12, 3:9] = 0.3
    grid = water_box((18, 20, 22), (8.0, 9.0, 7.0)).with_values(values)
    affine = np.array(grid.index_to_lps)
    if way == "reversed":
        other = affine @ np.array([[-1, 0, 0, 21], [0, 1, 0, 0], [0, 0, -1, 17], [0, 0, 0, 1.0]])
        listed, back = values[::-1, :, ::-1], lambda dose: dose[::-1, :, ::-1]
    else:
        other = affine[:, [2, 0, 1, 3]]
        # Columns of the affine: the new i runs along the old k, j along i, k along j.
        listed, back = np.transpose(values, (1, 2, 0)), lambda dose: np.transpose(dose, (2, 0, 1))
    field = soft_field(35, 25, centre=(10.0, -8.0))
    one = reconstructed(grid, field, gantry_deg=30.0, couch_angle_deg=10.0)
    two = reconstructed(Grid(np.ascontiguousarray(listed), other), field, gantry_deg=30.0, couch_angle_deg=10.0)
    assert_agree(one, back(two), 8.0)


def test_transit_portal_dose_of_an_open_beam_is_the_profile():
    """Nothing in the beam: nothing to correct."""
    beam = beam_on(water_box((4, 4, 4), density=0.0))
    portal = transit_portal_dose(FIELD, PROFILE, beam)
    from intrepid_epid.portal_dose import open_portal_dose

    expected = open_portal_dose(FIELD, PROFILE).values
    np.testing.assert_allclose(portal.total_gy.values, expected, atol=1e-4 * expected.max())
    np.testing.assert_allclose(portal.primary_gy.values, expected, atol=1e-4 * expected.max())
    assert portal.total_gy.unit == "Gy"


def test_unknown_models_are_refused():
    with pytest.raises(InvalidSetting, match="physics, first-order"):
        dose_model("magic")
