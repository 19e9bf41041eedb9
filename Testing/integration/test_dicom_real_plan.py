"""A clinical sliding-window plan (Testing/data/breast_imrt, provenance in Testing/data/README.md)."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from intrepid_rt.dicom_plan import beams_with_meterset, read_plan

PATH = Path(__file__).parents[1] / "data" / "breast_imrt" / "rtplan.dcm"


@pytest.fixture(scope="module")
def plan():
    return read_plan(PATH)


def test_plan(plan):
    assert (plan.label, plan.patient_position, plan.fractions_planned, plan.prescription_gy) == ("B1", "HFS", 7, 14.0)
    assert [(b.name, b.meterset_mu, len(b.control_points)) for b in beams_with_meterset(plan)] == [
        ("3 RAO", 97.0, 92),
        ("4 AP", 87.0, 94),
        ("5 LAO", 89.0, 103),
        ("6 LPO", 94.0, 95),
    ]
    assert plan.notes == ()


def test_leaves_move_while_the_gantry_stands(plan):
    for beam in plan.beams:
        assert not beam.is_arc
        weights = [point.cumulative_meterset_weight for point in beam.control_points]
        assert weights[0] == 0
        assert weights[-1] == beam.final_cumulative_meterset_weight == 1
        assert (np.diff(weights) >= 0).all()
        (leaves,) = beam.control_points[0].mlc
        assert (leaves.direction, len(leaves.leaf_boundaries_mm), len(leaves.bank_1_mm)) == ("X", 61, 60)
        assert all((p.mlc[0].bank_1_mm <= p.mlc[0].bank_2_mm + 1e-6).all() for p in beam.control_points)
        assert {p.jaw_x_mm for p in beam.control_points} == {beam.control_points[0].jaw_x_mm}


def test_every_stated_leaf_position_is_the_file_s(plan):
    dataset = pydicom.dcmread(PATH)
    for beam, item in zip(plan.beams, dataset.BeamSequence, strict=True):
        for point, stated in zip(beam.control_points, item.ControlPointSequence, strict=True):
            positions = stated.BeamLimitingDevicePositionSequence[-1]
            assert positions.RTBeamLimitingDeviceType == "MLCX"
            read = np.concatenate([point.mlc[0].bank_1_mm, point.mlc[0].bank_2_mm])
            np.testing.assert_array_equal(read, np.array(positions.LeafJawPositions, float))
