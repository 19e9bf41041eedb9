"""Portal dose that a plan predicts for an arc: the sum over its parts in the plane of the turning imager."""

from collections.abc import Callable
from dataclasses import replace

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
) -> ForwardPortalDose:
    """Predict the integrated portal dose of an arc.

    Parameters
    ----------
    geometry : PortalImage
        The imager plane, which turns with the gantry; only its geometry is used.
    way_at : callable
        Gives the way of the photons at a gantry angle in degrees.

    Raises
    ------
    MissingObject, UnsupportedGeometry
        As `forward_portal_dose` for each part; parts that open no field are left out.
    """
    made = [
        (part.meterset_mu or 0.0, forward_portal_dose(part, geometry, profile, way_at(angle_deg)))
        for part, angle_deg in arc_parts(beam, sector_deg)
        if open_area_cm2(part) > 0
    ]
    if not made:
        raise MissingObject(f"Beam {beam.name} opens no field, so its portal dose cannot be predicted.")
    metersets = np.array([meterset for meterset, _ in made])
    opened = np.array([one.open_share.values for _, one in made])
    primary = np.array([one.primary_gy.values for _, one in made])
    through = np.array([one.transmission for _, one in made])
    whole = beam.meterset_mu or 1.0
    open_mu = np.tensordot(metersets, opened, axes=1)
    # Where nothing opens, the plain mean; elsewhere what was open while the photons passed counts.
    weighted = np.tensordot(metersets, opened * through, axes=1) / np.maximum(open_mu, 1e-12)
    return ForwardPortalDose(
        total_gy=replace(geometry, values=np.sum([one.total_gy.values for _, one in made], axis=0), unit="Gy"),
        primary_gy=replace(geometry, values=primary.sum(axis=0), unit="Gy"),
        open_share=replace(geometry, values=open_mu / whole, unit="share"),
        transmission=np.where(open_mu > 1e-6 * whole, weighted, through.mean(axis=0)),
        notes=tuple(dict.fromkeys(note for _, one in made for note in one.notes)),
    )
