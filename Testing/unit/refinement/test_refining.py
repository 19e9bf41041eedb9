"""A refinement applied: bounded, linear in the monitor units, and the physics wherever it is not made for a beam."""

import json

import numpy as np
import pytest

from intrepid_epid.networks.card import TrainingRange
from intrepid_epid.refinement.beam_view import VOXEL_MM, averaged, beam_lattice, beam_view
from intrepid_epid.refinement.refinement_model import _carried, refinement_model
from intrepid_rt.errors import InvalidSetting, UnreadableFile
from intrepid_rt.grids import Grid
from toy_refinement import toy_beam, write_toy_refinement


@pytest.fixture
def toy(tmp_path):
    return write_toy_refinement(tmp_path / "toy")


def test_networks_that_correct_nothing_leave_the_physics_exactly(tmp_path):
    dose, beam = toy_beam()
    refined = refinement_model(str(write_toy_refinement(tmp_path / "zero", last_weight=0.0))).refine(
        dose, beam, energy="6 MV"
    )
    np.testing.assert_array_equal(refined.dose_gy, dose)
    assert refined.notes == ()
    assert (refined.half_width_gy > 0).all()


def test_correction_is_bounded_and_no_dose_is_negative(toy):
    dose, beam = toy_beam()
    refined = refinement_model(str(toy)).refine(dose, beam, energy="6 MV")
    level = beam_view(beam.anatomy.density.with_values(dose), beam).level_gy
    change = refined.dose_gy - dose
    assert 0.005 * level < np.abs(change).max() <= 0.08 * level
    assert refined.dose_gy.min() >= 0


def test_linear_in_the_monitor_units(toy):
    dose, beam = toy_beam()
    model = refinement_model(str(toy))
    once, thrice = (model.refine(dose * factor, beam, energy="6 MV") for factor in (1.0, 3.0))
    np.testing.assert_allclose(thrice.dose_gy, 3 * once.dose_gy, rtol=2e-4, atol=1e-5)
    np.testing.assert_allclose(thrice.half_width_gy, 3 * once.half_width_gy, rtol=2e-4, atol=1e-5)


def test_the_same_beam_turned_with_its_patient_is_refined_alike(toy):
    """The network sees along the beam: gantry 90 on the turned phantom is gantry 0 on the standing one."""
    dose, beam = toy_beam(0.0)
    model = refinement_model(str(toy))
    grid = beam.anatomy.density
    turn = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])  # LPS: anterior to the patient's left
    turned_grid = Grid(grid.values, turn @ grid.index_to_lps)
    turned = type(beam)(
        type(beam.anatomy)(turned_grid, beam.anatomy.material, beam.anatomy.materials),
        beam.spectrum,
        type(beam.frame)(
            turn[:3, :3] @ beam.frame.isocentre_lps_mm,
            turn[:3, :3] @ beam.frame.x_axis,
            turn[:3, :3] @ beam.frame.y_axis,
            turn[:3, :3] @ beam.frame.towards_source,
            beam.frame.source_to_axis_mm,
        ),
    )
    plain, other = (model.refine(dose, one, energy="6 MV").dose_gy for one in (beam, turned))
    np.testing.assert_allclose(other, plain, atol=1e-5)


def test_view_and_way_back_are_exact_for_what_is_linear():
    dose, beam = toy_beam()
    grid = beam.anatomy.density
    lattice = beam_lattice(grid.with_values(dose), beam.frame, 0.8)
    assert all(size % 4 == 0 for size in lattice.shape)
    centre = beam.frame.to_gantry(lattice.origin_lps_mm)
    np.testing.assert_allclose((centre - VOXEL_MM / 2) / VOXEL_MM, np.rint((centre - VOXEL_MM / 2) / VOXEL_MM))
    linear = grid.with_values((grid.positions() @ (0.02, -0.01, 0.03)).astype(np.float32))
    along = averaged(linear, lattice)
    inside = np.isfinite(grid.sample(lattice.positions()))
    deep = inside & (averaged(grid.with_values(np.ones(grid.shape, np.float32)), lattice).values > 0.9999)
    np.testing.assert_allclose(along.values[deep], (lattice.positions() @ (0.02, -0.01, 0.03))[deep], atol=1e-4)
    back = _carried(lattice.with_values((lattice.positions() @ (0.02, -0.01, 0.03)).astype(np.float32)), grid)
    reached = np.isfinite(lattice.sample(grid.positions()))
    np.testing.assert_allclose(back[reached], linear.values[reached], atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "energy", "reason"),
    [
        ({}, "10 MV", "for 6 MV, the machine profile for 10 MV"),
        ({"domain": [TrainingRange("area_cm2", 50.0, 400.0)]}, "6 MV", "trained on 50 to 400"),
        ({"domain": [TrainingRange("grid_mm", 2.0, 3.0)]}, "6 MV", "dose grid of 4.12 mm"),
        ({"domain": [TrainingRange("density_g_cc", 0.0, 0.5)]}, "6 MV", "density of 1.00 g/cm3"),
    ],
)
def test_outside_its_domain_the_physics_answers_and_says_why(tmp_path, changes, energy, reason):
    dose, beam = toy_beam()
    model = refinement_model(str(write_toy_refinement(tmp_path / "toy", **changes)))
    refined = model.refine(dose, beam, energy=energy)
    assert refined.dose_gy is dose
    assert refined.half_width_gy is None
    assert reason in refined.notes[0]
    assert "the dose is that of the physics" in refined.notes[0]


def test_without_dose_there_is_nothing_to_refine(toy):
    dose, beam = toy_beam()
    refined = refinement_model(str(toy)).refine(np.zeros_like(dose), beam, energy="6 MV")
    assert "no dose to refine" in refined.notes[0]


def test_an_unknown_name_is_refused():
    with pytest.raises(InvalidSetting, match="No refinement is called 'better'"):
        refinement_model("better")


def test_changed_weights_are_refused(toy):
    path = toy / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="not those saved together"):
        refinement_model(str(toy))


@pytest.mark.parametrize(("key", "value"), [("energy", "10 MV"), ("quantile", 0.1), ("schema", "other")])
def test_a_changed_card_is_refused(toy, key, value):
    card = json.loads((toy / "card.json").read_text())
    card[key] = value
    (toy / "card.json").write_text(json.dumps(card))
    with pytest.raises(UnreadableFile, match=r"not those saved together|schema 'other'"):
        refinement_model(str(toy))
