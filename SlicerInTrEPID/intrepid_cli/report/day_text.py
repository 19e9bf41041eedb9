"""How well the anatomy of the day was registered, as rows of text for report and scene."""

import numpy as np

from intrepid_rt.day_anatomy import AnatomyQuality


def day_rows(quality: AnatomyQuality) -> list[tuple[str, str]]:
    """Return name and text of everything known about the registration; what was not determined says so."""
    rows = [
        ("Registration", quality.registration),
        ("Image against planning CT, at the isocentre", _motion(quality.shift_mm, quality.rotation_deg)),
        ("Beams", quality.setup),
        ("Beams against the plan, seen from the anatomy", _motion(quality.setup_shift_mm, quality.setup_rotation_deg)),
        ("A second registration, begun elsewhere", _repeat(quality)),
        ("HU left between the images (median)", _residual(quality)),
        ("Calibration", quality.curve),
        ("HU of tissues, planned and of the day", _hounsfield(quality)),
        ("Outside the image of the day", f"{quality.outside_cc:.1f} cc of the planned outline"),
    ]
    if quality.deformation_mm is not None and quality.volume_change is not None:
        mean, largest = quality.deformation_mm
        least, most = quality.volume_change
        text = f"{mean:.1f} mm on average, {largest:.1f} mm at most; volume of tissue × {least:.2f} to {most:.2f}"
        rows.insert(4, ("Deformation", text))
    if quality.completed_cc:
        rows.append(("Taken from the planning CT", f"{quality.completed_cc:.1f} cc (outlined in the pictures)"))
    return rows


def _motion(shift_mm: tuple[float, ...], rotation_deg: tuple[float, ...]) -> str:
    shift = ", ".join(f"{value + 0.0:+.1f}" for value in np.round(shift_mm, 1))
    turn = ", ".join(f"{value + 0.0:+.1f}" for value in np.round(rotation_deg, 1))
    return f"shift {shift} mm; rotation {turn}° (patient x, y, z)"


def _repeat(quality: AnatomyQuality) -> str:
    if quality.repeat_shift_mm is None or quality.repeat_rotation_deg is None:
        return "did not end"
    return f"differs by {quality.repeat_shift_mm:.2f} mm and {quality.repeat_rotation_deg:.2f}°"


def _residual(quality: AnatomyQuality) -> str:
    before, after = quality.residual_hu
    if after is None:
        return "not determined: too little overlap"
    return f"{after:.0f} HU" if before is None else f"{before:.0f} HU before, {after:.0f} HU after registration"


def _hounsfield(quality: AnatomyQuality) -> str:
    texts = [f"{one.tissue} {one.planning_hu:.0f} / {one.day_hu:.0f}" for one in quality.hounsfield]
    return "; ".join(texts) or "not determined: no tissue of enough volume"
