"""What differs between a predicted and a measured portal dose: level, pattern, position, aperture, single leaves.

Every measure states its own unit and is taken where it means something: levels and patterns inside the field away from
its edges, positions on edges and anatomy, leaves along the leaf bands of the plan. Lengths are at the isocentre plane.
"""

from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from intrepid_epid.aperture import leaf_boundaries_mm
from intrepid_epid.beam_model import readings_gy_cm2
from intrepid_epid.forward_portal_dose import ForwardPortalDose
from intrepid_epid.simulation.materials import mass_attenuation_cm2_g
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.plan import Beam
from intrepid_rt.portal_image import PortalImage

SMOOTHING_MM = 2.0  # 1 % of pixel noise becomes 0.15 %
LIT = 0.1  # of the highest dose: what belongs to the field
FLAT_PER_MM = 0.03  # relative change of the open share below which a pixel is not at an edge
PATTERN_MM = 12.0  # anatomy smaller than this is pattern, larger is trend
PATTERN_SEEN = 0.01  # standard deviation of the logarithm: 1 % of dose
BANDS_MM = (5.0, 10.0)  # widths of leaves, for plans that state none
SEEN_PER_MM = 2e-4  # 0.1 % of dose for 5 mm: a slope of the anatomy below that shows no shift
BAND_MARGIN_MM = 3.0  # the source blurs a leaf's edge beyond the leaf


