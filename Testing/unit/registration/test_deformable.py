"""A known deformation is found where tissue shows it, and carries doses and structures."""

import numpy as np
import pytest

import builders
from day_study import day_lattice, hounsfield, planning_grid
from intrepid_rt.errors import UnreadableFile, UnusableInput
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.registration.deformable import coarse_lattice, register_deformable
from intrepid_rt.registration.displacement import Displacement, carried
from intrepid_rt.registration.quality import dice, residual_hu
from intrepid_rt.registration.rigid_transform import rigid_about
from intrepid_rt.registration.transform_file import read_transform, write_transform

PLANNING = planning_grid()


def bulge(position):
    """Displacement of the day: the right lung's surroundings move, by 9 mm at most."""
    x, y, z = np.moveaxis(np.asarray(position, float), -1, 0)
    strength = np.exp(-((x + 50) ** 2 + (y + 8) ** 2 + (z - 10) ** 2) / (2 * 40.0**2))
    return strength[..., None] * np.array([-2.0, 3.0, 8.2])


def undone(position):
    """Where a point of the day was planned: the fixed point of x = q - u(x)."""
    x = np.array(position)
    for _ in range(12):
        x = position - bulge(x)
    return x


@pytest.fixture(scope="module")
def registered():
    lattice: builders.Lattice = day_lattice(turned_deg=(0.5, -1.0, 1.5))
    spacing = (lattice.column_spacing_mm, lattice.row_spacing_mm, 3.9)
    values = 0.9 * hounsfield(undone(lattice.pixel_positions())) + 15.0
    values += np.random.default_rng(3).normal(0.0, 10.0, values.shape)
    day = Grid(values.astype(np.float32), affine_from_axes(lattice.position, spacing, lattice.axes))
    return day, register_deformable(PLANNING, day, region=PLANNING.values > -900)


def test_the_deformation_is_found(registered):
    _, field = registered
    surface = np.abs(PLANNING.values + 400) < 350  # edges show what moved
    at = PLANNING.positions()[surface]
    at = at[np.linalg.norm(bulge(at), axis=-1) > 4]
    left = np.linalg.norm(field.at(at) - bulge(at), axis=-1)
    assert np.linalg.norm(bulge(at), axis=-1).mean() > 5.5
    assert left.mean() < 2.0
    assert field.volume_change.min() > 0.5


def test_structures_are_carried(registered):
    day, field = registered
    lung = hounsfield(PLANNING.positions()) < -400
    lung &= np.linalg.norm(PLANNING.positions()[..., :2] - (-50, -8), axis=-1) < 45
    today = day.with_values(
        ((hounsfield(undone(day.positions())) < -400)
         & (np.linalg.norm(undone(day.positions())[..., :2] - (-50, -8), axis=-1) < 45)).astype(np.float32)
    )  # fmt: skip
    before = dice(lung, today.resampled_to(PLANNING, outside=0.0) > 0.5)
    after = dice(lung, carried(today, PLANNING, field, outside=0.0).values > 0.5)
    assert before < 0.91
    assert after > 0.94


def test_what_remains_in_hu_becomes_less(registered):
    day, field = registered
    near = np.linalg.norm(PLANNING.positions() - (-50, -8, 10), axis=-1) < 50
    before = residual_hu(PLANNING, day.resampled_to(PLANNING), near)
    after = residual_hu(PLANNING, carried(day, PLANNING, field).values, near)
    assert after < 0.8 * before


def linear_field():
    """Displacement of 2 % stretch along x and a shift, on a turned anisotropic lattice."""
    lattice = Grid(np.zeros((8, 9, 10), np.float32), affine_from_axes((-30, -25, -20), (7.0, 6.0, 5.0)))
    u = lattice.positions() * np.array([0.02, 0.0, 0.0]) + np.array([1.0, -2.0, 0.5])
    return Displacement(lattice, u.astype(np.float32))


def test_a_field_is_sampled_held_and_judged():
    field = linear_field()
    np.testing.assert_allclose(field.at((5.0, 1.0, 2.0)), (1.1, -2.0, 0.5), atol=1e-5)
    np.testing.assert_allclose(field.at((1000.0, 1.0, 2.0))[0], 0.02 * 33 + 1.0, atol=1e-5)
    np.testing.assert_allclose(field.volume_change, 1.02, atol=1e-5)


def test_carried_grids_are_pulled_back():
    field = linear_field()
    positions = PLANNING.positions()
    day = PLANNING.with_values(builders.linear_field(positions).astype(np.float32))
    lattice = coarse_lattice(field.lattice, 9.0)
    there = lattice.positions()
    expected = builders.linear_field(there + field.at(there))
    np.testing.assert_allclose(carried(day, lattice, field).values, expected, atol=1e-3)


def test_transform_files_round_trip(tmp_path):
    motion = rigid_about((4.0, 5.0, 6.0), shift_mm=(3.0, -8.0, 5.0), rotation_deg=(2.0, -1.0, 4.0))
    write_transform(tmp_path / "rigid.tfm", motion, None)
    found, field = read_transform(tmp_path / "rigid.tfm", PLANNING)
    np.testing.assert_allclose(found.matrix, motion.matrix, atol=1e-9)
    assert field is None
    wanted = linear_field()
    write_transform(tmp_path / "deformable.h5", motion, wanted)
    small = coarse_lattice(wanted.lattice, 5.0)
    found, field = read_transform(tmp_path / "deformable.h5", small)
    at = small.positions()[2:-2, 2:-2, 2:-2]
    whole = found.apply(at + field.at(at))
    np.testing.assert_allclose(whole, motion.apply(at + wanted.at(at)), atol=0.02)
    assert np.abs(field.u_mm).max() < np.abs(wanted.u_mm).max()  # the rigid part took the common shift


def test_bad_transform_files_are_refused(tmp_path, capfd):
    (tmp_path / "no.tfm").write_text("nothing")
    with pytest.raises(UnreadableFile, match="no transform file"):
        read_transform(tmp_path / "no.tfm", PLANNING)
    # The HDF5 library prints its whole stack about such files, and dies of some: neither may reach the user.
    write_transform(tmp_path / "cut.h5", rigid_about((0.0, 0.0, 0.0), shift_mm=(1.0, 2.0, 3.0)), None)
    content = (tmp_path / "cut.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableFile, match="no transform file, or damaged"):
        read_transform(tmp_path / "cut.h5", PLANNING)
    assert capfd.readouterr().err == ""
    sitk = pytest.importorskip("SimpleITK")
    scaled = sitk.AffineTransform(3)
    scaled.SetMatrix((1.1, 0, 0, 0, 1, 0, 0, 0, 1))
    sitk.WriteTransform(scaled, str(tmp_path / "scaled.tfm"))
    with pytest.raises(UnusableInput, match="scales or shears"):
        read_transform(tmp_path / "scaled.tfm", PLANNING)
