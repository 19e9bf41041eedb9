"""RTPLAN to rows: angles, metersets, prescriptions, apertures; kinds of plan that are only half understood."""

from pathlib import Path

import pytest
from pydicom import dcmread

from builders import BeamSpec, Ids, item, new_dataset, rtplan
from intrepid_cohort.plan_facts import plan_row
from intrepid_rt.errors import AmbiguousInput

BREAST = Path(__file__).parents[2] / "data" / "breast_imrt" / "rtplan.dcm"


def row(*beams, **known):
    return plan_row(rtplan(beams, Ids(), **known), file_sha256="0")


def test_static_beam():
    plan = row(BeamSpec("A", (300.0,), 120.0, isocentre=(1, 2, 3)), BeamSpec("B", (120.0,), 80.0), fractions=25)
    beam = plan.beams[0]
    assert (plan.meterset_mu, plan.fractions_planned, plan.prescription_dose_gy) == (200.0, 25, 50.0)
    assert plan.treatment_modality == "PHOTON STATIC"
    assert (beam.gantry_angle_start_deg, beam.gantry_range_deg, beam.mu_per_degree) == (300.0, 0.0, None)
    assert (beam.isocentre_x_mm, beam.isocentre_y_mm, beam.isocentre_z_mm) == (1, 2, 3)
    assert (beam.collimator_angle_start_deg, beam.couch_angle_end_deg) == (10.0, 350.0)
    assert (beam.fraction_group_number, beam.fractions, beam.energy_max) == (1, 25, 6.0)
    # 100 x 100 mm between the jaws.
    assert beam.mlc_area_mean_cm2 == pytest.approx(100.0)
    assert [point.meterset_mu for point in beam.control_points] == [120.0, 0.0]


def test_arc_through_zero_travels_the_stated_way_round():
    beam = row(BeamSpec("Arc", (350.0, 20.0, 80.0), 180.0)).beams[0]
    assert beam.gantry_range_deg == pytest.approx(90.0)
    assert beam.mu_per_degree == pytest.approx(2.0)
    assert beam.mu_per_control_point == pytest.approx(60.0)
    assert (beam.gantry_angle_min_deg, beam.gantry_angle_max_deg) == (20.0, 350.0)
    assert beam.gantry_rotation_direction == "CW"


def test_counter_clockwise_arc():
    dataset = rtplan([BeamSpec("Arc", (20.0, 350.0), 60.0)], Ids())
    dataset.BeamSequence[0].ControlPointSequence[0].GantryRotationDirection = "CC"
    assert plan_row(dataset, file_sha256="0").beams[0].gantry_range_deg == pytest.approx(30.0)


def test_leaves_within_the_jaws_leave_their_area_open():
    leaves = ((-30.0, -60.0, 10.0, 20.0, 45.0, 10.0), (-30.0, -30.0, -30.0, 30.0, 30.0, 30.0))
    beam = BeamSpec(leaf_boundaries_mm=(-60.0, -20.0, 0.0, 20.0), leaves_mm=leaves)
    # Jaws X -50..50, Y -40..60. First control point, per pair: width 20 (cut by the jaw), 20, 20; open 50, 95, 0.
    first, second = row(beam).beams[0].control_points
    assert first.mlc_area_cm2 == pytest.approx((20 * 50 + 20 * 95) / 100)
    assert second.mlc_area_cm2 == pytest.approx(3 * 20 * 60 / 100)


def test_prescriptions_of_a_clinical_plan():
    plan = plan_row(dcmread(BREAST), file_sha256="0")
    assert [(p.normalization_method, p.fractions, p.fraction_dose_gy) for p in plan.prescriptions] == [
        ("SITE", 7, 2.0),
        ("COORDINATES", 7, pytest.approx(11.3113869239676 / 7)),
    ]
    # The dose to the point is no prescription while a site has one.
    assert plan.prescription_dose_gy == 14.0
    assert [beam.control_point_count for beam in plan.beams] == [92, 94, 103, 95]
    assert plan.meterset_mu == pytest.approx(sum(beam.beam_meterset_mu for beam in plan.beams))
    for beam in plan.beams:
        assert sum(point.meterset_mu for point in beam.control_points) == pytest.approx(beam.beam_meterset_mu)


