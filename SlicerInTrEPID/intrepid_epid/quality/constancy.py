"""Whether an imager still is what it was when its profile was made."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intrepid_epid.commissioning import eroded_aperture
from intrepid_epid.machine_profile import FieldRecord, MachineProfile
from intrepid_epid.portal_dose import open_portal_dose
from intrepid_epid.quality.open_image import field_centre_mm
from intrepid_rt.errors import MissingObject, UnsupportedGeometry
from intrepid_rt.portal_image import PortalImage

# AAPM TG-307 (Dogan et al., Med. Phys. 50 (2023), doi 10.1002/mp.16536), table of monthly checks.
DOSE_TOLERANCE_PERCENT = 2.0
POSITION_TOLERANCE_MM = 2.0


@dataclass(frozen=True)
class Constancy:
    """One field against its baseline: dose per MU, and the field's centre at the isocentre plane.

    ``moved_mm`` is None where the profile holds no baseline of positions.
    """

    field: str
    dose_percent: float
    moved_mm: tuple[float, float] | None
    passed: bool

    @property
    def moved_by_mm(self) -> float | None:
        """Length of the way the field's centre moved."""
        return None if self.moved_mm is None else float(np.hypot(*self.moved_mm))


def constancy(
    images: Sequence[tuple[str, float, PortalImage]],
    profile: MachineProfile,
    *,
    dose_percent: float = DOSE_TOLERANCE_PERCENT,
    position_mm: float = POSITION_TOLERANCE_MM,
) -> tuple[Constancy, ...]:
    """Compare open-field images with the fields of the same name that the profile was made from.

    Parameters
    ----------
    images : (name, meterset in MU, signal) of every field

    Raises
    ------
    MissingObject
        No image, or a field that the profile does not know.
    UnsupportedGeometry
        The imager stood at another distance.
    """
    if not images:
        raise MissingObject("Constancy needs at least one image of a commissioning field.")
    return tuple(_one(*image, profile, dose_percent, position_mm) for image in images)


def _one(
    name: str, meterset_mu: float, signal: PortalImage, profile: MachineProfile, dose_percent: float, position_mm: float
) -> Constancy:
    record = next((one for one in profile.fields if one.name == name), None)
    if record is None:
        known = ", ".join(one.name for one in profile.fields)
        raise MissingObject(f"The profile was not made with a field called {name}; it knows {known}.")
    if abs(signal.source_to_image_mm - profile.source_to_image_mm) > 1.0:
        raise UnsupportedGeometry(
            f"Field {name} was imaged at {signal.source_to_image_mm:g} mm from the source, its baseline at "
            f"{profile.source_to_image_mm:g} mm. Take the image at that distance."
        )
    dose_gy = open_portal_dose(signal, profile).values[eroded_aperture(signal)].mean()
    deviation = 100 * (float(dose_gy) / meterset_mu / _baseline_gy_per_mu(record) - 1)
    moved = _moved(name, signal, profile)
    fits = abs(deviation) <= dose_percent and (moved is None or float(np.hypot(*moved)) <= position_mm)
    return Constancy(name, deviation, moved, fits)


def _baseline_gy_per_mu(record: FieldRecord) -> float:
    # What the profile itself answered to the commissioning image: its residual is no drift.
    return record.mean_dose_gy * (1 + record.residual_percent / 100) / record.meterset_mu


def _moved(name: str, signal: PortalImage, profile: MachineProfile) -> tuple[float, float] | None:
    centres = profile.quality.centres if profile.quality else ()
    was = next((one for one in centres if one.field == name), None)
    if was is None:
        return None
    x, y = field_centre_mm(signal)
    return (x - was.x_mm) / signal.magnification, (y - was.y_mm) / signal.magnification
