"""Dose of arcs: sums of standing beams, symmetry, and what sharing the scatter steps costs."""

import numpy as np
import pytest

from chain_phantoms import soft_field, water_box
from chain_study import PROFILE
from intrepid_epid.back_projection import first_order_dose
from intrepid_epid.beam_model import generic_spectrum
from intrepid_epid.delivery.arc_dose import arc_dose, sectors
from intrepid_epid.dose_reconstruction import dose_model
from intrepid_epid.superposition import superposition_dose
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_epid.transit_portal_dose import transit_portal_dose
from intrepid_rt.beam_frame import beam_frame

SPECTRUM = generic_spectrum()


def cylinder(radius_mm=70.0, spacing=(5.0, 5.0, 8.0), shape=(12, 30, 30), lung_at=None):
    """Water along z, edges averaged; optionally with a cylinder of lung at (x, y)."""
    box = water_box(shape, spacing)
    position = box.positions()
    fine = np.zeros(box.shape)
    for dx in (-0.25, 0.25):
        for dy in (-0.25, 0.25):
            x, y = position[..., 0] + dx * spacing[0], position[..., 1] + dy * spacing[1]
            one = np.where(np.hypot(x, y) < radius_mm, 1.0, 0.0012)
            if lung_at is not None:
                one = np.where(np.hypot(x - lung_at[0], y - lung_at[1]) < 20, 0.3, one)
            fine += one / 4
    return box.with_values(fine.astype(np.float32))


def beams_at(angles, density, **frame):
    anatomy = anatomy_of(density)
    return [PrimaryBeam(anatomy, SPECTRUM, beam_frame(angle, (0, 0, 0), **frame)) for angle in angles]


def test_an_arc_of_two_frames_is_the_sum_of_two_standing_beams():
    density, fields = cylinder(lung_at=(30.0, 10.0)), [soft_field(25, 20), soft_field(15, 25, centre=(8.0, -5.0))]
    beams = beams_at((20.0, 75.0), density)
    made = arc_dose(fields, beams, PROFILE, superposition_dose)
    portals = [transit_portal_dose(field, PROFILE, beam) for field, beam in zip(fields, beams, strict=True)]
    expected = sum(superposition_dose(portal, beam) for portal, beam in zip(portals, beams, strict=True))
    np.testing.assert_allclose(made.dose_gy, expected, atol=0.002 * expected.max())
    total = sum(portal.total_gy.values for portal in portals)
    np.testing.assert_allclose(made.portal_gy.values, total, atol=1e-6 * total.max())


def test_first_order_dose_goes_frame_by_frame():
    density, fields = cylinder(), [soft_field(25, 20)] * 2
    beams = beams_at((0.0, 4.0), density)
    made = arc_dose(fields, beams, PROFILE, dose_model("first-order"))
    portals = arc_portals(fields, beams)
    expected = sum(
        first_order_dose(portal.primary_gy, beam, density).values for portal, beam in zip(portals, beams, strict=True)
    )
    np.testing.assert_allclose(made.dose_gy, expected, atol=2e-3 * expected.max())


def arc_portals(fields, beams):
    return [transit_portal_dose(field, PROFILE, beam) for field, beam in zip(fields, beams, strict=True)]


def test_frames_within_ten_degrees_may_share_the_scatter_steps():
    """A field that changes from frame to frame, through lung off the axis: within 0.5 % of frame by frame."""
    angles = np.arange(0.0, 360.0, 5.0)
    fields = [soft_field(12 + 8 * (n % 3), 18, centre=(10.0 * np.sin(n / 4), 0.0)) for n in range(len(angles))]
    beams = beams_at(angles, cylinder(lung_at=(30.0, 10.0)), couch_angle_deg=15.0)
    alone = arc_dose(fields, beams, PROFILE, superposition_dose, sector_deg=0.0)
    shared = arc_dose(fields, beams, PROFILE, superposition_dose)
    assert len(list(sectors([beam.frame for beam in beams], 10.0))) == 36
    difference_percent = 100 * np.abs(shared.dose_gy - alone.dose_gy)[inside(beams)] / alone.dose_gy.max()
    assert difference_percent.max() < 0.5
    portal = alone.portal_gy.values
    assert 100 * np.abs(shared.portal_gy.values - portal).max() / portal.max() < 0.5


def inside(beams):
    return beams[0].anatomy.density.values > 0.15


def test_a_full_turn_round_a_centred_cylinder_gives_a_round_dose():
    density = cylinder()
    angles = np.arange(0.0, 360.0, 6.0)
    made = arc_dose([soft_field(15, 30)] * len(angles), beams_at(angles, density), PROFILE, superposition_dose).dose_gy
    position = density.positions()
    radius = np.hypot(position[..., 0], position[..., 1])
    plane = slice(5, 7)
    centre = made[plane][radius[plane] < 4].mean()
    for r in (10.0, 20.0, 40.0, 55.0):
        ring = np.abs(radius[plane] - r) < 2.6
        turn = np.degrees(np.arctan2(position[plane, ..., 1], position[plane, ..., 0])) % 360.0
        quarters = [made[plane][ring & (turn >= q) & (turn < q + 90)].mean() for q in (0, 90, 180, 270)]
        # The dose falls along the radius, so that voxels of a ring may differ; its quarters may not.
        assert quarters == pytest.approx([float(np.mean(quarters))] * 4, abs=0.005 * float(centre))
    assert made[plane][np.abs(radius[plane] - 55) < 3].mean() < 0.6 * centre


def test_sectors_follow_the_frames():
    frames = [beam_frame(angle, (0, 0, 0)) for angle in (350.0, 354.0, 358.0, 2.0, 6.0, 90.0, 80.5)]
    assert list(sectors(frames, 10.0)) == [[0, 1, 2], [3, 4], [5, 6]]
    assert list(sectors(frames, 0.0)) == [[n] for n in range(7)]
