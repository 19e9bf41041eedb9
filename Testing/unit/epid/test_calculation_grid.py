"""The grid of the dose engine: it covers the patient, keeps the mass and gives back the wanted lattice."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from chain_phantoms import water_box
from intrepid_epid.calculation_grid import calculation_grid
from intrepid_rt.errors import UnsupportedGeometry
from intrepid_rt.grids import Grid, affine_from_axes

TURNED = Rotation.from_euler("zyx", [20, 5, -15], degrees=True).as_matrix()


def phantom():
    """A box of water in air with lung inside, off centre: 2 x 2 x 3 mm."""
    values = np.full((40, 60, 70), 0.0012, np.float32)
    values[5:35, 10:50, 15:60] = 1.0
    values[12:20, 20:30, 25:40] = 0.3
    return Grid(values, affine_from_axes((-81.3, 12.4, 55.0), (2.0, 2.0, 3.0)))


@pytest.mark.parametrize("axes", [np.eye(3), TURNED], ids=["axial", "turned"])
def test_whole_patient_is_covered_and_mass_kept(axes):
    density = phantom()
    centre = density.index_to_position([35, 30, 20])
    wanted = Grid(np.zeros((4, 5, 6)), affine_from_axes(centre, (5.0, 4.0, 3.5), axes))
    made = calculation_grid(wanted, density)
    solid = density.positions()[density.values > 0.05]
    index = made.density_g_cc.position_to_index(solid)
    assert (index > -0.5).all()
    assert (index < np.array(made.density_g_cc.shape[::-1]) - 0.5).all()
    mass = (density.values[density.values > 0.05]).sum() * density.voxel_volume_cc
    kept = made.density_g_cc.values.sum() * made.density_g_cc.voxel_volume_cc
    assert kept == pytest.approx(mass, rel=0.005)


def test_wanted_part_is_given_back():
    density = phantom()
    wanted = Grid(
        np.zeros((4, 5, 6)), affine_from_axes(density.index_to_position([35, 30, 20]), (5.0, 4.0, 3.5), TURNED)
    )
    made = calculation_grid(wanted, density)
    positions = made.density_g_cc.positions()
    for axis in range(3):
        np.testing.assert_allclose(made.cropped(positions[..., axis]), wanted.positions()[..., axis], atol=1e-9)


def test_a_lattice_larger_than_the_patient_stays():
    wanted = water_box((30, 40, 50), (5.0, 5.0, 5.0), (0.0, 70.0, 110.0))
    made = calculation_grid(wanted, phantom())
    assert made.density_g_cc.shape == wanted.shape
    np.testing.assert_allclose(made.density_g_cc.index_to_lps, wanted.index_to_lps)


def test_same_lattice_is_taken_as_it_is():
    density = phantom()
    made = calculation_grid(density, density)
    np.testing.assert_array_equal(made.cropped(made.density_g_cc.values), density.values)


def test_edges_blend_by_volume():
    values = np.zeros((8, 8, 8), np.float32)
    values[:, :, 4:] = 1.0
    density = Grid(values, affine_from_axes((0.5, 0.5, 0.5), (1.0, 1.0, 1.0)))  # solid from x = 4 to 8
    wanted = Grid(np.zeros((2, 2, 2)), affine_from_axes((1.5, 2.0, 2.0), (3.0, 4.0, 4.0)))
    made = calculation_grid(wanted, density)
    row = made.cropped(made.density_g_cc.values)[0, 0]
    np.testing.assert_allclose(row, [0.0, 2 / 3], atol=1e-6)  # the second voxel reaches from 3 to 6


def test_too_fine_a_grid_is_refused_before_memory_runs_out():
    wanted = Grid(np.zeros((2, 2, 2)), affine_from_axes((0, 50, 100), (0.2, 0.2, 0.2)))
    with pytest.raises(UnsupportedGeometry, match="--grid-mm"):
        calculation_grid(wanted, phantom())
