"""Planes of a network and the ways between grids."""

import numpy as np
import pytest

from intrepid_epid.networks.domain import properties, reasons_outside, training_ranges
from intrepid_epid.networks.folds import fold_of_groups
from intrepid_epid.networks.inputs import block_factor, coarsened, network_input
from intrepid_epid.networks.model_grid import grid_image, on_grid, on_lattice_of
from intrepid_rt.errors import InvalidSetting, MissingObject
from intrepid_rt.portal_image import PortalImage


def panel_image(values, pixel_mm=(2.4, 1.6), corner=(-70.0, 90.0)):
    return PortalImage(values, corner, pixel_mm, 1600.0, 1000.0, unit="Gy")


def test_a_linear_image_survives_the_way_to_the_grid_and_back():
    image = panel_image(np.zeros((80, 90)))
    plane = 3.0 + 0.02 * image.x_mm[None, :] - 0.05 * image.y_mm[:, None]
    on = on_grid(panel_image(plane), 32, 2.0)  # inside the image: +-31 mm at the isocentre plane
    at = 2.0 * (np.arange(32) - 15.5) * 1.6
    np.testing.assert_allclose(on, 3.0 + 0.02 * at[None, :] + 0.05 * at[:, None], rtol=1e-5)
    small = panel_image(np.zeros((20, 30)), corner=(-20.0, 22.0))
    back = on_lattice_of(on[None].astype(np.float32), 2.0, small)[0]
    np.testing.assert_allclose(back, 3.0 + 0.02 * small.x_mm[None, :] - 0.05 * small.y_mm[:, None], rtol=1e-5)


def test_beyond_the_image_there_is_nothing_and_beyond_the_grid_its_edge():
    assert on_grid(panel_image(np.ones((10, 10))), 64, 4.0).sum() < 64 * 64 / 4
    wide = grid_image(np.zeros((64, 64)), 4.0)
    assert on_lattice_of(np.full((1, 16, 16), 2.5, np.float32), 4.0, wide).min() == 2.5


def test_blocks_keep_the_axis_at_the_centre():
    at = np.arange(16) - 7.5
    ramp = np.broadcast_to(at, (16, 16))
    np.testing.assert_allclose(coarsened(ramp, 4)[0], [-6, -2, 2, 6])


@pytest.mark.parametrize(("size", "largest", "factor"), [(256, 256, 1), (256, 128, 2), (320, 128, 4), (16, 16, 1)])
def test_block_factor(size, largest, factor):
    assert block_factor(size, largest) == factor


def test_a_grid_that_cannot_be_halved_four_times_is_refused():
    with pytest.raises(InvalidSetting, match="multiple of 16"):
        block_factor(250, 128)


def test_planes_do_not_depend_on_output_or_meterset():
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 1, (16, 16))
    one = network_input(image, 2 * image, ("transmission",), open_gy=5.0)
    other = network_input(7 * image, 14 * image, ("transmission",), open_gy=35.0)
    np.testing.assert_allclose(other.planes, one.planes, rtol=1e-6)
    assert other.level_gy == pytest.approx(7 * one.level_gy)


def test_what_is_not_known_is_zero():
    image = np.ones((16, 16))
    seen = network_input(image, image, ("transmission", "thickness", "field"), thickness_g_cm2=30 * image)
    assert [plane.max() for plane in seen.planes] == [1, 0, 1, 0]


def test_no_group_is_on_two_sides_and_folds_are_of_one_size():
    rng = np.random.default_rng(1)
    groups = [f"group{n}" for n in rng.integers(0, 40, 189)]
    deals = [fold_of_groups(groups, 5, seed=0, repeat=repeat) for repeat in range(10)]
    for deal in deals:
        sizes = np.bincount([deal[group] for group in groups], minlength=5)
        assert np.ptp(sizes) <= 2
        assert set(deal) == set(groups)
    assert len({tuple(sorted(deal.items())) for deal in deals}) == 10


def test_too_few_groups_for_the_folds():
    with pytest.raises(MissingObject, match="3 groups"):
        fold_of_groups(["a", "b", "c"], 5, seed=0, repeat=0)


def square(half_px, level=1.0, noise=0.0, size=64):
    image = np.zeros((size, size))
    middle = size // 2
    image[middle - half_px : middle + half_px, middle - half_px : middle + half_px] = level
    return image + noise * np.random.default_rng(2).standard_normal(image.shape) * (image > 0)


def described(image, **more):
    known = {"source_to_image_mm": 1600.0, "open_gy": 1.0, **more}
    return properties(image, 4.0, **known)


def test_what_leaves_the_training_range_is_named():
    ranges = training_ranges([described(square(n, level)) for n, level in ((4, 0.9), (12, 0.3), (16, 0.5))])
    assert reasons_outside(described(square(10, 0.4)), ranges) == []
    cases = {
        "source-to-image distance 1500 mm": described(square(10, 0.4), source_to_image_mm=1500.0),
        "field area 2.6 cm2": described(square(2, 0.4)),
        "transmission 10 %": described(square(10, 0.1)),
        "noise": described(square(10, 0.4, noise=0.1)),
        "off the axis": described(np.roll(square(6, 0.4), 20, axis=1)),
        "signal outside the field": described(square(10, 0.4) + 0.05),
    }
    for text, found in cases.items():
        reasons = reasons_outside(found, ranges)
        assert any(text in reason for reason in reasons), (text, reasons)


def test_thickness_is_compared_where_the_field_is():
    thickness = np.where(square(20) > 0, 25.0, 0.0)
    ranges = training_ranges([described(square(10), thickness_g_cm2=thickness)])
    assert reasons_outside(described(square(10), thickness_g_cm2=1.6 * thickness), ranges) == [
        "mean thickness 40.0 g/cm2 (trained on 0 to 28)"
    ]
