"""Stored pixels to detector signal: zero without beam, growing with dose, integrated over the exposure."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from intrepid_rt.dicom_file import element_value, integer, label, number, text
from intrepid_rt.dicom_pixels import bits_stored
from intrepid_rt.errors import AmbiguousInput, MissingObject, UnreadableFile

_ABSOLUTE = ("GY", "CU")  # rescale types that are units: without a slope the numbers would be taken for them
_ELEKTA_CREATOR = "elekta: portal image"
_ELEKTA_FACTOR_ELEMENT = 0x02


@dataclass(frozen=True, eq=False)
class Signal:
    """Detector signal of every stored pixel; ``at_limit`` marks those at the end of the range that is most signal."""

    values: NDArray  # (rows, columns) float32
    at_limit: NDArray  # (rows, columns) bool


@dataclass(frozen=True)
class SignalScale:
    """How stored values of one file become signal: ``stored * slope + intercept``.

    ``unit`` is "signal" if images of one machine are comparable with each other, else "relative"; "Gy" for a portal
    dose that was computed. ``limit`` is the end of the number range that stands for most signal, None if the highest
    value is no saturation.
    """

    slope: float
    intercept: float
    limit: int | None
    unit: str
    vendor: str
    notes: tuple[str, ...] = ()

    def signal(self, stored: NDArray) -> Signal:
        """Convert stored values of any shape.

        Raises
        ------
        UnreadableFile
            The slope is none: the result is not finite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            values = (stored * self.slope + self.intercept).astype(np.float32)
        if not np.isfinite(values).all():
            raise UnreadableFile(
                f"Pixel values times {self.slope:g} are no numbers: the factor is damaged. Export the image again."
            )
        return Signal(values, np.zeros(stored.shape, bool) if self.limit is None else stored == self.limit)


def signal_scale(dataset: Dataset, stored: NDArray) -> SignalScale:
    """Find how stored pixels become signal in the manner of the system that wrote them.

    Parameters
    ----------
    stored : ndarray, (rows, columns)
        Pixels of the file, the mean of all frames if it holds several: an unknown polarity shows in them.

    Raises
    ------
    AmbiguousInput
        An unknown system whose image does not show whether high values mean much or little dose.
    """
    if text(dataset, "RescaleType").upper() == "GY":
        return SignalScale(*_rescaling(dataset), limit=None, unit="Gy", vendor="portal dose")
    manufacturer = text(dataset, "Manufacturer").casefold()
    if "elekta" in manufacturer or _elekta_factor(dataset) is not None:
        return _elekta(dataset)
    if "varian" in manufacturer:
        return _varian(dataset, stored)
    return _generic(dataset, stored)


def _range_end(dataset: Dataset) -> tuple[int, int]:
    """Lowest and highest number that a pixel can hold."""
    bits = bits_stored(dataset)
    if integer(dataset, "PixelRepresentation"):
        return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1


def _elekta(dataset: Dataset) -> SignalScale:
    """iView: stored inverted; a factor that differs from image to image turns numbers into integrated signal."""
    lowest, highest = _range_end(dataset)
    factor = _elekta_factor(dataset)
    if factor is None:
        note = "The Elekta pixel factor (0021,xx02) is missing: the signal is relative."
        return SignalScale(-1.0, highest, lowest, "relative", "Elekta", (note,))
    return SignalScale(-1.0 / factor, highest / factor, lowest, "signal", "Elekta")


def _elekta_factor(dataset: Dataset) -> float | None:
    """Pixel factor in the private block of Elekta, whichever block number the writer gave it."""
    for element in range(0x10, 0x100):
        creator = element_value(dataset, (0x0021, element))
        if str(creator).strip().casefold() == _ELEKTA_CREATOR:
            stated = element_value(dataset, (0x0021, (element << 8) + _ELEKTA_FACTOR_ELEMENT))
            return None if stated is None else _positive_factor(dataset, stated)
    return None


def _positive_factor(dataset: Dataset, value: object) -> float:
    # Without explicit value representation a private element arrives as bytes.
    written = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    try:
        factor = float(written.strip(" \0"))
    except ValueError:
        factor = float("nan")
    if not 0 < factor < float("inf"):
        raise UnreadableFile(f"{label(dataset)}: the Elekta pixel factor is no positive number. Export it again.")
    return factor


