"""Several trained networks as one: mean dose and spread of the members on any lattice."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.networks.inputs import NetworkInput
from intrepid_epid.networks.model_grid import on_lattice_of
from intrepid_rt.portal_image import PortalImage

if TYPE_CHECKING:
    from torch import Tensor


class Ensemble:
    """Networks of one variant with different weights.

    Parameters
    ----------
    pixel_mm : float
        Of the network's grid at the isocentre plane.
    device : str
        Where torch computes; results are brought back from it.

    Raises
    ------
    InvalidSetting
        This machine has no such device.
    """

    def __init__(
        self, variant_name: str, n_inputs: int, filters: int, weights: Sequence[dict[str, "Tensor"]], pixel_mm: float,
        device: str = "cpu",
    ) -> None:  # fmt: skip
        from intrepid_epid.networks.architecture.variants import variant
        from intrepid_epid.networks.device import usable_device

        self.device = usable_device(device)
        self.variant = variant(variant_name)
        self.pixel_mm = pixel_mm
        self.members = []
        for one in weights:
            network = self.variant(n_inputs, filters)
            network.load_state_dict(one)
            self.members.append(network.to(self.device).eval())

    def doses_gy(self, seen: NetworkInput, physics: PortalImage) -> NDArray:
        """Portal dose of every member, (members, rows, columns), on the lattice of the physics' portal dose."""
        import torch

        planes = torch.from_numpy(seen.planes[None]).to(self.device, memory_format=torch.channels_last)
        level = seen.level_gy or 1.0
        fine = torch.from_numpy((physics.values / level).astype(np.float32))[None, None]
        doses = []
        with torch.inference_mode():
            for member in self.members:
                answer = on_lattice_of(member(planes)[0].cpu().numpy(), self.pixel_mm, physics)
                dose = self.variant.dose(torch.from_numpy(answer[None].astype(np.float32)), fine)
                doses.append(dose[0, 0].numpy())
        return np.stack(doses) * np.float32(seen.level_gy)
