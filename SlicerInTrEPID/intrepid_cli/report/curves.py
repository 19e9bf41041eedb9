"""The line figures: profiles through the isocentre, DVHs and the gamma histogram."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from intrepid_cli.report import style
from intrepid_rt.verification import GammaOutcome, VerificationResult

AXES = (("Right – left", "R", "L"), ("Anterior – posterior", "A", "P"), ("Inferior – superior", "I", "S"))


def profile_figure(result: VerificationResult) -> Figure:
    """Dose along the three patient axes through the isocentre; planned dashed, reconstructed solid."""
    isocentre = np.asarray(result.isocentre_lps_mm, float)
    reach_mm = np.arange(-350.0, 350.5, 1.0)  # beyond the dose grid nothing is drawn
    with style.drawing(2.6) as figure:
        panels = figure.subplots(1, 3, sharey=True)
        for axis, (ax, (title, low, high)) in enumerate(zip(panels, AXES, strict=True)):
            positions = isocentre + reach_mm[:, None] * np.eye(3)[axis]
            dose = result.reconstructed.sample(positions)
            ax.grid(True)
            if result.planned is not None:
                ax.plot(reach_mm, result.planned.sample(positions), "--", color=style.PLANNED, lw=1.6, label="planned")
            ax.plot(reach_mm, dose, color=style.RECONSTRUCTED, lw=1.3, label="reconstructed")
            inside = reach_mm[np.isfinite(dose)]
            if inside.size:
                ax.set_xlim(inside[0], inside[-1])
            ax.axvline(0.0, color=style.MUTED, lw=0.6)
            ax.set_title(title)
            ax.set_xlabel(f"{low}  ←  mm from the isocentre  →  {high}")
            ax.set_ylim(bottom=0)
        panels[0].set_ylabel(style.dose_label(result))
        panels[-1].legend(loc="upper right")
    return figure


def dvh_figure(result: VerificationResult) -> Figure:
    """Cumulative DVHs in percent of the structure; planned dashed, reconstructed solid, in the structures' colours."""
    with style.drawing(3.9) as figure:
        ax = figure.subplots()
        ax.grid(True)
        highest, handles = 0.0, []
        for structure in result.structures:
            colour = _readable(structure.colour_rgb)
            for curve, line, width in ((structure.planned, "--", 1.5), (structure.reconstructed, "-", 1.3)):
                if curve is None or len(curve.dose_gy) == 0 or curve.volume_cc[0] <= 0:
                    continue
                dose, volume = style.thinned(np.asarray(curve.dose_gy), curve.volume_percent)
                ax.plot(dose, volume, line, color=colour, lw=width)
                highest = max(highest, float(dose[volume > 0][-1]))
            if structure.reconstructed is not None:
                handles.append(
                    Line2D([], [], color=colour, lw=2, label=structure.name.replace("$", r"\$"))
                )  # no formula
        ax.set(xlim=(0, 1.03 * highest or 1.0), ylim=(0, 102), xlabel=style.dose_label(result), ylabel="volume in %")
        handles.append(Line2D([], [], color=style.INK, ls="-", label="reconstructed"))
        if result.planned is not None:
            handles.append(Line2D([], [], color=style.INK, ls="--", label="planned"))
        figure.legend(handles=handles, loc="outside right upper")
    return figure


def histogram_figure(outcome: GammaOutcome) -> Figure:
    """Histogram of gamma over the analysed points, in percent; points at or below 1 pass."""
    assert outcome.gamma is not None
    values = outcome.gamma[np.isfinite(outcome.gamma)]
    edges = np.arange(0.0, 3.01, 0.1)
    counts, _ = np.histogram(np.minimum(values, 2.999), edges)
    share = 100.0 * counts / max(outcome.n_points, 1)
    with style.drawing(2.4) as figure:
        ax = figure.subplots()
        ax.grid(True, axis="y")
        ax.set_axisbelow(True)
        colours = np.where(edges[:-1] < 0.999, style.PASS, style.FAIL)
        ax.bar(edges[:-1], share, width=0.094, align="edge", color=list(colours))
        ax.axvline(1.0, color=style.INK, lw=1.0)
        ax.set(xlim=(0, 3), xlabel=f"γ {outcome.criteria}   (last bar: 2.9 and above)", ylabel="points in %")
    return figure


def _readable(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    """Darken a colour that white paper would swallow.

    >>> _readable((255, 255, 0))
    (0.7, 0.7, 0.0)
    >>> _readable((200, 0, 0))[1:]
    (0.0, 0.0)
    """
    r, g, b = (value / 255.0 for value in rgb)
    luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b
    factor = min(1.0, 0.65 / luminance) if luminance > 0 else 1.0
    return round(r * factor, 2), round(g * factor, 2), round(b * factor, 2)
