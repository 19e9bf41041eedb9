"""Where torch computes."""

from intrepid_epid.compute.device import device_kind
from intrepid_rt.errors import InvalidSetting


def usable_device(name: str) -> str:
    """Return a torch device, such as "cpu", "cuda", "cuda:1" or "mps", if this machine has it.

    Raises
    ------
    InvalidSetting
        It has not, or it is none of cpu, cuda, mps.
    """
    import torch

    kind, number = device_kind(name)
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if number >= counts[kind]:
        raise InvalidSetting(f"--device {name}: this machine or its torch offers no {name}. Use --device cpu.")
    return name
