"""A refined arc is the sum of its refined sectors, or all physics; its band is the sum of theirs."""

from functools import partial

import numpy as np
import pytest

from chain_phantoms import soft_field, water_box
from chain_study import PROFILE
from intrepid_epid.beam_model import generic_spectrum
from intrepid_epid.delivery.arc_dose import arc_dose
from intrepid_epid.networks.card import TrainingRange
from intrepid_epid.refinement.refinement_model import RefinedDose, refinement_model
from intrepid_epid.refinement.sector_sum import SectorSum
from intrepid_epid.superposition import superposition_dose
from intrepid_epid.transit import PrimaryBeam, anatomy_of
from intrepid_epid.transit_portal_dose import transit_portal_dose
from intrepid_rt.beam_frame import beam_frame
from toy_refinement import toy_beam, write_toy_refinement


@pytest.fixture(scope="module")
def arc():
    """Three frames, each a sector of its own, through a box off the isocentre."""
    anatomy = anatomy_of(water_box((14, 24, 26), (6.0, 5.0, 5.5), centre=(4.0, -3.0, 6.0)))
    beams = [PrimaryBeam(anatomy, generic_spectrum(), beam_frame(angle, (0, 0, 0))) for angle in (10.0, 45.0, 80.0)]
    fields = [soft_field(25, 20), soft_field(15, 25, centre=(8.0, -5.0)), soft_field(20, 20)]
    return fields, beams


def refining(folder, **options):
    return partial(refinement_model(str(write_toy_refinement(folder, **options))).refine, energy="6 MV")


def test_doses_and_half_widths_of_the_sectors_add_up(arc, tmp_path):
    fields, beams = arc
    refine = refining(tmp_path / "toy")
    made = arc_dose(fields, beams, PROFILE, superposition_dose, refine=refine)
    physics = arc_dose(fields, beams, PROFILE, superposition_dose)
    alone = [
        refine(superposition_dose(transit_portal_dose(field, PROFILE, beam), beam), beam)
        for field, beam in zip(fields, beams, strict=True)
    ]
    dose, half = sum(one.dose_gy for one in alone), sum(one.half_width_gy for one in alone)
    np.testing.assert_allclose(made.dose_gy, dose, atol=0.003 * dose.max())
    np.testing.assert_allclose(made.half_width_gy, half, atol=0.02 * half.max())
    assert np.abs(made.dose_gy - physics.dose_gy).max() > 0.005 * dose.max()
    assert physics.half_width_gy is None
    assert made.notes == ()


def test_networks_that_correct_nothing_leave_the_physics_with_a_band(arc, tmp_path):
    fields, beams = arc
    made = arc_dose(fields, beams, PROFILE, superposition_dose, refine=refining(tmp_path / "zero", last_weight=0.0))
    np.testing.assert_array_equal(made.dose_gy, arc_dose(fields, beams, PROFILE, superposition_dose).dose_gy)
    assert (made.half_width_gy > 0).all()


def test_sectors_outside_the_domain_leave_the_arc_to_the_physics(arc, tmp_path):
    fields, beams = arc
    refine = refining(tmp_path / "elsewhere", domain=[TrainingRange("area_cm2", 500.0, 900.0)])
    made = arc_dose(fields, beams, PROFILE, superposition_dose, refine=refine)
    np.testing.assert_array_equal(made.dose_gy, arc_dose(fields, beams, PROFILE, superposition_dose).dose_gy)
    assert made.half_width_gy is None
    assert "3 sectors of this arc could not be refined" in made.notes[0]
    assert "trained on 500 to 900" in made.notes[0]


@pytest.mark.parametrize(("share", "refined"), [(0.001, True), (0.1, False)])
def test_one_refused_sector_counts_unless_it_adds_next_to_nothing(share, refined):
    dose, beam = toy_beam()

    def refine(dose_gy, beam):
        if dose_gy.max() < 0.5:
            return RefinedDose(dose_gy, None, ("too small.",))
        return RefinedDose(1.1 * dose_gy, 0.02 * dose_gy)

    total = SectorSum(dose.shape, refine)
    for factor in (1.0, share, 0.0):
        total.add(np.float32(factor) * dose, beam)
    made = total.total()
    assert (made.half_width_gy is not None) == refined
    assert bool(made.notes) != refined
    np.testing.assert_allclose(made.dose_gy, ((1.1 if refined else 1.0) + share) * dose, rtol=1e-5)
