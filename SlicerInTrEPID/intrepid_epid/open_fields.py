"""A commissioning folder as a clinic exports it: images, portal doses and ``fields.csv``."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from intrepid_epid.commissioning import OpenField
from intrepid_epid.image_grid import binned, on_grid_of
from intrepid_epid.portal_dose_file import read_portal_dose
from intrepid_epid.portal_reader import PortalFrame, read_portal_image
from intrepid_rt.errors import MissingObject, UnreadableFile, UnusableInput
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.small_files import read_small_text

FIELD_TABLE = "fields.csv"
_COLUMNS = ("name", "mu", "x1_mm", "x2_mm", "y1_mm", "y2_mm")


@dataclass(frozen=True)
class StatedField:
    """A row of ``fields.csv``; jaws (x1, x2, y1, y2) at the isocentre plane."""

    name: str
    meterset_mu: float
    area_cm2: float
    jaws_mm: tuple[float, float, float, float]


def read_open_fields(folder: str | Path) -> list[tuple[OpenField, PortalFrame]]:
    """Read the fields of a folder.

    ``fields.csv`` has the columns ``name, mu, x1_mm, x2_mm, y1_mm, y2_mm`` (jaws at the isocentre plane) and
    optionally ``area_cm2`` (open area; else the jaws' rectangle). Beside it stand per field ``<name>_open.dcm`` (or
    ``<name>.dcm``) and the portal dose ``<name>_open.nrrd`` (or ``<name>.nrrd``) in Gy.

    Raises
    ------
    MissingObject
        A file is missing.
    UnreadableFile
        The table is none, or a portal dose does not cover the field.
    UnusableInput
        An image without absolute signal.
    """
    folder = Path(folder)
    return [_read_field(folder, stated) for stated in _stated_fields(folder)]


def read_open_images(folder: str | Path) -> list[tuple[StatedField, PortalImage, PortalFrame]]:
    """Read the images of such a folder on the working grid, without the portal doses: for checks of constancy.

    Raises
    ------
    MissingObject, UnreadableFile, UnusableInput
        As `read_open_fields`.
    """
    folder = Path(folder)
    return [(stated, *_read_image(_beside(folder, stated.name, ".dcm"))) for stated in _stated_fields(folder)]


def _stated_fields(folder: Path) -> list[StatedField]:
    table = folder / FIELD_TABLE
    if not table.is_file():
        raise MissingObject(f"{folder} holds no {FIELD_TABLE}; expected one with the columns {', '.join(_COLUMNS)}.")
    rows = list(csv.DictReader(read_small_text(table).splitlines()))
    if not rows:
        raise MissingObject(f"{table} lists no field.")
    return [_stated(table, row) for row in rows]


def _stated(table: Path, row: dict[str, str]) -> StatedField:
    try:
        meterset, x1, x2, y1, y2 = (float(row[column]) for column in _COLUMNS[1:])
        area = float(row.get("area_cm2") or (x2 - x1) * (y2 - y1) / 100.0)
        name = row["name"]
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(f"{table}: problem with {error}; expected columns {', '.join(_COLUMNS)}.") from error
    if not meterset > 0:
        raise UnreadableFile(f"{table}: field {name} has {meterset:g} MU; it must be above 0.")
    return StatedField(name, meterset, area, (x1, x2, y1, y2))


def _read_image(path: Path) -> tuple[PortalImage, PortalFrame]:
    frame = read_portal_image(path)
    if frame.is_relative:
        raise UnusableInput(f"{path.name} holds relative signal only, which cannot be calibrated to dose.")
    return binned(frame.repaired), frame


def _read_field(folder: Path, stated: StatedField) -> tuple[OpenField, PortalFrame]:
    image_path, dose_path = (_beside(folder, stated.name, suffix) for suffix in (".dcm", ".nrrd"))
    signal, frame = _read_image(image_path)
    dose = read_portal_dose(
        dose_path, source_to_image_mm=signal.source_to_image_mm, source_to_axis_mm=signal.source_to_axis_mm
    )
    # The tails of a field are small, so a dose that ends inside the panel counts as zero beyond its edge.
    dose_gy = np.nan_to_num(on_grid_of(dose, signal).values)
    if dose_gy.max() <= 0:
        raise UnreadableFile(f"{dose_path.name}: no dose over the image; it must be above 0.")
    digest = hashlib.sha256(image_path.read_bytes()).hexdigest()
    made = OpenField(stated.name, signal, dose_gy, stated.meterset_mu, stated.area_cm2, digest, stated.jaws_mm)
    return made, frame


def _beside(folder: Path, name: str, suffix: str) -> Path:
    for path in (folder / f"{name}_open{suffix}", folder / f"{name}{suffix}"):
        if path.is_file():
            return path
    raise MissingObject(f"{folder} holds neither {name}_open{suffix} nor {name}{suffix}, which {FIELD_TABLE} lists.")
