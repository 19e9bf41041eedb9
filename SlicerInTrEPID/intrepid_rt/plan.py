"""A treatment plan as the RTPLAN object states it, in IEC 61217 terms."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class MultileafCollimator:
    """Leaf positions at one control point, at the isocentre plane.

    Leaves of ``direction`` "X" move along IEC X_bld and are stacked along Y_bld; of "Y" the other way round.
    """

    direction: str
    leaf_boundaries_mm: NDArray  # (n + 1,)
    bank_1_mm: NDArray  # (n,) the negative side
    bank_2_mm: NDArray  # (n,) the positive side


@dataclass(frozen=True, eq=False)
class ControlPoint:
    """State of the machine at one control point; every value resolved, also those inherited from earlier ones.

    Angles are IEC 61217 degrees, jaws (negative side, positive side) in mm at the isocentre plane; None if the machine
    has no such device.
    """

    index: int
    cumulative_meterset_weight: float
    gantry_angle_deg: float
    collimator_angle_deg: float
    couch_angle_deg: float
    gantry_pitch_deg: float
    isocentre_lps_mm: NDArray  # (3,)
    jaw_x_mm: tuple[float, float] | None
    jaw_y_mm: tuple[float, float] | None
    mlc: tuple[MultileafCollimator, ...] = ()
    nominal_energy_mv: float | None = None
    gantry_rotation: str = "NONE"  # CW, CC or NONE: the way to the next control point
    couch_tilt_deg: float = 0.0  # the largest of the table top's pitch, roll and eccentric angles, without sign


@dataclass(frozen=True, eq=False)
class Beam:
    """One treatment beam with its meterset in monitor units for one fraction."""

    number: int
    name: str
    machine: str
    radiation_type: str
    source_to_axis_mm: float
    meterset_mu: float | None
    final_cumulative_meterset_weight: float
    control_points: tuple[ControlPoint, ...]
    treatment_delivery_type: str = "TREATMENT"
    dosimeter_unit: str = "MU"
    accessories: tuple[str, ...] = ()  # wedges, compensators, blocks in the beam

    @property
    def delivers_treatment(self) -> bool:
        """Whether the beam treats the patient, other than a set-up or verification beam."""
        return self.treatment_delivery_type in ("TREATMENT", "CONTINUATION", "")

    @property
    def is_arc(self) -> bool:
        """Whether the gantry moves between control points."""
        if any(cp.gantry_rotation in ("CW", "CC") for cp in self.control_points[:-1]):
            return True  # a full turn starts and ends at one angle
        angles = np.unwrap([cp.gantry_angle_deg for cp in self.control_points], period=360.0)
        return bool(np.ptp(angles) > 0.1)


@dataclass(frozen=True, eq=False)
class Plan:
    """One RTPLAN object."""

    label: str
    sop_instance_uid: str
    frame_of_reference_uid: str
    patient_position: str
    beams: tuple[Beam, ...]
    fractions_planned: int | None
    prescription_gy: float | None
    referenced_structure_set_uid: str = ""
    notes: tuple[str, ...] = ()

    def beam_numbered(self, number: int) -> Beam | None:
        """Return the beam with this BeamNumber (300A,00C0), None if the plan has none."""
        return next((b for b in self.beams if b.number == number), None)