def test_two_fraction_groups_leave_open_what_differs():
    dataset = rtplan([BeamSpec("A"), BeamSpec("B")], Ids(), fractions=25)
    first = dataset.FractionGroupSequence[0]
    second = item(FractionGroupNumber=2, NumberOfFractionsPlanned=5, ReferencedBeamSequence=[
        item(ReferencedBeamNumber=2, BeamMeterset="40")])  # fmt: skip
    first.ReferencedBeamSequence = first.ReferencedBeamSequence[:1]
    dataset.FractionGroupSequence = [first, second]
    plan = plan_row(dataset, file_sha256="0")
    assert plan.fractions_planned is None
    assert [(beam.fractions, beam.beam_meterset_mu) for beam in plan.beams] == [(25, 100.0), (5, 40.0)]
    assert [p.fraction_dose_gy for p in plan.prescriptions] == [None, None]
    second.NumberOfFractionsPlanned = 25  # 25 side by side, or 50 one after the other
    assert plan_row(dataset, file_sha256="0").fractions_planned is None


def test_missing_meterset_makes_no_sum():
    assert row(BeamSpec("A", meterset_mu=None), BeamSpec("B")).meterset_mu is None


def test_setup_beam_adds_nothing_to_the_plan():
    plan = row(BeamSpec("A", meterset_mu=50.0), BeamSpec("CBCT", meterset_mu=7.0, delivery_type="SETUP"))
    assert plan.meterset_mu == 50.0


def test_ion_plan_is_kept_with_what_it_states():
    dataset = new_dataset("RTPLAN", Ids())
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.8"
    layers = [
        item(NominalBeamEnergy=e, NumberOfScanSpotPositions=n, CumulativeMetersetWeight=str(w))
        for e, n, w in (("150", 20, 0), ("150", 20, 0.4), ("120", 30, 0.4), ("120", 30, 1))
    ]
    layers[0].GantryAngle = 90.0
    dataset.IonBeamSequence = [
        item(BeamNumber=1, BeamName="P", RadiationType="PROTON", ScanMode="MODULATED", BeamType="STATIC",
             FinalCumulativeMetersetWeight="1", IonControlPointSequence=layers)]  # fmt: skip
    plan = plan_row(dataset, file_sha256="0")
    (beam,) = plan.beams
    assert (beam.scan_mode, beam.scan_spot_count) == ("MODULATED", 50)
    assert (beam.energy_min, beam.energy_max, beam.gantry_angle_start_deg) == (120.0, 150.0, 90.0)
    assert plan.treatment_modality == "PROTON STATIC"
    assert any("no plan of photon or electron beams" in note for note in plan.notes)


def test_brachytherapy_plan_states_its_time():
    dataset = new_dataset("RTPLAN", Ids())
    dataset.BrachyTreatmentType = "HDR"
    dataset.ApplicationSetupSequence = [
        item(ApplicationSetupNumber=1, ChannelSequence=[item(ChannelNumber=1, ChannelTotalTime="120.5"),
                                                        item(ChannelNumber=2, ChannelTotalTime="60")])]  # fmt: skip
    plan = plan_row(dataset, file_sha256="0")
    assert (plan.treatment_time_s, plan.treatment_modality, plan.beams) == (180.5, "BRACHY HDR", [])


def test_two_beams_of_one_number_are_refused():
    dataset = rtplan([BeamSpec("A"), BeamSpec("B")], Ids())
    dataset.BeamSequence[1].BeamNumber = 1
    with pytest.raises(AmbiguousInput, match="two beams of one number"):
        plan_row(dataset, file_sha256="0")
