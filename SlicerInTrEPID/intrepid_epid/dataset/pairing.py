"""From one image and its portal dose to the planes of a pair: calibrated, registered, resampled, checked."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.dataset.dose_planes import PlaneDescription, read_dose_plane
from intrepid_epid.dataset.manifest import DatasetGrid, ImagerPanel, Pair, SourceFile
from intrepid_epid.dataset.pair_file import PairArrays, write_pair
from intrepid_epid.dataset.registration import shift_px
from intrepid_epid.dataset.sources import PairSource
from intrepid_epid.dataset.treatment import KnownTreatment, known_treatment
from intrepid_epid.image_corrections import corrected, refuse_other_energy
from intrepid_epid.image_grid import binned
from intrepid_epid.machine_profile import MachineProfile
from intrepid_epid.portal_dose import open_portal_dose, radial_gain
from intrepid_epid.portal_reader import PortalFrame, read_portal_image
from intrepid_rt.errors import MissingObject, UnsupportedGeometry, UnusableInput
from intrepid_rt.portal_image import PortalImage

DISTANCE_TOLERANCE_MM = 1.0
LEAST_SHIFT_MM = 0.2  # at the isocentre plane; hardening alone moves the estimate by a tenth
_FIELD_SHARE = 0.05


@dataclass(frozen=True)
class PairingRules:
    """``grid`` of the dataset, and the largest shift (mm at the isocentre plane) that is corrected, not refused."""

    grid: DatasetGrid
    largest_shift_mm: float = 5.0


def make_pair(
    source: PairSource, profile: MachineProfile, rules: PairingRules, folder: Path
) -> tuple[Pair, ImagerPanel]:
    """Read, check, register and resample one pair, and write its arrays into ``folder``; split and group stay empty.

    Parameters
    ----------
    source : PairSource
        Files, and what is stated of them.
    folder : Path
        Of the dataset; the arrays go to ``pairs/<id>.npz``, float32 (size_px, size_px) each.

    Returns
    -------
    The pair for the manifest, and the panel that took the image.

    Raises
    ------
    UnusableInput
        A saturated field, another machine or distance, a shift too large, a dose that does not cover the field, no
        monitor units; the message names the pair's file.
    """
    frame = read_portal_image(source.image)
    _refuse(source, frame, profile)
    grid = grid_geometry(rules.grid, frame.repaired)
    known = known_treatment(source.image, grid, profile)
    meterset_mu = _meterset(source, frame, known)
    frame = corrected(frame, profile, meterset_mu=meterset_mu)
    signal = binned(frame.repaired)
    physics = _at(open_portal_dose(signal, profile), grid)
    if np.isnan(physics).any():
        raise UnsupportedGeometry(
            f"{source.image.name} covers {100 * np.isfinite(physics).mean():.0f} % of the grid of "
            f"{rules.grid.size_px} x {rules.grid.pixel_mm:g} mm; take a smaller one (--size-px, --pixel-mm)."
        )
    dose, checks = _registered_dose(source, signal, grid, physics, rules)
    calibrated = signal.with_values(signal.values * radial_gain(signal, profile.radial_factors))
    arrays = PairArrays(_at(calibrated, grid), physics, dose, known.thickness_g_cm2, known.field_map)
    file = f"pairs/{source.id}.npz"
    digest = write_pair(arrays, folder / file)
    area, side = _field_size(physics, rules.grid, source, known)
    pair = Pair(
        id=source.id,
        phantom=source.phantom,
        family=source.family,
        field=source.field,
        plan=source.plan or known.plan_label,
        split=source.split,
        fold_group="",
        file=file,
        sha256=digest,
        sources=source_files(source),
        meterset_mu=meterset_mu,
        gantry_angle_deg=frame.image.gantry_angle_deg,
        source_to_image_mm=signal.source_to_image_mm,
        area_cm2=round(area, 2),
        equivalent_square_cm=round(side, 2),
        checks=(*_image_checks(frame), *checks, *known.notes),
    )
    rows, columns = frame.image.values.shape
    row_mm, column_mm = frame.image.pixel_spacing_mm
    return pair, ImagerPanel(frame.vendor, round(columns * column_mm, 3), round(rows * row_mm, 3))


def source_files(source: PairSource) -> tuple[SourceFile, ...]:
    """Both files of a pair with their hashes, relative to the folder they were found in."""
    return tuple(
        SourceFile(path.relative_to(source.root).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in (source.image, source.portal_dose)
    )


def grid_geometry(grid: DatasetGrid, like: PortalImage) -> PortalImage:
    """Return the dataset's grid projected from the isocentre onto the plane of an image."""
    pixel_mm = grid.pixel_mm * like.magnification
    corner_mm = (grid.size_px - 1) / 2 * pixel_mm
    return replace(
        like,
        values=np.zeros((grid.size_px, grid.size_px), np.float32),
        first_pixel_mm=(-corner_mm, corner_mm),
        pixel_spacing_mm=(pixel_mm, pixel_mm),
    )


