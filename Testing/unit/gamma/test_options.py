"""Which points count, what they are normalised to, and what is reported of the others."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from intrepid_gamma import GammaSettings, chi_index, gamma_index, gamma_indices, signed_gamma
from intrepid_rt.errors import FrameOfReferenceMismatch, InvalidSetting, UnsupportedGeometry
from intrepid_rt.grids import Grid
from intrepid_rt.portal_image import PortalImage
from unit.gamma.gamma_grids import TILTED, centred

SHAPE = (6, 8, 10)
AFFINE = centred(SHAPE, (2.0, 2.5, 3.0))
CRITERIA = {"dose_percent": 3.0, "distance_mm": 3.0}


def ramp():
    """Dose from 0 to 59 Gy, all values different along j and i."""
    return Grid(np.broadcast_to(np.linspace(0, 59, 80).reshape(8, 10), SHAPE).copy(), AFFINE)


def flat(dose_gy, shape=SHAPE, affine=AFFINE):
    return Grid(np.full(shape, dose_gy), affine)


def test_the_cutoff_keeps_a_point_exactly_at_it():
    values = np.full(SHAPE, 10.0)
    values[0, 0, 0], values[0, 0, 1], values[0, 0, 2] = 100.0, 9.999, 10.001
    result = gamma_index(Grid(values, AFFINE), flat(10.0), cutoff_percent=10, **CRITERIA)
    assert result.n_points == values.size - 1
    assert np.isnan(result.gamma[0, 0, 1])


def test_the_cutoff_is_a_percentage_of_the_norm():
    result = gamma_index(ramp(), ramp(), cutoff_percent=50, norm_gy=40.0, **CRITERIA)
    assert result.n_points == (ramp().values >= 20).sum()
    assert result.norm_gy == 40.0


@pytest.mark.parametrize(("cutoff_on", "expected"), [("reference", 30), ("evaluated", 48), ("either", 60)])
def test_the_cutoff_on_either_dose(cutoff_on, expected):
    shape = (3, 4, 10)
    reference, evaluated = np.ones(shape), np.ones(shape)
    reference[..., :5], evaluated[..., 1:5], evaluated[..., 6:] = 60.0, 0.0, 60.0
    reference[..., 5:], evaluated[..., 0], evaluated[..., 5] = 0.0, 0.0, 60.0
    evaluated[:, 3, 5:] = 0.0
    reference[:, :, 4:5] = 0.0
    evaluated[..., 4] = 60.0
    reference[:, :2, 4] = 60.0
    grids = [Grid(v, centred(shape, (2, 2, 2))) for v in (reference, evaluated)]
    result = gamma_index(*grids, cutoff_on=cutoff_on, norm_gy=60, **CRITERIA)
    either = {"reference": reference >= 6, "evaluated": evaluated >= 6, "either": (reference >= 6) | (evaluated >= 6)}
    assert result.n_points == either[cutoff_on].sum()


def test_a_mask_selects_points_by_array_or_by_grid():
    mask = np.zeros(SHAPE, bool)
    mask[2:4, 3:6, 2:5] = True
    by_array = gamma_index(ramp(), ramp(), mask=mask, cutoff_percent=0, **CRITERIA)
    by_grid = gamma_index(ramp(), ramp(), mask=Grid(mask.astype(np.uint8), AFFINE), cutoff_percent=0, **CRITERIA)
    assert by_array.n_points == mask.sum()
    np.testing.assert_array_equal(by_array.gamma, by_grid.gamma)


def test_a_mask_grid_of_other_orientation_is_looked_up_at_its_nearest_voxel():
    mask = flat(0.0, (20, 20, 20), centred((20, 20, 20), (1.5, 1.5, 1.5), rotation=TILTED))
    near = np.linalg.norm(mask.positions() - (12.0, -34.0, 56.0), axis=-1) < 6
    result = gamma_index(ramp(), ramp(), mask=mask.with_values(near.astype(float)), cutoff_percent=0, **CRITERIA)
    distance_mm = np.linalg.norm(ramp().positions() - (12.0, -34.0, 56.0), axis=-1)
    assert np.isfinite(result.gamma[distance_mm < 4.5]).all()
    assert np.isnan(result.gamma[distance_mm > 7.5]).all()


def test_a_point_without_evaluated_dose_counts_as_failed():
    affine = AFFINE.copy()
    affine[:3, 3] += 3 * affine[:3, 0] + 2 * affine[:3, 2]
    result = gamma_index(flat(40.0), flat(40.0, affine=affine), **CRITERIA)
    missing = np.zeros(SHAPE, bool)
    missing[:2], missing[..., :3] = True, True
    assert np.isinf(result.gamma[missing]).all()
    assert (result.gamma[~missing] == 0).all()
    assert (result.n_points, result.n_missing, result.n_passed) == (missing.size, missing.sum(), (~missing).sum())
    assert result.pass_rate_percent == pytest.approx(100 * (~missing).mean())
    assert result.mean_gamma == 0.0


def test_a_border_that_rounding_moved_belongs_to_the_grid():
    affine = AFFINE.copy()
    affine[:3, 3] += 5e-4
    result = gamma_index(flat(40.0), flat(40.0, affine=affine), **CRITERIA)
    assert result.n_missing == 0
    assert result.max_gamma < 5e-4


def test_searches_that_reach_beyond_the_grid_are_counted():
    reference, evaluated = flat(40.0), flat(40.6)  # gamma 0.5: everything within 1.5 mm of the border
    result = gamma_index(reference, evaluated, **CRITERIA)
    assert result.n_reach_outside == np.prod(SHAPE) - np.prod([n - 2 for n in SHAPE])
    assert gamma_index(reference, reference, **CRITERIA).n_reach_outside == 0


def test_what_is_no_number_is_reported():
    reference, evaluated = np.full(SHAPE, 40.0), np.full(SHAPE, 40.0)
    reference[0, 0, 0], reference[1, 2, 3] = np.nan, np.inf
    evaluated[4, 4, 4] = np.nan
    result = gamma_index(Grid(reference, AFFINE), Grid(evaluated, AFFINE), **CRITERIA)
    assert (result.n_reference_invalid, result.n_evaluated_invalid) == (2, 1)
    assert np.isnan(result.gamma[0, 0, 0])
    assert np.isnan(result.gamma[1, 2, 3])
    assert np.isinf(result.gamma[4, 4, 4])
    assert result.n_missing == 1
    assert result.gamma[4, 4, 5] == 0.0


def test_a_cap_only_cuts_larger_values():
    rng = np.random.default_rng(0)
    reference, evaluated = (flat(40.0).with_values(40 + 4 * rng.normal(size=SHAPE)) for _ in range(2))
    free = gamma_index(reference, evaluated, **CRITERIA)
    capped = gamma_index(reference, evaluated, max_gamma=0.7, **CRITERIA)
    assert free.max_gamma > 0.8
    np.testing.assert_allclose(capped.gamma, np.minimum(free.gamma, 0.7), atol=1e-6)


def test_several_criteria_are_what_each_gives_alone():
    rng = np.random.default_rng(1)
    reference, evaluated = (flat(40.0).with_values(40 + rng.normal(size=SHAPE)) for _ in range(2))
    base = GammaSettings(3, 3)
    done = []
    together = gamma_indices(reference, evaluated, [base, base.with_criteria(2, 1)], progress=done.append)
    for result, (dose_percent, distance_mm) in zip(together, [(3, 3), (2, 1)], strict=True):
        alone = gamma_index(reference, evaluated, dose_percent=dose_percent, distance_mm=distance_mm)
        np.testing.assert_array_equal(result.gamma, alone.gamma)
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_progress_can_cancel():
    class CancelledError(Exception):
        pass

    def cancel(fraction):
        if fraction > 0.3:
            raise CancelledError

    with pytest.raises(CancelledError):
        gamma_index(ramp(), ramp(), progress=cancel, **CRITERIA)


def portal(values, **changes):
    image = PortalImage(values, (-20.0, 15.0), (0.8, 1.1), 1500.0, 1000.0, unit="Gy")
    return replace(image, **changes)


def test_portal_images_are_compared_in_their_plane():
    """Gradient 0.04 Gy/mm along x of the imager, evaluated 0.01 Gy higher; criteria 3 % of 2 Gy, 2 mm."""
    image = portal(np.zeros((40, 50)))
    values = 2 + 0.04 * np.broadcast_to(image.x_mm, (40, 50))
    result = gamma_index(
        image.with_values(values), image.with_values(values + 0.01), dose_percent=3, distance_mm=2, norm_gy=2.0
    )
    assert result.gamma.shape == (40, 50)
    np.testing.assert_allclose(result.gamma[5:-5, 5:-5], 0.01 / np.hypot(0.06, 0.08), atol=1e-6)


def test_portal_images_of_other_pixels_and_a_mask():
    fine = portal(np.full((80, 90), 1.0), pixel_spacing_mm=(0.4, 0.6))
    mask = np.zeros((40, 50), bool)
    mask[10:20, 10:20] = True
    result = gamma_index(portal(np.full((40, 50), 1.0)), fine, mask=mask, **CRITERIA)
    assert (result.n_points, result.n_missing, result.max_gamma) == (100, 0, 0.0)


def test_signed_gamma_and_chi_of_linear_doses():
    """Chi of linear doses is signed gamma: (0.5 Gy) / sqrt(DD^2 + (g DTA)^2)."""
    reference = Grid(40 + 0.3 * ramp().positions()[..., 0], AFFINE)
    evaluated = reference.with_values(reference.values - 0.5)
    result = gamma_index(reference, evaluated, norm_gy=50, **CRITERIA)
    expected = -0.5 / np.hypot(1.5, 0.9)
    inner = (slice(None), slice(None), slice(2, -2))
    np.testing.assert_allclose(chi_index(result, reference, evaluated)[inner], expected, atol=1e-6)
    np.testing.assert_allclose(signed_gamma(result, reference, evaluated)[inner], expected, atol=1e-6)


def test_statistics():
    values = np.linspace(40, 43, SHAPE[2]) * np.ones(SHAPE)
    result = gamma_index(flat(40.0), Grid(values, AFFINE), norm_gy=50, dose_percent=2, distance_mm=1e-3)
    # A distance criterion of next to nothing leaves the dose difference: 0, 1/3, ... 3 Gy over 1 Gy.
    steps = np.linspace(0, 3, 10)
    assert result.n_passed == 4 * 48
    assert result.mean_gamma == pytest.approx(1.5, abs=1e-3)
    assert result.quantiles([0.5])[0.5] == pytest.approx(1.5, abs=1e-3)
    assert result.histogram([-0.01, 1.1, 2.1, 2.5]).tolist() == [48 * n for n in (4, 3, 3)]
    left = np.zeros(SHAPE, bool)
    left[..., :2] = True
    rows = result.by_structure({"left": left, "nowhere": np.zeros(SHAPE, bool)})
    assert rows[0]["n_points"] == 96
    assert rows[0]["max_gamma"] == pytest.approx(steps[1], abs=1e-3)
    assert rows[1]["pass_rate_percent"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dose_percent": -3}, "dose_percent is -3; it must be a number above 0"),
        ({"distance_mm": 0}, "distance_mm is 0"),
        ({"distance_mm": float("nan")}, "distance_mm is nan"),
        ({"max_gamma": -1}, "max_gamma is -1"),
        ({"norm_gy": 0.0}, "norm_gy is 0"),
        ({"cutoff_percent": -1}, "cutoff_percent is -1; it must be 0 or above"),
        ({"cutoff_on": "both"}, "choose reference, evaluated or either"),
        ({"mask": np.zeros((2, 2, 2), bool)}, "mask has shape"),
        ({"mask": np.zeros(SHAPE, bool)}, "mask holds no point"),
        ({"norm_gy": 1e6}, "Lower the cut-off"),
        ({"local": True, "cutoff_percent": 0}, "Raise the cut-off above 0 %"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_the_way_out(change, message):
    with pytest.raises(InvalidSetting, match=message):
        gamma_index(ramp(), ramp(), **CRITERIA | change)


def test_a_reference_without_dose_is_refused():
    with pytest.raises(InvalidSetting, match="no dose above 0"):
        gamma_index(flat(0.0), flat(1.0), **CRITERIA)


def test_grids_apart_are_refused():
    far = AFFINE.copy()
    far[0, 3] += 500
    with pytest.raises(UnsupportedGeometry, match="do not overlap"):
        gamma_index(flat(1.0), flat(1.0, affine=far), **CRITERIA)


def test_other_frames_of_reference_are_refused():
    grids = [Grid(np.ones(SHAPE), AFFINE, uid) for uid in ("1.2.3", "1.2.4")]
    with pytest.raises(FrameOfReferenceMismatch, match=r"1\.2\.3 and 1\.2\.4"):
        gamma_index(*grids, **CRITERIA)


def test_a_sheared_evaluated_grid_is_refused():
    sheared = AFFINE.copy()
    sheared[0, 2] += 0.5
    with pytest.raises(UnsupportedGeometry, match="right angles"):
        gamma_index(flat(1.0), flat(1.0, affine=sheared), **CRITERIA)


@pytest.mark.parametrize("turned", [True, False])
def test_planes_that_differ_are_refused(turned):
    shape = (1, 8, 9)
    first = centred(shape, (1, 1, 1))
    second = centred(shape, (1, 1, 1), rotation=Rotation.from_euler("x", 5, degrees=True)) if turned else first.copy()
    second[2, 3] += 0.0 if turned else 1.0
    with pytest.raises(UnsupportedGeometry, match="out of it"):
        gamma_index(flat(1.0, shape, first), flat(1.0, shape, second), **CRITERIA)


def test_a_volume_against_a_plane_or_an_image_is_refused():
    plane = flat(1.0, (1, 8, 10), centred((1, 8, 10), (2, 2.5, 3)))
    with pytest.raises(UnsupportedGeometry, match="resample the reference to that plane"):
        gamma_index(flat(1.0), plane, **CRITERIA)
    assert gamma_index(plane, flat(1.0), **CRITERIA).n_points == 80  # the other way round there is dose all round
    with pytest.raises(UnsupportedGeometry, match="portal image"):
        gamma_index(flat(1.0), portal(np.ones((4, 4))), **CRITERIA)
    with pytest.raises(UnsupportedGeometry, match="1500 and 1000 mm"):
        gamma_index(portal(np.ones((4, 4))), portal(np.ones((4, 4)), source_to_image_mm=1000.0), **CRITERIA)


def test_a_distribution_in_another_unit_is_refused():
    with pytest.raises(InvalidSetting, match="another unit"):
        gamma_index(flat(2.0), flat(3e4), **CRITERIA)


def test_a_mask_in_another_frame_of_reference_is_refused():
    reference = Grid(np.full(SHAPE, 2.0), AFFINE, "1.2.3")
    mask = Grid(np.ones(SHAPE), AFFINE, "9.9")
    with pytest.raises(FrameOfReferenceMismatch, match=r"1\.2\.3.*9\.9"):
        gamma_index(reference, reference, mask=mask, **CRITERIA)


def test_chi_with_local_normalisation_is_quiet_where_there_is_no_dose():
    values = np.full(SHAPE, 2.0)
    values[:, :, :5] = 0.0
    reference, evaluated = Grid(values, AFFINE), flat(2.01)
    result = gamma_index(reference, evaluated, local=True, **CRITERIA)
    chi = chi_index(result, reference, evaluated)
    assert np.isnan(chi[:, :, :5]).all()
    np.testing.assert_allclose(chi[:, :, 7:], 0.01 / 0.06, rtol=1e-6)
