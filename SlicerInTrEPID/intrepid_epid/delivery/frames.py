"""Frames of one beam in the order in which they were taken."""

from dataclasses import dataclass

import numpy as np

from intrepid_epid.portal_reader import PortalFrame
from intrepid_rt.portal_image import PortalImage


@dataclass(frozen=True, eq=False)
class DeliveryFrame:
    """What the imager saw in one interval of the delivery; None where nothing is stated.

    Parameters
    ----------
    image : PortalImage
        Signal of this interval alone, defective pixels replaced, on the working grid.
    name : str
        File and number of the frame, for messages.
    number : int or None
        Running number of the imaging system.
    gantry_angle_deg : float or None
        IEC 61217, in the middle of the interval.
    time_s : float or None
        Start of the interval since the first frame.
    meterset_mu : float or None
        Monitor units delivered in the interval.
    meterset_weights : (float, float) or None
        Cumulative meterset weight at begin and end.
    """

    image: PortalImage
    name: str
    number: int | None = None
    gantry_angle_deg: float | None = None
    time_s: float | None = None
    meterset_mu: float | None = None
    meterset_weights: tuple[float, float] | None = None

    @property
    def total_signal(self) -> float:
        """Sum over all pixels; negative sums, which are noise, count as none."""
        return max(0.0, float(self.image.values.sum(dtype=np.float64)))


@dataclass(frozen=True, eq=False)
class FrameSeries:
    """All frames of one beam without copies. ``integrated`` is their sum as one image, its warnings hold for all."""

    frames: tuple[DeliveryFrame, ...]
    integrated: PortalFrame
    dropped: int = 0
    doubled: int = 0


NO_IMAGE = PortalImage(np.zeros((1, 1)), (0.0, 0.0), (1.0, 1.0), 1.0, 1.0)  # of a frame that is yet to be read
