"""From open-field images and their portal doses to a machine profile."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from intrepid_epid.beam_model import generic_spectrum
from intrepid_epid.machine_profile import (
    CTCurvePoint,
    FieldRecord,
    MachineProfile,
    RadialFactor,
    SpectrumBin,
    SpreadTerm,
    Validity,
)
from intrepid_epid.off_axis import measured_horns
from intrepid_epid.point_spread import spread
from intrepid_epid.portal_dose import off_axis_radius_mm, radial_gain
from intrepid_epid.spectrum import Spectrum
from intrepid_rt.errors import MissingObject, UnsupportedGeometry
from intrepid_rt.portal_image import PortalImage

SPREAD_WIDTHS_MM = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
# A panel may glare further than dose spreads in water; then the wide terms that turn one into the other are negative.
WIDE_TERM_MM = 8.0
EROSION_MM = 5.0
RADIAL_STEP_MM = 10.0
LEAST_PIXELS = 20
TURNS = 3
DOSE_DEPTH_MM = 15.0


@dataclass(frozen=True, eq=False)
class OpenField:
    """One commissioning measurement: signal and portal dose on the same working grid."""

    name: str
    signal: PortalImage
    dose_gy: NDArray
    meterset_mu: float
    area_cm2: float
    image_sha256: str = ""
    jaws_mm: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


def commission(
    fields: Sequence[OpenField],
    *,
    machine: str,
    energy: str,
    spectrum: Spectrum | None = None,
    spectrum_source: str = "",
    ct_curve: Sequence[CTCurvePoint] = (),
    ct_curve_source: str = "",
    softening_percent_per_cm: float = 0.0,
) -> MachineProfile:
    """Fit the signal-to-dose kernel and the radial response of one machine; find the horns of its beam.

    The kernel is fitted to whole images; mean signal, mean dose and the residual of every field are taken over its
    aperture eroded by 5 mm at the isocentre plane, never at one pixel, because fields may lie off the axis. The horns
    are those of the largest field; softening cannot be seen in open fields and is taken as given.

    Raises
    ------
    MissingObject
        No field is given, or one without signal or dose.
    UnsupportedGeometry
        Fields differ in source-to-image distance by more than 1 mm or in pixel size.
    """
    if not fields:
        raise MissingObject("Commissioning needs at least one open field with its portal dose; none was found.")
    for field in fields:
        if not (field.signal.values > 0).any() or not (field.dose_gy > 0).any():
            raise MissingObject(f"Field {field.name} shows no signal or no dose. Give an image of the open beam.")
    _check_geometry(fields)
    apertures = [eroded_aperture(field.signal) for field in fields]
    widths = _usable_widths(fields)
    gains = [np.ones_like(field.dose_gy) for field in fields]
    weights = _fit_spread(fields, widths, gains)
    # Kernel and radial response explain part of each other's data; a few turns share it out.
    for _ in range(TURNS):
        radial = _fit_radial(fields, apertures, gains, widths, weights)
        gains = [radial_gain(field.signal, radial) for field in fields]
        weights = _fit_spread(fields, widths, gains)
    records = tuple(
        _record(field, aperture, spread(field.signal.values * gain, field.signal.pixel_spacing_mm, widths, weights))
        for field, aperture, gain in zip(fields, apertures, gains, strict=True)
    )
    used = [(w, g) for w, g in zip(widths, weights, strict=True) if g != 0]
    return MachineProfile(
        machine=machine,
        energy=energy,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software_version=version("slicer-intrepid"),
        source_to_axis_mm=fields[0].signal.source_to_axis_mm,
        source_to_image_mm=fields[0].signal.source_to_image_mm,
        dose_depth_mm=DOSE_DEPTH_MM,
        spread=tuple(SpreadTerm(float(width), float(weight)) for width, weight in used),
        radial_factors=radial,
        fields=records,
        valid_for=_validity(fields),
        spectrum=_bins(spectrum),
        spectrum_source=spectrum_source,
        ct_curve=tuple(ct_curve),
        ct_curve_source=ct_curve_source,
        horns=_horns(fields, spectrum),
        softening_percent_per_cm=softening_percent_per_cm,
    )


def _horns(fields: Sequence[OpenField], spectrum: Spectrum | None) -> tuple[RadialFactor, ...]:
    largest = max(fields, key=lambda field: field.area_cm2)
    # Within a centimetre of its corners the source and the spread of dose shape a field more than horns do.
    inside = eroded_aperture(largest.signal, margin_mm=2 * EROSION_MM)
    return measured_horns(largest, inside, aperture_of(largest.signal), spectrum or generic_spectrum())


def aperture_of(signal: PortalImage) -> NDArray:
    """Open part of a field: where the signal exceeds half of its level inside the field."""
    level = np.percentile(signal.values[signal.values > 0.5 * signal.values.max()], 50)
    return signal.values > 0.5 * level


def eroded_aperture(signal: PortalImage, *, margin_mm: float = EROSION_MM) -> NDArray:
    """Open part of a field less a margin at the isocentre plane; a narrower field keeps its deepest pixels."""
    spacing = [s / signal.magnification for s in signal.pixel_spacing_mm]
    depth_mm = ndimage.distance_transform_edt(np.pad(aperture_of(signal), 1), sampling=spacing)[1:-1, 1:-1]
    return depth_mm > min(margin_mm, 0.7 * depth_mm.max())


def _check_geometry(fields: Sequence[OpenField]) -> None:
    first = fields[0].signal
    for field in fields[1:]:
        if abs(field.signal.source_to_image_mm - first.source_to_image_mm) > 1.0:
            raise UnsupportedGeometry(
                f"Field {field.name} was imaged at {field.signal.source_to_image_mm:g} mm, {fields[0].name} at "
                f"{first.source_to_image_mm:g} mm from the source. Make one profile per distance."
            )
        if not np.allclose(field.signal.pixel_spacing_mm, first.pixel_spacing_mm, rtol=1e-3):
            raise UnsupportedGeometry(f"Field {field.name} has another pixel size than {fields[0].name}.")


def _usable_widths(fields: Sequence[OpenField]) -> list[float]:
    # A field cannot tell how far signal spreads beyond half of its own size.
    largest_mm = max(np.sqrt(field.area_cm2) * 10 * field.signal.magnification for field in fields)
    return [width for width in SPREAD_WIDTHS_MM if width <= largest_mm / 2]


def _fit_spread(fields: Sequence[OpenField], widths: list[float], gains: list[NDArray]) -> NDArray:
    rows, targets = [], []
    for field, gain in zip(fields, gains, strict=True):
        signal = field.signal.values * gain
        # Each field counts alike, whatever its size and dose; the tails guide the wide terms.
        weight = np.where(field.dose_gy > 0.02 * field.dose_gy.max(), 1.0, 0.3)
        weight /= field.dose_gy.max() * np.sqrt(np.count_nonzero(field.dose_gy > 0.5 * field.dose_gy.max()))
        terms = [spread(signal, field.signal.pixel_spacing_mm, [width], [1.0]) for width in widths]
        rows.append(np.stack([(term * weight).ravel() for term in terms], axis=1))
        targets.append((field.dose_gy * weight).ravel())
    matrix, target = np.concatenate(rows), np.concatenate(targets)
    # The normal equations of at most nine terms are small whatever the number of pixels.
    lower = [-np.inf if width > WIDE_TERM_MM else 0.0 for width in widths]
    q, r = np.linalg.qr(matrix)
    return optimize.lsq_linear(r, q.T @ target, bounds=(lower, np.inf), method="bvls").x


def _fit_radial(
    fields: Sequence[OpenField],
    apertures: list[NDArray],
    gains: list[NDArray],
    widths: list[float],
    weights: NDArray,
) -> tuple[RadialFactor, ...]:
    """Split what the kernel leaves unexplained into a level per field and a factor per ring around the axis.

    Only the shape within fields is radial; their levels are the kernel's business. Rings that no common field joins
    cannot be compared so, and keep the level the kernel gives them.
    """
    equations, ratios = [], []
    n_rings = int(max(off_axis_radius_mm(f.signal)[a].max() for f, a in zip(fields, apertures, strict=True)))
    n_rings = n_rings // int(RADIAL_STEP_MM) + 1
    for number, (field, aperture, gain) in enumerate(zip(fields, apertures, gains, strict=True)):
        spacing = field.signal.pixel_spacing_mm
        model = spread(field.signal.values * gain, spacing, widths, weights)[aperture]
        ratio = np.log(np.maximum(field.dose_gy[aperture], 1e-12) * gain[aperture] / np.maximum(model, 1e-12))
        ring = (off_axis_radius_mm(field.signal)[aperture] // RADIAL_STEP_MM).astype(int)
        for one in np.flatnonzero(np.bincount(ring, minlength=n_rings) >= LEAST_PIXELS):
            row = np.zeros(len(fields) + n_rings)
            row[number] = row[len(fields) + one] = np.sqrt(np.count_nonzero(ring == one))
            equations.append(row)
            ratios.append(np.median(ratio[ring == one]) * row[number])
    if not equations:
        return ()
    # Faint equations "the level is 1" settle what the data leave open.
    level = 1e-3 * np.eye(len(fields), len(fields) + n_rings)
    solved = np.linalg.lstsq(np.vstack([*equations, level]), np.append(ratios, np.zeros(len(fields))), rcond=None)[0]
    seen = np.flatnonzero(np.any(equations, axis=0)[len(fields) :])
    factors = np.exp(solved[len(fields) :][seen] - solved[len(fields) :][seen[0]])
    radii = (seen + 0.5) * RADIAL_STEP_MM
    return tuple(RadialFactor(float(r), float(f)) for r, f in zip(radii, factors, strict=True))


def _record(field: OpenField, aperture: NDArray, model_gy: NDArray) -> FieldRecord:
    dose = float(field.dose_gy[aperture].mean())
    return FieldRecord(
        name=field.name,
        area_cm2=field.area_cm2,
        meterset_mu=field.meterset_mu,
        mean_signal=float(field.signal.values[aperture].mean()),
        mean_dose_gy=dose,
        residual_percent=float(100 * (model_gy[aperture].mean() / dose - 1)),
        image_sha256=field.image_sha256,
    )


def _validity(fields: Sequence[OpenField]) -> Validity:
    distances = [f.signal.source_to_image_mm for f in fields]
    reach = [float(off_axis_radius_mm(f.signal)[aperture_of(f.signal)].max()) for f in fields]
    return Validity(
        source_to_image_mm=(min(distances), max(distances)),
        meterset_mu=(min(f.meterset_mu for f in fields), max(f.meterset_mu for f in fields)),
        area_cm2=(min(f.area_cm2 for f in fields), max(f.area_cm2 for f in fields)),
        off_axis_mm=max(reach),
    )


def _bins(spectrum: Spectrum | None) -> tuple[SpectrumBin, ...]:
    if spectrum is None:
        return ()
    columns = zip(spectrum.low_mev, spectrum.high_mev, spectrum.weight, strict=True)
    return tuple(SpectrumBin(float(low), float(high), float(weight)) for low, high, weight in columns)
