"""Checks of an imager on images with a known fault in each."""

import numpy as np
import pytest

from chain_phantoms import soft_field
from intrepid_epid.machine_profile import FieldRecord, MachineProfile, SpreadTerm, Validity, load_profile, save_profile
from intrepid_epid.quality.baseline import MeasuredField, quality_baseline
from intrepid_epid.quality.constancy import constancy
from intrepid_epid.quality.gantry_sag import sag_at, sag_table
from intrepid_epid.quality.open_image import FieldReading, field_centre_mm, read_field
from intrepid_epid.quality.response import (
    field_size_response,
    ghosting,
    ghosting_factor,
    linearity,
    reproducibility,
    uniformity,
)
from intrepid_rt.errors import MissingObject, UnsupportedGeometry


def image(half_x=50.0, half_y=50.0, *, level=1.0, centre=(0.0, 0.0), gantry=0.0):
    from dataclasses import replace

    made = soft_field(half_x, half_y, n=256, pixel=1.62, edge_mm=3.0, centre=centre)
    return replace(made, values=level * made.values, gantry_angle_deg=gantry)


def reading(meterset_mu=100.0, per_mu=0.01, *, name="10x10", area=100.0, gantry=0.0, centre=(0.0, 0.0)):
    return FieldReading(name, meterset_mu, area, gantry, per_mu * meterset_mu, centre)


def test_a_field_lies_where_it_was_put():
    """Centre at the isocentre plane times 1.6; not on a pixel, wider than high."""
    found = field_centre_mm(image(45.0, 20.0, centre=(7.3, -11.1)))
    assert found == pytest.approx((7.3 * 1.6, -11.1 * 1.6), abs=0.02)


def test_linearity_states_the_worst_meterset():
    found = linearity([reading(5, 0.0095), reading(100, 0.01), reading(100, 0.01), reading(500, 0.0101)])
    assert found.worst_percent == pytest.approx(-5.0)
    assert [one.meterset_mu for one in found.responses] == [5, 100, 500]
    with pytest.raises(MissingObject, match="at least two different monitor units"):
        linearity([reading(), reading()])


def test_ghosting_is_found_as_it_was_put_in():
    """7 % lost in short exposures, built up over 25 MU; 0.05 % of noise."""
    rng = np.random.default_rng(1)
    metersets = [2, 5, 10, 20, 50, 100, 300, 1000]
    readings = [reading(m, 0.01 * (1 - 0.07 * np.exp(-m / 25)) * rng.normal(1, 5e-4)) for m in metersets]
    found = ghosting(readings)
    assert found.lost_share == pytest.approx(0.07, abs=0.003)
    assert found.build_up_mu == pytest.approx(25, rel=0.1)
    corrected = [one.signal_per_mu * ghosting_factor(found, one.meterset_mu) for one in readings]
    assert np.ptp(corrected) < 0.003 * np.mean(corrected)
    with pytest.raises(MissingObject, match="at least four"):
        ghosting(readings[:3])


def test_reproducibility_is_the_spread_of_repeated_images():
    found = reproducibility([reading(per_mu=v) for v in (0.0099, 0.0100, 0.0101)])
    assert found.sigma_percent == pytest.approx(1.0)
    assert found.range_percent == pytest.approx(2.0)
    with pytest.raises(MissingObject, match="at least two images"):
        reproducibility([reading()])


def test_field_size_response_is_relative_to_ten_by_ten():
    found = field_size_response(
        [reading(area=400, per_mu=0.0102, name="20x20"), reading(), reading(area=9, per_mu=0.0097)]
    )
    assert [one.area_cm2 for one in found] == [9, 100, 400]
    assert [one.relative for one in found] == pytest.approx([0.97, 1.0, 1.02])


def test_uniformity_sees_a_tilt_but_not_horns():
    plain = image(90, 90)
    radius2 = (plain.x_mm[None, :] ** 2 + plain.y_mm[:, None] ** 2) / 160**2
    horned = uniformity("f", plain.with_values(plain.values * (1 + 0.05 * radius2)))
    assert horned.spread_percent < 0.2
    tilted = uniformity("f", plain.with_values(plain.values * (1 + 0.02 * plain.x_mm[None, :] / 144)))
    assert tilted.spread_percent == pytest.approx(0.02 * 0.8 * 7 / 8 * 100, rel=0.15)
    assert tilted.asymmetry_percent == pytest.approx(2 * tilted.spread_percent, rel=0.1)


def test_noise_of_a_pixel_is_measured():
    plain = image(90, 90)
    noise = 1 + 0.01 * np.random.default_rng(2).standard_normal(plain.values.shape)
    assert uniformity("f", plain.with_values(plain.values * noise)).noise_percent == pytest.approx(1.0, rel=0.08)


