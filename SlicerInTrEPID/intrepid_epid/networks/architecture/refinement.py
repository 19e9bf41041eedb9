"""The network: a small 3D U-Net whose answer is a bounded correction of the physics dose."""

import torch
from torch import Tensor, nn

INPUTS = 4
LEVELS = 3
LARGEST_CORRECTION = 0.08  # of the level of the beam
HALF_AT = 0.1  # of the level: where half of it may be reached


class RefinementNetwork(nn.Module):
    """Planes (batch, 4, nz, ny, nx) to the correction over the level (batch, 1, nz, ny, nx); sizes multiples of 4.

    The correction is below 8 % of the level and below 80 % of the physics dose itself, so that no dose becomes negative
    and none appears where physics has none. An untrained network corrects nothing.
    """

    def __init__(self, filters: int) -> None:
        super().__init__()
        widths = [filters * 2**level for level in range(LEVELS)]
        pairs = list(zip([INPUTS, *widths[:-1]], widths, strict=True))
        self.down = nn.ModuleList([_two_convolutions(a, b) for a, b in pairs])
        self.rise = nn.ModuleList([nn.ConvTranspose3d(2 * width, width, 2, stride=2) for width in widths[:-1]])
        self.up = nn.ModuleList([_two_convolutions(2 * width, width) for width in widths[:-1]])
        self.last = nn.Conv3d(filters, 1, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, planes: Tensor) -> Tensor:
        """Return the correction over the level."""
        physics = planes[:, :1]
        seen = [self.down[0](planes)]
        for block in self.down[1:]:
            seen.append(block(nn.functional.avg_pool3d(seen[-1], 2)))
        result = seen.pop()
        for level in reversed(range(LEVELS - 1)):
            result = self.up[level](torch.cat([self.rise[level](result), seen[level]], dim=1))
        return LARGEST_CORRECTION * torch.tanh(self.last(result)) * physics / (physics + HALF_AT)


def _two_convolutions(n_inputs: int, n_outputs: int) -> nn.Sequential:
    """Return two 3 x 3 x 3 convolutions."""
    layers: list[nn.Module] = []
    for n_in in (n_inputs, n_outputs):
        layers += [nn.Conv3d(n_in, n_outputs, 3, padding=1), nn.LeakyReLU(0.1, inplace=True)]
    return nn.Sequential(*layers)
