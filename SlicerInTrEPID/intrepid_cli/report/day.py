"""The anatomy of the day in the report: a checkerboard of both images."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from intrepid_cli.report import style
from intrepid_cli.report.planes import CT_WINDOW_HU, Plane
from intrepid_rt.day_anatomy import DayAnatomy
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
