"""The cohort database: headers of 10,000 files, a whole real plan, a query over 20,000 DVHs; growth on request.

Best of 3; each answer is checked before its time counts. ``--growth N`` imports N synthetic patients in one run
instead, with a line per 10 patients of time, memory and size (CSV, and a picture if ``--plot`` names one): about a
second per patient.
"""

import argparse
import csv
import gzip
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from intrepid_cohort.database import initialise
from intrepid_cohort.headers import read_header
from intrepid_cohort.importing import import_folders
from intrepid_cohort.query import query_dvhs
from intrepid_cohort.simulation.cohort import write_cohort

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "Testing"))
from cohort_tables import fill  # noqa: E402 - lies beside what tests share

FILES, PATIENTS, STRUCTURES = 10_000, 1000, 20
METRICS = ("D95%", "D2%", "V20Gy", "D1cc", "V95%")


def best_of(n: int, call: Callable[[], Any]) -> tuple[float, Any]:
    """Least seconds of n calls, and the last result."""
    seconds, result = [], None
    for _ in range(n):
        start = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def check(right: bool, what: str) -> None:
    if not right:
        sys.exit(f"Wrong, so not timed: {what}")


def headers(folder: Path) -> None:
    """Hash, read and store the headers of 10,000 files, in as many processes as there are processors."""
    write_cohort(folder / "seed", patients=2, centres=1, seed=1)
    slices = sorted(path for path in folder.rglob("CT1_*.dcm") if not read_header(path).reason)
    for number in range(FILES):
        (folder / "in" / f"{number // 500:03d}").mkdir(parents=True, exist_ok=True)
        shutil.copy(slices[number % len(slices)], folder / "in" / f"{number // 500:03d}" / f"{number:05d}.dcm")

    def index() -> int:
        (folder / "h.db").unlink(missing_ok=True)
        engine = initialise(folder / "h.db")
        seconds: list[float] = []
        start = time.perf_counter()

        def progress(stage: str, done: int, total: int) -> None:
            if stage == "reading headers" and done == total:
                seconds.append(time.perf_counter() - start)

        result = import_folders(engine, [folder / "in"], progress=progress)
        engine.dispose()
        check(result.files_read == FILES, f"{result.files_read} files read of {FILES}")
        return seconds[0]

    times = [index() for _ in range(3)]
    print(f"Headers of {FILES:,} files: {min(times):.1f} s (limit 60), {FILES / min(times):.0f} files/s", flush=True)


def real_plan(folder: Path) -> None:
    """Import a real breast plan with all geometry and DVHs; reading modules and making tables is not counted."""
    golden = ROOT / "Testing" / "golden" / "dvh_engine"
    (folder / "breast").mkdir()
    for name in ("rtss", "rtdose"):
        data = gzip.decompress((golden / f"breast_{name}.dcm.gz").read_bytes())
        (folder / "breast" / f"{name}.dcm").write_bytes(data)
    shutil.copy(ROOT / "Testing" / "data" / "breast_imrt" / "rtplan.dcm", folder / "breast")

    def once() -> float:
        (folder / "b.db").unlink(missing_ok=True)
        engine = initialise(folder / "b.db")
        start = time.perf_counter()
        result = import_folders(engine, [folder / "breast"], processes=1)
        seconds = time.perf_counter() - start
        check((result.patients_imported, result.unused) == (1, []), f"{result}")
        rows = list(query_dvhs(engine, ["mean_gy > 0"]))
        check(len(rows) == 9, f"{len(rows)} DVHs; expected 9 of 10 structures, one being empty")
        engine.dispose()
        return seconds

    print(f"Real breast plan, 10 structures: {min(once() for _ in range(4)):.2f} s (limit 3)", flush=True)


def queries(folder: Path) -> None:
    """Ask 1,000 patients x 20 structures for five endpoints: stored ones, one that is new, and its second time."""
    engine = initialise(folder / "q.db")
    fill(engine, PATIENTS, STRUCTURES)
    rows = PATIENTS * STRUCTURES
    for label, asked in (
        (f"{len(METRICS)} stored endpoints", {"metrics": METRICS}),
        ("a condition on an endpoint", {"conditions": ["name ~ organ* and D95% >= 20"], "metrics": METRICS}),
    ):
        seconds, found = best_of(3, lambda asked=asked: list(query_dvhs(engine, **asked)))
        check("conditions" in asked or len(found) == rows, f"{len(found)} rows")
        print(f"Query of {rows:,} DVHs, {label}: {seconds:.2f} s (limit 0.5), {len(found):,} rows", flush=True)
    first, _ = best_of(1, lambda: list(query_dvhs(engine, metrics=["V17Gy"])))
    again, _ = best_of(3, lambda: list(query_dvhs(engine, metrics=["V17Gy"])))
    print(f"An endpoint asked for the first time: {first:.2f} s; again: {again:.2f} s", flush=True)
    engine.dispose()


def resident_mb() -> float:
    """Memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def growth(patients: int, folder: Path, table: Path, plot: Path | None) -> None:
    """Import many patients in one process and note how time, memory and file grow."""
    source, database = folder / "in", folder / "growth.db"
    if not (source / "truth.json").exists():
        write_cohort(source, patients=patients, centres=1, seed=11)
    database.unlink(missing_ok=True)
    engine = initialise(database)
    start, rows = time.perf_counter(), []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "importing patients" and (done % 10 == 0 or done == total):
            times = (round(time.perf_counter() - start, 2), round(time.process_time(), 2))
            rows.append((done, *times, round(resident_mb(), 1), round(database.stat().st_size / 1e6, 2)))
            with table.open("w", newline="") as file:
                csv.writer(file).writerows(
                    [("patients", "seconds", "processor_seconds", "memory_mb", "file_mb"), *rows]
                )

    import_folders(engine, [source], processes=1, progress=progress)
    engine.dispose()
    if plot is not None:
        draw(table, plot)


def draw(table: Path, plot: Path) -> None:
    """Draw time, memory and file size over the number of patients."""
    import matplotlib.pyplot as plt

    with table.open() as file:
        rows = np.array([[float(value) for value in row] for row in list(csv.reader(file))[1:]])
    figure, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
    seconds = rows[:, 2] - rows[0, 2]
    slope = np.polyfit(rows[:, 0], seconds, 1)
    axes[0].plot(rows[:, 0], np.polyval(slope, rows[:, 0]), "--", label=f"{slope[0]:.2f} s per patient")
    for axis, values, title in ((axes[0], seconds, "processor time (s)"), (axes[1], rows[:, 3], "memory (MB)"),
                                (axes[2], rows[:, 4], "database (MB)")):  # fmt: skip
        axis.plot(rows[:, 0], values)
        axis.set(xlabel="patients", title=title, ylim=(0, None))
    axes[0].legend()
    figure.savefig(plot, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--growth", type=int, metavar="N")
    parser.add_argument("--folder", type=Path, help="Where the synthetic patients go, or already are.")
    parser.add_argument("--table", type=Path, default=Path("cohort_growth.csv"))
    parser.add_argument("--plot", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = asked.folder or Path(made)
        if asked.growth:
            growth(asked.growth, folder, asked.table, asked.plot)
            return
        for part in (headers, real_plan, queries):
            part(folder)


if __name__ == "__main__":
    main()
