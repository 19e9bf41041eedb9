"""The gamma index of an evaluated with a reference dose distribution."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from intrepid_gamma.distributions import Distribution, Pair, comparable_values, paired, require_one_frame
from intrepid_gamma.pyramid import Pyramid, dose_range_pyramid
from intrepid_gamma.result import GammaResult
from intrepid_gamma.settings import CutoffOn, GammaSettings
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.grids import Grid
from intrepid_rt.portal_image import PortalImage

Progress = Callable[[float], None]

_BORDER_MM = 1e-3  # a point this little outside the outermost sample centres belongs to the evaluated grid
_STEPS_OF_PROGRESS = 20

# A factor of 100 is a mistaken unit, which gamma shows; far more than that is no dose, and takes for ever to search.
_LARGEST_SHARE = 1e4


def gamma_index(
    reference: Distribution,
    evaluated: Distribution,
    *,
    dose_percent: float,
    distance_mm: float,
    cutoff_percent: float = 10.0,
    norm_gy: float | None = None,
    local: bool = False,
    max_gamma: float | None = None,
    mask: NDArray | Grid | None = None,
    cutoff_on: CutoffOn = "reference",
    interpolate: bool = True,
    progress: Progress | None = None,
) -> GammaResult:
    """Compare an evaluated with a reference dose: gamma at each reference point, exact for the interpolated dose.

    Gamma is the minimum over the trilinear (in a plane bilinear) interpolant of the evaluated dose, not over samples of
    it; it is certified to ``kernel.ERROR_BOUND``.

    Parameters
    ----------
    reference, evaluated : Grid or PortalImage
        Both of one kind. The reference (the plan) sets norm, cut-off and the points that count. Grids may differ in
        spacing, orientation and extent; grids of one plane are compared in that plane.
    dose_percent, distance_mm, cutoff_percent, norm_gy, local, max_gamma, cutoff_on, interpolate
        See `GammaSettings`.
    mask : ndarray of bool in the shape of the reference, or Grid; optional
        Which reference points count. A grid is looked up at its nearest voxel, nonzero counts.
    progress : callable, optional
        Called with the fraction done; an exception that it raises ends the computation.

    Raises
    ------
    InvalidSetting
        A criterion makes no sense, the norm cannot be had, or no point is left by mask and cut-off.
    UnsupportedGeometry, FrameOfReferenceMismatch
        The distributions cannot be compared, see `intrepid_gamma.distributions.paired`, or the mask lies in another
        frame of reference.

    References
    ----------
    Low et al., Med. Phys. 25 (1998) 656-661; Ju et al., Med. Phys. 35 (2008) 879-887 (exact for interpolated dose).

    Examples
    --------
    Two constant doses that differ by 0.03 Gy of 2 Gy, with 3 %:

    >>> plan, measured = (Grid(np.full((3, 4, 5), dose), np.eye(4)) for dose in (2.0, 2.03))
    >>> result = gamma_index(plan, measured, dose_percent=3, distance_mm=3)
    >>> round(result.max_gamma, 6), result.pass_rate_percent, result.n_points
    (0.5, 100.0, 60)
    """
    settings = GammaSettings(
        dose_percent, distance_mm, cutoff_percent, cutoff_on, norm_gy, local, max_gamma, interpolate
    )
    return gamma_indices(reference, evaluated, [settings], mask=mask, progress=progress)[0]


def gamma_indices(
    reference: Distribution,
    evaluated: Distribution,
    settings: Sequence[GammaSettings],
    *,
    mask: NDArray | Grid | None = None,
    progress: Progress | None = None,
) -> tuple[GammaResult, ...]:
    """Compare by several criteria in one pass; see `gamma_index`, also for what it raises.

    Examples
    --------
    >>> plan, measured = (Grid(np.full((3, 4, 5), dose), np.eye(4)) for dose in (2.0, 2.03))
    >>> base = GammaSettings(3, 3)
    >>> [r.pass_rate_percent for r in gamma_indices(plan, measured, [base, base.with_criteria(1, 1)])]
    [100.0, 0.0]
    """
    pair = paired(reference, evaluated)
    values = comparable_values(pair)
    region = _region(mask, reference, pair.reference)
    pyramids: dict[bool, Pyramid] = {}
    results = []
    for number, one in enumerate(settings):
        if one.interpolate not in pyramids:
            pyramids[one.interpolate] = dose_range_pyramid(values[1], interpolate=one.interpolate)
        part = _part_of(progress, number, len(settings))
        result = _compare(pair, values, pyramids[one.interpolate], one, region, part)
        results.append(_in_shape_of(reference, result))
    return tuple(results)


def _part_of(progress: Progress | None, number: int, total: int) -> Progress | None:
    return None if progress is None else lambda fraction: progress((number + fraction) / total)


def _compare(
    pair: Pair,
    values: tuple[NDArray, NDArray],
    pyramid: Pyramid,
    settings: GammaSettings,
    region: NDArray | None,
    progress: Progress | None,
) -> GammaResult:
    norm_gy = settings.norm_gy if settings.norm_gy is not None else _maximum(values[0])
    _check_same_unit(values[1], norm_gy)
    selected = _selected(pair, values[0], settings, norm_gy, region)
    if settings.local and not (values[0] > 0).all(where=selected):
        raise InvalidSetting(
            "Local normalisation has no meaning where the reference dose is 0, and such points are to be analysed. "
            "Raise the cut-off above 0 %, put it on the reference, or use global normalisation."
        )
    gamma, n_reach_outside = _search(pair, values, pyramid, settings, norm_gy, selected, progress)
    return GammaResult(
        gamma,
        settings,
        norm_gy,
        n_reach_outside,
        n_reference_invalid=_count_invalid(values[0]),
        n_evaluated_invalid=_count_invalid(values[1]),
    )


def _search(
    pair: Pair,
    values: tuple[NDArray, NDArray],
    pyramid: Pyramid,
    settings: GammaSettings,
    norm_gy: float,
    selected: NDArray,
    progress: Progress | None,
) -> tuple[NDArray, int]:
    """Run the compiled search over the selected points, in steps between which progress is told."""
    import numba

    from intrepid_gamma.kernel import gamma_of_points

    spacing_mm = np.array(pair.evaluated.spacing_mm[::-1])
    fraction = settings.dose_percent / 100.0
    cap = np.inf if settings.max_gamma is None else settings.max_gamma
    gamma = np.full(selected.size, np.nan)
    reached = 0
    for start, stop in _steps(selected, 1 if progress is None else _STEPS_OF_PROGRESS):
        if progress is not None:
            progress(start / selected.size)
        reached += gamma_of_points(
            values[1],
            tuple(pyramid),
            (spacing_mm / settings.distance_mm) ** 2,
            _BORDER_MM / settings.distance_mm,
            values[0],
            selected,
            pair.to_evaluated,
            fraction if settings.local else fraction * norm_gy,
            settings.local,
            cap,
            settings.interpolate,
            start,
            stop,
            8 * numba.get_num_threads(),
            gamma,
        )
    if progress is not None:
        progress(1.0)
    return gamma.reshape(selected.shape), int(reached)


def _steps(selected: NDArray, n_steps: int) -> list[tuple[int, int]]:
    """Ranges of flat indices, whole planes, with about as many selected points each."""
    per_plane = np.count_nonzero(selected, axis=(1, 2))
    done = np.cumsum(per_plane) / max(per_plane.sum(), 1)
    plane_size = selected[0].size
    planes = np.searchsorted(done, np.arange(1, n_steps) / n_steps) + 1
    edges = np.unique([0, *planes * plane_size, selected.size])
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def _selected(
    pair: Pair, reference: NDArray, settings: GammaSettings, norm_gy: float, region: NDArray | None
) -> NDArray:
    """Which reference points count: finite, within the region, at or above the cut-off."""
    threshold_gy = settings.cutoff_percent / 100.0 * norm_gy
    reaches = reference >= threshold_gy  # false for NaN
    if settings.cutoff_on != "reference":
        evaluated_reaches = pair.evaluated.resampled_to(pair.reference) >= threshold_gy
        reaches = evaluated_reaches if settings.cutoff_on == "evaluated" else reaches | evaluated_reaches
    selected = reaches & np.isfinite(reference)
    if region is not None:
        selected &= region
    if not selected.any():
        raise InvalidSetting(
            f"No reference point is left to analyse: none {'in the mask ' if region is not None else ''}reaches the "
            f"cut-off of {threshold_gy:.4g} Gy ({settings.cutoff_percent:g} % of {norm_gy:.4g} Gy). Lower the cut-off, "
            "check the normalisation dose, or choose another mask."
        )
    return selected


def _maximum(values: NDArray) -> float:
    maximum = float(np.max(values, initial=0.0, where=np.isfinite(values)))
    if maximum <= 0.0:
        raise InvalidSetting("The reference holds no dose above 0. Check the file, or state the normalisation dose.")
    return maximum


def _check_same_unit(evaluated: NDArray, norm_gy: float) -> None:
    highest = float(np.max(np.abs(evaluated), initial=0.0, where=np.isfinite(evaluated)))
    if highest > _LARGEST_SHARE * norm_gy:
        raise InvalidSetting(
            f"The evaluated distribution holds {highest:.3g} Gy where {norm_gy:.3g} Gy is 100 %: damaged, or in "
            "another unit. Check the file."
        )


def _region(mask: NDArray | Grid | None, reference: Distribution, grid: Grid) -> NDArray | None:
    """Return the mask as a boolean array in the shape of the reference grid, None for no mask."""
    if mask is None:
        return None
    if isinstance(mask, Grid):
        require_one_frame(mask, grid, "Mask and reference dose")
        planes = (mask.sample(grid.plane_positions(k), outside=0.0, order=0) for k in range(grid.shape[0]))
        region = np.nan_to_num(np.stack(list(planes))) != 0
    else:
        expected = np.shape(reference.values)
        if np.shape(mask) != expected:
            raise InvalidSetting(f"The mask has shape {np.shape(mask)}, the reference {expected}. They must agree.")
        region = np.asarray(mask, bool).reshape(grid.shape)
    if not region.any():
        raise InvalidSetting("The mask holds no point of the reference. Choose a structure that lies in the dose grid.")
    return region


def _count_invalid(values: NDArray) -> int:
    return values.size - int(np.count_nonzero(np.isfinite(values)))


def _in_shape_of(reference: Distribution, result: GammaResult) -> GammaResult:
    return replace(result, gamma=result.gamma[0]) if isinstance(reference, PortalImage) else result
