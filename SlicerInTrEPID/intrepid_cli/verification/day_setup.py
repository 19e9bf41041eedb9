"""Where the beams hit the patient of the day, seen from the planning CT."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_cli.verification.settings import VerificationSettings
from intrepid_rt.beam_frame import beam_frame
from intrepid_rt.errors import InvalidSetting, MissingObject, UnsupportedGeometry
from intrepid_rt.plan import Plan
from intrepid_rt.registration.rigid_transform import IDENTITY, RigidTransform, rigid_about

WAYS = ("image", "matched", "matched-6d")


@dataclass(frozen=True, eq=False)
class Setup:
    """Motion from the planned beams to the actual ones in the planning frame, and how it is known."""

    motion: RigidTransform
    how: str


def beam_setup(
    settings: VerificationSettings,
    plan: Plan,
    isocentre_lps_mm: NDArray,
    to_day: RigidTransform,
    *,
    same_frame: bool,
    position: str,
    displacement_mm: NDArray | None,
) -> Setup:
    """Tell where the beams hit.

    Parameters
    ----------
    to_day : RigidTransform
        From points of the planning CT to those of the image of the day.
    same_frame : bool
        Whether image and plan share a frame of reference, so that the plan's isocentre is a point of the image.
    position : str
        PatientPosition of the image.
    displacement_mm : ndarray or None
        The set-up displacement that the plan states: lateral, longitudinal, vertical.

    Raises
    ------
    MissingObject
        Nothing tells where the isocentre lies in the image.
    InvalidSetting
        A setting without meaning, or two that contradict.
    UnsupportedGeometry
        The patient lay otherwise in the image than the plan says.
    """
    way = setup_way(settings, same_frame=same_frame)
    if way != "matched-6d" and position and position != plan.patient_position:
        raise UnsupportedGeometry(
            f"The image of the day was taken {position}, the plan treats {plan.patient_position}: where the beams come "
            "from in the image is not known. Use --setup matched-6d if the couch was corrected to the plan."
        )
    in_day, how = _in_day(way, settings, isocentre_lps_mm, to_day)
    couch, said = _couch(settings, plan, in_day.apply(isocentre_lps_mm), displacement_mm)
    return Setup(to_day.inverse.after(couch.inverse).after(in_day), how + said)


def setup_way(settings: VerificationSettings, *, same_frame: bool) -> str:
    """Return how the place of the beams is known, or refuse to guess; asked before anything slow is done.

    Raises
    ------
    MissingObject, InvalidSetting
        As `beam_setup`.
    """
    way = settings.setup
    if way is not None and way not in WAYS:
        raise InvalidSetting(f"--setup {way}: choose one of {', '.join(WAYS)}.")
    if settings.isocentre_mm is not None and way not in (None, "image"):
        raise InvalidSetting(f"--isocentre and --setup {way} contradict each other: give one of them.")
    if settings.couch_shift not in (None, "plan"):
        parse_couch_shift(settings.couch_shift or "")
    return way or _implied(settings, same_frame)


def _implied(settings: VerificationSettings, same_frame: bool) -> str:
    if same_frame or settings.isocentre_mm is not None:
        return "image"
    raise MissingObject(
        "The image of the day has a frame of reference of its own, so the isocentre in it is not known. Give it with "
        "--isocentre X,Y,Z (DICOM mm of the image; often 0,0,0 for a cone-beam CT), or say with --setup matched that "
        "the couch brought the patient to the planned place."
    )


def _in_day(
    way: str, settings: VerificationSettings, isocentre: NDArray, to_day: RigidTransform
) -> tuple[RigidTransform, str]:
    """Return the motion from the planned beams to those in the frame of the image, before any couch shift."""
    if settings.isocentre_mm is not None:
        shift = np.array(settings.isocentre_mm) - isocentre
        return rigid_about(isocentre, shift_mm=shift), "isocentre entered"
    if way == "image":
        return IDENTITY, "treated as imaged: the isocentre is that of the plan in the common frame of reference"
    if way == "matched":
        return (
            rigid_about(isocentre, shift_mm=to_day.shift_at(isocentre)),
            "couch shifted so that the anatomy at the isocentre is the planned one; rotations remain",
        )
    return to_day, "couch shifted and turned so that the anatomy lies as planned"


def _couch(
    settings: VerificationSettings, plan: Plan, isocentre_in_day: NDArray, stated_mm: NDArray | None
) -> tuple[RigidTransform, str]:
    """Motion of the patient by the couch after the image was taken, in the frame of the image."""
    if settings.couch_shift is None:
        return IDENTITY, ""
    if settings.couch_shift == "plan":
        if stated_mm is None:
            raise MissingObject("The RTPLAN states no set-up displacement of the table. Enter it with --couch-shift.")
        values = [*stated_mm, 0.0, 0.0, 0.0]
    else:
        values = list(parse_couch_shift(settings.couch_shift))
    table_to_patient = _table_axes(plan.patient_position)
    shift, turn = table_to_patient @ np.array(values[:3]), np.array(values[3:])
    motion = rigid_about(isocentre_in_day, shift_mm=shift)
    for axis, angle in zip(table_to_patient.T, turn, strict=True):
        motion = motion.after(rigid_about(isocentre_in_day, rotation_deg=_about(axis, angle)))
    words = "lateral {:g}, longitudinal {:g}, vertical {:g} mm, pitch {:g}, roll {:g}, rotation {:g} degrees"
    return motion, f"; then the couch moved: {words.format(*values)}"


def parse_couch_shift(text: str) -> tuple[float, ...]:
    """Read lateral, longitudinal, vertical in mm (IEC 61217), and perhaps pitch, roll, rotation in degrees.

    Raises
    ------
    InvalidSetting
        Not three or six numbers.

    Examples
    --------
    >>> parse_couch_shift("1.5,-2,0")
    (1.5, -2.0, 0.0, 0.0, 0.0, 0.0)
    """
    values = numbers(text)
    if len(values) not in (3, 6):
        raise InvalidSetting(
            f"--couch-shift {text!r}: expected LATERAL,LONGITUDINAL,VERTICAL in mm, perhaps followed by "
            "PITCH,ROLL,ROTATION in degrees (IEC 61217), or the word plan."
        )
    return values if len(values) == 6 else (*values, 0.0, 0.0, 0.0)


def parse_position(text: str) -> tuple[float, ...]:
    """Read a position X,Y,Z in mm.

    Raises
    ------
    InvalidSetting
        Not three numbers.
    """
    values = numbers(text)
    if len(values) != 3:
        raise InvalidSetting(f"--isocentre {text!r}: expected X,Y,Z in DICOM mm of the image, for example 0,0,0.")
    return values


def numbers(text: str) -> tuple[float, ...]:
    """Read finite numbers separated by commas; nothing if any of them is none."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        return ()
    return values if np.isfinite(values).all() else ()


def _table_axes(patient_position: str) -> NDArray:
    """Columns are the table top's X (lateral), Y (longitudinal) and Z (vertical) axis in LPS."""
    frame = beam_frame(0.0, (0.0, 0.0, 0.0), patient_position=patient_position)
    return np.stack([frame.x_axis, frame.y_axis, frame.towards_source], axis=1)


def _about(axis: NDArray, angle_deg: float) -> NDArray:
    """Angles about the patient's axes of a turn about one of them, up to its sign: table axes are patient axes."""
    return axis * angle_deg
