"""Random views of a batch: flips, shifts and turns of all planes together, inputs left out, another meterset."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor

LARGEST_SHIFT = 0.08  # of the half width of the grid
LARGEST_TURN_DEG = 15.0
LEFT_OUT = 0.5  # how often an optional input is left out: every set of known inputs is then equally frequent


def moved(planes: "Tensor", generator: "Generator") -> "Tensor":
    """Flip, turn by a multiple of 90 degrees and up to 15 more, and shift every image of a batch at random.

    Image, physics and truth are channels of the same tensor (batch, channels, size, size), so that they stay together.
    What comes in from beyond the edge is 0.
    """
    import torch

    n, device = len(planes), planes.device
    uniform = torch.rand((5, n), generator=generator)
    angle = torch.deg2rad(90 * (4 * uniform[0]).floor() + LARGEST_TURN_DEG * (2 * uniform[1] - 1))
    flip = torch.where(uniform[2] < 0.5, 1.0, -1.0)
    shift = LARGEST_SHIFT * (2 * uniform[3:5] - 1)
    first = torch.stack([flip * angle.cos(), -angle.sin(), shift[0]], dim=1)
    second = torch.stack([flip * angle.sin(), angle.cos(), shift[1]], dim=1)
    matrix = torch.stack([first, second], dim=1).to(device)
    at = torch.nn.functional.affine_grid(matrix, list(planes.shape), align_corners=False)
    return torch.nn.functional.grid_sample(planes, at, align_corners=False)


def with_inputs_left_out(planes: "Tensor", generator: "Generator") -> "Tensor":
    """Set each optional plane (all but the first) of each image to 0 with a fixed probability: not known."""
    import torch

    kept = torch.rand(planes.shape[:2], generator=generator) >= LEFT_OUT
    kept[:, 0] = True
    return planes * kept[:, :, None, None].to(planes.device)


def rescaled(planes: "Tensor", generator: "Generator") -> "Tensor":
    """Give every image of a batch (n, channels, size, size) another meterset, and bring it back to its level.

    It is 0.5 to 2 times its own. A network sees images per level and per MU, so this changes rounding only: that is the
    linearity in MU which augmentation would otherwise have to teach.
    """
    import torch

    factor = (0.5 * 4 ** torch.rand((len(planes), 1, 1, 1), generator=generator)).to(planes.device)
    return (planes * factor) / factor
