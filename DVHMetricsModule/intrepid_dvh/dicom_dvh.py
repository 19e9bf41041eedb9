"""DVHs stored inside RTDOSE (DVHSequence): read with a check of their units, and written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from intrepid_dvh.curve import DVH, DoseStatistics
from intrepid_rt.dicom_file import (
    Source,
    collecting,
    decimals,
    integer,
    items,
    label,
    number,
    read_dataset,
    referenced_uid,
    text,
)
from intrepid_rt.errors import InvalidSetting, MissingObject, UnreadableFile

# A bin more or less at the end of a curve is rounding, not another unit.
_BINS_OF_DOUBT = 2
# DS elements hold at most 65,534 bytes in explicit transfer syntaxes; one bin takes up to 24.
_MOST_BINS = 2700


@dataclass(frozen=True)
class _Scale:
    """Gy per unit of the stored curve and of the stored statistics; None where that cannot be told."""

    curve_gy: float | None
    statistics_gy: float | None
    notes: tuple[str, ...] = ()


def read_dvhs(
    source: Source, *, names: Mapping[int, str] | None = None, prescription_gy: float | None = None
) -> tuple[DVH, ...]:
    """Read the DVHs that a planning system stored in an RTDOSE object.

    Units are checked, not trusted: no structure can receive more than the maximum of the dose grid, and a structure's
    maximum cannot lie beyond the end of its curve. Statistics that turn out to be percent of a dose are scaled, and
    the warnings of every DVH say so. Doses whose unit cannot be told are kept as numbers without unit.

    Parameters
    ----------
    source : RTDOSE file or data set.
    names : ROI number to name, from the structure set; else a DVH is called ``ROI <number>``.
    prescription_gy : the dose to which relative DVHs refer.

    Raises
    ------
    MissingObject
        The object holds no DVH.
    UnreadableFile
        A DVH's numbers do not form pairs, or its type or units are unknown.

    References
    ----------
    DICOM PS3.3 C.8.8.4 (RT DVH module): DVHData holds bin widths and volumes in turn; the volume of a cumulative bin is
    taken as that receiving at least the bin's lower edge.
    """
    with collecting([]):  # oddities of the header are noted where the dose itself is read
        dataset = read_dataset(source, modality="RTDOSE")
        stored = items(dataset, "DVHSequence")
        if not stored:
            raise MissingObject(f"{label(dataset)} holds no DVH (DVHSequence). Compute them from the structure set.")
        curves = [_curve(dataset, item) for item in stored]
        scale = _scale(dataset, stored, curves, prescription_gy)
        return tuple(
            _dvh(dataset, item, curve, scale, names or {}, prescription_gy)
            for item, curve in zip(stored, curves, strict=True)
        )


def _curve(dataset: Dataset, item: Dataset) -> tuple[NDArray, NDArray]:
    """Return bin edges (n + 1,) in the stored unit and the cumulative volume (n + 1,) at them."""
    kind = text(item, "DVHType").upper()
    numbers = decimals(item, "DVHData")
    if kind not in ("CUMULATIVE", "DIFFERENTIAL") or numbers.size < 2 or numbers.size % 2:
        raise UnreadableFile(
            f"{label(dataset)}: a DVH of type {kind or '(none)'} with {numbers.size} numbers; expected pairs of bin "
            "width and volume of a CUMULATIVE or DIFFERENTIAL DVH. Export it again."
        )
    widths, volumes = numbers.reshape(-1, 2).T * np.array([[number(item, "DVHDoseScaling") or 1.0], [1.0]])
    edges = np.append(0.0, np.cumsum(widths))
    at_least = np.append(np.cumsum(volumes[::-1])[::-1] if kind == "DIFFERENTIAL" else volumes, 0.0)
    # Sums of rounded bins leave crumbs below zero at the end of a curve.
    return edges, np.minimum.accumulate(np.clip(at_least, 0.0, None))


def _scale(dataset: Dataset, stored: list[Dataset], curves: list[tuple], prescription_gy: float | None) -> _Scale:
    """Find out in which unit curves and statistics are, from what is physically possible."""
    ends = np.array([edges[-1] for edges, _ in curves])
    bins = np.array(
        [edges[-1] - edges[-1 - _BINS_OF_DOUBT] if edges.size > _BINS_OF_DOUBT else 0 for edges, _ in curves]
    )
    maxima = np.array([number(item, "DVHMaximumDose") or np.nan for item in stored])
    limit_gy = _grid_maximum_gy(dataset)
    relative = any(text(item, "DoseUnits").upper() == "RELATIVE" for item in stored)
    if relative or (limit_gy is not None and (ends - bins).max() > 1.05 * limit_gy):
        return _relative_curves(prescription_gy, limit_gy, ends)
    known = np.isfinite(maxima)
    agree = np.abs(maxima - ends)[known] <= np.maximum(bins, 0.02 * ends)[known]
    if agree.all():
        return _Scale(1.0, 1.0, _unchecked(limit_gy))
    return _relative_statistics(ends[known], bins[known], maxima[known], limit_gy)


def _grid_maximum_gy(dataset: Dataset) -> float | None:
    from intrepid_rt.dicom_dose import read_dose

    # Relative grids and objects with DVHs alone are legal, but say nothing about Gy.
    in_gy = "PixelData" in dataset and text(dataset, "DoseUnits").upper() == "GY"
    return float(read_dose(dataset).values.max()) if in_gy else None


def _unchecked(limit_gy: float | None) -> tuple[str, ...]:
    if limit_gy is not None:
        return ()
    return ("There is no dose grid in Gy to check the stored DVHs by: their unit is what they state.",)


def _relative_curves(prescription_gy: float | None, limit_gy: float | None, ends: NDArray) -> _Scale:
    found = f"The stored DVHs reach {ends.max():.4g}" + (f", the dose grid {limit_gy:.4g} Gy" if limit_gy else "")
    if prescription_gy is None or (limit_gy is not None and ends.max() * prescription_gy / 100 > 1.05 * limit_gy):
        return _Scale(None, None, (f"{found}: they are relative to a dose that is not known, so they have no Gy.",))
    gray = prescription_gy / 100
    return _Scale(gray, gray, (f"{found}: they are percent of the prescription and were scaled by {gray:g} Gy.",))


def _relative_statistics(ends: NDArray, bins: NDArray, maxima: NDArray, limit_gy: float | None) -> _Scale:
    """Curves are in Gy, their maxima are not: take the factor that fits all of them, if there is one."""
    low, high = ((ends - bins) / maxima).max(), (ends / maxima).min()
    factors = [limit_gy / maxima.max()] if limit_gy else []
    factors.append((low + high) / 2)
    factor = next((f for f in factors if low * (1 - 1e-6) <= f <= high * (1 + 1e-6)), None)
    found = f"Stored minimum, maximum and mean doses say GY but do not fit their curves (maximum {maxima.max():.6g})"
    if factor is None:
        return _Scale(1.0, None, (f"{found}; they have been left out.",))
    return _Scale(
        1.0, factor, (f"{found}: they are percent of {100 * factor:.4g} Gy and were scaled by {factor:.4g}.",)
    )


def _dvh(
    dataset: Dataset,
    item: Dataset,
    curve: tuple[NDArray, NDArray],
    scale: _Scale,
    names: Mapping[int, str],
    prescription_gy: float | None,
) -> DVH:
    edges, volume = curve
    parts = sorted(
        (text(part, "DVHROIContributionType").upper() == "EXCLUDED", number)
        for part in items(item, "DVHReferencedROISequence")
        if (number := integer(part, "ReferencedROINumber")) is not None
    )
    roi = parts[0][1] if parts else -1
    combined = f"This DVH is combined of {len(parts)} ROIs; it stands under the number of the first one included."
    percent = text(item, "DVHVolumeUnits").upper() == "PERCENT"
    unstated = scale.curve_gy is None
    blank = np.full(edges.size, np.nan)
    return DVH(
        structure=names.get(roi, f"ROI {roi}"),
        dose_gy=blank if scale.curve_gy is None else edges * scale.curve_gy,
        volume_cc=blank if percent else volume,
        structure_volume_cc=None if percent else float(volume[0]),
        stated_volume_percent=volume if percent else None,
        volume_unit="PERCENT" if percent else "CC",
        unstated_dose=edges if unstated else None,
        prescription_gy=prescription_gy,
        patient_id=text(dataset, "PatientID"),
        stated=_statistics(item, scale.statistics_gy),
        header={"ROINumber": roi, "DVHType": text(item, "DVHType"), "DoseUnits": text(item, "DoseUnits")},
        warnings=scale.notes + ((combined,) if len(parts) > 1 else ()),
    )


def _statistics(item: Dataset, gray: float | None) -> DoseStatistics:
    if gray is None:
        return DoseStatistics()
    found = [number(item, f"DVH{name}Dose") for name in ("Minimum", "Maximum", "Mean")]
    low, high, mean = (None if value is None else float(value * gray) for value in found)
    return DoseStatistics(min_gy=low, max_gy=high, mean_gy=mean)


def write_dvhs(dataset: Dataset, dvhs: Sequence[tuple[int, DVH]], *, bin_gy: float = 0.01) -> None:
    """Put DVHs into an RTDOSE data set, binned as the standard asks; earlier ones are replaced.

    Parameters
    ----------
    dataset : RTDOSE with a ReferencedStructureSetSequence, which the RT DVH module requires.
    dvhs : pairs of ROI number and DVH in Gy and cm3.
    bin_gy : bin width; widened where a curve would need more bins than a DICOM element holds.

    Raises
    ------
    MissingObject
        The data set refers to no structure set, so ROI numbers would mean nothing.
    InvalidSetting
        A DVH has no doses in Gy or no volumes in cm3.
    """
    if not referenced_uid(dataset, "ReferencedStructureSetSequence"):
        raise MissingObject(f"{label(dataset)} refers to no structure set; DVHs refer to the numbers of its ROIs.")
    dataset.DVHSequence = [_item(roi, dvh, bin_gy) for roi, dvh in dvhs]


def _item(roi: int, dvh: DVH, bin_gy: float) -> Dataset:
    if not (np.isfinite(dvh.dose_gy).all() and np.isfinite(dvh.volume_cc).all()):
        raise InvalidSetting(f"{dvh.structure} has no doses in Gy or no volumes in cm3, so its DVH cannot be written.")
    end_gy = float(dvh.dose_gy[-1])
    width_gy = max(bin_gy, np.ceil(end_gy / _MOST_BINS * 1000) / 1000)
    edges = width_gy * np.arange(int(end_gy / width_gy) + 1)
    volumes = np.interp(edges, dvh.dose_gy, dvh.volume_cc)
    item, reference = Dataset(), Dataset()
    reference.ReferencedROINumber = roi
    reference.DVHROIContributionType = "INCLUDED"
    item.DVHReferencedROISequence = [reference]
    item.DVHType, item.DoseUnits, item.DoseType = "CUMULATIVE", "GY", "PHYSICAL"
    item.DVHDoseScaling, item.DVHVolumeUnits, item.DVHNumberOfBins = "1", "CM3", edges.size
    item.DVHData = [text for volume in volumes for text in (f"{width_gy:g}", f"{volume:.8g}")]
    for name, value in zip(("Minimum", "Maximum", "Mean"), _stated(dvh), strict=True):
        if value is not None:
            setattr(item, f"DVH{name}Dose", f"{value:.10g}")
    return item


def _stated(dvh: DVH) -> tuple[float | None, ...]:
    return dvh.stated.min_gy, dvh.stated.max_gy, dvh.stated.mean_gy