def _refuse(source: PairSource, frame: PortalFrame, profile: MachineProfile) -> None:
    name, image = source.image.name, frame.image
    if frame.is_relative or image.unit != "signal":
        raise UnusableInput(f"{name} holds no signal that a profile can turn into dose, only {image.unit} values.")
    if frame.machine and frame.machine != profile.machine:
        raise UnusableInput(
            f"{name} is from machine {frame.machine}, the profile from {profile.machine}. Give its own."
        )
    refuse_other_energy(frame, profile, name)
    if abs(image.source_to_image_mm - profile.source_to_image_mm) > DISTANCE_TOLERANCE_MM:
        raise UnsupportedGeometry(
            f"{name} was taken {image.source_to_image_mm:g} mm from the source, the profile holds for "
            f"{profile.source_to_image_mm:g} mm. Commission that distance."
        )
    if frame.saturated.any():
        raise UnusableInput(
            f"{name} is saturated in {int(frame.saturated.sum())} pixels, so its signal is too low there. Take the "
            "image again at a lower dose rate or another gain."
        )


def _registered_dose(
    source: PairSource, signal: PortalImage, grid: PortalImage, physics: NDArray, rules: PairingRules
) -> tuple[NDArray, list[str]]:
    about = PlaneDescription(
        source_to_axis_mm=signal.source_to_axis_mm,
        source_to_plane_mm=source.plane_mm or signal.source_to_image_mm,
        pixel_mm=source.pixel_mm,
        gy_per_unit=source.gy_per_unit,
        film_curve=source.film_curve,
    )
    plane = read_dose_plane(source.portal_dose, about)
    if abs(plane.source_to_image_mm - signal.source_to_image_mm) > 10 * DISTANCE_TOLERANCE_MM:
        raise UnsupportedGeometry(
            f"{source.portal_dose.name} lies {plane.source_to_image_mm:g} mm from the source, the image "
            f"{signal.source_to_image_mm:g} mm. Measure or calculate the dose in the plane of the image."
        )
    rows, columns = shift_px(np.nan_to_num(_at(plane, grid)), physics)
    pixel_mm = rules.grid.pixel_mm
    right_mm, up_mm = columns * pixel_mm, -rows * pixel_mm
    size_mm = float(np.hypot(right_mm, up_mm))
    if size_mm > rules.largest_shift_mm:
        raise UnusableInput(
            f"{source.portal_dose.name} lies {size_mm:.1f} mm off {source.image.name} (X {right_mm:+.1f}, "
            f"Y {up_mm:+.1f} mm at the isocentre plane), more than {rules.largest_shift_mm:g} mm. Check that both show "
            "one beam."
        )
    checks = [f"shift X {right_mm:+.2f}, Y {up_mm:+.2f} mm: not applied"]
    if size_mm > LEAST_SHIFT_MM:
        scale, (x, y) = plane.magnification, plane.first_pixel_mm
        plane = replace(plane, first_pixel_mm=(x + right_mm * scale, y + up_mm * scale))
        checks = [f"shift X {right_mm:+.2f}, Y {up_mm:+.2f} mm: applied to the portal dose"]
    return _covering(source, _at(plane, grid), physics, checks)


def _covering(source: PairSource, dose: NDArray, physics: NDArray, checks: list[str]) -> tuple[NDArray, list[str]]:
    """Fill what the dose plane does not reach with the physics' tails; refuse if it does not reach the field."""
    beyond = np.isnan(dose)
    if (physics[beyond] > _FIELD_SHARE * physics.max()).any():
        raise UnusableInput(
            f"{source.portal_dose.name} does not cover the field of {source.image.name}. Give a larger dose plane."
        )
    if beyond.any():
        checks = [*checks, f"{100 * beyond.mean():.1f} % of the grid lies beyond the dose plane: physics stands there"]
    return np.where(beyond, physics, dose), checks


def _at(image: PortalImage, grid: PortalImage) -> NDArray:
    """Interpolate on the grid, NaN where the image does not reach; float32."""
    scale = image.source_to_image_mm / grid.source_to_image_mm
    return image.sample(*np.meshgrid(grid.x_mm * scale, grid.y_mm * scale)).astype(np.float32)


def _meterset(source: PairSource, frame: PortalFrame, known: KnownTreatment) -> float:
    planned = known.beam.meterset_mu if known.beam else None
    meterset = source.meterset_mu or frame.meterset_mu or planned
    if not meterset:
        raise MissingObject(f"{source.image.name}: the monitor units are not stated by image, plan or pairs.csv (mu).")
    return float(meterset)


def _field_size(physics: NDArray, grid: DatasetGrid, source: PairSource, known: KnownTreatment) -> tuple[float, float]:
    """Area, and side of the square equivalent to a rectangle of that area and the field's proportions, cm2 and cm."""
    level = float(np.median(physics[physics > 0.5 * physics.max()]))
    inside = physics > 0.5 * level
    area = source.area_cm2 or known.area_cm2 or np.count_nonzero(inside) * grid.pixel_mm**2 / 100
    height, width = (np.ptp(np.flatnonzero(inside.any(axis=axis))) + 1 for axis in (1, 0))
    proportion = float(height / width)
    side_x, side_y = np.sqrt(area / proportion), np.sqrt(area * proportion)
    return float(area), float(2 * side_x * side_y / (side_x + side_y))


def _image_checks(frame: PortalFrame) -> list[str]:
    dead = int(frame.dead.sum())
    return ["no saturated pixel", f"{dead} defective pixels repaired" if dead else "no defective pixel"]
