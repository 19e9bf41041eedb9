"""Dose of an arc refined sector by sector: each looks like a standing beam along its middle direction."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.refinement.refinement_model import RefinedDose
from intrepid_epid.transit import PrimaryBeam

Refine = Callable[[NDArray, PrimaryBeam], RefinedDose]
NEGLIGIBLE = 0.005  # of the highest dose of the arc: a sector that adds less may go unrefined


class SectorSum:
    """Sum of the sectors of an arc, refined or all by physics.

    Half-widths are added, as those of several beams are: the networks err in the same patient, so that their errors may
    all point one way. A sum of refined and unrefined sectors would have no band, so one sector that was refused leaves
    the whole arc to the physics.

    Parameters
    ----------
    shape : tuple of int
        Of the dose, (nz, ny, nx).
    refine : callable or None
        Takes the dose of a sector in Gy and its middle direction; None adds up the physics alone.
    """

    def __init__(self, shape: tuple[int, ...], refine: Refine | None = None) -> None:
        self._refine = refine
        self._physics_gy = np.zeros(shape, np.float32)
        if refine is not None:
            self._refined_gy, self._half_width_gy = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self._refused: list[tuple[float, tuple[str, ...]]] = []

    def add(self, dose_gy: NDArray, beam: PrimaryBeam) -> None:
        """Add the physics dose (nz, ny, nx) of a sector, refined if that can be."""
        self._physics_gy += dose_gy
        if self._refine is None or not dose_gy.any():
            return
        made = self._refine(dose_gy, beam)
        self._refined_gy += made.dose_gy
        if made.half_width_gy is None:
            self._refused.append((float(dose_gy.max()), made.notes))
        else:
            self._half_width_gy += made.half_width_gy

    def total(self) -> RefinedDose:
        """Return the dose of the arc; without a band if it is that of the physics."""
        if self._refine is None:
            return RefinedDose(self._physics_gy, None)
        least = NEGLIGIBLE * float(self._physics_gy.max())
        reasons = [notes for highest, notes in self._refused if highest > least]
        if reasons:
            said = f"{len(reasons)} sectors of this arc could not be refined, so none was; the first: {reasons[0][0]}"
            return RefinedDose(self._physics_gy, None, (said,))
        return RefinedDose(self._refined_gy, self._half_width_gy)
