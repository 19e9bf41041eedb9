"""Curves and contours as compact bytes in the database, and back."""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intrepid_cohort.schema import DoseVolumeHistogram
from intrepid_dvh.curve import DVH, DoseStatistics
from intrepid_rt.errors import MissingObject

BIN_WIDTH_GY = 0.01


def binned_volume_cc(dvh: DVH) -> NDArray:
    """Volume (n,) in cm3 that gets at least 0, 1, 2, ... cGy, up to the first bin without volume.

    >>> binned_volume_cc(DVH.from_samples([0.02], 5.0, structure="X"))
    array([5., 5., 5., 0.])
    """
    last = int(np.floor(dvh.dose_gy[-1] / BIN_WIDTH_GY)) + 1
    # Divided, not multiplied: 0.01 is not exact, and a flat dose of 2 Gy must count at its own bin.
    edges_gy = np.arange(last + 1) / round(1 / BIN_WIDTH_GY)
    return np.interp(edges_gy, dvh.dose_gy, dvh.volume_cc, right=0.0)


def pack_curve(volume_cc: NDArray) -> bytes:
    """Compress a curve (n,) in cm3 to bytes of float32."""
    return zlib.compress(np.asarray(volume_cc, "<f4").tobytes())


def unpack_curve(packed: bytes) -> NDArray:
    """Return the curve (n,) that `pack_curve` compressed.

    >>> unpack_curve(pack_curve([3.0, 1.5, 0.0]))
    array([3. , 1.5, 0. ])
    """
    return np.frombuffer(zlib.decompress(packed), "<f4").astype(float)


def stored_dvh(row: DoseVolumeHistogram, *, structure: str, prescription_gy: float | None = None) -> DVH:
    """Return the DVH of a row: exact statistics, the curve linear between bins of 1 cGy.

    Raises
    ------
    MissingObject
        The row says why there is no DVH.
    """
    if row.cumulative_volume_cc is None or row.bin_width_gy is None or row.max_gy is None:
        raise MissingObject(f"{structure} has no DVH: {row.reason}")
    volume_cc = unpack_curve(row.cumulative_volume_cc)
    dose_gy = np.arange(len(volume_cc)) / round(1 / row.bin_width_gy)
    # The last bin lies beyond the maximum, which is known exactly.
    dose_gy[-1] = max(row.max_gy, np.nextafter(dose_gy[-2], np.inf)) if len(dose_gy) > 1 else row.max_gy
    return DVH(
        structure,
        dose_gy,
        volume_cc,
        structure_volume_cc=row.volume_cc,
        volume_outside_dose_cc=row.volume_outside_dose_cc or 0.0,
        prescription_gy=prescription_gy,
        stated=DoseStatistics(
            min_gy=row.min_gy, max_gy=row.max_gy, mean_gy=row.mean_gy, median_gy=row.median_gy, sd_gy=row.sd_gy
        ),
        warnings=tuple(row.warnings),
    )


def pack_contours(contours: Sequence[NDArray]) -> bytes:
    """Compress contours (n, 3) in mm to bytes: their number, the points of each, then float32 coordinates."""
    counts = np.array([len(contours), *(len(contour) for contour in contours)], "<i4")
    return zlib.compress(counts.tobytes() + np.concatenate(contours).astype("<f4").tobytes(), level=1)


def unpack_contours(packed: bytes) -> list[NDArray]:
    """Return the contours (n, 3) that `pack_contours` compressed.

    >>> unpack_contours(pack_contours([np.zeros((3, 3)), np.ones((4, 3))]))[1].shape
    (4, 3)
    """
    raw = zlib.decompress(packed)
    (number,) = np.frombuffer(raw, "<i4", 1)
    counts = np.frombuffer(raw, "<i4", number, offset=4)
    points = np.frombuffer(raw, "<f4", offset=4 + 4 * int(number)).reshape(-1, 3).astype(float)
    return np.split(points, np.cumsum(counts)[:-1])
