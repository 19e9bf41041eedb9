"""The worst samples to look at, and how the pass rates spread."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from intrepid_cli.evaluation.samples import CRITERIA, Sample
from intrepid_cli.report import style


def sample_figure(sample: Sample, pixel_mm: float) -> Figure:
    """Truth, prediction, difference, gamma and a profile through the field of one sample."""
    highest = float(sample.truth_gy.max())
    half = pixel_mm * len(sample.truth_gy) / 2
    dose, distance = CRITERIA[0]
    panels: list[tuple[str, Any, Any, tuple[float, float]]] = [
        ("Truth, Gy", sample.truth_gy, style.DOSE_COLOURS, (0, highest)),
        ("Predicted, Gy", sample.dose_gy, style.DOSE_COLOURS, (0, highest)),
        ("Difference, % of max.", 100 * (sample.dose_gy - sample.truth_gy) / highest, "RdBu_r", (-5, 5)),
        (f"γ {dose:g} %/{distance:g} mm", sample.gamma, style.GAMMA_COLOURS, (0, 2)),
    ]
    with style.drawing(2.4) as figure:
        axes = figure.subplots(1, 5, width_ratios=[1, 1, 1, 1, 1.25])
        for ax, (title, values, colours, (low, high)) in zip(axes, panels, strict=False):
            shown = ax.imshow(values, cmap=colours, vmin=low, vmax=high, extent=(-half, half, -half, half))
            ax.set_title(title)
            ax.set_xticks([-100, 0, 100])
            ax.set_yticks([-100, 0, 100] if ax is axes[0] else [])
            figure.colorbar(shown, ax=ax, location="bottom", shrink=0.9, pad=0.02, aspect=22)
        _profile(axes[4], sample, pixel_mm)
    return figure


def _profile(ax: Any, sample: Sample, pixel_mm: float) -> None:
    row = int(np.argmax(sample.truth_gy.sum(axis=1)))
    x = pixel_mm * (np.arange(len(sample.truth_gy)) - (len(sample.truth_gy) - 1) / 2)
    ax.plot(x, sample.truth_gy[row], color=style.PLANNED, label="truth")
    ax.plot(x, sample.dose_gy[row], color=style.RECONSTRUCTED, label="predicted", linestyle="--")
    ax.set_title(f"Along X at Y = {-x[row]:.0f} mm")
    ax.set_xlabel("mm at the isocentre plane")
    ax.legend(loc="lower center")


def pass_rate_figure(samples: Sequence[Sample]) -> Figure:
    """Pass rate of every sample, by family, for each of the criteria."""
    families = sorted({sample.pair.family for sample in samples})
    with style.drawing(2.3) as figure:
        axes = figure.subplots(1, len(CRITERIA), sharey=True)
        for index, (ax, (dose, distance)) in enumerate(zip(axes, CRITERIA, strict=True)):
            for place, family in enumerate(families):
                rates = [s.pass_rates_percent[index] for s in samples if s.pair.family == family]
                offsets = np.linspace(-0.25, 0.25, len(rates)) if len(rates) > 1 else [0.0]
                ax.plot(place + np.asarray(offsets), rates, "o", markersize=3.5, color=style.PLANNED, alpha=0.7)
            ax.set_title(f"{dose:g} %/{distance:g} mm")
            ax.set_xticks(range(len(families)), families, rotation=30, ha="right")
            ax.grid(axis="y")
        axes[0].set_ylabel("points that pass, %")
    return figure
