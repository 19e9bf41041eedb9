"""From the image of the day to the density that was irradiated: its calibration, and what it does not show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_cli.verification.settings import VerificationSettings
from intrepid_epid.calculation_grid import calculation_grid
from intrepid_rt.ct_curve import CTCurve, read_ct_curve
from intrepid_rt.errors import UnusableInput
from intrepid_rt.grids import Grid
from intrepid_rt.registration.field_of_view import Truncation, field_of_view, truncation
from intrepid_rt.registration.hounsfield import brought_to_planning

AIR_G_CC = 0.0012
# Water-like tissue whose HU are off by this much has a density that is off by about 4 %.
LARGEST_DEVIATION_HU = 40.0


@dataclass(frozen=True, eq=False)
class DayDensity:
    """Density of the day in the planning frame, with what was done to get it."""

    density_g_cc: Grid
    patient: Grid
    completed: Grid | None
    curve: str
    truncation: Truncation
    warnings: tuple[str, ...]


def day_density(
    image: Grid,
    patient: NDArray[np.bool_],
    settings: VerificationSettings,
    *,
    curve: CTCurve,
    deviations: dict[str, tuple[float, float]],
    is_cone_beam: bool,
    outline: Grid,
    planning_density: Grid,
) -> DayDensity:
    """Turn HU into density inside the patient; outside there is air.

    Parameters
    ----------
    image : Grid
        The image of the day, aligned to the plan (HU).
    patient : ndarray of bool
        Its voxels inside the patient.
    curve : CTCurve
        That of the planning CT.
    deviations : dict
        Median HU (planning, day) per tissue.
    outline, planning_density : Grid
        Planned patient outline (1 inside) and density, to judge and complete what the image does not show.

    Raises
    ------
    UnusableInput
        HU that the curve does not fit, or a patient that reaches beyond the image, unless the settings allow it.
    """
    hounsfield, used, warnings = _calibrated(image.values, settings, curve, deviations, is_cone_beam)
    density = image.with_values(np.where(patient, used.density(hounsfield), AIR_G_CC).astype(np.float32))
    seen = field_of_view(image)
    cut = truncation(image, seen, outline)
    inside = image.with_values(patient.astype(np.float32))
    name = _curve_name(settings, used)
    if not cut.is_truncated:
        return DayDensity(density, inside, None, name, cut, tuple(warnings))
    lacking = (
        f"The image of the day does not show the whole patient: {cut.outside_cc:.0f} cc ({cut.outside_percent:.1f} %) "
        f"of the planned outline lie beyond it, and its edge cuts {cut.cut_cm2:.0f} cm2 of tissue."
    )
    if settings.truncated != "complete":
        raise UnusableInput(f"{lacking} Give an image that shows all, or --truncated complete to take the rest from "
                            "the planning CT.")  # fmt: skip
    warnings.append(f"{lacking} The rest was taken from the planning CT.")
    return _completed(density, inside, seen, planning_density, outline, name, cut, tuple(warnings))


def _calibrated(
    hounsfield: NDArray,
    settings: VerificationSettings,
    planning_curve: CTCurve,
    deviations: dict[str, tuple[float, float]],
    is_cone_beam: bool,
) -> tuple[NDArray, CTCurve, list[str]]:
    """Return CT numbers, the curve that fits them, and what must be said about it."""
    named = settings.anatomy_curve
    warnings = []
    if named == "matched":
        air = float(np.quantile(hounsfield, 0.01))
        warnings.append("The HU of the image of the day were matched to the planning CT, tissue by tissue.")
        return brought_to_planning(hounsfield, deviations, air), planning_curve, warnings
    if named and named != "planning":
        return hounsfield, read_ct_curve(named), warnings
    if is_cone_beam:
        warnings.append("The image of the day is a cone-beam CT, for which the planning CT's curve was not made.")
    off = {tissue: day - planning for tissue, (planning, day) in deviations.items()}
    found = ", ".join(f"{tissue} {value:+.0f} HU" for tissue, value in off.items())
    if abs(off.get("soft tissue", 0.0)) > LARGEST_DEVIATION_HU and not named:
        raise UnusableInput(
            f"The HU of the image of the day differ from the planning CT ({found}); densities would be wrong. Give its "
            "own curve with --anatomy-curve FILE, or --anatomy-curve matched to bring the tissues together, or "
            "--anatomy-curve planning to take them as they are."
        )
    if not off:
        warnings.append("No tissue was found to compare the HU of the day with those of the planning CT.")
    elif max(map(abs, off.values())) > LARGEST_DEVIATION_HU / 2:
        warnings.append(f"The HU of the image of the day differ from the planning CT: {found}.")
    return hounsfield, planning_curve, warnings


def _curve_name(settings: VerificationSettings, used: CTCurve) -> str:
    if settings.anatomy_curve == "matched":
        return f"{used.name}, after matching the HU to the planning CT"
    own = settings.anatomy_curve not in (None, "planning")
    return used.name if own else f"{used.name} (that of the planning CT)"


def _completed(
    density: Grid,
    patient: Grid,
    seen: NDArray[np.bool_],
    planning_density: Grid,
    outline: Grid,
    curve: str,
    cut: Truncation,
    warnings: tuple[str, ...],
) -> DayDensity:
    """Extend the lattice of the image over the planned patient and fill what it does not show."""
    wider = calculation_grid(density, planning_density)
    shown = np.zeros(wider.density_g_cc.shape, bool)
    shown[wider.wanted] = seen
    values = np.array(wider.density_g_cc.values)
    values[wider.wanted] = np.where(seen, density.values, values[wider.wanted])
    inside = outline.resampled_to(wider.density_g_cc, outside=0.0)
    filled = ~shown & (inside > 0.5)
    inside[wider.wanted] = np.where(seen, patient.values, inside[wider.wanted])
    lattice = wider.density_g_cc
    return DayDensity(
        density_g_cc=lattice.with_values(np.where(shown | filled, values, np.float32(AIR_G_CC))),
        patient=lattice.with_values(inside),
        completed=lattice.with_values(filled.astype(np.float32)),
        curve=curve,
        truncation=cut,
        warnings=warnings,
    )
