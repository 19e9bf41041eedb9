"""Whether the registration of the image of the day can be trusted."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from intrepid_cli.verification.day_density import DayDensity
from intrepid_rt.day_anatomy import AnatomyQuality, DayAnatomy, StructureOverlap
from intrepid_rt.errors import UnusableInput
from intrepid_rt.grids import Grid
from intrepid_rt.registration.coarse import coarsened_grid
from intrepid_rt.registration.displacement import carried
from intrepid_rt.registration.quality import dice
from intrepid_rt.registration.rigid import register_rigid
from intrepid_rt.registration.rigid_transform import RigidTransform, moved_grid, rigid_about
from intrepid_rt.structure_mask import structure_mask
from intrepid_rt.structures import StructureSet

OTHER_START = {"shift_mm": (8.0, -7.0, 6.0), "rotation_deg": (3.0, -2.0, 2.0)}
REPEAT_LEVELS_MM = (8.0, 4.0)
# Beyond these a registration or a set-up is so unusual that a person should look.
LARGEST_REPEAT_MM, LARGEST_REPEAT_DEG = 1.0, 0.5
LARGEST_SETUP_MM, LARGEST_SETUP_DEG = 20.0, 3.0
SMALLEST_DICE = 0.9


def repeatability(
    planning: Grid, day: Grid, motion: RigidTransform, centre: NDArray, region: NDArray[np.bool_]
) -> tuple[float | None, float | None]:
    """By how much (mm, degrees) a registration that begins elsewhere ends elsewhere; None if it does not end."""
    start = motion.after(rigid_about(centre, **OTHER_START))
    try:
        other = register_rigid(
            planning, day, centre_lps_mm=centre, start=start, region=region, levels_mm=REPEAT_LEVELS_MM
        )
    except UnusableInput:
        return None, None
    apart = other.after(motion.inverse)
    return float(np.linalg.norm(apart.shift_at(motion.apply(centre)))), apart.angle_deg


def overlaps(
    planned: StructureSet | None,
    drawn: StructureSet | None,
    day: DayAnatomy,
    lattice: Grid,
    density: DayDensity,
    *,
    same_frame: bool,
) -> tuple[StructureOverlap, ...]:
    """Dice of the patient outline with the patient found in the image, and of every structure drawn on both images."""
    if planned is None:
        return ()
    return tuple(_overlaps(planned, drawn, day, lattice, density, same_frame))


def _overlaps(
    planned: StructureSet,
    drawn: StructureSet | None,
    day: DayAnatomy,
    lattice: Grid,
    density: DayDensity,
    same_frame: bool,
) -> Iterator[StructureOverlap]:
    shown = carried(day.ct_extent, lattice, day.displacement, outside=0.0).values > 0.5
    external = planned.external
    if external is not None:
        outline = structure_mask(external, lattice) & shown
        found = carried(density.patient, lattice, day.displacement, outside=0.0).values > 0.5
        yield StructureOverlap(external.name, None, dice(outline, found & shown), "patient found in the image")
    for structure in drawn.structures if drawn is not None else ():
        original = next((s for s in planned.structures if s.name.casefold() == structure.name.casefold()), None)
        if original is None or original.is_empty or structure.is_empty:
            continue
        own = coarsened_grid(moved_grid(day.ct, day.to_day), min(lattice.spacing_mm))
        today = own.with_values(structure_mask(structure, own).astype(np.float32))
        mask = structure_mask(original, lattice) & shown
        before = dice(mask, today.resampled_to(lattice, outside=0.0) > 0.5) if same_frame else None
        brought = carried(moved_grid(today, day.to_day.inverse), lattice, day.displacement, outside=0.0).values > 0.5
        yield StructureOverlap(structure.name, before, dice(mask, brought), "drawn on the image of the day")


def doubts_about(quality: AnatomyQuality) -> tuple[str, ...]:
    """Return reasons not to trust a registration."""
    found = []
    if quality.repeat_shift_mm is None or quality.repeat_rotation_deg is None:
        found.append("A second registration of the image of the day, begun elsewhere, did not end: look at the first.")
    elif quality.repeat_shift_mm > LARGEST_REPEAT_MM or quality.repeat_rotation_deg > LARGEST_REPEAT_DEG:
        found.append(
            f"A second registration, begun elsewhere, ends {quality.repeat_shift_mm:.1f} mm and "
            f"{quality.repeat_rotation_deg:.1f} degrees from the first: look at it in the scene."
        )
    for overlap in quality.structures:
        if overlap.carried is not None and overlap.carried < SMALLEST_DICE:
            found.append(f"{overlap.name}: Dice of only {overlap.carried:.2f} after registration ({overlap.against}).")
    return tuple(found)


def setup_warnings(quality: AnatomyQuality) -> tuple[str, ...]:
    """Return what is unusual about where the beams hit."""
    shift = float(np.linalg.norm(quality.setup_shift_mm))
    turn = float(np.abs(quality.setup_rotation_deg).max())
    if shift <= LARGEST_SETUP_MM and turn <= LARGEST_SETUP_DEG:
        return ()
    return (
        f"The beams hit the anatomy {shift:.0f} mm and {turn:.1f} degrees from where they were planned: check image, "
        "isocentre and couch shift.",
    )
