"""Portal doses as clinics have them: RTIMAGE in Gy, NRRD, scanned film as TIFF, or a table of numbers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intrepid_epid.portal_dose_file import read_portal_dose
from intrepid_epid.portal_reader import read_portal_image
from intrepid_rt.errors import MissingObject, UnreadableFile, UnusableInput
from intrepid_rt.image_files import is_dicom, read_sitk
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.small_files import read_rows, read_small_text

SUFFIXES = (".dcm", ".nrrd", ".nhdr", ".mha", ".tif", ".tiff", ".csv", ".txt", ".dat")
_LARGEST_GY = 1e4
_TABLES = (".csv", ".txt", ".dat")
_FILM = (".tif", ".tiff")


@dataclass(frozen=True)
class PlaneDescription:
    """What a file of a dose plane does not say itself.

    Parameters
    ----------
    source_to_axis_mm, source_to_plane_mm : distances of the plane.
    pixel_mm : of films and tables; None if the file states it (a TIFF with a resolution).
    gy_per_unit : what 1 in the file means; 0.01 for cGy. Of no meaning for RTIMAGE.
    film_curve : CSV with the columns ``value, dose_gy``: the film's calibration.
    """

    source_to_axis_mm: float
    source_to_plane_mm: float
    pixel_mm: float | None = None
    gy_per_unit: float = 1.0
    film_curve: Path | None = None


def read_dose_plane(path: str | Path, about: PlaneDescription) -> PortalImage:
    """Read a portal dose in Gy, rows along -Y and columns along +X of the image receptor.

    A film or table is centred on the beam axis, because it does not say where it lay; registration moves it.

    Raises
    ------
    UnreadableFile
        Not of a known format, cut short, or with values that are no dose.
    MissingObject
        The size of its pixels or the calibration of a film is not known.
    UnusableInput
        An RTIMAGE that holds signal, not dose.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if not path.is_file():
        raise MissingObject(f"{path} is no file; expected a portal dose there.")
    if is_dicom(path):
        return _dicom(path)
    if suffix in _TABLES:
        return _centred(path, _table(path) * about.gy_per_unit, about.pixel_mm, about)
    if suffix in _FILM:
        return _film(path, about)
    if suffix not in SUFFIXES:
        raise UnreadableFile(f"{path} is no portal dose of a known format: {', '.join(SUFFIXES)}.")
    plane = read_portal_dose(
        path, source_to_image_mm=about.source_to_plane_mm, source_to_axis_mm=about.source_to_axis_mm
    )
    return _checked(path, plane.with_values(plane.values * about.gy_per_unit))


def _dicom(path: Path) -> PortalImage:
    image = read_portal_image(path).image
    if image.unit != "Gy":
        raise UnusableInput(f"{path.name} holds the signal of an image, not a dose: its RescaleType is not GY.")
    return _checked(path, image)


def _film(path: Path, about: PlaneDescription) -> PortalImage:
    import SimpleITK as sitk  # noqa: N813 - the name everyone gives it

    if about.film_curve is None:
        raise MissingObject(f"{path.name} is a film: give its calibration (film_curve), a CSV with value, dose_gy.")
    scanned = read_sitk(path)
    values = sitk.GetArrayFromImage(scanned).astype(float)
    if scanned.GetNumberOfComponentsPerPixel() > 1:
        values = values[..., 0]  # red, the channel in which radiochromic film responds most
    spacing = scanned.GetSpacing()
    stated = float(spacing[0]) if abs(spacing[0] - 1.0) > 1e-9 else None
    value, dose_gy = _film_curve(about.film_curve)
    return _centred(path, np.interp(np.squeeze(values), value, dose_gy), about.pixel_mm or stated, about)


def _film_curve(path: Path) -> tuple[NDArray, NDArray]:
    rows = read_rows(path)
    try:
        table = np.array([(float(row["value"]), float(row["dose_gy"])) for row in rows])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(f"{path} is no film calibration: expected numbers in columns value, dose_gy.") from error
    if len(table) < 2 or len(np.unique(table[:, 0])) < len(table):
        raise UnreadableFile(f"{path}: a film calibration needs at least two points, no value twice.")
    ordered = table[np.argsort(table[:, 0])]
    return ordered[:, 0], ordered[:, 1]


def _table(path: Path) -> NDArray:
    """Rows of numbers, separated by comma, semicolon, tab or blanks; lines that begin with # are comments."""
    lines = read_small_text(path).splitlines()
    try:
        rows = [
            [float(cell) for cell in line.replace(";", " ").replace(",", " ").split()]
            for line in lines
            if line.strip() and not line.lstrip().startswith("#")
        ]
    except ValueError as error:
        raise UnreadableFile(f"{path} is no table of doses: rows of numbers are expected ({error}).") from error
    if len({len(row) for row in rows}) != 1 or len(rows) < 2 or len(rows[0]) < 2:
        raise UnreadableFile(f"{path} is no table of doses: its rows differ in length, or there are less than two.")
    return np.array(rows)


def _centred(path: Path, dose_gy: NDArray, pixel_mm: float | None, about: PlaneDescription) -> PortalImage:
    if not pixel_mm or pixel_mm <= 0:
        raise MissingObject(f"{path.name} does not state the size of its pixels: give pixel_mm.")
    if dose_gy.ndim != 2:
        raise UnreadableFile(f"{path}: expected one plane, found shape {dose_gy.shape}.")
    rows, columns = dose_gy.shape
    plane = PortalImage(
        values=dose_gy,
        first_pixel_mm=(-(columns - 1) / 2 * pixel_mm, (rows - 1) / 2 * pixel_mm),
        pixel_spacing_mm=(pixel_mm, pixel_mm),
        source_to_image_mm=about.source_to_plane_mm,
        source_to_axis_mm=about.source_to_axis_mm,
        unit="Gy",
    )
    return _checked(path, plane)


def _checked(path: Path, plane: PortalImage) -> PortalImage:
    values = plane.values
    if not np.isfinite(values).all() or values.max() <= 0:
        raise UnreadableFile(f"{path}: a portal dose must be finite and somewhere above 0 Gy.")
    if values.max() > _LARGEST_GY:
        raise UnreadableFile(f"{path}: doses up to {values.max():.3g} Gy: damaged, or in another unit.")
    if values.min() < -0.02 * values.max():
        raise UnreadableFile(f"{path}: doses down to {values.min():.3g} Gy; a dose is not negative. Check its unit.")
    return plane.with_values(np.clip(values, 0, None), unit="Gy")
