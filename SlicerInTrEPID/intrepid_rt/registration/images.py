"""Grids as images of SimpleITK, which registers them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.grids import Grid
from intrepid_rt.registration.rigid_transform import RigidTransform


def to_image(grid: Grid, values: NDArray | None = None) -> Any:
    """Return a float image on the lattice of a grid; ``values`` (nz, ny, nx) replace the grid's own."""
    import SimpleITK as sitk  # noqa: N813 - the name everyone gives it

    image = sitk.GetImageFromArray(np.asarray(grid.values if values is None else values, np.float32))
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_lps_mm.tolist())
    image.SetDirection((grid.index_to_lps[:3, :3] / np.array(grid.spacing_mm)).ravel().tolist())
    return image


def to_rigid(transform: Any) -> RigidTransform:
    """Return the matrix of a linear transform of SimpleITK."""
    matrix = np.eye(4)
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    for axis in range(3):
        unit = np.eye(3)[axis].tolist()
        matrix[:3, axis] = np.array(transform.TransformPoint(unit)) - matrix[:3, 3]
    return RigidTransform(matrix)


def from_rigid(motion: RigidTransform, centre_lps_mm: NDArray) -> Any:
    """Return a motion as ``VersorRigid3DTransform`` about a centre (3,), LPS mm."""
    import SimpleITK as sitk  # noqa: N813

    transform = sitk.VersorRigid3DTransform()
    transform.SetMatrix(_orthogonal(motion.matrix[:3, :3]).ravel().tolist())
    transform.SetTranslation(motion.shift_at(centre_lps_mm).tolist())
    transform.SetCenter(np.asarray(centre_lps_mm, float).tolist())
    return transform


def _orthogonal(turn: NDArray) -> NDArray:
    """Round a rotation that was read with few digits to the nearest exact one, which ITK demands."""
    u, _, v = np.linalg.svd(turn)
    return u @ v


def coarsened(image: Any, spacing_mm: float) -> Any:
    """Average an image into voxels of about this size, where its own are smaller."""
    import SimpleITK as sitk  # noqa: N813

    factors = [max(1, min(int(spacing_mm / own + 0.01), size)) for own, size in
               zip(image.GetSpacing(), image.GetSize(), strict=True)]  # fmt: skip
    return image if max(factors) == 1 else sitk.BinShrink(image, factors)
