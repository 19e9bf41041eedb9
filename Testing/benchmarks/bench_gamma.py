"""Gamma: ours beside PyMedPhys and plastimatch on SlicerRT's pair of doses; scaling with threads and grid size; memory.

Compiling and reading are not timed. A wrong pass rate ends with code 1 before anything is timed. On a machine that
others use, look at the ratios: ours is timed right before and right after each peer.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np
import peers

from intrepid_gamma import gamma_index
from intrepid_gamma.compiling import compile_for
from intrepid_rt.grids import Grid, affine_from_axes
from intrepid_rt.image_files import read_dose_file

GOLDEN = Path(__file__).parents[1] / "golden" / "gamma"
REFERENCE, EVALUATED = GOLDEN / "EclipseEnt_Dose.nrrd", GOLDEN / "EclipseEnt_Dose_Day2.nrrd"


def pair() -> tuple[Grid, Grid]:
    return read_dose_file(REFERENCE), read_dose_file(EVALUATED)


def resampled(grid: Grid, n: int) -> Grid:
    """Trilinearly, to n x n x n samples over the same box."""
    spacing_mm = np.array(grid.spacing_mm) * (np.array(grid.shape[::-1]) - 1) / (n - 1)
    lattice = Grid(np.empty((n, n, n), np.float32), affine_from_axes(grid.origin_lps_mm, spacing_mm))
    return lattice.with_values(grid.resampled_to(lattice))


def best_seconds(
    doses: tuple[Grid, Grid], dose_percent: float, distance_mm: float, *, cutoff_percent: float = 10.0, n: int = 5
):
    """Best of n, and the result."""
    seconds = []
    for _ in range(n):
        start = time.perf_counter()
        result = gamma_index(*doses, dose_percent=dose_percent, distance_mm=distance_mm, cutoff_percent=cutoff_percent)
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def pymedphys(folder: Path, doses: tuple[Grid, Grid], dose_percent: float, distance_mm: float) -> dict:
    arrays = {}
    for name, grid in zip(("reference", "evaluated"), doses, strict=True):
        arrays[name] = grid.values
        arrays[f"{name}_origin"], arrays[f"{name}_spacing"] = grid.origin_lps_mm[::-1], grid.spacing_mm[::-1]
    np.savez(folder / "pair.npz", **arrays)
    program = Path(__file__).with_name("peer_pymedphys.py")
    command = [peers.installed(), program, folder / "pair.npz", str(dose_percent), str(distance_mm)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def plastimatch(folder: Path, dose_percent: float, distance_mm: float) -> dict:
    """With a maximum of 2, its default: it can only make plastimatch faster. Reading and writing are in its time."""
    text = folder / "gamma.txt"
    command = [
        peers.installed().with_name("plastimatch"), "gamma", "--interp-search", "--ref-only-threshold",
        "--dose-tolerance", str(dose_percent / 100), "--dta-tolerance", str(distance_mm), "--analysis-threshold", "0.1",
        "--output", folder / "gamma.nrrd", "--output-text", text, REFERENCE, EVALUATED,
    ]  # fmt: skip
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - start
    lines = [line.split() for line in text.read_text().splitlines()]
    rate = next(float(words[-1]) for words in lines if words and "pass" in words[0].lower())
    return {"seconds": seconds, "pass_rate_percent": rate}


def beside(name: str, peer, doses, dose_percent: float, distance_mm: float, wanted: float) -> None:
    before, result = best_seconds(doses, dose_percent, distance_mm)
    theirs = peer()
    after, _ = best_seconds(doses, dose_percent, distance_mm)
    ours = (before + after) / 2
    print(f"{dose_percent:g} %/{distance_mm:g} mm on the pair:")
    print(f"    {name}: {theirs['seconds']:.1f} s, {theirs['pass_rate_percent']:.2f} % pass")
    print(f"    ours: {ours:.3f} s, {result.pass_rate_percent:.2f} % pass")
    print(f"    {theirs['seconds'] / ours:.0f} times faster (wanted: {wanted:g})", flush=True)


def threads(doses) -> list[tuple[int, float]]:
    found = []
    for n in sorted({1, 2, *range(2, numba.config.NUMBA_NUM_THREADS + 1, 2)}):
        if n <= numba.config.NUMBA_NUM_THREADS:
            numba.set_num_threads(n)
            found.append((n, best_seconds(doses, 3, 3)[0]))
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    return found


def sizes(doses) -> list[tuple[int, int, float]]:
    found = []
    for n in (50, 75, 100, 150, 200, 250):
        grids = tuple(resampled(grid, n) for grid in doses)
        seconds, result = best_seconds(grids, 3, 3, n=3)
        found.append((n, result.n_points, seconds))
    return found


# Linux; the peak of the process that getrusage gives is inherited from its parent.
MEMORY = """
import numpy as np
from pathlib import Path
from intrepid_gamma import gamma_index
from intrepid_gamma.compiling import compile_for
from intrepid_rt.grids import Grid

