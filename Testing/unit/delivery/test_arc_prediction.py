"""Predicted portal dose of arcs: parts add up, standing parts are standing beams, sectors hardly matter."""

from dataclasses import replace

import numpy as np
import pytest

from intrepid_epid.aperture import open_share
from intrepid_epid.delivery.arc_prediction import SECTOR_DEG, arc_portal_dose
from intrepid_epid.delivery.beam_parts import arc_parts
from intrepid_epid.forward_portal_dose import forward_portal_dose
from intrepid_epid.image_grid import binned
from intrepid_rt.errors import MissingObject
from intrepid_rt.grids import Grid, affine_from_axes
from simulated_portal_images import IMAGER, PROFILE, Opening, way

GEOMETRY = binned(IMAGER, largest_pixel_at_isocentre_mm=4.2)


def opening(low_mm, high_mm):
    return Opening(-40.0, (low_mm,) * 8, (high_mm,) * 8).beam(0.0)


def arc(angles=(300.0, 330.0, 0.0, 40.0), weights=(0.0, 0.2, 0.5, 1.0)):
    """A window that moves and widens while the gantry turns."""
    edges = ((-40.0, -10.0), (-30.0, 10.0), (-20.0, 30.0), (0.0, 45.0))
    points = []
    for number, (angle, weight, (low, high)) in enumerate(zip(angles, weights, edges, strict=True)):
        point = opening(low, high).control_points[0]
        points.append(
            replace(
                point,
                index=number,
                jaw_x_mm=(-50.0, 50.0),
                gantry_angle_deg=angle,
                cumulative_meterset_weight=weight,
                gantry_rotation="CW",
            )
        )
    return replace(opening(-1.0, 1.0), control_points=tuple(points))


def body():
    """Elliptic water with a lung to one side."""
    density = Grid(np.zeros((24, 40, 50), np.float32), affine_from_axes((-147.0, -117.0, -69.0), (6.0,) * 3), "1")
    x, y = density.positions()[..., 0], density.positions()[..., 1]
    values = np.where((x / 140) ** 2 + (y / 100) ** 2 < 1, 1.0, 0.0)
    return density.with_values(np.where((x - 60) ** 2 + y**2 < 40**2, 0.3, values).astype(np.float32))


def test_parts_hold_the_whole_beam():
    beam = arc()
    parts = list(arc_parts(beam, 7.0))
    assert len(parts) == 15
    assert sum(part.meterset_mu for part, _ in parts) == pytest.approx(beam.meterset_mu, rel=1e-9)
    angles = np.unwrap([angle for _, angle in parts], period=360)
    assert (np.diff(angles) > 0).all()
    assert np.diff(angles).max() < 7.5
    shares = sum(part.meterset_mu * open_share(part, GEOMETRY).values for part, _ in parts)
    np.testing.assert_allclose(shares / beam.meterset_mu, open_share(beam, GEOMETRY).values, atol=5e-5)


def test_monitor_units_given_at_one_angle_stay_there():
    """Step and shoot on the way of an arc: the aperture changes without monitor units, the gantry stands."""
    beam = arc(angles=(350.0, 0.0, 0.0, 10.0), weights=(0.0, 0.25, 0.75, 1.0))
    parts = list(arc_parts(beam, 5.0))
    assert sum(part.meterset_mu for part, _ in parts) == pytest.approx(beam.meterset_mu, rel=1e-9)
    near_zero = [part.meterset_mu for part, angle in parts if min(angle, 360 - angle) < 2.6]
    assert sum(near_zero) >= 0.5 * beam.meterset_mu


def test_a_short_arc_is_a_standing_beam():
    density, beam = body(), arc(angles=(359.9, 0.0, 0.05, 0.1))
    expected = forward_portal_dose(beam, GEOMETRY, PROFILE, way(density, 0.0)).total_gy.values
    made = arc_portal_dose(beam, GEOMETRY, PROFILE, lambda angle: way(density, angle)).total_gy.values
    np.testing.assert_allclose(made, expected, atol=2e-3 * expected.max())


def test_wide_sectors_give_what_narrow_ones_give():
    density, beam = body(), arc(angles=(20.0, 28.0, 36.0, 45.0))
    made, fine = (
        arc_portal_dose(beam, GEOMETRY, PROFILE, lambda angle: way(density, angle), sector_deg=sector)
        for sector in (SECTOR_DEG, 1.0)
    )
    worst = np.abs(made.total_gy.values - fine.total_gy.values).max() / fine.total_gy.values.max()
    assert worst < 0.01  # 0.6 % at the edge of the lung
    np.testing.assert_allclose(made.open_share.values, fine.open_share.values, atol=5e-5)
    assert 0 < made.transmission.min() <= made.transmission.max() <= 1 + 1e-6  # energies are added in single precision


def test_a_closed_arc_is_refused():
    points = tuple(
        replace(point, mlc=tuple(replace(m, bank_1_mm=m.bank_2_mm) for m in point.mlc))
        for point in arc().control_points
    )
    closed = replace(arc(), control_points=points)
    with pytest.raises(MissingObject, match="opens no field"):
        arc_portal_dose(closed, GEOMETRY, PROFILE, lambda angle: way(body(), angle))
