"""Deformable registration: what remains between planning CT and image of the day after the rigid one.

A free-form deformation of cubic B-splines (Rueckert et al., IEEE Trans. Med. Imaging 18 (1999) 712), driven by the
correlation of the HU, as implemented in ITK. Correlation asks for a linear relation of the HU of both images, which
cone-beam CT has after its own reconstruction; tissue without texture moves as its surroundings do.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.errors import UnusableInput
from intrepid_rt.grids import Grid
from intrepid_rt.registration.displacement import Displacement
from intrepid_rt.registration.images import coarsened, to_image

KNOTS_MM = 32.0
VOXEL_MM = 4.0  # of the images that are compared, and of the lattice on which the field is kept
FARTHEST_MM = 1e5  # of a motion; frames of reference lie metres apart at most
BLUR_MM = 1.5
SAMPLES = 30_000
ITERATIONS = 25
SEED = 20_260_101


def register_deformable(planning: Grid, day: Grid, *, region: NDArray[np.bool_] | None = None) -> Displacement:
    """Find the displacement of each point of the planning CT in an image that is rigidly aligned to it.

    Parameters
    ----------
    planning, day : Grid
        CT numbers (HU), both in the planning frame; any lattices.
    region : ndarray of bool, (nz, ny, nx)
        Voxels of the planning CT that count: the patient without the couch.

    Raises
    ------
    UnusableInput
        The search did not end, or its field folds.
    """
    fixed, moving = to_image(planning), to_image(day)
    mask = None if region is None else to_image(planning, region)
    field = sampled_field(_search(fixed, moving, mask), planning)
    if field.volume_change.min() <= 0:
        raise UnusableInput(
            "The deformable registration folds tissue onto itself, which cannot be. Use --registration rigid, or give "
            "a transform made in Slicer with --registration FILE."
        )
    return field


def _search(fixed: Any, moving: Any, mask: Any) -> Any:
    import SimpleITK as sitk  # noqa: N813

    extent_mm = np.array(fixed.GetSize()) * fixed.GetSpacing()
    knots = [max(1, round(extent / (2 * KNOTS_MM))) for extent in extent_mm]
    transform = sitk.BSplineTransformInitializer(fixed, knots)
    fixed, moving = (coarsened(sitk.SmoothingRecursiveGaussian(one, BLUR_MM), VOXEL_MM) for one in (fixed, moving))
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(min(1.0, SAMPLES / fixed.GetNumberOfPixels()), SEED)
    method.SetInterpolator(sitk.sitkLinear)
    if mask is not None:
        method.SetMetricFixedMask(sitk.Cast(coarsened(mask, VOXEL_MM) > 0.5, sitk.sitkUInt8))
    method.SetOptimizerAsLBFGS2(solutionAccuracy=1e-5, numberOfIterations=ITERATIONS)
    # Twice: with few knots on coarse images, then with twice as many.
    method.SetInitialTransformAsBSpline(transform, inPlace=True, scaleFactors=[1, 2])
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([3.0, 0.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    try:
        method.Execute(fixed, moving)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise UnusableInput(f"The deformable registration failed ({reason}). Use --registration rigid.") from error
    return transform


def sampled_field(transform: Any, planning: Grid) -> Displacement:
    """Sample a transform of SimpleITK over the extent of the planning CT.

    Raises
    ------
    UnusableInput
        It moves points out of any room, or to no place at all.
    """
    import SimpleITK as sitk  # noqa: N813

    lattice = coarse_lattice(planning, VOXEL_MM)
    like = to_image(lattice)
    sampled = sitk.TransformToDisplacementField(
        transform, sitk.sitkVectorFloat64, like.GetSize(), like.GetOrigin(), like.GetSpacing(), like.GetDirection()
    )
    u_mm = sitk.GetArrayFromImage(sampled)
    if not np.abs(u_mm).max() < FARTHEST_MM:  # also not if some are no numbers
        raise UnusableInput(f"The transform moves tissue by more than {FARTHEST_MM:g} mm: damaged. Register anew.")
    return Displacement(lattice, u_mm.astype(np.float32))


def coarse_lattice(grid: Grid, spacing_mm: float) -> Grid:
    """Return an empty lattice over a grid with voxels of this size, or of the grid's own where these are larger."""
    spacing = np.maximum(grid.spacing_mm, spacing_mm)
    counts = np.ceil((np.array(grid.shape[::-1]) - 1) * grid.spacing_mm / spacing - 1e-6).astype(int) + 1
    affine = np.array(grid.index_to_lps)
    affine[:3, :3] *= spacing / grid.spacing_mm
    return Grid(np.broadcast_to(np.float32(0), counts[::-1]), affine, grid.frame_of_reference_uid)
