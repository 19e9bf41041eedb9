"""Transform files as Slicer, BRAINSFit and Elastix write them (.tfm, .txt, .h5): planning frame to image of the day."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from intrepid_rt.errors import UnreadableFile, UnusableInput
from intrepid_rt.grids import Grid
from intrepid_rt.registration.deformable import FARTHEST_MM, sampled_field
from intrepid_rt.registration.displacement import Displacement
from intrepid_rt.registration.images import from_rigid, to_image
from intrepid_rt.registration.rigid_transform import RigidTransform
from intrepid_rt.small_files import read_small_text, regular_file

SUFFIXES = (".tfm", ".txt", ".h5", ".hdf5", ".mat", ".xfm")
_HDF5 = (".h5", ".hdf5")
_ITK_TEXT = (".tfm", ".txt")
_LONGEST_S = 120.0  # to start Python and read a large field


def read_transform(path: str | Path, planning: Grid) -> tuple[RigidTransform, Displacement | None]:
    """Read a transform from the planning CT's points to those of the image of the day, LPS mm.

    A deformable transform is split: its rigid part fits the displacements over the extent of the planning CT best, the
    rest is a field.

    Raises
    ------
    UnreadableFile
        No transform file.
    UnusableInput
        The transform scales, mirrors or folds.
    """
    import SimpleITK as sitk  # noqa: N813

    path = regular_file(path)
    refusal = (
        f"{path} is no transform file, or damaged. Give one of {', '.join(SUFFIXES)}, from the planning CT (fixed) to "
        "the image of the day (moving), as registration programs write it."
    )
    hdf5 = path.suffix.lower() in _HDF5
    if not (_another_process_reads(path) if hdf5 else _is_whole_text(path)):
        raise UnreadableFile(refusal)
    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise UnreadableFile(refusal) from error
    if transform.IsLinear():
        return _rigid_of(transform, planning, path), None
    rigid = _rigid_of(transform, planning, path)
    rest = sitk.CompositeTransform([from_rigid(rigid.inverse, np.zeros(3)), transform])
    field = sampled_field(rest, planning)
    if field.volume_change.min() <= 0:
        raise UnusableInput(f"{path} folds tissue onto itself, which cannot be. Register anew.")
    return rigid, field


def _is_whole_text(path: Path) -> bool:
    """Whether every block has its fixed parameters, the last line of it: ITK takes a block cut short for no motion."""
    if path.suffix.lower() not in _ITK_TEXT:
        return True
    blocks = read_small_text(path).split("#Transform")[1:]
    return all("FixedParameters:" in block or "CompositeTransform" in block for block in blocks)


def _another_process_reads(path: Path) -> bool:
    """Try it where nothing is lost: the HDF5 library dies of some damaged files, and talks at length about others."""
    trial = "import sys, SimpleITK; SimpleITK.ReadTransform(sys.argv[1])"
    if not sys.executable:  # a Python inside another program knows no interpreter to start
        return True
    nowhere = subprocess.DEVNULL
    try:
        ran = subprocess.run(
            [sys.executable, "-P", "-c", trial, str(path)],
            stdin=nowhere, stdout=nowhere, stderr=nowhere, timeout=_LONGEST_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0


def write_transform(path: str | Path, motion: RigidTransform, field: Displacement | None) -> None:
    """Write rigid motion and field as one transform that Slicer opens; the suffix names the format."""
    import SimpleITK as sitk  # noqa: N813

    transform: Any = from_rigid(motion, np.zeros(3))
    if field is not None:
        image = sitk.GetImageFromArray(field.u_mm.astype(np.float64), isVector=True)
        image.CopyInformation(to_image(field.lattice))
        # The last one of a composite is applied first.
        transform = sitk.CompositeTransform([transform, sitk.DisplacementFieldTransform(image)])
    sitk.WriteTransform(transform, str(path))


def _rigid_of(transform: Any, planning: Grid, path: Path) -> RigidTransform:
    """Best rigid motion for where a transform takes points of the planning CT (Kabsch, Acta Cryst. A 32 (1976) 922)."""
    size = np.array(planning.shape[::-1]) - 1
    steps = np.linspace(0.0, 1.0, 5)
    share = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    points = planning.index_to_position(share * size)
    moved = np.array([transform.TransformPoint(point) for point in points.tolist()])
    if not np.abs(moved).max() < FARTHEST_MM:  # also not if some are no numbers
        raise UnreadableFile(f"{path} moves points of the patient by more than {FARTHEST_MM:g} mm. Register anew.")
    if transform.IsLinear():
        stretch = np.linalg.norm(moved[1:] - moved[0], axis=1) / np.linalg.norm(points[1:] - points[0], axis=1)
        if np.abs(stretch - 1).max() > 1e-3:
            raise UnusableInput(f"{path} scales or shears the patient. Register rigidly, with six degrees of freedom.")
    u, _, v = np.linalg.svd((moved - moved.mean(axis=0)).T @ (points - points.mean(axis=0)))
    matrix = np.eye(4)
    matrix[:3, :3] = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ v))]) @ v
    matrix[:3, 3] = moved.mean(axis=0) - matrix[:3, :3] @ points.mean(axis=0)
    return RigidTransform(matrix)
