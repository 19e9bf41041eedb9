"""One figure per beam: what the imager saw, the portal dose, the planned portal dose and their gamma."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intrepid_cli.report import style
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.verification import BeamResult, GammaOutcome


def beam_figure(beam: BeamResult, unit: str) -> Figure:
    """Panels in the imager plane, in mm as seen from the source: +X to the right, +Y (towards the gantry) up."""
    dose_range = (0.0, float(np.nanmax((beam.planned_portal_dose or beam.portal_dose).values)) or 1.0)
    panels: list[tuple[str, PortalImage, Any, Any, tuple[float, float]]] = []
    if beam.epid is not None:
        signal = beam.epid
        panels.append(("EPID signal", signal, signal.values, "gray", (0.0, float(np.nanmax(signal.values)) or 1.0)))
    panels.append((f"Portal dose, {unit}", beam.portal_dose, beam.portal_dose.values, style.DOSE_COLOURS, dose_range))
    planned = beam.planned_portal_dose
    if planned is not None:
        title = "Predicted" if beam.forward_check is not None and planned is beam.forward_check.predicted else "Planned"
        panels.append((f"{title}, {unit}", planned, planned.values, style.DOSE_COLOURS, dose_range))
        panels.append(("Difference, %", planned, _difference_percent(beam, planned), "RdBu_r", (-10.0, 10.0)))
        outcome = gamma_shown(beam)
        if outcome is not None:
            panels.append((f"γ {outcome.criteria}", planned, outcome.gamma, style.GAMMA_COLOURS, (0.0, 2.0)))
    rows, columns = beam.portal_dose.values.shape
    tallness = min(1.3, rows * beam.portal_dose.pixel_spacing_mm[0] / (columns * beam.portal_dose.pixel_spacing_mm[1]))
    with style.drawing(0.8 + 1.6 * tallness) as figure:
        # Five places, whatever there is to show: the images of all beams have one size.
        axes = figure.subplots(1, 5)
        for ax in axes[len(panels) :]:
            ax.set_visible(False)
        for ax, (title, image, values, colours, limits) in zip(axes, panels, strict=False):
            shown = _draw(ax, title, image, values, colours, limits)
            figure.colorbar(shown, ax=ax, location="bottom", shrink=0.9, pad=0.02, aspect=22)
    return figure


def _difference_percent(beam: BeamResult, planned: PortalImage) -> np.ndarray:
    """Measured less planned portal dose on the planned image's pixels, in percent of the planned maximum."""
    measured = beam.portal_dose
    scale = measured.source_to_image_mm / planned.source_to_image_mm
    x, y = np.meshgrid(planned.x_mm * scale, planned.y_mm * scale)
    return 100.0 * (measured.sample(x, y) - planned.values) / (float(np.nanmax(planned.values)) or 1.0)


def gamma_shown(beam: BeamResult) -> GammaOutcome | None:
    """Return the comparison to show: the one with a limit, else the first that has a map."""
    with_map = [outcome for outcome in beam.gamma_2d if outcome.gamma is not None]
    return min(with_map, key=lambda outcome: outcome.limit_percent is None, default=None)


def _draw(ax: Axes, title: str, image: PortalImage, values: Any, colours: Any, limits: tuple[float, float]) -> Any:
    step = max(1, max(np.shape(values)) // 512)  # a page cannot show more
    row_mm, column_mm = (spacing * step for spacing in image.pixel_spacing_mm)
    x, y = image.x_mm[::step], image.y_mm[::step]
    extent = (x[0] - column_mm / 2, x[-1] + column_mm / 2, y[-1] - row_mm / 2, y[0] + row_mm / 2)
    ax.set_title(title, fontsize=8.5)
    ax.tick_params(labelsize=7, length=2)
    ax.set_facecolor("#eef1f4")
    shown = ax.imshow(np.asarray(values)[::step, ::step], extent=extent, cmap=colours, vmin=limits[0], vmax=limits[1])
    ax.plot(0, 0, "+", color="white", ms=6, mew=0.9)
    return shown
