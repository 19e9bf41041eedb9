"""What a plan or structure set leaves out is said, not taken for nothing."""

import pytest

import builders
from builders import BeamSpec, Ids, Roi
from intrepid_rt.dicom_plan import read_plan
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.errors import MissingObject, UnreadableFile


def test_what_a_plan_leaves_out_is_said():
    plan = builders.rtplan([BeamSpec("A"), BeamSpec("B")], Ids())
    assert not [note for note in read_plan(plan).notes if "Beam" in note]
    first, second = plan.BeamSequence
    del first.ControlPointSequence[0].BeamLimitingDeviceAngle
    del first.ControlPointSequence[1].CumulativeMetersetWeight
    second.TreatmentDeliveryType = "SOMETHING"
    notes = "\n".join(read_plan(plan).notes)
    assert "Beam 1 states no BeamLimitingDeviceAngle: taken as 0." in notes
    assert "Beam 1: control points without CumulativeMetersetWeight" in notes
    assert "Beam 2: TreatmentDeliveryType is not known" in notes


def test_jaws_of_no_kind_and_numbers_that_are_several_are_refused():
    plan = builders.rtplan([BeamSpec()], Ids())
    plan.BeamSequence[0].SourceAxisDistance = ["1000", "1200"]
    with pytest.raises(UnreadableFile, match="SourceAxisDistance holds 2 numbers; expected one"):
        read_plan(plan)
    plan.BeamSequence[0].SourceAxisDistance = "1000"
    del plan.BeamSequence[0].ControlPointSequence[0].BeamLimitingDevicePositionSequence[0].RTBeamLimitingDeviceType
    with pytest.raises(MissingObject, match="positions of a device without type"):
        read_plan(plan)


def test_contours_of_no_structure_are_noted():
    made = builders.rtstruct([Roi("PTV", [builders.ring((0, 0), 10, 0.0)])], Ids())
    made.ROIContourSequence[0].ReferencedROINumber = 7
    found = read_structure_set(made)
    assert found.structures[0].is_empty
    assert any("1 set(s) of contours belong to no ROI" in note for note in found.notes)
