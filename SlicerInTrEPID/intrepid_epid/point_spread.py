"""Radially symmetric point spread as a sum of two-dimensional exponentials, applied in the Fourier domain.

One term of width s is ``exp(-r / s) / (2 pi s^2)``, whose transform is ``(1 + (2 pi s f)^2) ** -1.5``; width 0 is the
image itself. Sums of such terms describe glare in a panel and dose spread in water alike (Li et al., Med. Phys. 33
(2006) 4557, use the same family for an amorphous silicon panel).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft


def padded_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Transform size that keeps a spread as wide as the image from wrapping round its edge."""
    rows, columns = (fft.next_fast_len(2 * n, real=True) for n in shape)
    return rows, columns


def radial_frequency_per_mm(shape: tuple[int, int], spacing_mm: tuple[float, float]) -> NDArray:
    """|f| of the half spectrum of a real transform of this shape; spacing is (row, column)."""
    f_row = fft.fftfreq(shape[0], spacing_mm[0])[:, None]
    f_column = fft.rfftfreq(shape[1], spacing_mm[1])[None, :]
    return np.hypot(f_row, f_column)


def transfer(frequency_per_mm: NDArray, width_mm: float) -> NDArray:
    """Modulation transfer, in 0..1, of one exponential term at frequencies of any shape."""
    reach = 1.0 + (2.0 * np.pi * width_mm * frequency_per_mm) ** 2
    return 1.0 / (reach * np.sqrt(reach))


def spread(
    image: NDArray, spacing_mm: tuple[float, float], widths_mm: NDArray | list[float], weights: NDArray | list[float]
) -> NDArray:
    """Convolve an image (rows, columns) with ``sum_i weights_i * exponential(widths_i)``.

    The image counts as zero beyond its edge.

    Examples
    --------
    >>> float(spread(np.ones((1, 1)), (1.0, 1.0), [0.0], [0.5]).round(6)[0, 0])
    0.5
    """
    shape = padded_shape(image.shape)
    frequency = radial_frequency_per_mm(shape, spacing_mm)
    total = sum(weight * transfer(frequency, width) for width, weight in zip(widths_mm, weights, strict=True))
    return fft.irfft2(fft.rfft2(image, shape, workers=-1) * total, shape, workers=-1)[
        : image.shape[0], : image.shape[1]
    ]
