"""Whether a beam is like those a refinement was trained on; if not, in what it differs."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.networks.card import TrainingRange
from intrepid_epid.refinement.beam_view import DEPTH_UNIT_G_CM2, VOXEL_MM

_TISSUE_G_CC = 0.15
# What each is called in a reason, and by how much its range is widened at either end.
_NAMES = {
    "area_cm2": ("field of {:.1f} cm2", 1.15, 0.0),
    "depth_g_cm2": ("depth of {:.1f} g/cm2", 1.05, 0.5),
    "density_g_cc": ("density of {:.2f} g/cm3 in the beam", 1.05, 0.0),
    "grid_mm": ("dose grid of {:.2f} mm", 1.05, 0.0),
}


def properties(planes: NDArray) -> dict[str, float]:
    """Measure what is compared on the planes (4, nz, ny, nx) of a view: field, depth, density, size of the voxels."""
    dose, density, depth, grid = planes
    lit = (dose > 0.5) & (density > _TISSUE_G_CC)
    # The widest plane: there are few voxels above half the level behind a thick patient.
    across = np.count_nonzero(dose > 0.5, axis=(1, 2)).max(initial=0)
    return {
        "area_cm2": float(across * VOXEL_MM**2 / 100),
        "depth_g_cm2": float(depth[(dose > 0.1) & (density > _TISSUE_G_CC)].max(initial=0.0) * DEPTH_UNIT_G_CM2),
        "density_g_cc": float(np.percentile(density[lit], 99.5)) if lit.any() else 0.0,
        "grid_mm": float(grid.flat[0] * VOXEL_MM),
    }


def training_ranges(beams: Iterable[Mapping[str, float]]) -> tuple[TrainingRange, ...]:
    """Range of each property over the training beams, widened a little."""
    seen = list(beams)
    ranges = []
    for name, (_, factor, amount) in _NAMES.items():
        values = [one[name] for one in seen]
        low = 0.0 if name in ("depth_g_cm2", "density_g_cc") else min(values) / factor - amount
        ranges.append(TrainingRange(name, float(low), float(max(values) * factor + amount)))
    return tuple(ranges)


def reasons_outside(found: Mapping[str, float], ranges: Sequence[TrainingRange]) -> list[str]:
    """Name every property that leaves the training range.

    >>> reasons_outside({"area_cm2": 900.0}, [TrainingRange("area_cm2", 3.0, 460.0)])
    ['field of 900.0 cm2 (trained on 3 to 460)']
    """
    return [
        f"{_NAMES[one.name][0].format(found[one.name])} (trained on {one.low:.3g} to {one.high:.3g})"
        for one in ranges
        if one.name in found and not one.low <= found[one.name] <= one.high
    ]
