"""DVHs: all ROIs of a real plan beside dicompyler-core, a 6,000 cc cylinder, metrics on stored DVHs.

Reading, compiling and importing are not timed for either side. A wrong volume or metric ends with code 1 before
anything is timed. Best of 5; on a machine that others use, look at the ratios.
"""

import gzip
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from intrepid_dvh.compute import compute_dvh
from intrepid_dvh.curve import DVH
from intrepid_dvh.dicom_dvh import read_dvhs
from intrepid_rt.dicom_dose import read_dose
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.grids import DoseGrid, affine_from_axes
from intrepid_rt.structures import Structure

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "Testing" / "golden" / "dvh_engine"
PEER = ROOT / ".bench-venv-dvh"
PEER_PACKAGES = ("dicompyler-core==0.5.6", "pydicom>=2.4,<3", "numpy<2", "scikit-image", "matplotlib")


def best_of(n: int, call: Callable[[], Any]) -> tuple[float, Any]:
    """Least seconds of n calls, and the last result."""
    seconds, result = [], None
    for _ in range(n):
        start = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def peer_python() -> Path:
    """Python of an environment with dicompyler-core, which does not import with pydicom 3."""
    python = PEER / "bin" / "python"
    if not (PEER / ".ready").exists():
        print("Installing", ", ".join(PEER_PACKAGES), "into", PEER.name, flush=True)
        subprocess.run([sys.executable, "-m", "venv", PEER], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEER_PACKAGES], check=True)
        (PEER / ".ready").touch()
    return python


def check(name: str, found: float, expected: float, *, relative: float) -> None:
    if not math.isclose(found, expected, rel_tol=relative):
        sys.exit(f"{name} is {found:g}, expected {expected:g}: wrong, so not timed.")


def real_plan(folder: Path) -> None:
    paths = [folder / "rtss.dcm", folder / "rtdose.dcm"]
    for path in paths:
        path.write_bytes(gzip.decompress((GOLDEN / f"breast_{path.name}.gz").read_bytes()))
    structures, dose = read_structure_set(paths[0]), read_dose(paths[1])
    drawn = [s for s in structures.structures if not s.is_empty]

    def ours() -> dict[str, DVH]:
        return {s.name: compute_dvh(dose, s, end_caps="none") for s in drawn}

    stored = {dvh.structure: dvh for dvh in read_dvhs(paths[1], names={s.number: s.name for s in drawn})}
    for name in ("Breast", "Heart", "Lt Lung", "Tumor Bed", "Tumor Bed Block"):
        check(f"Volume of {name}", ours()[name].structure_volume_cc, stored[name].structure_volume_cc, relative=0.01)
    before, dvhs = best_of(5, ours)
    command = [peer_python(), Path(__file__).with_name("peer_dicompyler.py"), *paths, "5"]
    theirs = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    seconds = min(before, best_of(5, ours)[0])
    print(f"{len(structures.structures)} ROIs, {dose.shape[2]} x {dose.shape[1]} x {dose.shape[0]} voxels, best of 5:")
    print(
        f"  ours {seconds:.3f} s, dicompyler-core 0.5.6 {theirs['seconds']:.3f} s: {theirs['seconds'] / seconds:.1f} x"
    )
    print("  volume in cc           planning system      ours   dicompyler-core")
    for name, dvh in stored.items():
        numbers = (dvh.structure_volume_cc, dvhs[name].structure_volume_cc, theirs["volume_cc"][name])
        print(f"  {name:<20}" + "".join(f"{number:>16.3f}" for number in numbers))


def cylinder() -> None:
    """Radius 100 mm, 198 planes of 1 mm, dose grid of 1 mm: 6,220 cc."""
    angle = np.linspace(0, 2 * np.pi, 361)[:-1]
    outline = 100.0 * np.column_stack([np.cos(angle), np.sin(angle)])
    planes = tuple(np.column_stack([outline, np.full(360, z)]) for z in np.arange(-98.5, 99.5))
    structure = Structure("Cylinder", 1, planes)
    values = np.broadcast_to(np.arange(241, dtype=np.float32), (241, 241, 241)).copy()
    dose = DoseGrid(values, affine_from_axes((-120.0,) * 3, (1.0,) * 3))
    polygon_cc = 0.5 * 360 * 100**2 * math.sin(2 * math.pi / 360) * 198 / 1000
    dvh = compute_dvh(dose, structure)
    check("Volume of the cylinder", dvh.structure_volume_cc, polygon_cc, relative=1e-6)
    check("D50% of the cylinder", dvh.metric("D50%").value, 120.0, relative=1e-4)
    seconds, _ = best_of(5, lambda: compute_dvh(dose, structure))
    print(f"Cylinder of {polygon_cc:.0f} cc, 1 mm planes and voxels: {seconds:.3f} s")


def many_metrics() -> None:
    """Ten metrics of each of 1,000 curves of 500 points."""
    rng = np.random.default_rng(1)
    texts = ("D98%", "D95%", "D50%", "D2%", "D0.03cc", "V5Gy", "V20Gy", "V20Gy_cc", "DMEAN", "DMAX")
    dose = np.linspace(0.0, 70.0, 500)
    curves = [
        DVH("S", dose, volume, structure_volume_cc=float(volume[0]))
        for volume in np.sort(rng.random((1000, 500)) * 100, axis=1)[:, ::-1]
    ]
    found = curves[7].metric("D50%").value
    check("D50%", found, np.interp(-curves[7].volume_cc[0] / 2, -curves[7].volume_cc, dose), relative=1e-6)
    seconds, _ = best_of(5, lambda: [curve.metric(text) for curve in curves for text in texts])
    print(f"10,000 metrics on 1,000 DVHs: {seconds:.3f} s")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        real_plan(Path(made))
    cylinder()
    many_metrics()
