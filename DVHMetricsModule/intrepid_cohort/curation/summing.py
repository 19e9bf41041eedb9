"""Sums of doses: on the first one's grid, the others interpolated, never across frames of reference."""

from collections.abc import Sequence

import numpy as np

from intrepid_rt.errors import FrameOfReferenceMismatch, InvalidSetting
from intrepid_rt.grids import DoseGrid

# Beyond the edge of a grid its dose is not known; zero is assumed only if little is left at the edge.
_EDGE_SHARE = 0.05


def sum_doses(doses: Sequence[tuple[DoseGrid, float]]) -> tuple[DoseGrid, list[str]]:
    """Return the sum of doses times their factors, on the grid of the first, and what a reader must know of it.

    Parameters
    ----------
    doses : grids in Gy with their factors. Other grids than the first are interpolated linearly at its voxel centres;
        beyond their edge they count as zero, with a warning if more than 5 % of their maximum is left there.

    Raises
    ------
    FrameOfReferenceMismatch
        The grids are in different frames of reference, or one of them in none.
    InvalidSetting
        There is no dose, or a factor is negative.
    """
    if not doses or any(factor < 0 for _, factor in doses):
        raise InvalidSetting(f"{len(doses)} doses with factors {[f for _, f in doses]} cannot be summed.")
    first = doses[0][0]
    total, warnings = np.zeros(first.shape, np.float64), []
    for grid, factor in doses:
        _require_same_frame(first, grid)
        if grid.same_lattice(first):
            total += factor * np.asarray(grid.dose_gy, np.float64)
            continue
        total += factor * grid.resampled_to(first, outside=0.0)
        share = _edge_share(grid, first)
        if share > _EDGE_SHARE:
            warnings.append(
                f"A dose ends inside the grid of the sum, where {100 * share:.0f} % of its maximum is left; beyond, it "
                "counts as zero."
            )
    return first.with_values(total.astype(np.float32)), warnings


def common_type(dose_types: Sequence[str]) -> str:
    """Return the DoseType of a sum; what an object does not state counts as PHYSICAL, as its reader takes it.

    >>> common_type(["PHYSICAL", ""]), common_type(["EFFECTIVE"])
    ('PHYSICAL', 'EFFECTIVE')

    Raises
    ------
    InvalidSetting
        Physical and effective doses, which do not add up, or a difference of doses (ERROR).
    """
    found = sorted({stated or "PHYSICAL" for stated in dose_types})
    if len(found) != 1 or found[0] not in ("PHYSICAL", "EFFECTIVE"):
        raise InvalidSetting(
            f"Doses of type {' and '.join(found) or '(none)'} do not add up to a treatment; expected all PHYSICAL or "
            "all EFFECTIVE. Export them as one."
        )
    return found[0]


def _require_same_frame(first: DoseGrid, other: DoseGrid) -> None:
    if not first.frame_of_reference_uid or first.frame_of_reference_uid != other.frame_of_reference_uid:
        raise FrameOfReferenceMismatch(
            f"Doses in frames of reference {first.frame_of_reference_uid or '(none)'} and "
            f"{other.frame_of_reference_uid or '(none)'} cannot be summed. Register them first, or scale."
        )


def _edge_share(grid: DoseGrid, first: DoseGrid) -> float:
    """Largest dose at those faces of a grid that lie inside another, over its maximum."""
    highest = float(grid.dose_gy.max())
    if not highest:
        return 0.0
    index = first.position_to_index(grid.positions())
    inside = ((index > 0.5) & (index < np.array(first.shape[::-1]) - 1.5)).all(axis=-1)
    edge = np.ones(grid.shape, bool)
    edge[1:-1, 1:-1, 1:-1] = False
    at_edge = np.asarray(grid.dose_gy)[edge & inside]
    return float(at_edge.max()) / highest if at_edge.size else 0.0
