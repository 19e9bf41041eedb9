"""Rigid registration of another image to the planning CT by mutual information.

Mattes et al., IEEE Trans. Med. Imaging 22 (2003) 120, as implemented in ITK: no relation of the HU of the two images is
assumed, so a cone-beam CT needs none.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intrepid_rt.errors import UnusableInput
from intrepid_rt.grids import Grid
from intrepid_rt.registration.images import coarsened, from_rigid, to_image, to_rigid
from intrepid_rt.registration.rigid_transform import IDENTITY, RigidTransform

AIR_HU = -1000.0
LEVELS_MM = (8.0, 4.0, 2.0)
SAMPLES = 60_000  # voxels per level: the scatter of the answer is below 0.1 mm
BLUR_MM = 2.5  # else interpolation between thick slices blurs more or less and pulls by up to 0.4 mm
SEED = 20_260_101


def register_rigid(
    planning: Grid,
    day: Grid,
    *,
    centre_lps_mm: ArrayLike,
    start: RigidTransform | None = None,
    region: NDArray[np.bool_] | None = None,
    levels_mm: tuple[float, ...] = LEVELS_MM,
) -> RigidTransform:
    """Find the motion from points of the planning CT to the same points of the patient in the image of the day.

    Parameters
    ----------
    planning, day : Grid
        CT numbers (HU); any lattices.
    centre_lps_mm : array_like, (3,)
        Point of the planning frame to turn about: the isocentre.
    start : RigidTransform
        Where to begin; without it the centres of mass are laid upon each other.
    region : ndarray of bool, (nz, ny, nx)
        Voxels of the planning CT that count: the patient without the couch.

    Raises
    ------
    UnusableInput
        The images do not overlap, or the search did not end.
    """
    fixed, moving = to_image(planning), to_image(day)
    mask = None if region is None else to_image(planning, region)
    motion = IDENTITY if start is None else start
    if start is None:
        motion = _centred(planning, day, region)
    centre = np.asarray(centre_lps_mm, float)
    for spacing_mm in levels_mm:
        motion = _search(fixed, moving, mask, motion, centre, spacing_mm)
    return motion


def _centred(planning: Grid, day: Grid, region: NDArray | None) -> RigidTransform:
    matrix = np.eye(4)
    matrix[:3, 3] = _centre_of_mass(day, None) - _centre_of_mass(planning, region)
    return RigidTransform(matrix)


def _centre_of_mass(grid: Grid, region: NDArray | None) -> NDArray:
    weight = np.clip(grid.values - AIR_HU, 0.0, 1000.0)
    if region is not None:
        weight = weight * region
    total = weight.sum()
    if not total > 0:
        raise UnusableInput("An image to be registered holds nothing but air. Give the CT of the treated region.")
    sums = [weight.sum(axis=axes) for axes in ((0, 1), (0, 2), (1, 2))]
    return grid.index_to_position([float(s @ np.arange(len(s)) / total) for s in sums])


def _search(
    fixed: Any, moving: Any, mask: Any, motion: RigidTransform, centre: NDArray, spacing_mm: float
) -> RigidTransform:
    import SimpleITK as sitk  # noqa: N813

    fixed_level, moving_level = (
        sitk.SmoothingRecursiveGaussian(coarsened(image, spacing_mm), BLUR_MM) for image in (fixed, moving)
    )
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    share = min(1.0, SAMPLES / fixed_level.GetNumberOfPixels())
    # Regular sampling is jittered inside its voxels, without which equal lattices pull towards whole voxels.
    method.SetMetricSamplingStrategy(method.REGULAR if share < 1 else method.NONE)
    method.SetMetricSamplingPercentage(share, SEED)
    method.SetInterpolator(sitk.sitkLinear)
    if mask is not None:
        method.SetMetricFixedMask(sitk.Cast(coarsened(mask, spacing_mm) > 0.5, sitk.sitkUInt8))
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=spacing_mm / 2, minStep=0.005, numberOfIterations=150, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    transform = from_rigid(motion, centre)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed_level, moving_level)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise UnusableInput(
            f"The image of the day could not be registered to the planning CT ({reason}). They may not show the same "
            "region. Give a transform with --registration FILE, made in Slicer."
        ) from error
    return to_rigid(transform)
