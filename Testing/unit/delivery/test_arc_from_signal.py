"""The whole way of an arc: simulated panel signal, portal dose frame by frame, stretches, causes.

The frames come from ``simulate_image`` (Monte Carlo scatter, a panel that is not water), with a CT of another grid than
the patient; the profile is commissioned from open fields of the same machine. ``make test-full`` only: about a minute.
"""

from dataclasses import replace

import numpy as np
import pytest

from intrepid_epid.commissioning import OpenField, commission
from intrepid_epid.delivery.arc_dose import arc_dose
from intrepid_epid.delivery.arc_stretches import coarse, portal_parts, predicted_stretches
from intrepid_epid.delivery.assignment import assign_frames
from intrepid_epid.delivery.beam_parts import arc_parts
from intrepid_epid.delivery.frames import DeliveryFrame
from intrepid_epid.error_causes import causes
from intrepid_epid.forward_evidence import Sector, arc_evidence
from intrepid_epid.image_grid import binned
from intrepid_epid.simulation import fields
from intrepid_epid.simulation.portal_images import simulate_image
from intrepid_epid.simulation.treatment_machine import SimulatedMachine
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_rt.beam_frame import beam_frame
from simulated_arcs import random_arc
from simulated_portal_images import random_patient

MACHINE = SimulatedMachine(pixels=128, pixel_mm=3.24)
RNG = np.random.default_rng(1)
PATIENT, PLAN = random_patient(RNG), random_arc(RNG)
CT = anatomy_of(PATIENT.density(4.0))
SHIFT_MM = (3.0, -3.0, 2.5)


def way_at(angle_deg):
    return PrimaryBeam(CT, MACHINE.spectrum, beam_frame(angle_deg, (0.0, 0.0, 0.0)))


@pytest.fixture(scope="module")
def profile():
    opened = []
    for side in (5, 10, 15, 20):
        beam = fields.centred(f"{side}x{side}")
        image = simulate_image(MACHINE, beam, None, seed=side)
        opened.append(
            OpenField(str(side), binned(image.signal), image.portal_dose.values, beam.meterset_mu, float(side**2))
        )
    return commission(opened, machine="SIM", energy="6 MV", spectrum=MACHINE.spectrum)


def frames(patient, output, shift_mm):
    """Signal of 18 frames; a patient who lies off is a beam that passes him on the other side."""
    density = patient.density(3.2)
    for number, (part, angle_deg) in enumerate(arc_parts(PLAN.beam, 10.0)):
        points = tuple(
            replace(point, gantry_angle_deg=angle_deg, isocentre_lps_mm=-np.array(shift_mm))
            for point in part.control_points
        )
        beam = replace(part, control_points=points, meterset_mu=part.meterset_mu * output)
        signal = binned(simulate_image(MACHINE, beam, density, seed=number, primaries=10_000).signal)
        yield DeliveryFrame(signal, f"frame {number}", number=number, gantry_angle_deg=angle_deg)


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("none", {}),
        ("output", {"output": 1.03}),
        ("setup shift", {"shift_mm": SHIFT_MM}),
        ("thickness change", {"patient": replace(PATIENT, fat_mm=10.0)}),
    ],
)
def test_causes_are_told_from_the_signal_of_frames(profile, name, changes):
    seen = list(frames(**{"patient": PATIENT, "output": 1.0, "shift_mm": (0.0, 0.0, 0.0)} | changes))
    ways = [way_at(frame.gantry_angle_deg) for frame in seen]
    made = arc_dose(
        [frame.image for frame in seen], ways, profile, lambda portal, way: np.zeros(CT.density.shape, np.float32)
    )
    parts = portal_parts(made.sectors, assign_frames(seen, PLAN.beam), PLAN.beam)
    whole, sectors = predicted_stretches(PLAN.beam, parts, profile, way_at)
    found = arc_evidence(Sector(whole, coarse(made.portal_gy), ways[0]), sectors, PLAN.beam)
    assert [cause.name for cause in causes(found)] == ([] if name == "none" else [name])
    if name == "setup shift":
        assert found.anatomy_shift_mm == pytest.approx(SHIFT_MM, abs=0.7)
