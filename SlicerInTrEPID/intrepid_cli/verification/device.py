"""Where the networks of a verification compute."""

from intrepid_cli.verification.settings import VerificationSettings
from intrepid_epid.dose_reconstruction import DOSE_MODELS
from intrepid_rt.errors import InvalidSetting


def check_device(settings: VerificationSettings) -> None:
    """Refuse a device that this machine does not have, or on which nothing would compute.

    Raises
    ------
    InvalidSetting
        torch offers no such device, or no network was chosen.
    MissingObject
        torch is not installed.
    """
    if settings.device == "cpu":
        return
    from intrepid_cli.needed import needed
    from intrepid_epid.networks.device import usable_device

    needed("torch", purpose=f"--device {settings.device}", extra="nn")
    usable_device(settings.device)
    if settings.model in DOSE_MODELS and settings.refinement == "none":
        raise InvalidSetting(
            f"--device {settings.device}: the physics runs on the CPU. Use --device cpu, or choose a network with "
            "--model or --refinement."
        )
