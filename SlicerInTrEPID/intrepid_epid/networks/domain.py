"""Whether an image is like those a model was trained on; if not, in what it differs."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from intrepid_epid.networks.card import TrainingRange
from intrepid_epid.networks.inputs import field_level

_EDGE_MM, _AROUND_MM = 5.0, 20.0


def properties(
    physics_gy: NDArray,
    pixel_mm: float,
    *,
    source_to_image_mm: float,
    open_gy: float | None = None,
    thickness_g_cm2: NDArray | None = None,
) -> dict[str, float]:
    """Measure what is compared: geometry, field, attenuation, statistics of an image on a grid at the isocentre plane.

    Parameters
    ----------
    physics_gy : ndarray (size, size)
        The physics' portal dose from the image alone.
    pixel_mm : float
        At the isocentre plane.
    open_gy : float, optional
        Portal dose of the open beam for the meterset; without it transmission is not measured.
    thickness_g_cm2 : ndarray (size, size), optional

    Returns
    -------
    dict : by name; units are those the names end with.

    Examples
    --------
    >>> image = np.zeros((32, 32)); image[8:24, 8:24] = 2.0
    >>> round(properties(image, 5.0, source_to_image_mm=1600.0)["area_cm2"])
    64
    """
    level = field_level(physics_gy)
    aperture = physics_gy > 0.5 * level
    depth_mm = ndimage.distance_transform_edt(np.pad(aperture, 1), sampling=pixel_mm)[1:-1, 1:-1]
    inner = depth_mm > min(_EDGE_MM, 0.7 * depth_mm.max())
    outside = ndimage.distance_transform_edt(~aperture, sampling=pixel_mm) > _AROUND_MM
    at = pixel_mm * (np.arange(len(physics_gy)) - (len(physics_gy) - 1) / 2)
    # A pixel less the mean of its neighbours in the row: what varies slowly cancels.
    rough = physics_gy - 0.5 * (np.roll(physics_gy, 1, axis=1) + np.roll(physics_gy, -1, axis=1))
    found = {
        "source_to_image_mm": source_to_image_mm,
        "area_cm2": np.count_nonzero(aperture) * pixel_mm**2 / 100,
        "off_axis_mm": float(np.hypot(*np.meshgrid(at, at))[aperture].max(initial=0.0)),
        "modulation_percent": 100 * float(physics_gy[inner].std()) / level,
        "noise_percent": 100 * float(np.median(np.abs(rough[inner]))) / level,
        "background_percent": 100 * float(physics_gy[outside].mean()) / level if outside.any() else 0.0,
    }
    if open_gy:
        found["transmission_percent"] = 100 * level / open_gy
    if thickness_g_cm2 is not None:
        found["thickness_g_cm2"] = float(thickness_g_cm2[inner].mean())
    return found


# What each is called in a warning, by which factor and amount its range is widened, and whether it can be too low.
_NAMES: dict[str, tuple[str, float, float, bool]] = {
    "source_to_image_mm": ("source-to-image distance {:.0f} mm", 1.0, 10.0, True),
    "area_cm2": ("field area {:.1f} cm2", 1.15, 0.0, True),
    "off_axis_mm": ("field reaching {:.0f} mm off the axis", 1.05, 5.0, False),
    "modulation_percent": ("modulation inside the field {:.1f} %", 1.15, 1.0, False),
    "noise_percent": ("noise {:.2f} %", 1.5, 0.2, False),
    "background_percent": ("signal outside the field {:.2f} %", 1.25, 0.3, False),
    "transmission_percent": ("transmission {:.0f} %", 1.1, 0.0, True),
    "thickness_g_cm2": ("mean thickness {:.1f} g/cm2", 1.1, 0.5, False),
}


def training_ranges(images: Iterable[Mapping[str, float]]) -> tuple[TrainingRange, ...]:
    """Return the range of each property over the training images, widened by its margin."""
    seen: dict[str, list[float]] = {}
    for image in images:
        for name, value in image.items():
            seen.setdefault(name, []).append(value)
    ranges = []
    for name, values in seen.items():
        _, factor, amount, can_be_low = _NAMES[name]
        low = min(values) / factor - amount if can_be_low else 0.0
        ranges.append(TrainingRange(name, float(low), float(max(values) * factor + amount)))
    return tuple(ranges)


def reasons_outside(found: Mapping[str, float], ranges: Sequence[TrainingRange]) -> list[str]:
    """Name every property that leaves the training range; empty for an image like those.

    Examples
    --------
    >>> reasons_outside({"area_cm2": 600.0}, [TrainingRange("area_cm2", 3.0, 460.0)])
    ['field area 600.0 cm2 (trained on 3 to 460)']
    """
    reasons = []
    for one in ranges:
        value, (text, _, _, can_be_low) = found.get(one.name), _NAMES[one.name]
        if value is not None and (value > one.high or (can_be_low and value < one.low)):
            reasons.append(f"{text.format(value)} (trained on {one.low:.3g} to {one.high:.3g})")
    return reasons