def test_sag_is_tabulated_and_interpolated_round_the_circle():
    """An imager that hangs 2 mm towards the floor: in its own plane that is seen at gantry 90 and 270, along X."""
    angles = np.arange(0, 360, 30)
    table = sag_table([
        read_field("f", image(centre=(2.0 * np.sin(np.deg2rad(a)), -0.5 + 0.5 * np.cos(np.deg2rad(a))), gantry=a),
                   meterset_mu=100, area_cm2=100)
        for a in angles
    ])  # fmt: skip
    assert table[0].x_mm == table[0].y_mm == 0.0
    for angle in (45.0, 200.0, 355.0):
        x, y = sag_at(table, angle)
        assert x == pytest.approx(3.2 * np.sin(np.deg2rad(angle)), abs=0.15)
        assert y == pytest.approx(-0.8 + 0.8 * np.cos(np.deg2rad(angle)), abs=0.1)
    assert sag_at((), 10.0) == (0.0, 0.0)
    with pytest.raises(MissingObject, match="three gantry angles"):
        sag_table([reading(gantry=0.0), reading(gantry=90.0)])


def _measured(name, half, mu, *, gantry=0.0, level=1.0, centre=(0.0, 0.0)):
    picture = image(half, half, level=level * mu / 100, gantry=gantry, centre=centre)
    area = (2 * half) ** 2 / 100
    return MeasuredField(read_field(name, picture, meterset_mu=mu, area_cm2=area), picture, (-half, half, -half, half))


def test_a_baseline_takes_what_the_fields_allow_and_names_the_rest():
    few = quality_baseline([_measured("10x10", 50, 100), _measured("4x4", 20, 100)])
    assert few.linearity is None
    assert few.gantry_sag == ()
    assert len(few.not_measured) == 4
    many = [_measured(f"m{mu}", 50, mu) for mu in (5, 20, 100, 400)]
    many += [_measured("again", 50, 100, level=1.002)]
    many += [_measured(f"g{a}", 30, 100, gantry=a, centre=(0.0, 0.1 * a / 90)) for a in (0.0, 90.0, 180.0, 270.0)]
    found = quality_baseline(many)
    assert found.not_measured == ()
    assert found.reproducibility.n_images == 2
    assert found.gantry_sag[3].y_mm == pytest.approx(0.48, abs=0.02)
    assert [one.field for one in found.field_size] == ["g0.0", "m100"]


def profile_of(fields, quality=None):
    return MachineProfile(
        machine="M", energy="6 MV", created="", software_version="", source_to_axis_mm=1000.0,
        source_to_image_mm=1600.0, dose_depth_mm=15.0, spread=(SpreadTerm(0.0, 0.4),), radial_factors=(),
        fields=fields, valid_for=Validity((1600.0, 1600.0), (100.0, 100.0), (4.0, 100.0), 70.0), quality=quality,
    )  # fmt: skip


def test_constancy_states_how_far_dose_and_place_went():
    first = _measured("10x10", 50, 100)
    mean = first.reading.mean_signal
    record = FieldRecord("10x10", 100.0, 100.0, mean, 0.4 * mean / 1.01, 1.0, "")
    profile = profile_of((record,), quality_baseline([first]))
    (same,) = constancy([("10x10", 100.0, first.image)], profile)
    assert same.passed
    assert same.dose_percent == pytest.approx(0.0, abs=1e-9)  # the profile's own residual of 1 % is no drift
    (drifted,) = constancy([("10x10", 50.0, image(level=0.515))], profile)
    assert not drifted.passed
    assert drifted.dose_percent == pytest.approx(3.0, abs=0.01)
    (moved,) = constancy([("10x10", 100.0, image(centre=(1.5, -2.0)))], profile)
    assert not moved.passed
    assert moved.moved_mm == pytest.approx((1.5, -2.0), abs=0.02)
    assert moved.moved_by_mm == pytest.approx(2.5, abs=0.02)
    assert constancy([("10x10", 100.0, image(centre=(1.5, -2.0)))], profile_of((record,)))[0].moved_mm is None


def test_constancy_needs_fields_the_profile_knows_at_its_distance():
    from dataclasses import replace

    profile = profile_of((FieldRecord("a", 100.0, 100.0, 1.0, 0.4, 0.0, ""),))
    with pytest.raises(MissingObject, match="it knows a"):
        constancy([("b", 100.0, image())], profile)
    with pytest.raises(UnsupportedGeometry, match="at 1500 mm"):
        constancy([("a", 100.0, replace(image(), source_to_image_mm=1500.0))], profile)
    with pytest.raises(MissingObject, match="at least one image"):
        constancy([], profile)


def test_the_baseline_is_kept_in_the_profile_but_not_in_its_hash(tmp_path):
    """Results depend on the calibration; a baseline measured anew must not make them look foreign."""
    plain = profile_of((FieldRecord("a", 100.0, 100.0, 1.0, 0.4, 0.0, ""),))
    with_baseline = profile_of(plain.fields, quality_baseline([_measured("10x10", 50, 100)]))
    save_profile(with_baseline, tmp_path / "p.json")
    assert load_profile(tmp_path / "p.json") == with_baseline
    assert with_baseline.hash() == plain.hash()
