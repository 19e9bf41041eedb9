"""Where source and imager stand in the patient: IEC 61217 angles to the DICOM patient frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intrepid_rt.errors import UnsupportedGeometry

# Columns are the patient's LPS axes expressed in IEC table-top axes (X to the right of an observer facing the gantry,
# Y towards the gantry, Z up): PS3.3 C.7.3.1.1.2 states which side of the patient is down and which end enters first.
_LPS_TO_TABLE = {
    "HFS": [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
    "HFP": [[-1, 0, 0], [0, 0, 1], [0, 1, 0]],
    "FFS": [[-1, 0, 0], [0, 0, -1], [0, -1, 0]],
    "FFP": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    "HFDR": [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
    "HFDL": [[0, -1, 0], [0, 0, 1], [-1, 0, 0]],
    "FFDR": [[0, -1, 0], [0, 0, -1], [1, 0, 0]],
    "FFDL": [[0, 1, 0], [0, 0, -1], [-1, 0, 0]],
}


@dataclass(frozen=True, eq=False)
class BeamFrame:
    """The IEC gantry system of one beam direction, expressed in the DICOM patient frame (LPS, mm).

    ``x_axis`` and ``y_axis`` are the unit vectors +X_g and +Y_g, ``towards_source`` is +Z_g.
    The imager's columns run along +X_g, its rows along -Y_g.
    """

    isocentre_lps_mm: NDArray
    x_axis: NDArray
    y_axis: NDArray
    towards_source: NDArray
    source_to_axis_mm: float

    @property
    def source_lps_mm(self) -> NDArray:
        """Position (3,) of the radiation source, LPS mm."""
        return self.isocentre_lps_mm + self.source_to_axis_mm * self.towards_source

    def to_gantry(self, position_lps_mm: ArrayLike) -> NDArray:
        """LPS positions (..., 3) to IEC gantry coordinates (X_g, Y_g, Z_g) in mm, origin at the isocentre."""
        axes = np.stack([self.x_axis, self.y_axis, self.towards_source])
        return (np.asarray(position_lps_mm, float) - self.isocentre_lps_mm) @ axes.T

    def to_lps(self, gantry_mm: ArrayLike) -> NDArray:
        """IEC gantry coordinates (..., 3) in mm to LPS positions in mm."""
        axes = np.stack([self.x_axis, self.y_axis, self.towards_source])
        return np.asarray(gantry_mm, float) @ axes + self.isocentre_lps_mm

    def projected(self, position_lps_mm: ArrayLike, plane_distance_mm: float) -> NDArray:
        """Project LPS positions (..., 3) from the source onto the plane at this distance: (X_g, Y_g) there, mm."""
        gantry = self.to_gantry(position_lps_mm)
        depth = self.source_to_axis_mm - gantry[..., 2]
        return gantry[..., :2] * (plane_distance_mm / depth)[..., None]


def beam_frame(
    gantry_angle_deg: float,
    isocentre_lps_mm: ArrayLike,
    *,
    couch_angle_deg: float = 0.0,
    patient_position: str = "HFS",
    source_to_axis_mm: float = 1000.0,
) -> BeamFrame:
    """Build the gantry frame of a beam from the angles an RTPLAN states.

    Parameters
    ----------
    gantry_angle_deg : float
        GantryAngle (300A,011E), IEC 61217: clockwise for an observer facing the gantry, 0 with the beam pointing down.
    isocentre_lps_mm : array_like, (3,)
        IsocenterPosition (300A,012C).
    couch_angle_deg : float
        PatientSupportAngle (300A,0122), IEC 61217: counter-clockwise seen from above.
    patient_position : str
        PatientPosition (0018,5100), e.g. "HFS", "FFP", "HFDL".

    Raises
    ------
    UnsupportedGeometry
        The patient position is none of the eight of DICOM.

    Examples
    --------
    >>> beam_frame(90.0, (0, 0, 0)).source_lps_mm.round(6) + 0.0
    array([1000.,    0.,    0.])
    """
    if patient_position not in _LPS_TO_TABLE:
        raise UnsupportedGeometry(f"PatientPosition {patient_position!r} is none of {', '.join(_LPS_TO_TABLE)}.")
    g, s = np.deg2rad(gantry_angle_deg), np.deg2rad(couch_angle_deg)
    gantry_axes_fixed = np.array(
        [[np.cos(g), 0, -np.sin(g)], [0, 1, 0], [np.sin(g), 0, np.cos(g)]]
    )  # rows X_g, Y_g, Z_g
    fixed_to_table = np.array([[np.cos(s), np.sin(s), 0], [-np.sin(s), np.cos(s), 0], [0, 0, 1]])
    table_to_lps = np.array(_LPS_TO_TABLE[patient_position], float).T
    x_axis, y_axis, z_axis = (table_to_lps @ fixed_to_table @ axis for axis in gantry_axes_fixed)
    return BeamFrame(np.asarray(isocentre_lps_mm, float), x_axis, y_axis, z_axis, float(source_to_axis_mm))
