"""RTPLAN to plan: every control point resolved, monitor units, fractions, prescription."""

import numpy as np
import pytest

import builders
from builders import BeamSpec, Ids
from intrepid_rt.dicom_plan import beams_with_meterset, read_plan
from intrepid_rt.errors import AmbiguousInput, MissingObject, UnsupportedGeometry


def test_plan_and_static_beam():
    ids = Ids()
    plan = read_plan(builders.rtplan([BeamSpec("AP", (30.0,), 123.5, isocentre=(1, -2, 3))], ids, fractions=25))
    assert (plan.sop_instance_uid, plan.frame_of_reference_uid) == (ids.plan, ids.frame)
    assert plan.referenced_structure_set_uid == ids.structure_set
    assert (plan.label, plan.patient_position) == ("TEST", "HFS")
    assert (plan.fractions_planned, plan.prescription_gy) == (25, 50.0)
    beam = plan.beam_numbered(1)
    assert (beam.name, beam.machine, beam.meterset_mu, beam.source_to_axis_mm) == ("AP", "LINAC1", 123.5, 1000.0)
    assert not beam.is_arc
    # The last control point states nothing but its weight.
    last = beam.control_points[-1]
    assert (last.gantry_angle_deg, last.collimator_angle_deg, last.couch_angle_deg) == (30.0, 10.0, 350.0)
    assert (last.jaw_x_mm, last.jaw_y_mm, last.nominal_energy_mv) == ((-50.0, 50.0), (-40.0, 60.0), 6.0)
    np.testing.assert_array_equal(last.isocentre_lps_mm, (1, -2, 3))
    assert [point.cumulative_meterset_weight for point in beam.control_points] == [0.0, 1.0]
    assert plan.notes == ()


def test_leaves_move_and_stay():
    beam = BeamSpec(
        leaf_boundaries_mm=(-20.0, -5.0, 0.0, 20.0),
        leaves_mm=((-10.0, -11.0, -12.0, 10.0, 11.0, 12.0), (), (-1.0, -2.0, -3.0, 4.0, 5.0, 6.0)),
    )
    dataset = builders.rtplan([beam], Ids())
    del dataset.BeamSequence[0].ControlPointSequence[1].BeamLimitingDevicePositionSequence
    points = read_plan(dataset).beams[0].control_points
    np.testing.assert_array_equal(points[1].mlc[0].bank_1_mm, (-10, -11, -12))
    np.testing.assert_array_equal(points[2].mlc[0].bank_1_mm, (-1, -2, -3))
    np.testing.assert_array_equal(points[2].mlc[0].bank_2_mm, (4, 5, 6))
    np.testing.assert_array_equal(points[2].mlc[0].leaf_boundaries_mm, (-20, -5, 0, 20))
    assert points[2].mlc[0].direction == "X"
    assert points[2].jaw_x_mm == (-50.0, 50.0)


def test_arc():
    beam = read_plan(builders.rtplan([BeamSpec(gantry_deg=(181.0, 270.0, 0.0, 90.0, 179.0))], Ids())).beams[0]
    assert beam.is_arc
    assert [point.gantry_angle_deg for point in beam.control_points] == [181, 270, 0, 90, 179]


def test_full_turn_that_ends_where_it_began_is_an_arc():
    assert read_plan(builders.rtplan([BeamSpec(gantry_deg=(180.0, 180.0))], Ids())).beams[0].is_arc


def test_jitter_across_zero_is_no_arc():
    dataset = builders.rtplan([BeamSpec(gantry_deg=(359.98,))], Ids())
    dataset.BeamSequence[0].ControlPointSequence[1].GantryAngle = "0.01"
    assert not read_plan(dataset).beams[0].is_arc


def test_plan_without_mu_is_refused_by_beam():
    plan = read_plan(builders.rtplan([BeamSpec("AP"), BeamSpec("RL", meterset_mu=None)], Ids()))
    assert plan.beams[1].meterset_mu is None
    with pytest.raises(MissingObject, match="no monitor units for beam RL"):
        beams_with_meterset(plan)


