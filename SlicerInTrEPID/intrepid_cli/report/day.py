"""The anatomy of the day in the report: a checkerboard of both images, and the rows of its table."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from intrepid_cli.report import style
from intrepid_cli.report.planes import CT_WINDOW_HU, Plane
from intrepid_rt.day_anatomy import AnatomyQuality, DayAnatomy
from intrepid_rt.verification import VerificationResult

SQUARE_MM = 25.0
COMPLETED_COLOUR = "#ff8c00"


def checkerboard_figure(result: VerificationResult, day: DayAnatomy, planes: list[Plane]) -> Figure:
    """Squares of the planning CT and of the carried image of the day in turn: edges run on where they agree."""
    with style.drawing(3.6) as figure:
        for ax, plane in zip(figure.subplots(1, len(planes)), planes, strict=True):
            planning = result.anatomy.sample(plane.positions)
            moved = plane.positions
            if day.displacement is not None:
                moved = moved + day.displacement.at(moved)
            today = day.ct.sample(moved)
            shown = np.where(_is_day(plane), today, planning)
            ax.imshow(shown, cmap="gray", vmin=CT_WINDOW_HU[0], vmax=CT_WINDOW_HU[1], origin="lower",
                      extent=plane.extent, interpolation="nearest")  # fmt: skip
            if day.completed is not None:
                filled = day.completed.sample(moved, outside=0.0)
                ax.contour(plane.across_mm, plane.up_mm, filled, [0.5], colors=COMPLETED_COLOUR, linewidths=1.2)
            ax.set_title(plane.name)
            ax.set_aspect("equal")
            left, right, bottom, top = plane.labels
            ax.set_xlabel(f"{left} to {right}, mm")
            ax.set_ylabel(f"{bottom} to {top}, mm")
    return figure


def _is_day(plane: Plane) -> NDArray[np.bool_]:
    across = np.floor((plane.across_mm - plane.across_mm[0]) / SQUARE_MM).astype(int)
    up = np.floor((plane.up_mm - plane.up_mm[0]) / SQUARE_MM).astype(int)
    return (across[None, :] + up[:, None]) % 2 == 1


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
