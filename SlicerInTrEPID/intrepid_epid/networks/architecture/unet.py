"""U-Net of the founding study: five levels of two 3 x 3 convolutions, max pooling, transposed convolutions.

Ronneberger et al., MICCAI 2015, with batch normalisation (Ioffe and Szegedy 2015) in all but the first level.
"""

import torch
from torch import Tensor, nn

LEVELS = 5


class UNet(nn.Module):
    """Planes (batch, inputs, size, size) to planes (batch, outputs, size, size); the size a multiple of 16.

    A variant overrides :meth:`convolutions` (what a level does) or :meth:`joined` (what the decoder takes from the
    encoder).
    """

    def __init__(self, n_inputs: int, n_outputs: int, filters: int) -> None:
        super().__init__()
        widths = [filters * 2**level for level in range(LEVELS)]
        pairs = list(zip([n_inputs, *widths[:-1]], widths, strict=True))
        self.down = nn.ModuleList([self.convolutions(a, b, level) for level, (a, b) in enumerate(pairs)])
        self.rise = nn.ModuleList([nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in widths[:-1]])
        self.up = nn.ModuleList([self.convolutions(2 * width, width, level) for level, width in enumerate(widths[:-1])])
        self.last = nn.Conv2d(filters, n_outputs, 1)

    def convolutions(self, n_inputs: int, n_outputs: int, level: int) -> nn.Module:
        """Return the two convolutions of a level."""
        return two_convolutions(n_inputs, n_outputs, normalised=level > 0)

    def joined(self, from_encoder: Tensor, risen: Tensor, level: int) -> Tensor:
        """Put together what a decoder level sees: two tensors (batch, channels, rows, columns) of the same size."""
        return torch.cat([risen, from_encoder], dim=1)

    def forward(self, planes: Tensor) -> Tensor:
        """Encode, then decode with what the encoder saw at each level.

        Parameters
        ----------
        planes : Tensor (batch, n_inputs, size, size)
            ``size`` a multiple of 16.

        Returns
        -------
        Tensor (batch, n_outputs, size, size)
        """
        seen = [self.down[0](planes)]
        for block in self.down[1:]:
            seen.append(block(nn.functional.max_pool2d(seen[-1], 2)))
        result = seen.pop()
        for level in reversed(range(LEVELS - 1)):
            result = self.up[level](self.joined(seen[level], self.rise[level](result), level))
        return self.last(result)


def two_convolutions(n_inputs: int, n_outputs: int, *, normalised: bool, dilation: int = 1) -> nn.Sequential:
    """Return two 3 x 3 convolutions with ReLU, of the same size out as in.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Channels.
    normalised : bool
        Whether each is followed by batch normalisation.
    dilation : int
        Pixels from tap to tap.
    """
    layers: list[nn.Module] = []
    for n_in in (n_inputs, n_outputs):
        layers.append(nn.Conv2d(n_in, n_outputs, 3, padding=dilation, dilation=dilation, bias=not normalised))
        layers += [nn.BatchNorm2d(n_outputs)] if normalised else []
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
