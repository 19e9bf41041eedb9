"""Portal dose networks: what a U-Net's planes mean, one small class per variant.

Every variant is linear in the meterset by construction: it sees the image over its level, and its answer is multiplied
by the level of the physics.
"""

import torch
from torch import Tensor, nn

from intrepid_epid.networks.architecture.unet import LEVELS, UNet, two_convolutions
from intrepid_rt.errors import InvalidSetting


class PortalDoseNetwork(nn.Module):
    """The founding study's network: calibrated signal in, portal dose out, nothing known of physics."""

    sees = "signal"  # or "physics": which image is plane 0
    n_outputs = 1
    core: type[UNet] = UNet

    def __init__(self, n_inputs: int, filters: int) -> None:
        super().__init__()
        self.unet = self.core(n_inputs, self.n_outputs, filters)

    def forward(self, planes: Tensor) -> Tensor:
        """Return what :meth:`dose` needs, (batch, n_outputs, size, size)."""
        return self.unet(planes)

    @staticmethod
    def dose(answer: Tensor, physics: Tensor) -> Tensor:
        """Portal dose over its level from the answer and the physics, (batch, 1, rows, columns) on any lattice."""
        return answer


class Constrained(PortalDoseNetwork):
    """The same, but never negative."""

    @staticmethod
    def dose(answer: Tensor, physics: Tensor) -> Tensor:
        """Portal dose over its level, above 0."""
        return nn.functional.softplus(answer, beta=20.0)


class Residual(PortalDoseNetwork):
    """Corrects the physics by two smooth planes: a gain for the hardened primary, and scatter that adds or takes.

    Behind a patient the portal dose is ``h (S - S_s) + w S_s``: hardening changes slowly with thickness, scatter slowly
    with position, while the edges of the field are those of the signal. So both planes are smoothed, and applied to the
    physics in full resolution. An untrained network leaves the physics as it is.
    """

    sees = "physics"
    n_outputs = 2
    largest_correction = 0.3
    smoothing_px = 1.5

    def __init__(self, n_inputs: int, filters: int) -> None:
        super().__init__(n_inputs, filters)
        nn.init.zeros_(self.unet.last.weight)
        nn.init.zeros_(self.unet.last.bias)  # type: ignore[arg-type]
        self.register_buffer("kernel", gaussian_kernel(self.smoothing_px), persistent=False)

    def forward(self, planes: Tensor) -> Tensor:
        """Return the smooth gain and scatter planes, bounded; (batch, 2, size, size), scatter over the level."""
        rough = self.largest_correction * torch.tanh(self.unet(planes) / self.largest_correction)
        return smoothed(rough, self.kernel)  # type: ignore[arg-type]

    @staticmethod
    def dose(answer: Tensor, physics: Tensor) -> Tensor:
        """Portal dose over its level: the physics corrected, never below 0."""
        gain, scatter = answer[:, :1], answer[:, 1:]
        return torch.relu(physics * torch.exp(gain) + scatter)


class _DilatedUNet(UNet):
    def convolutions(self, n_inputs: int, n_outputs: int, level: int) -> nn.Module:
        return two_convolutions(n_inputs, n_outputs, normalised=level > 0, dilation=2 if level == LEVELS - 1 else 1)


class Dilated(Residual):
    """Residual with dilated convolutions at the bottom, which see further."""

    core = _DilatedUNet


class _AttentionUNet(UNet):
    """Additive attention gates on what the decoder takes from the encoder (Oktay et al., arXiv 1804.03999)."""

    def __init__(self, n_inputs: int, n_outputs: int, filters: int) -> None:
        super().__init__(n_inputs, n_outputs, filters)
        widths = [filters * 2**level for level in range(LEVELS - 1)]
        self.gates = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(2 * w, w, 1), nn.ReLU(), nn.Conv2d(w, 1, 1)) for w in widths]
        )

    def joined(self, from_encoder: Tensor, risen: Tensor, level: int) -> Tensor:
        gate = torch.sigmoid(self.gates[level](torch.cat([risen, from_encoder], dim=1)))
        return super().joined(from_encoder * gate, risen, level)


class Attention(Residual):
    """Residual with attention gates."""

    core = _AttentionUNet


VARIANTS: dict[str, type[PortalDoseNetwork]] = {
    "unet": PortalDoseNetwork,
    "constrained": Constrained,
    "residual": Residual,
    "dilated": Dilated,
    "attention": Attention,
}


def variant(name: str) -> type[PortalDoseNetwork]:
    """Return the variant of this name.

    Raises
    ------
    InvalidSetting
        There is none.
    """
    if name not in VARIANTS:
        raise InvalidSetting(f"No network is called {name!r}; choose one of {', '.join(VARIANTS)}.")
    return VARIANTS[name]


def gaussian_kernel(sigma_px: float) -> Tensor:
    """One-dimensional Gaussian (2 n + 1,) that sums to 1, out to three sigma; ``sigma_px`` in pixels."""
    reach = int(3 * sigma_px + 0.5)
    weight = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma_px) ** 2)
    return weight / weight.sum()


def smoothed(planes: Tensor, kernel: Tensor) -> Tensor:
    """Convolve planes (batch, channels, rows, columns) with a kernel (2 n + 1,) along rows and columns.

    Planes go on beyond their edge as at it.
    """
    reach, channels = len(kernel) // 2, planes.shape[1]
    padded = nn.functional.pad(planes, [reach] * 4, mode="replicate")
    rows = nn.functional.conv2d(padded, kernel.view(1, 1, 1, -1).repeat(channels, 1, 1, 1), groups=channels)
    return nn.functional.conv2d(rows, kernel.view(1, 1, -1, 1).repeat(channels, 1, 1, 1), groups=channels)
