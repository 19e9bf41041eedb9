"""Spatial registration objects (REG): how imaging systems write where two frames of reference lie to each other.

PS3.3 C.20.2: each item names a frame of reference and the matrices, applied in order, from it to the registered one.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from intrepid_rt.dicom_file import collecting, decimals, items, label, read_dataset, text
from intrepid_rt.errors import AmbiguousInput, UnreadableFile, UnsupportedGeometry
from intrepid_rt.registration.rigid_transform import is_rigid


def registered_frames(path: str | Path) -> dict[str, NDArray]:
    """Return FrameOfReferenceUID to matrix (4, 4), LPS mm: from each frame to the registered one.

    Raises
    ------
    UnreadableFile
        Not a REG object, a frame without a matrix, or a matrix without sixteen numbers.
    UnsupportedGeometry
        A matrix that is not rigid.
    AmbiguousInput
        Two different motions of one frame.
    """
    # What the parser remarks is not kept: matrices are checked number by number, and frames link by equal UIDs or not.
    with collecting([]):
        return _frames(read_dataset(path, pixels=False))


def _frames(dataset: Dataset) -> dict[str, NDArray]:
    if text(dataset, "Modality") != "REG":
        raise UnreadableFile(
            f"{label(dataset)} is no spatial registration (REG). Give the one of the treatment machine."
        )
    frames: dict[str, NDArray] = {}
    for item in items(dataset, "RegistrationSequence"):
        matrix = np.eye(4)
        steps = [one for part in items(item, "MatrixRegistrationSequence") for one in items(part, "MatrixSequence")]
        if not steps:  # also the registered frame itself carries one, of no motion (C.20.2.1.1)
            raise UnreadableFile(f"{label(dataset)} names a frame of reference without a matrix. Export it again.")
        for one in steps:
            matrix = _matrix(one, dataset) @ matrix
        uid = text(item, "FrameOfReferenceUID")
        if not np.allclose(frames.get(uid, matrix), matrix, atol=1e-6):
            raise AmbiguousInput(f"{label(dataset)} gives two motions for frame of reference {uid}. Export it again.")
        if uid:
            frames[uid] = matrix
    return frames


def _matrix(item: Dataset, dataset: Dataset) -> NDArray:
    kind = text(item, "FrameOfReferenceTransformationMatrixType").upper()
    numbers = decimals(item, "FrameOfReferenceTransformationMatrix")
    if len(numbers) != 16:
        raise UnreadableFile(
            f"{label(dataset)} holds a matrix of {len(numbers)} numbers; expected 16. Export it again."
        )
    if kind not in ("RIGID", ""):
        raise UnsupportedGeometry(f"{label(dataset)} holds a {kind} matrix; only RIGID ones move a patient.")
    matrix = numbers.reshape(4, 4)
    if not is_rigid(matrix):
        raise UnsupportedGeometry(
            f"{label(dataset)} calls a matrix RIGID that stretches, mirrors or shears. Export the registration again."
        )
    return matrix


def motion_between(path: str | Path, from_frame: str, to_frame: str) -> NDArray | None:
    """Return the matrix (4, 4) from points of one frame to those of another, None if the object does not link them.

    LPS mm. Raises what `registered_frames` raises.
    """
    frames = registered_frames(path)
    if from_frame not in frames or to_frame not in frames:
        return None
    return np.linalg.inv(frames[to_frame]) @ frames[from_frame]
