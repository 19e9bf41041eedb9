"""Compiling the search once: whether it is still to be done, and doing it apart from what is timed."""

from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from intrepid_rt.grids import Grid


def is_compiled() -> bool:
    """Whether an earlier run left compiled code of the present source; else the first call compiles (10 to 30 s)."""
    from intrepid_gamma import kernel

    folder = Path(kernel.gamma_of_points.stats.cache_path)
    written = [index.stat().st_mtime for index in folder.glob("kernel.gamma_of_points-*.nbi")]
    return bool(written) and max(written) > Path(kernel.__file__).stat().st_mtime


def compile_for(dtype: DTypeLike = np.float32) -> None:
    """Compile, or load what was compiled, for doses of this type by comparing two grids of eight voxels."""
    from intrepid_gamma.gamma import gamma_index

    grid = Grid(np.ones((2, 2, 2), np.result_type(dtype, np.float32)), np.eye(4))
    gamma_index(grid, grid, dose_percent=3, distance_mm=3)
