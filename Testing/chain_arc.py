"""A small arc for the tests of the chain: the water cylinder of ``chain_study``, frames behind it, one plan."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import builders
import frame_builders
from builders import BeamSpec, Ids
from chain_phantoms import soft_field
from chain_study import _without_couch_turn, write_study

ANGLES = tuple(float(a % 360) for a in np.arange(190, 550, 20))  # 18 frames, clockwise over the top
ARC_DEG = (180.0, 0.0, 179.0)


def frame_signal(count: int = len(ANGLES)) -> NDArray:
    """Field of 5 x 4 cm2 behind the phantom, 64 x 64 pixels of 6.4 mm, with noise that tells frames apart."""
    rng = np.random.default_rng(11)
    field = soft_field(25, 20).values / count
    return field * rng.normal(1.0, 0.01, (count, *field.shape))


def write_arc(
    folder: Path, form: str, signal: NDArray, angles: Sequence[float] = ANGLES, ids: Ids | None = None
) -> Ids:
    """Study of one arc whose images come as "cine", "series", "raw" or "integrated"."""
    ids = write_study(folder, names=("ARC",), gantry_deg=(0.0,), ids=ids)
    (folder / "RTIMAGE_1.dcm").unlink()
    plan = _without_couch_turn(builders.rtplan([BeamSpec("ARC", ARC_DEG)], ids))
    builders.save(plan, folder / "RTPLAN.dcm")
    images(folder, form, signal, ids, angles)
    return ids


def images(folder: Path, form: str, signal: NDArray, ids: Ids, angles: Sequence[float]) -> None:
    """Write the images alone."""
    options = {"pixel_mm": (6.4, 6.4)}
    if form == "cine":
        metersets = [100.0 / len(angles)] * len(angles)
        made = [frame_builders.cine(signal, ids, gantry_deg=angles, meterset_mu=metersets, **options)]
    elif form == "series":
        made = frame_builders.series(signal, ids, gantry_deg=angles, **options)
    elif form == "raw":
        frame_builders.write_raw(folder / "raw", signal, ids, gantry_deg=angles, panel_width_mm=64 * 6.4)
        made = []
    else:
        pixels = builders.elekta_pixels(signal.sum(axis=0), frame_builders.FACTOR)
        made = [builders.rtimage(pixels, ids, gantry_deg=None, elekta_factor=frame_builders.FACTOR, **options)]
    for number, one in enumerate(made):
        builders.save(one, folder / f"RI_{number:03d}.dcm")
