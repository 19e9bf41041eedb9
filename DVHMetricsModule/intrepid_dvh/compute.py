"""The DVH of a structure in a dose grid."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intrepid_dvh.condense import condense
from intrepid_dvh.contour_geometry import ContourStack
from intrepid_dvh.contour_shift import shift_band
from intrepid_dvh.curve import DVH, DoseStatistics
from intrepid_dvh.slabs import EndCaps
from intrepid_dvh.structure_samples import BetweenPlanes, StructureSamples
from intrepid_dvh.trilinear import dose_at
from intrepid_dvh.voxel_extrema import widened_by_voxels
from intrepid_rt.errors import FrameOfReferenceMismatch, UnsupportedGeometry
from intrepid_rt.grids import DoseGrid
from intrepid_rt.structures import Structure

# Below this volume the answer depends on grid and contour spacing by more than clinical tolerances.
SMALL_VOLUME_CC = 0.1


def compute_dvh(
    dose_grid: DoseGrid,
    structure: Structure,
    *,
    end_caps: EndCaps | None = None,
    between_planes: BetweenPlanes = "slab",
    slice_spacing_mm: float | None = None,
    cell_mm: float | None = None,
    prescription_gy: float | None = None,
    fractions: int | None = None,
    patient_id: str = "",
    plan: str = "",
) -> DVH:
    """Compute the exact cumulative DVH of a structure, without bins and without a voxel mask.

    The structure is the pile of its contours as prisms, or blended from plane to plane. Each sample is the exactly
    covered part of a small cell, its dose trilinear. One geometry serves volume and dose.

    Parameters
    ----------
    dose_grid : dose in Gy on a grid of any orientation.
    structure : contours in LPS mm, in parallel planes of any orientation.
    end_caps, between_planes, slice_spacing_mm, cell_mm : see :meth:`StructureSamples.of`. A structure of one plane
        takes the dose grid's spacing along the normal when ``slice_spacing_mm`` is not given, and says so.
    prescription_gy, fractions, patient_id, plan : passed on to the DVH.

    Returns
    -------
    DVH : ``structure_volume_cc`` is the whole structure; what lies beyond the dose grid is in
        ``volume_outside_dose_cc`` and has no dose. ``stated`` holds extrema (also on the surface), mean and SD.

    Raises
    ------
    FrameOfReferenceMismatch
        Dose and structure name different frames of reference.
    UnsupportedGeometry
        The structure lies outside the dose grid, or its contours are not planar and parallel.
    MissingObject
        The structure has no closed contour.

    References
    ----------
    Nelms et al., Med. Phys. 42 (2015) 4435-4448: analytic DVHs and what goes wrong without end caps and extrema.

    Examples
    --------
    >>> from intrepid_rt.grids import affine_from_axes
    >>> x = np.arange(41.0)
    >>> dose = DoseGrid(np.broadcast_to(x, (41, 41, 41)).copy(), affine_from_axes((0, 0, 0), (1, 1, 1)))
    >>> square = np.array([[10, 10, 0], [30, 10, 0], [30, 30, 0], [10, 30, 0]], float)
    >>> cube = Structure("Cube", 1, tuple(square + [0, 0, z] for z in range(11, 31, 2)))
    >>> dvh = compute_dvh(dose, cube)
    >>> [round(float(dvh.metric(m).value), 2) for m in ("D100%", "D95%", "DMEAN", "DMAX")]
    [10.0, 11.0, 20.0, 30.0]
    """
    assumed = []
    if slice_spacing_mm is None and (normal := _normal_of_one_plane(structure)) is not None:
        slice_spacing_mm = _spacing_along(dose_grid, normal)
        assumed = [f"A single contour plane: its thickness is taken from the dose grid, {slice_spacing_mm:.3g} mm."]
    samples = StructureSamples.of(
        structure,
        end_caps=end_caps,
        between_planes=between_planes,
        slice_spacing_mm=slice_spacing_mm,
        cell_mm=cell_mm,
    )
    require_same_frame(dose_grid, structure)
    return dvh_of_samples(
        dose_grid,
        samples,
        warnings=tuple(assumed),
        prescription_gy=prescription_gy,
        fractions=fractions,
        patient_id=patient_id,
        plan=plan,
    )


def dvh_of_samples(
    dose_grid: DoseGrid, samples: StructureSamples, *, warnings: tuple[str, ...] = (), **known: object
) -> DVH:
    """Compute the DVH of samples that were built once, for one of several doses; ``known`` are fields of DVH.

    Raises
    ------
    UnsupportedGeometry
        No sample lies within the dose grid.
    """
    dose_gy, volume_cc = dose_at(dose_grid, samples.positions_lps_mm), samples.volume_cc
    total_cc = samples.structure_volume_cc
    inside = np.isfinite(dose_gy)
    if not inside.all():
        dose_gy, volume_cc = dose_gy[inside], volume_cc[inside]
    inside_cc = float(volume_cc.sum())
    if inside_cc <= 0:
        raise UnsupportedGeometry(
            f"{samples.name} lies outside the dose grid, so it has no DVH. Compute the dose on a grid that covers it."
        )
    outside_cc = total_cc - inside_cc if not inside.all() else 0.0
    notes = warnings + samples.warnings + _notes(total_cc, outside_cc, dose_grid, samples)
    low_gy, high_gy = widened_by_voxels(dose_grid, samples, min_gy=float(dose_gy.min()), max_gy=float(dose_gy.max()))
    levels_gy, levels_cc = condense(dose_gy, volume_cc, low_gy=low_gy, high_gy=high_gy)
    return DVH.from_samples(
        levels_gy,
        levels_cc,
        structure=samples.name,
        structure_volume_cc=total_cc,
        volume_outside_dose_cc=outside_cc,
        stated=_statistics(dose_gy, volume_cc, low_gy, high_gy),
        warnings=notes,
        **known,
    )


def require_same_frame(dose_grid: DoseGrid, structure: Structure) -> None:
    """Refuse a dose and a structure that name different frames of reference.

    Raises
    ------
    FrameOfReferenceMismatch : they do; a frame that is not named fits any.
    """
    ours, theirs = dose_grid.frame_of_reference_uid, structure.frame_of_reference_uid
    if ours and theirs and ours != theirs:
        raise FrameOfReferenceMismatch(
            f"The dose is in frame of reference {ours}, structure {structure.name} in {theirs}. "
            "Register them first, or pick the structure set that belongs to this dose."
        )


def _normal_of_one_plane(structure: Structure) -> NDArray | None:
    """Return the unit normal (3,) if all contours lie in one plane, None if they do not, or there are none."""
    if len({round(float(contour[:, 2].mean()), 2) for contour in structure.contours}) != 1:
        return None  # planes at several heights: all but a few structures are told apart without sorting them
    stack = ContourStack.of(structure)
    return stack.axes_lps[2] if len(stack.regions) == 1 else None


def _spacing_along(dose_grid: DoseGrid, direction: NDArray) -> float:
    # The grid axis that runs closest to the direction.
    axes = dose_grid.index_to_lps[:3, :3] / np.array(dose_grid.spacing_mm)
    return dose_grid.spacing_mm[int(np.argmax(np.abs(direction @ axes)))]


def _statistics(dose_gy: NDArray, volume_cc: NDArray, low_gy: float, high_gy: float) -> DoseStatistics:
    mean, sd = _mean_and_sd(dose_gy, volume_cc)
    return DoseStatistics(min_gy=low_gy, max_gy=high_gy, mean_gy=mean, sd_gy=sd)


@njit(cache=True)
def _mean_and_sd(dose: NDArray, volume: NDArray) -> tuple[float, float]:
    total, moment, spread = 0.0, 0.0, 0.0
    for s in range(dose.size):
        total += volume[s]
        moment += volume[s] * dose[s]
    mean = moment / total
    for s in range(dose.size):
        spread += volume[s] * (dose[s] - mean) ** 2
    return mean, math.sqrt(spread / total)


def _notes(total_cc: float, outside_cc: float, dose_grid: DoseGrid, samples: StructureSamples) -> tuple[str, ...]:
    notes = []
    if outside_cc > 0:
        notes.append(
            f"{outside_cc:.3g} cm3 ({100 * outside_cc / total_cc:.2g} %) of the structure lie outside the dose grid; "
            "their dose is unknown and they are not in the curve."
        )
    if total_cc < SMALL_VOLUME_CC:
        notes.append(f"The structure has only {total_cc:.2g} cm3. {_grid_uncertainty(dose_grid, samples)}")
    return tuple(notes)


def _grid_uncertainty(dose_grid: DoseGrid, samples: StructureSamples) -> str:
    """Say what half a voxel between structure and dose grid does to a small structure."""
    half_voxel_mm = 0.5 * np.abs(dose_grid.index_to_lps[:3, :3]).sum(axis=1)
    try:
        band = shift_band(dose_grid, samples, shift_mm=half_voxel_mm)
    except UnsupportedGeometry:
        return "Half a voxel further it would lie outside the dose grid."
    ranges = ((metric, band.range_of(metric)) for metric in ("DMEAN", "D95%", "D2%"))
    known = [f"{metric} {found[0]:.4g} to {found[1]:.4g} Gy" for metric, found in ranges if found]
    return f"Moved by half a voxel of the dose grid to either side, it has {', '.join(known)}."
