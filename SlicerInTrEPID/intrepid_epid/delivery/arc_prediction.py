"""Portal dose that a plan predicts for an arc: the sum over its parts in the plane of the turning imager."""

from collections.abc import Callable, Sequence

import numpy as np

from intrepid_epid.aperture import open_area_cm2
from intrepid_epid.delivery.beam_parts import arc_parts
from intrepid_epid.forward_portal_dose import ForwardPortalDose, forward_portal_dose
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.errors import MissingObject
from intrepid_rt.plan import Beam
from intrepid_rt.portal_image import PortalImage

# All of a part passes along its middle. Against parts of one degree this changes a short modulated arc past a lung by
# 0.6 % of its maximum at worst (Testing/unit/delivery/test_arc_prediction.py), parts of ten degrees by 1 %.
SECTOR_DEG = 5.0


def arc_portal_dose(
    beam: Beam,
    geometry: PortalImage,
    profile: MachineProfile,
    way_at: Callable[[float], PrimaryBeam],
    *,
    sector_deg: float = SECTOR_DEG,
    within: tuple[float, float] | None = None,
) -> ForwardPortalDose:
    """Predict the integrated portal dose of an arc.

    Parameters
    ----------
    geometry : PortalImage
        The imager plane, which turns with the gantry; only its geometry is used.
    way_at : callable
        Gives the way of the photons at a gantry angle in degrees.
    within : (float, float)
        Cumulative meterset weights, to predict what the imager sees between them.

    Raises
    ------
    MissingObject, UnsupportedGeometry
        As `forward_portal_dose` for each part; parts that open no field are left out.
    """
    made = [
        (part.meterset_mu or 0.0, forward_portal_dose(part, geometry, profile, way_at(angle_deg)))
        for part, angle_deg in arc_parts(beam, sector_deg, within)
        if open_area_cm2(part) > 0
    ]
    if not made:
        raise MissingObject(f"Beam {beam.name} opens no field, so its portal dose cannot be predicted.")
    return summed([mu for mu, _ in made], [one for _, one in made])


def opens_field(beam: Beam, within: tuple[float, float]) -> bool:
    """Whether an arc opens a field between two cumulative meterset weights."""
    return any(open_area_cm2(part) > 0 for part, _ in arc_parts(beam, SECTOR_DEG, within))


def summed(meterset_mu: Sequence[float], parts: Sequence[ForwardPortalDose]) -> ForwardPortalDose:
    """Add up predictions on one imager plane; shares and transmissions are means over the monitor units given."""
    geometry, metersets = parts[0].total_gy, np.asarray(meterset_mu)
    opened = np.array([one.open_share.values for one in parts])
    through = np.array([one.transmission for one in parts])
    whole = float(metersets.sum()) or 1.0
    open_mu = np.tensordot(metersets, opened, axes=1)
    # Where nothing opens, the plain mean; elsewhere what was open while the photons passed counts.
    weighted = np.tensordot(metersets, opened * through, axes=1) / np.maximum(open_mu, 1e-12)
    return ForwardPortalDose(
        total_gy=geometry.with_values(np.sum([one.total_gy.values for one in parts], axis=0)),
        primary_gy=geometry.with_values(np.sum([one.primary_gy.values for one in parts], axis=0)),
        open_share=parts[0].open_share.with_values(open_mu / whole),
        transmission=np.where(open_mu > 1e-6 * whole, weighted, through.mean(axis=0)),
        notes=tuple(dict.fromkeys(note for one in parts for note in one.notes)),
    )
