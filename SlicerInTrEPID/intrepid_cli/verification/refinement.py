"""Which refinement a verification uses."""

from intrepid_cli.verification.settings import VerificationSettings
from intrepid_epid.refinement.refinement_model import RefinementModel, refinement_model
from intrepid_rt.errors import InvalidSetting


def refinement_of(settings: VerificationSettings) -> RefinementModel | None:
    """Return the refinement that was asked for, before anything is read or computed.

    Raises
    ------
    InvalidSetting
        None is called so, this machine has no such device, the dose is not that of the physics, or there is no
        machine profile.
    MissingObject
        torch is not installed.
    """
    if settings.refinement == "none":
        return None
    from intrepid_cli.needed import needed

    needed("torch", "safetensors", purpose=f"--refinement {settings.refinement}", extra="nn")
    if settings.model == "first-order":
        raise InvalidSetting("--refinement corrects the dose of the physics; --model first-order has another.")
    if settings.machine is None:
        raise InvalidSetting(f"--refinement {settings.refinement} needs a dose in Gy: give the profile with --machine.")
    return refinement_model(settings.refinement, device=settings.device)
