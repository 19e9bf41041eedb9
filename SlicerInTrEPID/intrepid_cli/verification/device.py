"""Where a verification computes."""

from intrepid_cli.verification.settings import VerificationSettings
from intrepid_epid.compute.device import device_kind, physics_device
from intrepid_epid.dose_reconstruction import DOSE_MODELS
from intrepid_rt.errors import InvalidSetting


def check_device(settings: VerificationSettings) -> None:
    """Refuse a device that this machine does not have, or on which nothing would compute.

    Raises
    ------
    InvalidSetting
        There is no such device, or it runs networks only and none was chosen.
    MissingObject
        torch or numba-cuda is needed and not installed.
    """
    kind, _ = device_kind(settings.device)
    has_network = settings.model not in DOSE_MODELS or settings.refinement != "none"
    if kind == "mps" and not has_network:
        raise InvalidSetting(
            f"--device {settings.device} runs networks only; the physics stays on the CPU. Use --device cpu, or choose "
            "a network with --model or --refinement."
        )
    if has_network and settings.device != "cpu":
        from intrepid_cli.needed import needed
        from intrepid_epid.networks.device import usable_device

        needed("torch", purpose=f"--device {settings.device}", extra="nn")
        usable_device(settings.device)
    physics_device(settings.device)