@dataclass(frozen=True)
class Evidence:
    """Numbers from one pair of images; None where the images cannot tell, e.g. a shift in front of a flat anatomy.

    Parameters
    ----------
    level_percent : measured over predicted dose, median inside the field, less 100 %.
    pattern_percent : standard deviation of their ratio inside the field, without pixel noise.
    water_cm : the level as a change of water thickness; ``water_low_cm`` and ``water_high_cm`` its 5th and 95th
        percentiles over the field.
    overlap : Dice coefficient of the two apertures.
    mismatch_percent : root mean square difference over the field, edges included, in percent of the field's dose.
    image_shift_mm : (x, y) by which the whole image is displaced; ``image_shift_mismatch_percent`` is what remains.
    anatomy_shift_mm : (x, y) by which the anatomy is displaced behind the aperture; ``anatomy_shift_explains`` the
        share of the pattern's variance that this takes away.
    anatomy_correlation : of the predicted with the seen anatomy, trends taken off; None without anatomy to see.
    leaf_share : largest share of all differences that lies in the band of one leaf pair; ``leaf_percent`` the largest
        difference there in percent of the field's dose and ``leaf_centre_mm`` its middle across the leaves.
    """

    level_percent: float | None
    pattern_percent: float | None
    water_cm: float | None
    water_low_cm: float | None
    water_high_cm: float | None
    overlap: float
    mismatch_percent: float
    image_shift_mm: tuple[float, float] | None
    image_shift_mismatch_percent: float | None
    anatomy_shift_mm: tuple[float, float] | None
    anatomy_shift_explains: float | None
    anatomy_correlation: float | None
    leaf_share: float
    leaf_percent: float
    leaf_centre_mm: float

    def numbers(self) -> dict[str, object]:
        """Return every measure by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, eq=False)
class _Pair:
    """Smoothed images on one grid, with what every measure needs."""

    predicted: NDArray
    measured: NDArray
    primary_share: NDArray
    log_transmission: NDArray
    inside: NDArray
    level_gy: float
    spacing_mm: tuple[float, float]  # (row, column) at the isocentre plane


def evidence(predicted: ForwardPortalDose, measured: PortalImage, beam: Beam, primary_beam: PrimaryBeam) -> Evidence:
    """Compare a measured portal dose with the prediction of the beam it should show, on the same pixels."""
    pair = _pair(predicted, measured)
    log_ratio = _log_ratio(pair)
    found = log_ratio[pair.inside]
    known = found.size >= 20
    level = float(np.median(found)) if known else None
    per_cm = _attenuation_per_cm(primary_beam, pair)
    low, high = np.percentile(-found / per_cm, [5, 95]) if known else (np.nan, np.nan)
    image_shift, image_left = _image_shift(pair)
    anatomy_shift, explained, correlation = _anatomy(pair, log_ratio) if known else (None, None, None)
    share, depth, centre = _leaf_band(pair, beam, measured, _open_level(pair, log_ratio))
    return Evidence(
        level_percent=None if level is None else 100 * (np.exp(level) - 1),
        pattern_percent=100 * float(found.std()) if known else None,
        water_cm=None if level is None else -level / per_cm,
        water_low_cm=float(low) if known else None,
        water_high_cm=float(high) if known else None,
        overlap=_overlap(pair),
        mismatch_percent=_mismatch(pair.predicted, pair.measured, pair.level_gy),
        image_shift_mm=image_shift,
        image_shift_mismatch_percent=image_left,
        anatomy_shift_mm=anatomy_shift,
        anatomy_shift_explains=explained,
        anatomy_correlation=correlation,
        leaf_share=share,
        leaf_percent=depth,
        leaf_centre_mm=centre,
    )


def mismatch_percent(predicted_gy: PortalImage, measured_gy: PortalImage) -> float:
    """Root mean square difference over the field, edges included, in percent of the field's predicted dose.

    Both images lie on the same pixels.
    """
    level_gy = _level_gy(predicted_gy.values)
    predicted, measured = (_smooth(image.values, measured_gy) for image in (predicted_gy, measured_gy))
    return _mismatch(predicted, measured, level_gy)


def _smooth(values: NDArray, geometry: PortalImage) -> NDArray:
    sigma = [SMOOTHING_MM * geometry.magnification / spacing for spacing in geometry.pixel_spacing_mm]
    return np.asarray(ndimage.gaussian_filter(np.asarray(values, float), sigma))


def _level_gy(dose_gy: NDArray) -> float:
    return float(np.median(dose_gy[dose_gy > 0.5 * dose_gy.max()]))


def _pair(predicted: ForwardPortalDose, measured: PortalImage) -> _Pair:
    row_mm, column_mm = (spacing / measured.magnification for spacing in measured.pixel_spacing_mm)
    total = predicted.total_gy.values
    share = _smooth(predicted.open_share.values, measured)
    slope = np.hypot(*np.gradient(share, row_mm, column_mm))
    flat = slope < FLAT_PER_MM * np.maximum(share, 1e-9)
    return _Pair(
        predicted=_smooth(total, measured),
        measured=_smooth(measured.values, measured),
        primary_share=np.clip(predicted.primary_gy.values / np.maximum(total, 1e-12), 0, 1),
        log_transmission=_smooth(np.log(np.maximum(predicted.transmission, 1e-9)), measured),
        inside=flat & (total > 0.2 * total.max()),
        level_gy=_level_gy(total),
        spacing_mm=(row_mm, column_mm),
    )


def _log_ratio(pair: _Pair) -> NDArray:
    floor = 1e-3 * pair.level_gy
    return np.log(np.maximum(pair.measured, floor) / np.maximum(pair.predicted, floor))


def _open_level(pair: _Pair, log_ratio: NDArray) -> float:
    """Measured over predicted dose where both show the field; 1 where they have none in common."""
    both = pair.inside & (pair.measured > 0.2 * pair.predicted)
    return float(np.exp(np.median(log_ratio[both]))) if both.any() else 1.0


def _attenuation_per_cm(beam: PrimaryBeam, pair: _Pair) -> float:
    """Effective attenuation of water for the beam behind the patient, of total dose."""
    energy, weight = beam.spectrum.energy_mev, beam.spectrum.weight
    mu = mass_attenuation_cm2_g("water", energy)
    response = readings_gy_cm2(energy)[:, 1]
    thickness = np.interp(
        -float(np.median(pair.log_transmission[pair.predicted > 0.5 * pair.predicted.max()])),
        *_minus_log_by_thickness(weight * response, mu),
    )
    arriving = weight * response * np.exp(-mu * thickness)
    return float(arriving @ mu / arriving.sum())


def _minus_log_by_thickness(strength: NDArray, mu: NDArray) -> tuple[NDArray, NDArray]:
    thickness = np.linspace(0.0, 80.0, 81)
    left = np.exp(-np.outer(thickness, mu)) @ strength / strength.sum()
    return -np.log(left), thickness


def _overlap(pair: _Pair) -> float:
    """Dice coefficient of the apertures: where the dose, freed from the anatomy, exceeds half of its level."""
    freed = [image / np.exp(pair.log_transmission) for image in (pair.predicted, pair.measured)]
    a, b = (image > 0.5 * np.percentile(image[image > 0.3 * image.max()], 80) for image in freed)
    return float(2 * (a & b).sum() / max(1, a.sum() + b.sum()))


def _field(expected: NDArray, measured: NDArray, level_gy: float) -> NDArray:
    return (expected > LIT * level_gy) | (measured > LIT * level_gy)


def _mismatch(expected: NDArray, measured: NDArray, level_gy: float) -> float:
    field = _field(expected, measured, level_gy)
    return float(100 * np.sqrt(np.mean((measured - expected)[field] ** 2)) / level_gy)


def _image_shift(pair: _Pair) -> tuple[tuple[float, float] | None, float | None]:
    """Displacement of the whole image and the mismatch that remains, the level free."""

    def displaced(shift_px: NDArray) -> NDArray:
        moved = ndimage.shift(pair.predicted, shift_px, order=1, mode="nearest")
        field = _field(moved, pair.measured, pair.level_gy)
        return moved * (pair.measured[field] @ moved[field] / max(1e-30, moved[field] @ moved[field]))

    start = _centroid(pair.measured, pair.level_gy) - _centroid(pair.predicted, pair.level_gy)
    if not np.isfinite(start).all():
        return None, None
    shift = start
    for _ in range(6):
        moved = displaced(shift)
        slopes = np.gradient(moved)
        rows = np.stack([-slopes[0].ravel(), -slopes[1].ravel(), moved.ravel()], axis=1)
        step = np.linalg.lstsq(rows, (pair.measured - moved).ravel(), rcond=None)[0][:2]
        shift = shift + np.clip(step, -5, 5)
        if np.abs(step).max() < 0.02:
            break
    row_mm, column_mm = pair.spacing_mm
    return (float(shift[1] * column_mm), float(-shift[0] * row_mm)), _mismatch(
        displaced(shift), pair.measured, pair.level_gy
    )


def _centroid(image: NDArray, level_gy: float) -> NDArray:
    lit = image > 0.5 * min(level_gy, float(image.max()))
    return np.array(ndimage.center_of_mass(lit)) if lit.any() else np.full(2, np.nan)


def _anatomy(pair: _Pair, log_ratio: NDArray) -> tuple[tuple[float, float] | None, float | None, float | None]:
    """Shift of the anatomy, share of the pattern's variance it explains, and whether the anatomy is found."""
    inside, row_mm, column_mm = pair.inside, *pair.spacing_mm
    found = log_ratio[inside] - np.median(log_ratio[inside])

    def change(shift_mm: NDArray) -> NDArray:
        moved = ndimage.shift(pair.log_transmission, (-shift_mm[1] / row_mm, shift_mm[0] / column_mm), order=1,
                              mode="nearest")  # fmt: skip
        ratio = np.exp(moved - pair.log_transmission) - 1
        change = np.log1p(np.maximum(pair.primary_share * ratio, -0.99))[inside]
        return np.asarray(change - np.median(change))

    correlation = _anatomy_correlation(pair, log_ratio)
    slopes = np.stack(np.gradient(pair.log_transmission, row_mm, column_mm))[:, inside]
    if np.sqrt((slopes**2).mean(axis=1).max()) < SEEN_PER_MM:
        return None, None, correlation
    # A direction in which the anatomy is flat tells nothing; the weak pull to 0 keeps the shift along it at 0.
    pull = SEEN_PER_MM * np.sqrt(inside.sum())

    def left(shift_mm: NDArray) -> NDArray:
        return np.append(found - change(shift_mm), pull * shift_mm)

    fit = optimize.least_squares(left, np.zeros(2), diff_step=0.05, x_scale=5.0, max_nfev=30)
    remaining = float(np.mean((found - change(fit.x)) ** 2))
    explained = 1 - remaining / max(float(np.mean(found**2)), 1e-12)
    return (float(fit.x[0]), float(fit.x[1])), explained, correlation


