"""What a network sees of an image: planes without a unit, the same whatever the machine's output and the meterset."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.errors import InvalidSetting

# Of the order of the largest values, so that all planes are about 1.
THICKNESS_SCALE_G_CM2 = 30.0


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """Planes (n, size, size) of one image, and the level in Gy by which a network's answer is multiplied.

    Plane 0 is the image over its level, further ones are optional and zero where nothing is known. ``physics`` is the
    answer of the physics over the level.
    """

    planes: NDArray
    physics: NDArray
    level_gy: float


def field_level(image: NDArray) -> float:
    """Level inside the field: the median of what exceeds half of the maximum; 0 for an image without signal.

    >>> field_level(np.array([0.0, 0.1, 1.0, 2.0, 2.0]))
    2.0
    """
    highest = float(image.max(initial=0.0))
    return float(np.median(image[image > 0.5 * highest])) if highest > 0 else 0.0


def coarsened(plane: NDArray, factor: int) -> NDArray:
    """Average whole blocks of ``factor`` x ``factor`` pixels; the size must be a multiple of it.

    >>> coarsened(np.arange(4.0).reshape(2, 2), 2)
    array([[1.5]])
    """
    rows, columns = (n // factor for n in plane.shape)
    return plane.reshape(rows, factor, columns, factor).mean(axis=(1, 3))


def block_factor(size_px: int, largest_px: int) -> int:
    """Return the smallest whole factor that divides a grid's size and brings it within the limit.

    Raises
    ------
    InvalidSetting
        None does, keeping a size that five levels can halve four times.

    Examples
    --------
    >>> block_factor(256, 128)
    2
    """
    for factor in range(1, size_px + 1):
        size = size_px // factor
        if size_px % factor == 0 and size <= largest_px and size % 16 == 0:
            return factor
    raise InvalidSetting(
        f"A grid of {size_px} pixels cannot be averaged to at most {largest_px} that are a multiple of 16. Build the "
        "dataset on another grid, e.g. of 256 pixels."
    )


def network_input(
    image: NDArray,
    physics_gy: NDArray,
    optional: Sequence[str],
    *,
    open_gy: float | None = None,
    thickness_g_cm2: NDArray | None = None,
    field_map: NDArray | None = None,
) -> NetworkInput:
    """Put together the planes of one image on the network's grid.

    Parameters
    ----------
    image : ndarray (size, size)
        What the variant looks at: the signal or the physics' portal dose.
    optional : sequence of str
        Names of the further planes.
    open_gy : float or None
        Portal dose of the open beam for the meterset of this image; None if the meterset is not known.
    """
    level_gy = field_level(physics_gy)
    known = {
        "transmission": physics_gy / open_gy if open_gy else None,
        "thickness": None if thickness_g_cm2 is None else thickness_g_cm2 / THICKNESS_SCALE_G_CM2,
        "field": field_map,
    }
    planes = np.zeros((1 + len(optional), *image.shape), np.float32)
    planes[0] = image / (field_level(image) or 1.0)
    for number, name in enumerate(optional, 1):
        plane = known[name]
        if plane is not None:
            planes[number] = plane
    return NetworkInput(planes, (physics_gy / (level_gy or 1.0)).astype(np.float32), level_gy)
