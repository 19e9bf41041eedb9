"""The anatomy of the day: another CT of the patient, brought to the plan, and how well that went."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from intrepid_rt.grids import CTGrid, DoseGrid, Grid
from intrepid_rt.registration.displacement import Displacement
from intrepid_rt.registration.rigid_transform import RigidTransform
from intrepid_rt.structures import StructureSet


@dataclass(frozen=True)
class StructureOverlap:
    """Dice of one structure: as planned without registration, and carried over, against the day's own."""

    name: str
    before: float | None
    carried: float | None
    against: str  # what the carried structure is compared with


@dataclass(frozen=True)
class TissueHounsfield:
    """Median HU of a tissue in the planning CT and, at the same places, in the image of the day."""

    tissue: str
    planning_hu: float
    day_hu: float


@dataclass(frozen=True)
class AnatomyQuality:
    """Numbers and words for the report; vectors are LPS mm or right-handed degrees about x, y, z.

    Parameters
    ----------
    image : str
        What kind of image: "CT" or "cone-beam CT".
    registration : str
        "rigid", "deformable" or the file the transform was read from.
    shift_mm, rotation_deg : tuple of float, (3,)
        Of the image of the day against the planning CT, at the isocentre.
    setup : str
        How it is known where the beams hit.
    setup_shift_mm, setup_rotation_deg : tuple of float, (3,)
        Where isocentre and beams were, seen from the anatomy, against the plan.
    repeat_shift_mm, repeat_rotation_deg : float or None
        By how much a second registration, begun elsewhere, differs; None if it was not made.
    deformation_mm : tuple of float or None
        Mean and largest displacement inside the patient, after the rigid part.
    volume_change : tuple of float or None
        Least and largest factor by which tissue shrank or grew.
    residual_hu : tuple of float or None
        Median absolute HU difference inside the patient before and after registration.
    curve : str
        The calibration that turned HU into density.
    outside_cc : float
        Volume of the planned outline that the image does not show.
    completed_cc : float
        Volume of the patient that was taken from the planning CT because the image does not show it.
    doubts : tuple of str
        Reasons not to trust the registration; with any of them no plan passes. They are among the warnings, too.
    """

    image: str
    registration: str
    shift_mm: tuple[float, ...]
    rotation_deg: tuple[float, ...]
    setup: str
    setup_shift_mm: tuple[float, ...]
    setup_rotation_deg: tuple[float, ...]
    repeat_shift_mm: float | None = None
    repeat_rotation_deg: float | None = None
    deformation_mm: tuple[float, float] | None = None
    volume_change: tuple[float, float] | None = None
    residual_hu: tuple[float | None, float | None] = (None, None)
    structures: tuple[StructureOverlap, ...] = ()
    curve: str = ""
    hounsfield: tuple[TissueHounsfield, ...] = ()
    outside_cc: float = 0.0
    completed_cc: float = 0.0
    warnings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class DayAnatomy:
    """Another CT of the patient as the anatomy that was irradiated; all grids in the planning frame.

    Parameters
    ----------
    ct : CTGrid
        The image of the day, rigidly moved onto the planning CT: its voxels, another affine.
    density_g_cc : Grid
        What the dose is computed on; completed where the image ends, if that was asked for.
    patient : Grid
        1 inside the patient of the day, 0 outside.
    to_day : RigidTransform
        From points of the planning CT to those of the image in its own frame.
    displacement : Displacement or None
        What the patient deformed besides.
    setup : RigidTransform
        From where the plan places the beams to where they hit the aligned anatomy.
    completed : Grid or None
        1 where the density is that of the planning CT.
    dose : DoseGrid or None
        The dose on the anatomy of the day; the dose of the verification is this, carried to the planning CT.
    """

    ct: CTGrid
    density_g_cc: Grid
    patient: Grid
    to_day: RigidTransform
    setup: RigidTransform
    quality: AnatomyQuality
    displacement: Displacement | None = None
    completed: Grid | None = None
    dose: DoseGrid | None = None
    structures: StructureSet | None = None  # drawn on the image, in its own frame
    series_uid: str = ""
    acquired: str = ""
    paths: tuple[Path, ...] = ()

    @property
    def ct_extent(self) -> Grid:
        """1 everywhere on the lattice of the image: where it was imaged at all."""
        return Grid(np.broadcast_to(np.float32(1), self.ct.shape), self.ct.index_to_lps)
