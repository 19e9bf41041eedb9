"""Whether an image, the beam it shows and the machine profile fit each other: what forbids computing, what to note."""

import numpy as np

from intrepid_epid.commissioning import aperture_of
from intrepid_epid.image_corrections import refuse_other_energy
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.portal_dose import off_axis_radius_mm
from intrepid_epid.portal_reader import PortalFrame
from intrepid_rt.errors import MissingObject, UnsupportedGeometry, UnusableInput
from intrepid_rt.plan import Beam
from intrepid_rt.portal_image import PortalImage


def refuse_unsuitable(beam: Beam, frame: PortalFrame, file_name: str, profile: MachineProfile | None) -> None:
    """Stop before a dose is computed that would be wrong by construction.

    Raises
    ------
    MissingObject
        The image shows no signal.
    UnusableInput
        The profile is of another energy, or the image has no absolute signal for it.
    UnsupportedGeometry
        The beam is not of photons.
    """
    if beam.radiation_type not in ("PHOTON", ""):
        raise UnsupportedGeometry(
            f"Beam {beam.name} is of type {beam.radiation_type}; only PHOTON beams are supported."
        )
    if not (frame.repaired.values > 0).any():
        raise MissingObject(f"{file_name} shows no signal for beam {beam.name}. Give the image taken during treatment.")
    if profile is None:
        return
    refuse_unusable_image(frame, file_name, profile)
    planned_mv, profile_mv = beam.control_points[0].nominal_energy_mv, profile.megavolts
    if planned_mv is not None and profile_mv is not None and abs(planned_mv - profile_mv) > 0.1:
        raise UnusableInput(
            f"Beam {beam.name} has {planned_mv:g} MV, the machine profile is for {profile.energy}. Commission that "
            "energy, naming it with --energy, and give its profile."
        )


def refuse_unusable_image(frame: PortalFrame, file_name: str, profile: MachineProfile) -> None:
    """Stop before an image that the profile cannot turn into dose, whatever beam it shows.

    Raises
    ------
    MissingObject
        It shows no signal.
    UnusableInput
        Its signal is relative, or it was taken with another energy.
    """
    if not (frame.repaired.values > 0).any():
        raise MissingObject(f"{file_name} shows no signal. Give an image taken with the beam on.")
    if frame.is_relative:
        raise UnusableInput(
            f"{file_name} holds relative signal only, which the profile cannot turn into Gy. Export it with its "
            "calibration; 'intrepid reconstruct' without --machine gives a relative result."
        )
    refuse_other_energy(frame, profile, file_name)


def notes_on(
    beam: Beam, frame: PortalFrame, concluded: str, signal: PortalImage, profile: MachineProfile
) -> tuple[str, ...]:
    """Return what a physicist should know about one image; ``concluded`` says how it was matched to its beam, if so."""
    notes = list(frame.warnings)
    if concluded:
        notes.append(f"The image does not name its beam; it was matched to {beam.name}: {concluded}.")
    if frame.machine and frame.machine != profile.machine:
        notes.append(f"The image is from machine {frame.machine}, the profile from {profile.machine}.")
    if frame.meterset_mu is not None and beam.meterset_mu and abs(frame.meterset_mu / beam.meterset_mu - 1) > 0.02:
        notes.append(f"The image states {frame.meterset_mu:g} MU, the plan {beam.meterset_mu:g} MU.")
    if profile.fields:
        notes += beyond_validity(signal, profile, meterset_mu=beam.meterset_mu)
    return tuple(notes)


def beyond_validity(signal: PortalImage, profile: MachineProfile, *, meterset_mu: float | None) -> list[str]:
    """Say in what an image leaves the range that the profile was commissioned in."""
    valid, notes = profile.valid_for, []
    low, high = valid.source_to_image_mm
    if not low - 10 <= signal.source_to_image_mm <= high + 10:
        notes.append(f"Imaged at {signal.source_to_image_mm:g} mm; the profile was made at {low:g} to {high:g} mm.")
    low, high = valid.meterset_mu
    if meterset_mu and not low / 20 <= meterset_mu <= high * 20:
        notes.append(f"{meterset_mu:g} MU are far from the {low:g} to {high:g} MU the profile was made with.")
    aperture = aperture_of(signal)
    area_cm2 = np.count_nonzero(aperture) * np.prod(signal.pixel_spacing_mm) / signal.magnification**2 / 100
    low, high = valid.area_cm2
    # The edge of a field behind a patient is known to a pixel or two, which is a tenth of the smallest areas.
    if not 0.9 * low <= area_cm2 <= 1.1 * high:
        notes.append(f"The field has {area_cm2:.1f} cm2; the profile was made with {low:g} to {high:g} cm2.")
    reach_mm = off_axis_radius_mm(signal)[aperture].max()
    if reach_mm > valid.off_axis_mm + 5:
        notes.append(f"The field reaches {reach_mm:.0f} mm off the axis; the profile {valid.off_axis_mm:.0f} mm.")
    return notes
