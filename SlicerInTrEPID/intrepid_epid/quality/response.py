"""How the signal of an imager follows monitor units, repetition, field size and place on the panel."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy import optimize

from intrepid_epid.commissioning import aperture_of
from intrepid_epid.portal_dose import off_axis_radius_mm
from intrepid_epid.quality.open_image import FieldReading
from intrepid_epid.quality.records import (
    FieldSizeResponse,
    Ghosting,
    Linearity,
    MetersetResponse,
    Reproducibility,
    Uniformity,
)
from intrepid_rt.errors import MissingObject
from intrepid_rt.portal_image import PortalImage

REFERENCE_MU = 100.0
REFERENCE_CM2 = 100.0


def linearity(readings: Sequence[FieldReading]) -> Linearity:
    """Compare signal per MU over the metersets of one field.

    Raises
    ------
    MissingObject
        Fewer than two different metersets.
    """
    per_mu: dict[float, list[float]] = defaultdict(list)
    for one in readings:
        per_mu[one.meterset_mu].append(one.signal_per_mu)
    if len(per_mu) < 2:
        raise MissingObject("Linearity needs images of one field with at least two different monitor units.")
    mean = {mu: float(np.mean(values)) for mu, values in sorted(per_mu.items())}
    reference = mean[min(mean, key=lambda mu: abs(mu - REFERENCE_MU))]
    relative = [MetersetResponse(mu, value / reference) for mu, value in mean.items()]
    worst = max((100 * (one.relative - 1) for one in relative), key=abs)
    return Linearity(readings[0].name, tuple(relative), worst)


def ghosting(readings: Sequence[FieldReading]) -> Ghosting:
    """Fit the under-response of short exposures to images of one field.

    Raises
    ------
    MissingObject
        Fewer than four different metersets: two parameters and a level would fit anything.
    """
    meterset = np.array([one.meterset_mu for one in readings])
    per_mu = np.array([one.signal_per_mu for one in readings])
    if len(np.unique(meterset)) < 4:
        raise MissingObject("The ghosting correction needs images of one field with at least four monitor units.")

    def level_and_share(build_up_mu: float) -> tuple[np.ndarray, float]:
        terms = np.stack([np.ones_like(meterset), -np.exp(-meterset / build_up_mu)], axis=1)
        fitted = np.linalg.lstsq(terms, per_mu, rcond=None)[0]
        return fitted, float(np.sum((terms @ fitted - per_mu) ** 2))

    bounds = np.log([meterset.min() / 2, meterset.max()])
    found = optimize.minimize_scalar(lambda u: level_and_share(float(np.exp(u)))[1], bounds=bounds, method="bounded")
    build_up = float(np.exp(found.x))
    (level, lost), _ = level_and_share(build_up)
    return Ghosting(float(max(lost, 0.0) / level), build_up)


def ghosting_factor(correction: Ghosting, meterset_mu: float) -> float:
    """Return what a signal has to be multiplied by, relative to an exposure of 100 MU.

    >>> round(ghosting_factor(Ghosting(0.05, 20.0), 5.0), 4)
    1.0402
    """

    def share(meterset: float) -> float:
        return 1 - correction.lost_share * float(np.exp(-meterset / correction.build_up_mu))

    return share(REFERENCE_MU) / share(meterset_mu)


def reproducibility(readings: Sequence[FieldReading]) -> Reproducibility:
    """Compare repeated images of one field.

    Raises
    ------
    MissingObject
        Fewer than two images.
    """
    if len(readings) < 2:
        raise MissingObject("Reproducibility needs at least two images of one field with the same monitor units.")
    per_mu = np.array([one.signal_per_mu for one in readings])
    return Reproducibility(
        readings[0].name,
        len(readings),
        float(100 * per_mu.std(ddof=1) / per_mu.mean()),
        float(100 * np.ptp(per_mu) / per_mu.mean()),
    )


def field_size_response(readings: Sequence[FieldReading]) -> tuple[FieldSizeResponse, ...]:
    """Signal per MU by field, ascending in area, relative to the field nearest to 10 x 10 cm2."""
    reference = min(readings, key=lambda one: abs(one.area_cm2 - REFERENCE_CM2)).signal_per_mu
    ordered = sorted(readings, key=lambda one: one.area_cm2)
    return tuple(FieldSizeResponse(one.name, one.area_cm2, one.signal_per_mu / reference) for one in ordered)


def uniformity(name: str, image: PortalImage, *, central_share: float = 0.8) -> Uniformity:
    """Measure the evenness of an open field within ``central_share`` of its width and height.

    Slow radial change is the beam's and the profile's business, so a parabola in the radius is taken out first.
    """
    rows, columns = (_central(np.any(aperture_of(image), axis=axis), central_share) for axis in (1, 0))
    part = image.values[rows, columns].astype(float)
    radius2 = off_axis_radius_mm(image)[rows, columns] ** 2 / 1e4
    terms = np.stack([np.ones(part.size), radius2.ravel()], axis=1)
    level = (terms @ np.linalg.lstsq(terms, part.ravel(), rcond=None)[0]).reshape(part.shape)
    even = part / level
    smooth = _blocks(even)
    opposite = np.abs(smooth - smooth[::-1, ::-1])
    fine = (even[:-1, :-1] - even[1:, :-1] - even[:-1, 1:] + even[1:, 1:]) / 2
    return Uniformity(
        name,
        float(100 * (smooth.max() - smooth.min()) / (smooth.max() + smooth.min())),
        float(100 * opposite.max()),
        float(100 * fine.std()),
    )


def _central(inside: np.ndarray, share: float) -> slice:
    at = np.flatnonzero(inside)
    cut = round(len(at) * (1 - share) / 2)
    return slice(int(at[0]) + cut, int(at[-1]) + 1 - cut)


def _blocks(values: np.ndarray) -> np.ndarray:
    """Average over up to 8 x 8 equal blocks, so that noise of single pixels does not count as unevenness."""
    size = [max(1, n // 8) for n in values.shape]
    rows, columns = (n // s for n, s in zip(values.shape, size, strict=True))
    part = values[: rows * size[0], : columns * size[1]]
    return part.reshape(rows, size[0], columns, size[1]).mean(axis=(1, 3))
