"""The arrays of one pair: a ``.npz`` of float32 planes on the dataset's grid, never a pickle."""

import hashlib
import io
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.dataset.manifest import DatasetGrid, Pair
from intrepid_rt.atomic import replacing
from intrepid_rt.errors import InvalidSetting, UnreadableFile
from intrepid_rt.small_files import read_small_bytes


@dataclass(frozen=True, eq=False)
class PairArrays:
    """Planes (size_px, size_px), float32, rows along -Y, columns along +X at the isocentre plane.

    Parameters
    ----------
    signal : signal of the image, calibrated, after the profile's radial gain.
    physics_gy : portal dose by the image-only physics, ``open_portal_dose``.
    portal_dose_gy : portal dose measured, calculated or simulated: the truth.
    thickness_g_cm2 : mass thickness of the phantom in front of each pixel; None if no CT is known.
    field_map : share of the meterset during which each pixel is open; None if no plan is known.
    """

    signal: NDArray
    physics_gy: NDArray
    portal_dose_gy: NDArray
    thickness_g_cm2: NDArray | None = None
    field_map: NDArray | None = None


def write_pair(arrays: PairArrays, path: str | Path) -> str:
    """Write the arrays of a pair and return the SHA-256 of the file; the same arrays make the same bytes.

    Raises
    ------
    InvalidSetting
        A plane has another shape than the signal, or values that are not finite.
    """
    planes = {f.name: getattr(arrays, f.name) for f in fields(arrays) if getattr(arrays, f.name) is not None}
    for name, plane in planes.items():
        if plane.shape != arrays.signal.shape or not np.isfinite(plane).all():
            raise InvalidSetting(f"{path}: {name} must be finite and of shape {arrays.signal.shape}.")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, plane in planes.items():
            # A fixed date, so that the same arrays make the same bytes.
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as member:
                np.lib.format.write_array(member, np.asarray(plane, np.float32), allow_pickle=False)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def read_pair(folder: str | Path, pair: Pair, grid: DatasetGrid) -> PairArrays:
    """Read the arrays of a pair and check them against the manifest.

    Raises
    ------
    UnreadableFile
        The file is missing, changed since the dataset was built, or does not hold what the manifest promises.
    """
    path = Path(folder) / pair.file
    content = read_small_bytes(path)
    if hashlib.sha256(content).hexdigest() != pair.sha256:
        raise UnreadableFile(f"{path} is not the file its manifest states: its hash differs. Build the dataset anew.")
    known = {f.name for f in fields(PairArrays)}
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            planes = {name: stored[name] for name in stored.files if name in known}
        arrays = PairArrays(**planes)
    except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UnreadableFile(f"{path} does not hold the arrays of a pair: {error}.") from error
    expected = (grid.size_px, grid.size_px)
    wrong = [
        name for name, p in planes.items() if p.shape != expected or p.dtype != np.float32 or not np.isfinite(p).all()
    ]
    if wrong:
        raise UnreadableFile(f"{path}: {wrong[0]} is not finite float32 of shape {expected}. Build the dataset anew.")
    return arrays
