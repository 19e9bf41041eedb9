"""The portal dose of a beam by a network, in place of the physics' total."""

from dataclasses import replace

import numpy as np

from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.networks.portal_dose_model import PortalDoseModel, exposure_of
from intrepid_epid.portal_reader import PortalFrame
from intrepid_epid.transit import PrimaryBeam
from intrepid_epid.transit_portal_dose import TransitPortalDose
from intrepid_rt.errors import InvalidSetting


def network_model(name: str, profile: MachineProfile | None, device: str = "cpu") -> PortalDoseModel:
    """Return the network of this name on a torch device, before anything is computed.

    Raises
    ------
    InvalidSetting
        No model is called so, this machine has no such device, or there is no profile to calibrate the images by.
    """
    from intrepid_cli.needed import needed
    from intrepid_epid.networks.network_model import portal_dose_model

    needed("torch", "safetensors", purpose=f"--model {name}", extra="nn")
    model = portal_dose_model(name, device=device)
    if profile is None:
        raise InvalidSetting(f"--model {name} needs a calibrated image: give the profile with --machine.")
    return model


def by_network(
    model: PortalDoseModel,
    frame: PortalFrame,
    profile: MachineProfile,
    meterset_mu: float | None,
    beam: PrimaryBeam,
    physics: TransitPortalDose,
) -> tuple[TransitPortalDose, tuple[str, ...]]:
    """Take the network's total and the physics' share of primary in it; outside the network's domain, the physics.

    Returns
    -------
    the portal dose, and what to note about it.

    Raises
    ------
    UnusableInput
        The network is for another energy or panel.
    """
    prediction = model.predict(exposure_of(frame, profile, meterset_mu=meterset_mu, patient=beam))
    if prediction.model != model.name:
        # With the patient known, the physics behind him is better than the one the network fell back to.
        return physics, (prediction.warnings[0],)
    total_gy = physics.total_gy.values
    share = np.divide(physics.primary_gy.values, total_gy, out=np.ones_like(total_gy), where=total_gy > 0)
    primary = prediction.dose.with_values(prediction.dose.values * np.clip(share, 0, 1))
    said = f"Portal dose by {model.name}, 95 % band +- {prediction.uncertainty_percent:.1f} % of the maximum."
    return replace(physics, total_gy=prediction.dose, primary_gy=primary), (said, *prediction.warnings)
