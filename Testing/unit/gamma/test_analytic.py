"""Gamma that can be written down: constant and linear doses, box edges; on anisotropic, off-centre, rotated grids.

Two linear doses of slope g (Gy/mm) that differ by delta: gamma = |delta| / sqrt(DD^2 + g^2 DTA^2), where the
nearest point lies inside the grid (Low et al., Med. Phys. 25 (1998) 656: the distance of a point from a plane in
dose-distance space).
"""

import numpy as np
import pytest

from intrepid_gamma import gamma_index
from unit.gamma.gamma_grids import OBLIQUE, TILTED, centred, field

SHAPE = (17, 23, 19)
SPACING = (1.7, 2.4, 3.1)
INNER = (slice(5, -5),) * 3


@pytest.mark.parametrize(("offset_gy", "expected"), [(0.0, 0.0), (0.6, 1 / 3), (-1.8, 1.0), (5.4, 3.0)])
def test_constant_doses_that_differ_by_an_offset(offset_gy, expected):
    reference = field(SHAPE, centred(SHAPE, SPACING), lambda p: np.full(p.shape[:-1], 60.0))
    evaluated = field(
        (15, 20, 25), centred((15, 20, 25), (2.6, 3.0, 4.0), rotation=TILTED), lambda p: 60 + 0 * p[..., 0]
    )
    result = gamma_index(
        reference, evaluated.with_values(evaluated.values + offset_gy), dose_percent=3, distance_mm=2, norm_gy=60
    )
    seen = result.gamma[np.isfinite(result.gamma)]
    assert seen.size > 1000
    np.testing.assert_allclose(seen, expected, atol=1e-6)


def test_an_offset_of_just_the_criterion_passes():
    reference = field(SHAPE, centred(SHAPE, SPACING), lambda p: np.full(p.shape[:-1], 2.0))
    result = gamma_index(reference, reference.with_values(reference.values * 1.03), dose_percent=3, distance_mm=3)
    assert result.pass_rate_percent == 100.0


@pytest.mark.parametrize("slope", [(0.8, 0, 0), (0, -0.5, 0), (0, 0, 0.3), (0.3, -0.4, 0.6)])
@pytest.mark.parametrize("rotations", [(None, None), (OBLIQUE, OBLIQUE), (OBLIQUE, TILTED)])
@pytest.mark.parametrize(("dose_percent", "distance_mm"), [(3, 3), (1, 1), (2, 0.5)])
def test_linear_doses_that_differ_by_an_offset(slope, rotations, dose_percent, distance_mm):
    slope, delta_gy = np.array(slope), 0.9
    reference = field(SHAPE, centred(SHAPE, SPACING, rotation=rotations[0]), lambda p: 40 + p @ slope)
    wide = (31, 37, 33)
    evaluated = field(wide, centred(wide, (1.9, 2.1, 2.8), rotation=rotations[1]), lambda p: 40 + delta_gy + p @ slope)
    result = gamma_index(
        reference, evaluated, dose_percent=dose_percent, distance_mm=distance_mm, norm_gy=60, cutoff_percent=0
    )
    expected = delta_gy / np.hypot(dose_percent / 100 * 60, np.linalg.norm(slope) * distance_mm)
    np.testing.assert_allclose(result.gamma[INNER], expected, atol=1e-4)
    assert np.abs(result.gamma[INNER] - expected).max() < 1e-6


def test_a_shifted_gradient_is_an_offset():
    slope, shift_mm = np.array([0.5, 0.2, -0.7]), np.array([0.4, -1.1, 0.6])
    reference = field(SHAPE, centred(SHAPE, SPACING), lambda p: 40 + p @ slope)
    evaluated = field(SHAPE, centred(SHAPE, SPACING), lambda p: 40 + (p - shift_mm) @ slope)
    result = gamma_index(reference, evaluated, dose_percent=2, distance_mm=2, norm_gy=50, cutoff_percent=0)
    expected = abs(shift_mm @ slope) / np.hypot(1.0, np.linalg.norm(slope) * 2)
    np.testing.assert_allclose(result.gamma[INNER], expected, atol=1e-6)


