"""How far the CT numbers of another scanner are from those of the planning CT, tissue by tissue."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Ranges in HU of the planning CT; what lies between them is mixed.
TISSUES: Mapping[str, tuple[float, float]] = {
    "lung": (-900.0, -600.0),
    "soft tissue": (-150.0, 120.0),
    "bone": (250.0, 1500.0),
}
MIN_VOXELS = 200


def deviations_hu(planning_hu: NDArray, day_hu: NDArray, region: NDArray[np.bool_]) -> dict[str, tuple[float, float]]:
    """Median HU of each tissue in the planning CT and, at the same places, in the image of the day.

    Parameters
    ----------
    planning_hu, day_hu : ndarray, (nz, ny, nx)
        On one lattice; NaN where the image of the day shows nothing.
    region : ndarray of bool
        Inside of the patient.

    Returns
    -------
    dict : tissue to (planning, day); tissues that fill too few voxels are left out.
    """
    found = {}
    for tissue, (low, high) in TISSUES.items():
        # The inside of each tissue: at its edges a small error of the registration looks like one of the HU.
        voxels = ndimage.binary_erosion(region & (planning_hu >= low) & (planning_hu <= high))
        voxels &= np.isfinite(day_hu)
        if voxels.sum() >= MIN_VOXELS:
            found[tissue] = (float(np.median(planning_hu[voxels])), float(np.median(day_hu[voxels])))
    return found


def brought_to_planning(day_hu: NDArray, deviations: Mapping[str, tuple[float, float]], air_hu: float) -> NDArray:
    """Map CT numbers, of any shape, so that the medians of the tissues agree, linear between them; air stays air.

    ``air_hu`` is the number that the image of the day gives to air.
    """
    points = sorted([(air_hu, -1000.0), *((day, planning) for planning, day in deviations.values())])
    day, planning = np.array(points).T
    last = day_hu + planning[-1] - day[-1]  # beyond the densest tissue: the same step
    return np.where(day_hu > day[-1], last, np.interp(day_hu, day, planning)).astype(np.float32)
