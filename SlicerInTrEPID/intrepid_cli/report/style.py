"""How every figure of the report looks, and how a figure becomes part of an HTML file."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from intrepid_rt.verification import VerificationResult

INK, MUTED, GRID = "#1c2733", "#5c6b7a", "#dde3ea"
PASS, FAIL, UNDECIDED = "#1b7f4b", "#b3261e", "#8a6100"
PLANNED, RECONSTRUCTED = "#2f6db3", "#d9480f"
WIDTH_INCHES = 9.6  # of a figure over the whole page
DPI = 140

DOSE_COLOURS = matplotlib.colormaps["turbo"]
DIFFERENCE_COLOURS = matplotlib.colormaps["RdBu_r"]
# Green passes, red fails; the change lies at gamma 1, the middle of the range 0 to 2 (as in the scene).
GAMMA_COLOURS: Colormap = LinearSegmentedColormap.from_list(
    "gamma", [(0.0, "#00732a"), (0.499, "#c4f0a0"), (0.5, "#ffbf33"), (1.0, "#bf0000")]
)

RC = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the report looks the same on every machine
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": "#aab4bf",
    "axes.linewidth": 0.7,
    "axes.grid": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "path",
    "svg.hashsalt": "intrepid",  # the same figure gives the same bytes
}


@contextmanager
def drawing(height_inches: float, *, width_inches: float = WIDTH_INCHES) -> Iterator[Figure]:
    """Give an empty figure in the report's style; pyplot and its global state stay out of it."""
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width_inches, height_inches), layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        yield figure


def dose_label(result: VerificationResult) -> str:
    """Return the title of a dose axis."""
    return "relative dose" if result.is_relative else "dose in Gy"


def as_image(figure: Figure) -> str:
    """Return the figure as a data URI; for images. Lossless WebP is half the size of PNG."""
    return _data_uri(figure, "image/webp", format="webp", pil_kwargs={"lossless": True, "quality": 40})


def as_svg(figure: Figure) -> str:
    """Return the figure as a data URI; for lines."""
    return _data_uri(figure, "image/svg+xml", format="svg", metadata={"Date": None})


def _data_uri(figure: Figure, media_type: str, **options: Any) -> str:
    buffer = io.BytesIO()
    with matplotlib.rc_context(RC):
        figure.savefig(buffer, dpi=DPI, **options)
    return f"data:{media_type};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def thinned(*arrays: NDArray, n: int = 400) -> list[NDArray]:
    """Keep about ``n`` evenly spaced samples of each array, the last one included: more than a page can show.

    >>> thinned(np.arange(1000), n=3)
    [array([  0, 500, 999])]
    """
    size = len(arrays[0])
    keep = np.unique(np.linspace(0, size - 1, min(n, size)).round().astype(int))
    return [np.asarray(array)[keep] for array in arrays]