def test_setup_beam_needs_no_mu():
    plan = read_plan(
        builders.rtplan([BeamSpec("AP"), BeamSpec("CBCT", meterset_mu=None, delivery_type="SETUP")], Ids())
    )
    assert [beam.name for beam in beams_with_meterset(plan)] == ["AP"]


def test_meterset_in_minutes_is_no_mu():
    dataset = builders.rtplan([BeamSpec()], Ids())
    dataset.BeamSequence[0].PrimaryDosimeterUnit = "MINUTE"
    plan = read_plan(dataset)
    assert plan.beams[0].meterset_mu is None
    assert "in MINUTE" in plan.notes[0]


def test_contradictory_metersets_are_not_chosen_from():
    dataset = builders.rtplan([BeamSpec()], Ids())
    other = builders.item(ReferencedBeamNumber=1, BeamMeterset="80")
    dataset.FractionGroupSequence.append(builders.item(FractionGroupNumber=2, ReferencedBeamSequence=[other]))
    plan = read_plan(dataset)
    assert plan.beams[0].meterset_mu is None
    assert "[80.0, 100.0]" in plan.notes[0]
    assert plan.fractions_planned is None


def test_highest_prescription_to_a_volume_is_taken_with_a_note():
    dataset = builders.rtplan([BeamSpec()], Ids())
    for kind, dose in (("VOLUME", "60"), ("COORDINATES", "63")):
        target = builders.item(DoseReferenceStructureType=kind, DoseReferenceType="TARGET", TargetPrescriptionDose=dose)
        dataset.DoseReferenceSequence.append(target)
    plan = read_plan(dataset)
    assert plan.prescription_gy == 60.0
    assert "[50.0, 60.0]" in plan.notes[0]


def test_no_prescription():
    dataset = builders.rtplan([BeamSpec()], Ids())
    del dataset.DoseReferenceSequence
    assert read_plan(dataset).prescription_gy is None


def test_several_patient_positions_are_refused():
    dataset = builders.rtplan([BeamSpec()], Ids())
    dataset.PatientSetupSequence.append(builders.item(PatientSetupNumber=2, PatientPosition="FFS"))
    with pytest.raises(AmbiguousInput, match="FFS, HFS"):
        read_plan(dataset)


@pytest.mark.parametrize("keyword", ["GantryAngle", "IsocenterPosition"])
def test_control_point_without_geometry_is_refused(keyword):
    dataset = builders.rtplan([BeamSpec()], Ids())
    delattr(dataset.BeamSequence[0].ControlPointSequence[0], keyword)
    with pytest.raises(MissingObject, match=f"beam 1: no {keyword}"):
        read_plan(dataset)


def test_leaves_that_fit_no_boundaries_are_refused():
    beam = BeamSpec(leaf_boundaries_mm=(-20.0, 0.0, 20.0), leaves_mm=((-1.0, -2.0, 3.0),))
    with pytest.raises(MissingObject, match="MLCX has 3 leaf positions and 3 leaf boundaries"):
        read_plan(builders.rtplan([beam], Ids()))


def test_plan_without_beams_is_refused():
    with pytest.raises(MissingObject, match="holds no beam"):
        read_plan(builders.rtplan([], Ids()))


def test_ion_plan_is_refused():
    dataset = builders.rtplan([BeamSpec()], Ids())
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.8"
    with pytest.raises(UnsupportedGeometry, match="photon or electron"):
        read_plan(dataset)


def test_two_beams_of_one_number_are_refused():
    dataset = builders.rtplan([BeamSpec(), BeamSpec()], Ids())
    dataset.BeamSequence[1].BeamNumber = 1
    with pytest.raises(AmbiguousInput, match="two beams of one number"):
        read_plan(dataset)
