"""How imager and head sag as the gantry turns: the place of one field's centre by gantry angle."""

from collections.abc import Sequence

import numpy as np

from intrepid_epid.quality.open_image import FieldReading
from intrepid_epid.quality.records import SagPoint
from intrepid_rt.errors import MissingObject


def sag_table(readings: Sequence[FieldReading]) -> tuple[SagPoint, ...]:
    """Return where the centre of one field lies at every gantry angle, relative to the angle nearest to 0.

    Repeated angles are averaged.

    Raises
    ------
    MissingObject
        Fewer than three gantry angles.
    """
    known = [one for one in readings if one.gantry_angle_deg is not None]
    angles = sorted({round(float(one.gantry_angle_deg or 0.0) % 360.0, 1) for one in known})
    if len(angles) < 3:
        raise MissingObject("A table of gantry sag needs images of one field at three gantry angles or more.")
    centre = {
        angle: np.mean([o.centre_mm for o in known if round(float(o.gantry_angle_deg or 0) % 360, 1) == angle], axis=0)
        for angle in angles
    }
    zero = centre[min(angles, key=lambda angle: min(angle, 360 - angle))]
    return tuple(SagPoint(angle, *(float(v) for v in centre[angle] - zero)) for angle in angles)


def sag_at(table: Sequence[SagPoint], gantry_angle_deg: float) -> tuple[float, float]:
    """Interpolate the table over the full circle: (x, y) in mm in the imager plane; (0, 0) without a table.

    >>> sag_at([SagPoint(0.0, 0.0, 0.0), SagPoint(180.0, 1.0, -2.0)], 270.0)
    (0.5, -1.0)
    """
    if not table:
        return 0.0, 0.0
    angles = [point.gantry_angle_deg for point in table]
    x, y = (
        float(np.interp(gantry_angle_deg % 360, angles, values, period=360))
        for values in ([point.x_mm for point in table], [point.y_mm for point in table])
    )
    return x, y
