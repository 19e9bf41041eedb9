"""Draw ``error_causes.png``: difference of image and prediction for every error the tests put in.

Usage: python docs/pictures/make_error_causes.py
"""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "Testing"), str(ROOT / "Testing" / "unit" / "forward")]
SEED = 303


def main() -> None:
    """Draw the prediction and seven differences."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt
    import test_error_causes as repeats

    at = repeats.setting(SEED)
    predicted = at.predicted.total_gy
    x, y = (axis / predicted.magnification for axis in (predicted.x_mm, predicted.y_mm))
    extent = (x[0], x[-1], y[-1], y[0])
    figure, axes = plt.subplots(2, 4, figsize=(11.5, 6.1), layout="constrained")
    shown = axes.flat[0].imshow(predicted.values * 100, extent=extent, cmap="turbo")
    axes.flat[0].set_title("predicted, cGy", fontsize=10)
    figure.colorbar(shown, ax=axes.flat[0], shrink=0.8)
    for ax, (kind, make) in zip(axes.flat[1:], {"no error": repeats.clean, **repeats.KINDS}.items(), strict=True):
        image = make(at, np.random.default_rng(1000 + SEED))
        found = repeats.causes(repeats.evidence(at.predicted, image, at.beam, at.planned))
        percent = 100 * (image.values - predicted.values) / predicted.values.max()
        shown = ax.imshow(percent, extent=extent, cmap="RdBu_r", vmin=-10, vmax=10)
        ax.set_title(f"put in: {kind}\nnamed: {found[0].name if found else 'none'}", fontsize=10)
        figure.colorbar(shown, ax=ax, shrink=0.8)
    for ax in axes.flat:
        ax.set(xlim=(-65, 65), ylim=(-65, 65))
        ax.tick_params(labelsize=7)
    figure.savefig(ROOT / "docs" / "pictures" / "error_causes.png", dpi=85)


if __name__ == "__main__":
    main()
