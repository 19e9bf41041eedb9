"""How much a DVH depends on where the contours lie: the same structure moved against the dose."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intrepid_dvh.condense import condense
from intrepid_dvh.curve import DVH
from intrepid_dvh.structure_samples import StructureSamples
from intrepid_dvh.trilinear import dose_at
from intrepid_rt.errors import InvalidSetting, UnsupportedGeometry
from intrepid_rt.grids import DoseGrid


@dataclass(frozen=True, eq=False)
class ShiftBand:
    """DVHs of a structure moved to both sides along each axis, and the band they span.

    ``dose_gy`` (n,); ``low_cc``, ``high_cc`` (n,) least and greatest volume receiving at least that dose.
    """

    dvhs: tuple[DVH, ...]
    dose_gy: NDArray
    low_cc: NDArray
    high_cc: NDArray

    def range_of(self, metric: str) -> tuple[float, float] | None:
        """Least and greatest value of a metric among the moved structures; None if it is missing for one of them."""
        values = [dvh.metric(metric).value for dvh in self.dvhs]
        known = [value for value in values if value is not None]
        return (min(known), max(known)) if len(known) == len(values) else None


def shift_band(dose_grid: DoseGrid, samples: StructureSamples, *, shift_mm: ArrayLike) -> ShiftBand:
    """Move a structure by ``shift_mm`` (one number, or one per LPS axis) to both sides along each axis.

    A shift by half a voxel shows what the dose grid leaves open; by a set-up or contouring uncertainty, what that does.

    Raises
    ------
    InvalidSetting
        The shift is not positive.
    UnsupportedGeometry
        A moved structure lies outside the dose grid.

    Examples
    --------
    >>> from intrepid_rt.grids import affine_from_axes
    >>> from intrepid_rt.structures import Structure
    >>> dose = DoseGrid(np.broadcast_to(np.arange(41.0), (41, 41, 41)).copy(), affine_from_axes((0, 0, 0), (1, 1, 1)))
    >>> square = np.array([[10, 10, 0], [30, 10, 0], [30, 30, 0], [10, 30, 0]], float)
    >>> cube = Structure("Cube", 1, tuple(square + [0, 0, z] for z in range(11, 31, 2)))
    >>> band = shift_band(dose, StructureSamples.of(cube), shift_mm=2.0)
    >>> [round(float(value), 1) for value in band.range_of("DMEAN")]
    [18.0, 22.0]
    """
    shifts = np.broadcast_to(np.asarray(shift_mm, float), (3,))
    if not (np.isfinite(shifts).all() and (shifts > 0).all()):
        raise InvalidSetting(f"The shift is {shifts.tolist()} mm; expected a positive length.")
    moves = np.concatenate([np.diag(shifts), -np.diag(shifts)])
    dvhs = tuple(_moved(dose_grid, samples, move) for move in moves)
    dose_gy = np.unique(np.concatenate([dvh.dose_gy for dvh in dvhs]))
    volumes = np.array([np.interp(dose_gy, dvh.dose_gy, dvh.volume_cc, right=0.0) for dvh in dvhs])
    return ShiftBand(dvhs, dose_gy, volumes.min(axis=0), volumes.max(axis=0))


def _moved(dose_grid: DoseGrid, samples: StructureSamples, move_lps_mm: NDArray) -> DVH:
    moved = replace(samples, positions_lps_mm=samples.positions_lps_mm + move_lps_mm)
    dose_gy = dose_at(dose_grid, moved.positions_lps_mm)
    inside = np.isfinite(dose_gy)
    volume_cc = moved.volume_cc[inside]
    if not volume_cc.sum() > 0:
        raise UnsupportedGeometry(f"{samples.name}, moved by {move_lps_mm.tolist()} mm, lies outside the dose grid.")
    found = dose_gy[inside]
    levels, volumes = condense(found, volume_cc, low_gy=float(found.min()), high_gy=float(found.max()))
    outside = samples.structure_volume_cc - float(volume_cc.sum()) if not inside.all() else 0.0
    return DVH.from_samples(levels, volumes, structure=samples.name, volume_outside_dose_cc=outside)
