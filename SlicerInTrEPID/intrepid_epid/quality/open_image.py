"""One open-field image as the checks see it: mean signal in the field, and where the field lies."""

from dataclasses import dataclass

import numpy as np

from intrepid_epid.commissioning import aperture_of, eroded_aperture
from intrepid_rt.portal_image import PortalImage


@dataclass(frozen=True)
class FieldReading:
    """What was read of one open field.

    Parameters
    ----------
    name : str
    meterset_mu, area_cm2 : as the table of fields states them.
    gantry_angle_deg : float or None
    mean_signal : over the aperture eroded by 5 mm at the isocentre plane.
    centre_mm : centre (X, Y) of the aperture in the imager plane.
    """

    name: str
    meterset_mu: float
    area_cm2: float
    gantry_angle_deg: float | None
    mean_signal: float
    centre_mm: tuple[float, float]

    @property
    def signal_per_mu(self) -> float:
        """Mean signal per monitor unit."""
        return self.mean_signal / self.meterset_mu


def read_field(name: str, image: PortalImage, *, meterset_mu: float, area_cm2: float) -> FieldReading:
    """Read one open-field image."""
    return FieldReading(
        name=name,
        meterset_mu=meterset_mu,
        area_cm2=area_cm2,
        gantry_angle_deg=image.gantry_angle_deg,
        mean_signal=float(image.values[eroded_aperture(image)].mean()),
        centre_mm=field_centre_mm(image),
    )


def field_centre_mm(image: PortalImage) -> tuple[float, float]:
    """Centre of an open field in the imager plane, by its edges at half of the level.

    Every row and column through the field gives the two places where it crosses half of the level, interpolated
    between pixels; their mean is its middle, and the median of all middles the centre.
    """
    aperture = aperture_of(image)
    level = float(np.percentile(image.values[aperture], 50))
    rows = _middles(image.values, aperture, image.x_mm, level / 2)
    columns = _middles(image.values.T, aperture.T, image.y_mm, level / 2)
    return float(np.median(rows)), float(np.median(columns))


def _middles(values: np.ndarray, aperture: np.ndarray, at_mm: np.ndarray, half: float) -> list[float]:
    wide = aperture.sum(axis=1)
    middles = []
    # Rows that only graze a corner say nothing about the middle.
    for line in values[wide > 0.9 * wide.max()]:
        above = np.flatnonzero(line > half)
        first, last = above[0], above[-1]
        if first == 0 or last == len(line) - 1:
            continue  # the field leaves the image on this side
        left = np.interp(half, [line[first - 1], line[first]], [at_mm[first - 1], at_mm[first]])
        right = np.interp(-half, [-line[last], -line[last + 1]], [at_mm[last], at_mm[last + 1]])
        middles.append((left + right) / 2)
    return middles or [float("nan")]
