"""How far a dose plane lies off the image it belongs to."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

_TURNS = 20
_ENOUGH_PIXELS = 0.001


def shift_px(plane: NDArray, reference: NDArray) -> tuple[float, float]:
    """Return (rows, columns) by which ``plane`` must be moved to lie on ``reference``.

    Both need not have the same level. Whole pixels come from the cross-correlation, the rest from least squares of
    ``reference = a + b * plane + gradient . shift`` over all pixels, turn by turn.

    Examples
    --------
    >>> spot = np.exp(-((np.arange(32)[:, None] - 15) ** 2 + (np.arange(32) - 14) ** 2) / 20.0)
    >>> rows, columns = shift_px(np.roll(spot, (2, -3), axis=(0, 1)), spot)
    >>> round(rows, 2), round(columns, 2)
    (-2.0, 3.0)
    """
    total = np.array(_whole_pixels(plane, reference), float)
    for _ in range(_TURNS):
        moved = ndimage.shift(plane, total, order=1, mode="nearest")
        step = _step(moved, reference)
        total += step
        if np.abs(step).max() < _ENOUGH_PIXELS:
            break
    return float(total[0]), float(total[1])


def _whole_pixels(plane: NDArray, reference: NDArray) -> tuple[int, int]:
    shape = [fft.next_fast_len(2 * n) for n in plane.shape]
    spectra = fft.rfft2(reference - reference.mean(), shape) * np.conj(fft.rfft2(plane - plane.mean(), shape))
    correlation = fft.irfft2(spectra, shape)
    row, column = np.unravel_index(np.argmax(correlation), correlation.shape)
    return tuple(int(at if at < n / 2 else at - n) for at, n in zip((row, column), shape, strict=True))  # type: ignore[return-value]


def _step(moved: NDArray, reference: NDArray) -> NDArray:
    """Shift that is left, to first order."""
    down, right = np.gradient(moved)
    terms = np.stack([np.ones(moved.size), moved.ravel(), down.ravel(), right.ravel()], axis=1)
    _, level, by_row, by_column = np.linalg.lstsq(terms, reference.ravel(), rcond=None)[0]
    step = -np.array([by_row, by_column]) / (level if abs(level) > 1e-9 else 1.0)
    return np.clip(step, -1.0, 1.0)
