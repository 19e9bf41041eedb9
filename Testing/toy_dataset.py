"""Small datasets whose truth follows from the image by a rule, so that a network can learn it in seconds.

Every image is a rectangle behind water of one thickness: the portal dose is that of the open beam, attenuated, hardened
(up to 12 %) and with scatter that spreads over the whole grid.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from intrepid_epid.dataset.manifest import DatasetGrid, ImagerPanel, Manifest, Pair, SourceFile, save_manifest
from intrepid_epid.dataset.pair_file import PairArrays, write_pair

OPEN_GY_PER_MU = 0.004
PANEL = ImagerPanel("Elekta", 409.6, 409.6)
SPREAD_MM = 60.0


def toy_arrays(
    half_x_mm: float, half_y_mm: float, thickness_g_cm2: float, meterset_mu: float, *, size: int, pixel_mm: float
) -> PairArrays:
    """Planes of one pair."""
    at = pixel_mm * (np.arange(size) - (size - 1) / 2)
    edge = 0.6 * pixel_mm
    x, y = (1 / (1 + np.exp(np.clip((abs(at) - half) / edge, -50, 50))) for half in (half_x_mm, half_y_mm))
    primary = np.outer(y, x) * np.exp(-0.04 * thickness_g_cm2)
    scatter = ndimage.gaussian_filter(primary, SPREAD_MM / pixel_mm, mode="constant") * 0.01 * thickness_g_cm2
    physics = OPEN_GY_PER_MU * meterset_mu * (primary + 1.2 * scatter)
    truth = OPEN_GY_PER_MU * meterset_mu * (primary * (1 + 0.004 * thickness_g_cm2) + scatter)
    planes = (physics / OPEN_GY_PER_MU / 100, physics, truth, np.full((size, size), thickness_g_cm2))
    return PairArrays(*(plane.astype(np.float32) for plane in planes))


def write_toy_dataset(
    folder: Path,
    *,
    size: int = 16,
    pixel_mm: float = 16.0,
    n_train: int = 10,
    n_validation: int = 3,
    n_test: int = 3,
    seed: int = 0,
    energy: str = "6 MV",
    thicknesses: Sequence[float] = (0.0, 5.0, 10.0, 20.0, 30.0),
    with_field: bool = False,
) -> Manifest:
    """Write a dataset, every pair its own phantom and plan."""
    rng = np.random.default_rng(seed)
    splits = ["train"] * n_train + ["validation"] * n_validation + ["test"] * n_test
    pairs = []
    for number, split in enumerate(splits):
        # The first two are the smallest and the largest, so that the domain is the same however many there are.
        shares = {0: np.full(2, 0.15), 1: np.full(2, 0.6)}.get(number, rng.uniform(0.15, 0.6, 2))
        half_x, half_y = (shares * size * pixel_mm / 2).tolist()
        thickness, meterset = float(thicknesses[number % len(thicknesses)]), float(rng.uniform(50, 200))
        arrays = toy_arrays(half_x, half_y, thickness, meterset, size=size, pixel_mm=pixel_mm)
        if with_field:
            arrays = replace(arrays, field_map=(arrays.physics_gy > 0.5 * arrays.physics_gy.max()).astype(np.float32))
        name = f"toy_{number:03d}"
        file = f"pairs/{name}.npz"
        area = 4 * half_x * half_y / 100
        pairs.append(
            Pair(
                id=name,
                phantom=f"slab{thickness:g}",
                family="SLAB" if number % 2 else "OMG",
                field=f"{half_x / 5:.0f}x{half_y / 5:.0f}",
                plan=f"plan{number}",
                split=split,
                fold_group=f"slab{thickness:g}/plan{number}",
                file=file,
                sha256=write_pair(arrays, folder / file),
                sources=(SourceFile("image.dcm", "0" * 64),),
                meterset_mu=meterset,
                gantry_angle_deg=0.0,
                source_to_image_mm=1600.0,
                area_cm2=area,
                equivalent_square_cm=float(np.sqrt(area)),
            )
        )
    manifest = Manifest(
        created="2026-01-01T00:00:00+00:00",
        software_version="0",
        machine="LINAC1",
        energy=energy,
        profile_sha256="0" * 64,
        grid=DatasetGrid(size, pixel_mm),
        pairs=tuple(pairs),
        open_gy_per_mu=OPEN_GY_PER_MU,
        panel=PANEL,
    )
    save_manifest(manifest, folder)
    return manifest
