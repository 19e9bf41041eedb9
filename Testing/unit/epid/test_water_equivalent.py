"""Water found from an image and its monitor units, against an image that a plan predicts through known water."""

import msgspec
import numpy as np
import pytest

from intrepid_epid.aperture import open_share
from intrepid_epid.beam_model import beam_model, readings_gy_cm2
from intrepid_epid.forward_portal_dose import forward_portal_dose
from intrepid_epid.machine_profile import SpreadTerm, load_profile
from intrepid_epid.simulation import fields
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_epid.transit_portal_dose import all_scatter
from intrepid_epid.water_equivalent import water_equivalent_beam
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.errors import UnusableInput
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.resources import resource_folder


@pytest.fixture(scope="module")
def profile():
    """Of the sample, with a panel that does not spread: the signal is then the open beam's dose in other units."""
    found = load_profile(resource_folder("SampleData") / "MC6MV.profile.json")
    total = sum(term.gy_per_signal for term in found.spread)
    return msgspec.structs.replace(found, spread=(SpreadTerm(0.0, total),), radial_factors=())


def water_block(depth_mm, offset_mm=(0.0, 0.0, 0.0)):
    """Water, ``depth_mm`` from front to back, 300 mm wide, anisotropic voxels; the isocentre in its middle."""
    voxel = np.array([6.0, 5.0, 8.0])
    shape = np.array([50, round(depth_mm / 5.0), 38])
    origin = -(shape - 1) / 2 * voxel + offset_mm
    return Grid(np.ones(tuple(shape[::-1]), np.float32), affine_from_axes(origin, voxel))


def signal_behind(depth_mm, beam, profile):
    """Signal of the panel: primary and scatter as it reads them, next to the open beam's dose."""
    spectrum = beam_model(profile).spectrum
    frame = beam_frame(0.0, (0.0, 0.0, 0.0))
    geometry = PortalImage(np.zeros((160, 170)), (-169.0, 159.0), (2.0, 2.0), 1600.0, 1000.0)
    way = PrimaryBeam(anatomy_of(water_block(depth_mm)), spectrum, frame)
    air = PrimaryBeam(
        anatomy_of(Grid(np.zeros((4, 4, 4), np.float32), water_block(20.0).index_to_lps)), spectrum, frame
    )
    open_gy = forward_portal_dose(beam, geometry, profile, air).total_gy
    readings = readings_gy_cm2(spectrum.energy_mev)
    thickness = way.thickness_g_cm2(way.pixel_positions_lps_mm(geometry))
    seen = way.transmitted(thickness, readings)[..., 0] / (spectrum.weight @ readings)[0]
    scatter = all_scatter(open_gy, way, depth_mm / 10)[0] / (spectrum.weight @ readings)[0]
    dose_per_signal = sum(term.gy_per_signal for term in profile.spread)
    return geometry.with_values((open_gy.values * seen + scatter) / dose_per_signal, unit="signal")


@pytest.mark.parametrize(("depth_mm", "field"), [(50.0, "5x5"), (200.0, "10x10"), (280.0, "15x15")])
@pytest.mark.parametrize("with_plan", [True, False])
def test_the_thickness_of_a_block_is_found(profile, depth_mm, field, with_plan):
    beam = fields.centred(field, isocentre=(0, 0, 0))
    signal = signal_behind(depth_mm, beam, profile)
    share = open_share(beam, signal) if with_plan else None
    found = water_equivalent_beam(signal, profile, meterset_mu=beam.meterset_mu, open_share=share)
    middle = PortalImage(np.zeros((5, 5)), (-16.0, 16.0), (8.0, 8.0), 1600.0, 1000.0)
    thickness = found.thickness_g_cm2(found.pixel_positions_lps_mm(middle))[..., 0]
    assert thickness == pytest.approx(depth_mm / 10, abs=0.3)


def test_more_monitor_units_mean_more_water(profile):
    beam = fields.centred("10x10", isocentre=(0, 0, 0))
    signal = signal_behind(150.0, beam, profile)
    middle = PortalImage(np.zeros((3, 3)), (-8.0, 8.0), (8.0, 8.0), 1600.0, 1000.0)

    def water(meterset_mu):
        found = water_equivalent_beam(signal, profile, meterset_mu=meterset_mu)
        return found.thickness_g_cm2(found.pixel_positions_lps_mm(middle)).sum(axis=-1).mean()

    # Twice the monitor units for the same signal: another half value of about 16 cm of water for this hardened beam.
    assert 12 < water(2 * beam.meterset_mu) - water(beam.meterset_mu) < 20


def test_a_patient_who_amplifies_is_refused(profile):
    beam = fields.centred("10x10", isocentre=(0, 0, 0))
    signal = signal_behind(50.0, beam, profile)
    with pytest.raises(UnusableInput, match="which no patient explains"):
        water_equivalent_beam(signal, profile, meterset_mu=beam.meterset_mu / 2)
