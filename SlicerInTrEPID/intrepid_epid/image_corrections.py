"""What commissioning found out about the imager, applied to an image: lost signal of short exposures, and sag."""

from dataclasses import replace

from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.portal_reader import PortalFrame
from intrepid_epid.quality.gantry_sag import sag_at
from intrepid_epid.quality.response import ghosting_factor
from intrepid_rt.errors import UnusableInput
from intrepid_rt.portal_image import PortalImage

_VOLTAGE_TOLERANCE_MV = 0.1


def corrected(frame: PortalFrame, profile: MachineProfile, *, meterset_mu: float | None) -> PortalFrame:
    """Return the frame as an imager without ghosting and sag would have taken it; ``warnings`` tell what was done.

    A profile without these measurements changes nothing. Sag moves the pixels, not their values.
    """
    quality = profile.quality
    if quality is None:
        return frame
    factor, notes = 1.0, []
    if quality.ghosting is not None and meterset_mu:
        factor = ghosting_factor(quality.ghosting, meterset_mu)
        notes += [f"Ghosting: signal of {meterset_mu:g} MU times {factor:.4f}."] if abs(factor - 1) > 5e-4 else []
    elif quality.ghosting is not None:
        notes.append("Ghosting is not corrected: the monitor units of the image are not known.")
    angle = frame.image.gantry_angle_deg
    x_mm, y_mm = (0.0, 0.0) if angle is None else sag_at(quality.gantry_sag, angle)
    if abs(x_mm) > 0.01 or abs(y_mm) > 0.01:
        notes.append(f"Gantry sag: image moved by ({-x_mm:+.2f}, {-y_mm:+.2f}) mm in its plane.")
    elif angle is None and quality.gantry_sag:
        notes.append("Gantry sag is not corrected: the image does not state its gantry angle.")
    return replace(
        frame,
        image=_moved(frame.image, factor, x_mm, y_mm),
        repaired=_moved(frame.repaired, factor, x_mm, y_mm),
        warnings=(*frame.warnings, *notes),
    )


def _moved(image: PortalImage, factor: float, x_mm: float, y_mm: float) -> PortalImage:
    x, y = image.first_pixel_mm
    values = image.values if factor == 1.0 else image.values * factor
    return replace(image, values=values, first_pixel_mm=(x - x_mm, y - y_mm))


def refuse_other_energy(frame: PortalFrame, profile: MachineProfile, file_name: str) -> None:
    """Stop where an image states that it was taken with another beam than the profile's.

    Raises
    ------
    UnusableInput
    """
    stated_mv, profile_mv = frame.peak_voltage_mv, profile.megavolts
    if stated_mv is None or profile_mv is None or abs(stated_mv - profile_mv) <= _VOLTAGE_TOLERANCE_MV:
        return
    stated = f"{stated_mv:g} MV" if stated_mv >= 1 else f"{1000 * stated_mv:g} kV"
    raise UnusableInput(
        f"{file_name} was taken with {stated}, the machine profile is for {profile.energy}. Give the profile of the "
        "beam that took the image."
    )
