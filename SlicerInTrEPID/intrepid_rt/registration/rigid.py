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
BLUR_MM = 2.5  # else interpolation between thick slices blurs more or less and pulls by some tenths of a millimetre
# Nearer to a face of an image the blur lacks what lies beyond. Counting the end slices pulled by up to 0.5 mm across
# slices of 4 mm, more than averaging a forward and a backward search could mend.
EDGE_MM = 3 * BLUR_MM
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
    inner = away_from_faces(planning)
    masks = to_image(planning, inner if region is None else inner & region), to_image(day, away_from_faces(day))
    motion = IDENTITY if start is None else start
    if start is None:
        motion = _centred(planning, day, region)
    centre = np.asarray(centre_lps_mm, float)
    for spacing_mm in levels_mm:
        motion = _search((fixed, moving), masks, motion, centre, spacing_mm)
    return motion


def away_from_faces(grid: Grid) -> NDArray[np.bool_]:
    """Voxels (nz, ny, nx) whose blurred value is made of the image alone; along thin axes all of them.

    >>> away_from_faces(Grid(np.zeros((7, 1, 2)), np.diag([9.0, 9.0, 4.0, 1.0])))[:, 0, 0]
    array([False, False,  True,  True,  True, False, False])
    """
    inside = np.ones(grid.shape, bool)
    for axis, (n, spacing_mm) in enumerate(zip(grid.shape, grid.spacing_mm[::-1], strict=True)):
        index = np.arange(n)
        deep = spacing_mm * np.minimum(index, n - 1 - index) >= EDGE_MM
        if 3 * deep.sum() >= n:  # a stack of few slices needs them all
            inside &= np.expand_dims(deep, [other for other in range(3) if other != axis])
    return inside


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
    images: tuple[Any, Any], masks: tuple[Any, Any], motion: RigidTransform, centre: NDArray, spacing_mm: float
) -> RigidTransform:
    """Search on one level; images and masks are those of the planning CT and of the day."""
    import SimpleITK as sitk  # noqa: N813

    fixed_level, moving_level = (
        sitk.SmoothingRecursiveGaussian(coarsened(image, spacing_mm), BLUR_MM) for image in images
    )
    fixed_mask, moving_mask = (sitk.Cast(coarsened(mask, spacing_mm) > 0.5, sitk.sitkUInt8) for mask in masks)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    share = min(1.0, SAMPLES / fixed_level.GetNumberOfPixels())
    # Regular sampling is jittered inside its voxels, without which equal lattices pull towards whole voxels.
    method.SetMetricSamplingStrategy(method.REGULAR if share < 1 else method.NONE)
    method.SetMetricSamplingPercentage(share, SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetMetricFixedMask(fixed_mask)
    method.SetMetricMovingMask(moving_mask)
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