def peak():
    return next(int(l.split()[1]) * 1024 for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l)

compile_for(np.float32)
doses = [Grid(np.full((300, 300, 300), v, np.float32), np.eye(4)) for v in (40.0, 40.5)]
before = peak()
gamma_index(*doses, dose_percent=3, distance_mm=3)
print((peak() - before) / sum(d.values.nbytes for d in doses))
"""


def memory() -> float:
    """Peak memory beyond the inputs, in units of the inputs: every point of 300^3 analysed, the worst case."""
    return float(subprocess.run([sys.executable, "-c", MEMORY], check=True, capture_output=True, text=True).stdout)


def plot(path: Path, by_threads, by_size) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), constrained_layout=True)
    left.plot([n for n, _ in by_threads], [by_threads[0][1] / s for _, s in by_threads], "o-", label="measured")
    left.plot([n for n, _ in by_threads], [n for n, _ in by_threads], ":", color="grey", label="ideal")
    left.set(xlabel="threads", ylabel="speed relative to one thread", xticks=[n for n, _ in by_threads])
    left.legend()
    right.loglog([n for _, n, _ in by_size], [s for *_, s in by_size], "o-")
    for size, n, seconds in by_size:
        right.annotate(f"{size}$^3$", (n, seconds), textcoords="offset points", xytext=(4, -12), fontsize=8)
    right.set(xlabel="points analysed", ylabel="seconds, 3 %/3 mm")
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-peers", action="store_true", help="Only ours.")
    parser.add_argument("--plot", type=Path, help="Picture of the scaling to write.")
    options = parser.parse_args()
    doses = pair()
    compile_for(np.float32)
    _, result = best_seconds(doses, 3, 3, n=1)
    if not 90.6 <= result.pass_rate_percent <= 91.0:
        print(f"3 %/3 mm passes {result.pass_rate_percent:.3f} %, not 90.6 to 91.0 %: nothing is timed.")
        return 1
    if not options.no_peers:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            beside("PyMedPhys 0.41", lambda: pymedphys(folder, doses, 3, 3), doses, 3, 3, 60)
            beside("plastimatch 1.10 --interp-search", lambda: plastimatch(folder, 3, 3), doses, 3, 3, 20)
            beside("PyMedPhys 0.41", lambda: pymedphys(folder, doses, 1, 1), doses, 1, 1, 300)
    large = resampled(doses[0], 198), resampled(doses[1], 200)
    loose, result = best_seconds(large, 3, 3, cutoff_percent=5)
    tight, _ = best_seconds(large, 1, 1, cutoff_percent=5)
    print(f"198^3 against 200^3, 5 % cut-off, {result.n_points} points:")
    print(f"    3 %/3 mm {loose:.2f} s (wanted: at most 2 s on 2 idle cores)")
    print(f"    1 %/1 mm {tight:.2f} s, {tight / loose:.2f} times that (wanted: at most 3)")
    by_threads, by_size = threads(large), sizes(doses)
    print("threads:", ", ".join(f"{n}: {s:.2f} s" for n, s in by_threads))
    print("grid:", ", ".join(f"{size}^3, {n} points: {s:.2f} s" for size, n, s in by_size))
    print(f"memory beyond the inputs, all of 300^3 analysed: {memory():.2f} times the inputs (wanted: at most 3)")
    print(f"load of the machine now: {os.getloadavg()[0]:.1f}")
    if options.plot:
        plot(options.plot, by_threads, by_size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