def _varian(dataset: Dataset, stored: NDArray) -> SignalScale:
    """aS500 to aS1200: rescaled values leave zero, downwards or upwards, as the beam comes on."""
    slope, intercept = _rescaling(dataset)
    # The mean, because one defective pixel may lie at either end of the range.
    rescaled_mean = float(stored.mean(dtype=np.float64)) * slope + intercept
    sign = _stated_sign(dataset, slope) or (1 if rescaled_mean >= 0 else -1)
    lowest, highest = _range_end(dataset)
    limit = highest if sign * slope > 0 else lowest
    if text(dataset, "RescaleType").upper() == "CU":
        return SignalScale(sign * slope, sign * intercept, limit, "signal", "Varian")  # integrated already
    frames = re.search(r"Averaged Frames\s*:?\s*(\d+)", text(dataset, "RTImageDescription"), re.IGNORECASE)
    if frames is None or int(frames[1]) == 0:
        note = "The number of averaged frames is not stated: the signal is relative, one frame's worth."
        return SignalScale(sign * slope, sign * intercept, limit, "relative", "Varian", (note,))
    times = sign * int(frames[1])
    note = f"The stored mean of {int(frames[1])} frames was multiplied by their number."
    return SignalScale(times * slope, times * intercept, limit, "signal", "Varian", (note,))


def _rescaling(dataset: Dataset) -> tuple[float, float]:
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    unit = text(dataset, "RescaleType").upper()
    if slope is None and unit in _ABSOLUTE:
        raise MissingObject(
            f"{label(dataset)}: RescaleType is {unit}, but RescaleSlope is missing: how much a stored number means is "
            "not known. Export it again."
        )
    return (1.0 if slope is None else slope), intercept or 0.0


def _stated_sign(dataset: Dataset, slope: float) -> int | None:
    """1 if high rescaled values mean much radiation, -1 if little, None if the image does not say.

    The attribute speaks of stored values (PS3.3 C.8.11.3.1.2): a negative slope turns it round.
    """
    sign = integer(dataset, "PixelIntensityRelationshipSign")
    return sign * (1 if slope > 0 else -1) if sign in (1, -1) else None


def _generic(dataset: Dataset, stored: NDArray) -> SignalScale:
    """Any other system: linear by its own statement, or relative."""
    slope, intercept = _rescaling(dataset)
    sign, notes = _stated_sign(dataset, slope), []
    if sign is None:
        sign = sign_from_border(stored * slope + intercept, label(dataset))
        way = "high" if sign > 0 else "low"
        notes.append(f"Concluded from the border of the image: {way} pixel values mean much signal.")
    lowest, highest = _range_end(dataset)
    end, other = (highest, lowest) if sign * slope > 0 else (lowest, highest)
    # A descending scale has its zero at the number that stands for no signal.
    dark = 0.0 if sign > 0 else other * slope + intercept
    is_linear = text(dataset, "PixelIntensityRelationship").upper() == "LIN"
    if not is_linear:
        notes.append("The image does not say how pixel values follow dose: the signal is relative.")
    unit = "signal" if is_linear else "relative"
    return SignalScale(sign * slope, sign * (intercept - dark), end, unit, "generic", tuple(notes))


def sign_from_border(rescaled: NDArray, name: str) -> int:
    """Tell polarity from the outermost pixels (rows, columns), which lie outside the field; ``name`` is for messages.

    Raises
    ------
    AmbiguousInput
        The border does not tell.
    """
    border = float(np.median(np.concatenate([rescaled[0], rescaled[-1], rescaled[:, 0], rescaled[:, -1]])))
    low, high = (float(v) for v in np.percentile(rescaled, (0.5, 99.5)))
    above, below = high - border, border - low
    if max(above, below) <= 0 or min(above, below) > 0.25 * max(above, below):
        raise AmbiguousInput(
            f"{name} does not state PixelIntensityRelationshipSign, and its border does not show whether "
            "high pixel values mean much or little dose. Export it with that attribute."
        )
    return 1 if above > below else -1
