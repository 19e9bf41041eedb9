"""Pictures of the simulated set: ``python docs/pictures/make_simulated_set.py SET_FOLDER DATASET OUT_FOLDER``."""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from intrepid_epid.dataset.manifest import load_manifest
from intrepid_epid.dataset.pair_file import read_pair
from intrepid_rt.dicom_ct import read_ct

PHANTOMS = ("OMG-L04", "CIRS-L05", "SLAB-L04", "MULTIPLUG-L01")


def phantoms(folder: Path, dataset: Path, out: Path) -> None:
    """One phantom of each family, and two of its portal doses."""
    manifest = load_manifest(dataset)
    figure, axes = plt.subplots(3, 4, figsize=(11, 8), constrained_layout=True)
    for column, name in zip(axes.T, PHANTOMS, strict=True):
        ct = read_ct(sorted((folder / name).glob("CT_*.dcm")))
        k, (nx, ny) = len(ct.values) // 2, (ct.shape[2], ct.shape[1])
        x, y = nx * ct.spacing_mm[0] / 2, ny * ct.spacing_mm[1] / 2
        column[0].imshow(ct.values[k], cmap="gray", vmin=-1000, vmax=1400, extent=(-x, x, y, -y))
        column[0].set(title=name, xlim=(-175, 175), ylim=(175, -175), xlabel="x, mm")
        pairs = [pair for pair in manifest.pairs if pair.phantom == name]
        widest = sorted(pairs, key=lambda pair: pair.area_cm2)
        for axis, pair in zip(column[1:], (widest[-1], widest[len(widest) // 2]), strict=True):
            dose = read_pair(dataset, pair, manifest.grid).portal_dose_gy
            half = manifest.grid.size_px * manifest.grid.pixel_mm / 2
            shown = axis.imshow(1000 * dose, extent=(-half, half, -half, half), cmap="inferno")
            axis.set(title=f"{pair.field}, gantry {pair.gantry_angle_deg:.0f}", xlabel="X, mm")
            figure.colorbar(shown, ax=axis, shrink=0.8, label="mGy")
    axes[0, 0].set_ylabel("CT, y in mm")
    axes[1, 0].set_ylabel("portal dose, Y in mm")
    figure.savefig(out / "simulated_phantoms.png", dpi=80)


def pair(dataset: Path, out: Path) -> None:
    """All planes of one pair, and a profile through signal, physics and truth."""
    manifest = load_manifest(dataset)
    chosen = next(one for one in manifest.pairs if one.phantom.startswith("MULTIPLUG-L") and one.field == "10x10")
    arrays = read_pair(dataset, chosen, manifest.grid)
    half = manifest.grid.size_px * manifest.grid.pixel_mm / 2
    figure, axes = plt.subplots(2, 3, figsize=(11, 7), constrained_layout=True)
    planes = (
        ("signal", arrays.signal, ""),
        ("physics_gy, image only", 1000 * arrays.physics_gy, "mGy"),
        ("portal_dose_gy, truth", 1000 * arrays.portal_dose_gy, "mGy"),
        ("thickness_g_cm2", arrays.thickness_g_cm2, "g/cm2"),
        ("field_map", arrays.field_map, "open share"),
    )
    for axis, (title, plane, unit) in zip(axes.ravel(), planes, strict=False):
        shown = axis.imshow(plane, extent=(-half, half, -half, half), cmap="inferno")
        axis.set(title=title, xlim=(-90, 90), ylim=(-90, 90))
        figure.colorbar(shown, ax=axis, shrink=0.8, label=unit)
    row = manifest.grid.size_px // 2
    x_mm = (np.arange(manifest.grid.size_px) - (manifest.grid.size_px - 1) / 2) * manifest.grid.pixel_mm
    for plane, label in ((arrays.physics_gy, "physics, image only"), (arrays.portal_dose_gy, "truth")):
        axes[1, 2].plot(x_mm, 1000 * plane[row], label=label)
    axes[1, 2].set(xlim=(-90, 90), xlabel="X, mm", ylabel="mGy", title=chosen.id)
    axes[1, 2].legend()
    figure.savefig(out / "dataset_pair.png", dpi=80)


if __name__ == "__main__":
    set_folder, dataset_folder, out_folder = map(Path, sys.argv[1:4])
    phantoms(set_folder, dataset_folder, out_folder)
    pair(dataset_folder, out_folder)
