"""IEC 61217 angles to the patient: every patient position by anatomy, couch and gantry against other programs."""

import numpy as np
import pytest

from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.errors import UnsupportedGeometry

LEFT, POSTERIOR, SUPERIOR = np.eye(3)
ANTERIOR, RIGHT, INFERIOR = -POSTERIOR, -LEFT, -SUPERIOR

# Where the source stands at gantry 0 (above), at gantry 90 (on the right of who faces the gantry), and which end of
# the patient is at the gantry: lying on the back, belly, right or left side, head or feet first.
POSITIONS = {
    "HFS": (ANTERIOR, LEFT, SUPERIOR),
    "HFP": (POSTERIOR, RIGHT, SUPERIOR),
    "HFDR": (LEFT, POSTERIOR, SUPERIOR),
    "HFDL": (RIGHT, ANTERIOR, SUPERIOR),
    "FFS": (ANTERIOR, RIGHT, INFERIOR),
    "FFP": (POSTERIOR, LEFT, INFERIOR),
    "FFDR": (LEFT, ANTERIOR, INFERIOR),
    "FFDL": (RIGHT, POSTERIOR, INFERIOR),
}


@pytest.mark.parametrize(("position", "sides"), POSITIONS.items(), ids=POSITIONS)
def test_patient_positions(position, sides):
    above, at_90, at_gantry = sides
    isocentre = np.array([12.0, -34.0, 56.0])
    for angle_deg, side in ((0, above), (90, at_90), (180, -above), (270, -at_90)):
        frame = beam_frame(angle_deg, isocentre, patient_position=position)
        np.testing.assert_allclose(frame.source_lps_mm, isocentre + 1000 * side, atol=1e-9)
        np.testing.assert_allclose(frame.y_axis, at_gantry, atol=1e-12)
        np.testing.assert_allclose(np.cross(frame.x_axis, frame.y_axis), frame.towards_source, atol=1e-12)


@pytest.mark.parametrize("gantry_deg", [0.0, 37.0, 90.0, 215.0, 359.0])
def test_head_first_supine_formula(gantry_deg):
    """The convention of the Monte Carlo reference cases: source at (sin G, -cos G, 0), X at (cos G, sin G, 0)."""
    frame = beam_frame(gantry_deg, (0, 0, 0))
    sine, cosine = np.sin(np.deg2rad(gantry_deg)), np.cos(np.deg2rad(gantry_deg))
    np.testing.assert_allclose(frame.source_lps_mm, (1000 * sine, -1000 * cosine, 0), atol=1e-9)
    np.testing.assert_allclose(frame.x_axis, (cosine, sine, 0), atol=1e-12)
    np.testing.assert_allclose(frame.y_axis, (0, 0, 1), atol=1e-12)


# Beam to RAS of SlicerRT (Beams/Testing/Cxx/vtkSlicerBeamsModuleLogicTest1.cxx): columns are the beam's X, Y, Z.
SLICERRT = [
    (90.0, 0.0, 0.0, [[0, 0, -1], [-1, 0, 0], [0, 1, 0]]),
    (90.0, 90.0, 0.0, [[0, 0, -1], [0, 1, 0], [1, 0, 0]]),
    (90.0, 90.0, 90.0, [[-1, 0, 0], [0, 1, 0], [0, 0, -1]]),
]


@pytest.mark.parametrize(("gantry_deg", "collimator_deg", "couch_deg", "beam_to_ras"), SLICERRT)
def test_slicerrt_agrees(gantry_deg, collimator_deg, couch_deg, beam_to_ras):
    frame = beam_frame(gantry_deg, (0, 0, 0), couch_angle_deg=couch_deg)
    sine, cosine = np.sin(np.deg2rad(collimator_deg)), np.cos(np.deg2rad(collimator_deg))
    x_axis = cosine * frame.x_axis + sine * frame.y_axis
    y_axis = -sine * frame.x_axis + cosine * frame.y_axis
    lps = np.stack([x_axis, y_axis, frame.towards_source], axis=1)
    np.testing.assert_allclose(np.diag([-1, -1, 1]) @ lps, beam_to_ras, atol=1e-12)


def test_projection_and_its_inverse():
    frame = beam_frame(215.0, (5, -6, 7), couch_angle_deg=20.0, patient_position="FFP")
    point = np.array([[30.0, -20.0, 40.0], [0.0, 1.0, 2.0]])
    np.testing.assert_allclose(frame.to_lps(frame.to_gantry(point)), point, atol=1e-9)
    # A point on the plane through the isocentre is magnified by 1.6 on a panel at 1600 mm.
    at_isocentre = frame.to_lps([10.0, -4.0, 0.0])
    np.testing.assert_allclose(frame.projected(at_isocentre, 1600.0), (16.0, -6.4), atol=1e-9)
    # Half way to the source it is magnified by 3.2.
    np.testing.assert_allclose(frame.projected(frame.to_lps([10.0, -4.0, 500.0]), 1600.0), (32.0, -12.8), atol=1e-9)


def test_unknown_patient_position():
    with pytest.raises(UnsupportedGeometry, match="PatientPosition '' is none of HFS"):
        beam_frame(0.0, (0, 0, 0), patient_position="")
