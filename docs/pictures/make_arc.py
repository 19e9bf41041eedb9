"""Pictures of docs/deliveries.md: an arc of 18 frames through a water cylinder, whole and with three frames lost.

    PYTHONPATH=Testing python docs/pictures/make_arc.py

Study and frames are those of the tests (``Testing/chain_arc.py``), reconstructed on 3.5 mm; needs matplotlib.
"""

import tempfile
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

import chain_arc
from chain_study import write_profile
from intrepid_cli.verification import VerificationSettings, verify_study
from intrepid_rt.verification import VerificationResult

LOST = (5, 6, 7)
OUT = Path(__file__).parent / "arc_frames.png"


def reconstructed(folder: Path, lost: tuple[int, ...]) -> VerificationResult:
    """Reconstruct the arc without the frames of these indices."""
    chain_arc.write_arc(folder / "study", "series", chain_arc.frame_signal())
    for number in lost:
        (folder / "study" / f"RI_{number:03d}.dcm").unlink()
    profile = write_profile(folder / "profile.json")
    return verify_study(VerificationSettings(folder / "study", folder / "out", machine=profile, grid_mm=3.5)).result


def draw(results: dict[str, VerificationResult], path: Path) -> None:
    """Axial dose through the isocentre of every result, and what the lost frames would have given."""
    planes = {}
    for name, result in results.items():
        dose = result.reconstructed
        middle = round(float(dose.position_to_index((0.0, 0.0, 0.0))[2]))
        planes[name] = dose.values[middle]
    first, last = dose.index_to_position((0, 0, 0)), dose.index_to_position(np.array(dose.shape[::-1]) - 1)
    extent = (first[0], last[0], last[1], first[1])
    highest = max(plane.max() for plane in planes.values())
    whole, less = planes.values()
    figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
    for axis, (name, plane) in zip(axes, planes.items(), strict=False):
        shown = axis.imshow(plane, extent=extent, vmax=highest, cmap="inferno")
        axis.set_title(name)
    figure.colorbar(shown, ax=axes[:2], label="dose, Gy", shrink=0.9)
    shown = axes[2].imshow(whole - less, extent=extent, cmap="viridis")
    axes[2].set_title("what is missing")
    figure.colorbar(shown, ax=axes[2], label="dose, Gy", shrink=0.9)
    for axis in axes:
        axis.set_xlabel("x, mm (patient's left to the right)")
    axes[0].set_ylabel("y, mm (front at the top)")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Reconstruct both and draw."""
    mpl.use("Agg")
    with tempfile.TemporaryDirectory() as folder:
        cases = {"18 frames": (), "3 frames lost, found and reported": LOST}
        made = {name: reconstructed(Path(folder) / str(len(lost)), lost) for name, lost in cases.items()}
    draw(made, OUT)


if __name__ == "__main__":
    main()
