"""DVHs of a sample computed another way: dose values sampled by SimpleITK on a fine raster of the contours.

Nothing of `intrepid_dvh` takes part: contours are filled by matplotlib's point-in-polygon test, the dose is read by
pydicom and interpolated by SimpleITK. The two agree as closely as the raster allows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from intrepid_cohort.database import translating_errors
from intrepid_cohort.packing import unpack_contours
from intrepid_cohort.schema import Dose, DoseVolumeHistogram, File, StructureContours
from intrepid_rt.errors import UnusableInput

_RASTER_MM = 1.0


def crosscheck(engine: Engine, *, sample: int = 20, seed: int = 0) -> list[dict[str, Any]]:
    """Compare mean, near-minimum and near-maximum doses of a random sample of stored DVHs of imported doses.

    Returns
    -------
    list of dict : structure, stored and independent mean, D98%, D2% and volume, and the differences.
    """
    found = []
    with translating_errors(engine), Session(engine) as session:
        ids = session.scalars(
            select(DoseVolumeHistogram.id)
            .join(Dose)
            .where(DoseVolumeHistogram.mean_gy.is_not(None), DoseVolumeHistogram.volume_outside_dose_cc == 0.0)
            .where(Dose.dose_summation_type != "TREATMENT")
            .order_by(DoseVolumeHistogram.id)
        ).all()
        rng = np.random.default_rng(seed)
        for dvh_id in rng.choice(ids, min(sample, len(ids)), replace=False).tolist() if ids else []:
            found.append(_compare(session, session.get_one(DoseVolumeHistogram, dvh_id)))
    return found


def _compare(session: Session, row: DoseVolumeHistogram) -> dict[str, Any]:
    file = session.scalar(
        select(File).where(File.sop_instance_uid == row.dose.sop_instance_uid, File.status == "used")
    )  # fmt: skip
    contours = session.get(StructureContours, row.structure_id)
    if file is None or contours is None:
        raise UnusableInput(f"The files of {row.structure.roi_name} are not at hand. Import them again.")
    samples, volume_cc = _samples(file.path, unpack_contours(contours.contours_lps_mm))
    mean_gy = float(samples.mean())
    return {
        "roi_name": row.structure.roi_name,
        "dose_uid": row.dose.sop_instance_uid,
        "mean_gy": row.mean_gy,
        "independent_mean_gy": mean_gy,
        "mean_difference_gy": mean_gy - (row.mean_gy or 0.0),
        "median_gy": row.median_gy,
        "independent_median_gy": float(np.median(samples)),
        "volume_cc": row.volume_cc,
        "independent_volume_cc": volume_cc,
    }


def _samples(dose_path: str, contours: list[NDArray]) -> tuple[NDArray, float]:
    from matplotlib.path import Path as Polygon

    image = _dose_image(dose_path)
    heights = np.unique(np.round([contour[0, 2] for contour in contours], 3))
    step_mm = float(np.median(np.diff(heights))) if len(heights) > 1 else _RASTER_MM
    low = np.min([c[:, :2].min(axis=0) for c in contours], axis=0)
    high = np.max([c[:, :2].max(axis=0) for c in contours], axis=0)
    x, y = (np.arange(low[i] + _RASTER_MM / 2, high[i], _RASTER_MM) for i in (0, 1))
    grid = np.stack(np.meshgrid(x, y, indexing="xy"), axis=-1).reshape(-1, 2)
    values, count = [], 0
    for height in heights:
        inside = np.zeros(len(grid), bool)
        for contour in contours:
            if abs(contour[0, 2] - height) < 1e-3:
                inside ^= Polygon(contour[:, :2]).contains_points(grid)
        points = grid[inside]
        count += len(points)
        values += [image.EvaluateAtPhysicalPoint((float(px), float(py), float(height))) for px, py in points]
    return np.array(values, float), count * _RASTER_MM**2 * step_mm / 1000.0


def _dose_image(path: str) -> Any:
    import pydicom
    import SimpleITK as sitk  # noqa: N813 - as its own documentation abbreviates it

    dataset = pydicom.dcmread(path)
    image = sitk.GetImageFromArray(dataset.pixel_array.astype(np.float32) * float(dataset.DoseGridScaling))
    offsets = [float(value) for value in dataset.GridFrameOffsetVector]
    row_mm, column_mm = (float(value) for value in dataset.PixelSpacing)
    image.SetSpacing((column_mm, row_mm, abs(offsets[1] - offsets[0])))
    image.SetOrigin([float(value) for value in dataset.ImagePositionPatient])
    return image