def _anatomy_correlation(pair: _Pair, log_ratio: NDArray) -> float | None:
    sigma = [PATTERN_MM / s for s in pair.spacing_mm]
    weight = np.maximum(ndimage.gaussian_filter(pair.inside.astype(float), sigma), 1e-6)

    def pattern(image: NDArray) -> NDArray:
        trend = ndimage.gaussian_filter(np.where(pair.inside, image, 0.0), sigma) / weight
        return np.asarray((image - trend)[pair.inside])

    expected = pattern(pair.primary_share * pair.log_transmission)
    if expected.std() < PATTERN_SEEN:
        return None
    seen = expected + pattern(log_ratio)
    return float(seen @ expected / np.sqrt((seen @ seen) * (expected @ expected)))


def _leaf_band(pair: _Pair, beam: Beam, image: PortalImage, level: float) -> tuple[float, float, float]:
    """Share of all differences in the band of one leaf pair, the largest difference there in percent, its centre."""
    expected = pair.predicted * level
    field = _field(expected, pair.measured, pair.level_gy)
    difference = np.where(field, (pair.measured - expected) / (pair.level_gy * level), 0.0)
    total = float((difference**2).sum())
    turn = np.deg2rad(beam.control_points[0].collimator_angle_deg)
    x, y = np.meshgrid(image.x_mm / image.magnification, image.y_mm / image.magnification)
    across = {"X": y * np.cos(turn) - x * np.sin(turn), "Y": x * np.cos(turn) + y * np.sin(turn)}
    best = (0.0, 0.0, 0.0)
    for along, low, high in _bands(beam, float(np.abs(across["X"]).max())):
        band = (across[along] > low - BAND_MARGIN_MM) & (across[along] < high + BAND_MARGIN_MM)
        share = float((difference[band] ** 2).sum()) / max(total, 1e-12)
        if share > best[0]:
            best = (share, float(100 * np.abs(difference[band]).max(initial=0.0)), (low + high) / 2)
    return best


def _bands(beam: Beam, reach_mm: float) -> list[tuple[str, float, float]]:
    leaves = leaf_boundaries_mm(beam)
    if leaves is not None:
        along, boundary = leaves
        return [(along, float(low), float(high)) for low, high in pairwise(boundary)]
    starts = {width: np.arange(-reach_mm, reach_mm, width / 2) for width in BANDS_MM}
    return [(along, float(low), float(low + w)) for along in "XY" for w, lows in starts.items() for low in lows]