def test_local_normalisation_takes_the_dose_of_each_point():
    reference = field(SHAPE, centred(SHAPE, SPACING), lambda p: 40 + 0 * p[..., 0])
    reference = reference.with_values(reference.values * np.linspace(0.5, 1, SHAPE[0])[:, None, None])
    one_plane = reference.with_values(np.broadcast_to(reference.values[8], SHAPE))
    result = gamma_index(
        one_plane, one_plane.with_values(one_plane.values * 1.02), dose_percent=3, distance_mm=2, local=True
    )
    np.testing.assert_allclose(result.gamma, 2 / 3, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("rotation", [None, OBLIQUE])
def test_the_faces_of_a_shifted_box(axis, rotation):
    """A box of 50 Gy, in the evaluated dose two voxels shorter: its last plane has the ramp of one voxel to cross.

    With s = 50 / (DD spacing) per mm, a point d outside the box of full dose has gamma = d s / sqrt(1 + (s DTA)^2).
    """
    shape, spacing_mm, distance_mm, criterion_gy = (21, 19, 17), (2.0, 1.5, 2.5), 3.0, 1.5
    box = np.zeros(shape)
    box[4:-4, 4:-4, 4:-4] = 50.0
    shorter = box.copy()
    np.moveaxis(shorter, axis, 0)[-6:] = 0.0
    affine = centred(shape, spacing_mm, rotation=rotation)
    reference = field(shape, affine, lambda p: box)
    result = gamma_index(reference, reference.with_values(shorter), dose_percent=3, distance_mm=distance_mm)
    step_mm = spacing_mm[2 - axis]
    for beyond in (1, 2):
        face = np.moveaxis(result.gamma, axis, 0)[-7 + beyond, 8:-8, 8:-8]
        s = 50.0 / criterion_gy / step_mm
        np.testing.assert_allclose(face, beyond * step_mm * s / np.hypot(1, s * distance_mm), atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 60), (60, 1, 1), (1, 40, 1), (1, 40, 50), (40, 1, 50), (40, 50, 1)])
def test_lines_and_planes_are_compared_within_themselves(shape):
    slope = np.where(np.array(shape[::-1]) > 1, (0.7, -0.4, 0.5), 0.0)
    affine = centred(shape, (1.2, 0.9, 1.6), rotation=OBLIQUE)
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    reference = field(shape, affine, lambda p: 50 + p @ axes @ slope)
    result = gamma_index(
        reference, reference.with_values(reference.values + 0.8), dose_percent=2, distance_mm=1.5, norm_gy=60
    )
    inner = tuple(slice(8, -8) if n > 1 else slice(None) for n in shape)
    expected = 0.8 / np.hypot(1.2, np.linalg.norm(slope) * 1.5)
    np.testing.assert_allclose(result.gamma[inner], expected, atol=1e-6)


@pytest.mark.parametrize("axes", [(-1, -2, 3), (3, 1, 2), (-2, -3, 1), (1, -3, -2)])
def test_the_order_and_sense_of_the_axes_do_not_matter(axes):
    """The same doses stored head first, feet first, sagittal...: the same gamma at the same points."""
    rng = np.random.default_rng(5)
    shape = (9, 10, 11)
    reference = field(shape, centred(shape, SPACING), lambda p: 40 + rng.normal(size=shape))
    evaluated = reference.with_values(reference.values + rng.normal(size=shape))
    expected = gamma_index(reference, evaluated, dose_percent=3, distance_mm=3).gamma
    turned = [_restored(grid, axes) for grid in (reference, evaluated)]
    for pair in ((turned[0], evaluated), (reference, turned[1]), turned):
        found = gamma_index(*pair, dose_percent=3, distance_mm=3).gamma
        back = found if pair[0] is reference else _values_back(found, axes)
        np.testing.assert_allclose(back, expected, atol=1e-6)


def _restored(grid, axes):
    """The grid stored along other axes: ``axes`` names for each new axis the old one (1 to 3), negative reversed."""
    from intrepid_rt.grids import Grid

    order = [abs(a) - 1 for a in axes]
    values = np.transpose(grid.values, order)
    affine = grid.index_to_lps.copy()
    columns = affine[:3, :3][:, ::-1][:, order]
    for new, a in enumerate(axes):
        if a < 0:
            values = np.flip(values, new)
            affine[:3, 3] += columns[:, new] * (values.shape[new] - 1)
            columns[:, new] *= -1
    affine[:3, :3] = columns[:, ::-1]
    return Grid(values, affine)


def _values_back(values, axes):
    for new, a in enumerate(axes):
        if a < 0:
            values = np.flip(values, new)
    return np.transpose(values, np.argsort([abs(a) - 1 for a in axes]))
