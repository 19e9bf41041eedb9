"""Spatial registration objects: which frame goes to which, matrices in order, and what is refused."""

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

import builders
from builders import Ids, item
from intrepid_rt.dicom_registration import motion_between, registered_frames
from intrepid_rt.errors import AmbiguousInput, UnreadableFile, UnsupportedGeometry
from intrepid_rt.registration.rigid_transform import rigid_about

PLAN, DAY = generate_uid(), generate_uid()
TURN = rigid_about((1.0, 2.0, 3.0), rotation_deg=(1.0, -2.0, 3.0))
SHIFT = rigid_about((0.0, 0.0, 0.0), shift_mm=(5.0, -6.0, 7.0))


def matrix_item(matrix, kind="RIGID"):
    made = item(FrameOfReferenceTransformationMatrix=[f"{v:.10g}" for v in np.ravel(matrix)])
    made.FrameOfReferenceTransformationMatrixType = kind
    return made


def written(tmp_path, *steps, modality="REG", kind="RIGID"):
    """Registration of the image of the day: first one step, then the next, to the frame of the plan."""
    made = builders.new_dataset("CT", Ids(frame=PLAN))
    made.Modality, made.SOPClassUID = modality, "1.2.840.10008.5.1.4.1.1.66.1"
    made.RegistrationSequence = [
        item(FrameOfReferenceUID=uid, MatrixRegistrationSequence=[item(MatrixSequence=matrices)])
        for uid, matrices in (
            (PLAN, [matrix_item(np.eye(4))]),
            (DAY, [matrix_item(step, kind) for step in steps]),
        )
    ]
    return builders.save(made, tmp_path / "reg.dcm")


def test_points_go_from_plan_to_day_by_all_matrices(tmp_path):
    file = written(tmp_path, TURN.matrix, SHIFT.matrix)
    to_day = motion_between(file, PLAN, DAY)
    np.testing.assert_allclose(to_day, SHIFT.after(TURN).inverse.matrix, atol=1e-8)
    np.testing.assert_allclose(motion_between(file, DAY, PLAN), SHIFT.after(TURN).matrix, atol=1e-8)
    assert motion_between(file, PLAN, generate_uid()) is None
    assert set(registered_frames(file)) == {PLAN, DAY}


def test_what_is_no_rigid_registration_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="no spatial registration"):
        registered_frames(written(tmp_path, TURN.matrix, modality="CT"))
    with pytest.raises(UnsupportedGeometry, match="AFFINE"):
        registered_frames(written(tmp_path, TURN.matrix, kind="AFFINE"))
    with pytest.raises(UnreadableFile, match="12 numbers"):
        registered_frames(written(tmp_path, TURN.matrix[:3]))
    # Whatever the object calls them: matrices that stretch, mirror or move the last row are no motion of a patient.
    for wrong in (np.diag([1.0, 1.0, 1.1, 1.0]), np.diag([1.0, 1.0, -1.0, 1.0]), np.eye(4) + np.eye(4, k=-3) * 0.01):
        with pytest.raises(UnsupportedGeometry, match="stretches, mirrors or shears"):
            registered_frames(written(tmp_path, wrong))


def test_one_frame_with_two_motions_is_refused(tmp_path):
    file = written(tmp_path, TURN.matrix)
    made = pydicom.dcmread(file)
    again = item(FrameOfReferenceUID=DAY, MatrixRegistrationSequence=[item(MatrixSequence=[matrix_item(SHIFT.matrix)])])
    made.RegistrationSequence.append(again)
    with pytest.raises(AmbiguousInput, match="two motions"):
        registered_frames(builders.save(made, file))


def test_a_frame_without_a_matrix_is_not_taken_for_no_motion(tmp_path):
    with pytest.raises(UnreadableFile, match="without a matrix"):
        registered_frames(written(tmp_path))
