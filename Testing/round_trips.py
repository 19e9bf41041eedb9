"""What other programs read from our RTDOSE, RTIMAGE and RTSTRUCT, what we read from theirs, and the table of it.

    .venv/bin/python Testing/round_trips.py docs/round_trips.md      writes the table anew

A dose is a quantity that is linear in the patient, so that every voxel proves its own place: a program reads a case
when its numbers lie on that line at the places it gives them.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813 - the name its documentation uses
from numpy.typing import NDArray

import builders
import round_trips_contours as contours
from builders import ORIENTATIONS, BeamSpec, Ids, Lattice
from intrepid_epid.portal_reader import read_portal_image
from intrepid_rt.dicom_dose import DoseReferences, read_dose, write_dose
from intrepid_rt.dicom_portal_dose import write_portal_dose_image
from intrepid_rt.grids import DoseGrid, affine_from_axes
from intrepid_rt.portal_image import PortalImage

Read = tuple[NDArray, NDArray]  # Gy (n,), LPS mm (n, 3)
Reader = Callable[[Path], Read]
TOLERANCE_GY = 60 * 1e-6
PLACE_MM = 1e-6
ORIGIN_MM, SPACING_MM, SHAPE = (-31.0, 12.5, -40.25), (3.0, 2.0, 2.5), (5, 6, 7)


def _affine(dataset: pydicom.Dataset) -> NDArray:
    along_row, along_column = np.array(dataset.ImageOrientationPatient, float).reshape(2, 3)
    offsets = np.array(dataset.GridFrameOffsetVector, float)
    rows, columns = map(float, dataset.PixelSpacing)
    step = (offsets[1] - offsets[0]) * np.cross(along_row, along_column)
    return affine_from_axes(dataset.ImagePositionPatient, (columns, rows, np.linalg.norm(step)),
                            [along_row, along_column, step / np.linalg.norm(step)])  # fmt: skip


def _places(affine: NDArray, shape: tuple[int, ...]) -> NDArray:
    k, j, i = np.indices(shape).reshape(3, -1)
    return (affine @ np.stack([i, j, k, np.ones(i.size)]))[:3].T


def by_pydicom(path: Path) -> Read:
    """Pixels and header as pydicom gives them; geometry by PS3.3 C.7.6.2.1.1."""
    dataset = pydicom.dcmread(path)
    values = np.asarray(dataset.pixel_array, float) * float(dataset.DoseGridScaling)
    return values.ravel(), _places(_affine(dataset), values.shape)


def by_dcmtk(path: Path) -> Read:
    """Rewritten by dcmconv in another transfer syntax, header as dcm2json says it."""
    with tempfile.TemporaryDirectory() as folder:
        twin = Path(folder) / "implicit.dcm"
        subprocess.run(["dcmconv", "+ti", path, twin], check=True)
        dataset = _by_dcm2json(twin)
    shape = (int(dataset.NumberOfFrames), dataset.Rows, dataset.Columns)
    return _stored(dataset, int(np.prod(shape))) * float(dataset.DoseGridScaling), _places(_affine(dataset), shape)


def _by_dcm2json(path: Path) -> pydicom.Dataset:
    said = subprocess.run(["dcm2json", path], check=True, capture_output=True, text=True).stdout
    return pydicom.Dataset.from_json(json.loads(said))


def _stored(dataset: pydicom.Dataset, count: int) -> NDArray:
    return np.frombuffer(dataset.PixelData, f"<u{dataset.BitsAllocated // 8}")[:count].astype(float)


IMAGES: dict[str, Callable[[Path], tuple[NDArray, NDArray, NDArray]]] = {
    "pydicom": lambda path: _image(pydicom.dcmread(path)),
    "DCMTK": lambda path: _image(_by_dcm2json(path)),
    "ITK": lambda path: _picture(path),
    "plastimatch": lambda path: _plastimatch_picture(path),
    "MRML core": lambda path: _mrml_image(path),
    "InTrEPID": lambda path: _our_image(path),
}


def _image(dataset: pydicom.Dataset) -> tuple[NDArray, NDArray, NDArray]:
    """Gy (rows, columns), x of the columns and y of the rows in the imager plane, mm."""
    shape = (dataset.Rows, dataset.Columns)
    rows_mm, columns_mm = map(float, dataset.ImagePlanePixelSpacing)
    x, y = map(float, dataset.RTImagePosition)
    values = _stored(dataset, int(np.prod(shape))).reshape(shape) * float(dataset.RescaleSlope)
    return values, x + columns_mm * np.arange(shape[1]), y - rows_mm * np.arange(shape[0])


def _picture(path: Path) -> tuple[NDArray, NDArray, NDArray]:
    """As a picture with its own origin, y upwards as on the imager."""
    image = sitk.ReadImage(str(path))
    values = np.squeeze(sitk.GetArrayFromImage(image))
    (x, y), (columns_mm, rows_mm) = image.GetOrigin()[:2], image.GetSpacing()[:2]
    return values, x + columns_mm * np.arange(values.shape[1]), -y - rows_mm * np.arange(values.shape[0])


def _plastimatch_picture(path: Path) -> tuple[NDArray, NDArray, NDArray]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "image.mha"
        command = ["plastimatch", "convert", "--input", path, "--output-img", out]
        subprocess.run(command, check=True, capture_output=True)
        return _picture(out)


def _mrml_image(path: Path) -> tuple[NDArray, NDArray, NDArray]:
    """By our DICOM plugin's way; at gantry 90 the imager lies 500 mm to the right, X_g along patient y, Y_g along z."""
    from SlicerInTrEPIDLib.headless import headless_scene
    from SlicerInTrEPIDLib.rtimage import add_image
    from SlicerInTrEPIDLib.volumes import read_volume

    with headless_scene() as scene:
        values, affine = read_volume(add_image(scene, path, "image"))
        places = _places(affine, values.shape).reshape(*values.shape[1:], 3)
        if not np.allclose(places[..., 0], -500.0, atol=1e-4):
            raise RuntimeError("The imager is not in its plane.")
        return np.array(values[0], float), places[0, :, 1], places[:, 0, 2]


def _our_image(path: Path) -> tuple[NDArray, NDArray, NDArray]:
    image = read_portal_image(path).image
    return image.values, image.x_mm, image.y_mm


def image_verdict(reader: Callable[[Path], tuple[NDArray, NDArray, NDArray]], path: Path, image: PortalImage) -> str:
    """Compare with the image that was written; "picture" is the same pixels and spacing without the imager's place."""
    values, x_mm, y_mm = reader(path)
    step_gy = image.values.max() / (2**16 - 1)
    if not np.allclose(np.squeeze(values), image.values, rtol=0, atol=step_gy):
        return "elsewhere"
    off_x, off_y = x_mm - image.x_mm, y_mm - image.y_mm
    if np.ptp(off_x) > PLACE_MM or np.ptp(off_y) > PLACE_MM:
        return "elsewhere"
    return "same" if max(abs(off_x[0]), abs(off_y[0])) < PLACE_MM else "picture"


def write_image_case(path: Path, pixel_mm: tuple[float, float]) -> PortalImage:
    """Write a portal dose without symmetry, off-centre, by our writer."""
    values = 0.2 + 0.01 * np.arange(24)[:, None] + 0.003 * np.arange(30)[None, :]
    image = PortalImage(values, (-21.3, 17.9), pixel_mm, 1500.0, 1000.0, 90.0, "Gy")
    plan = builders.rtplan([BeamSpec()], Ids())
    write_portal_dose_image(path, image, plan_uid=plan.SOPInstanceUID, beam_number=1, template=plan, machine="L1")
    return image


def _by_image(image: sitk.Image, scaling: float) -> Read:
    values = sitk.GetArrayFromImage(image) * scaling
    axes = np.array(image.GetDirection()).reshape(3, 3).T
    affine = affine_from_axes(image.GetOrigin(), image.GetSpacing(), axes)
    return values.ravel(), _places(affine, values.shape)


def by_itk(path: Path) -> Read:
    """ITK with GDCM."""
    return _by_image(sitk.ReadImage(str(path)), float(pydicom.dcmread(path).DoseGridScaling))


def by_plastimatch(path: Path) -> Read:
    """Plastimatch, converting to MetaImage."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "dose.mha"
        command = ["plastimatch", "convert", "--input", path, "--output-dose-img", out]
        subprocess.run(command, check=True, capture_output=True)
        return _by_image(sitk.ReadImage(str(out)), 1.0)


def by_mrml(path: Path) -> Read:
    """MRML core: the dose as a volume node, its numbers and its place as the node states them."""
    from SlicerInTrEPIDLib.headless import headless_scene
    from SlicerInTrEPIDLib.volumes import add_grid, read_volume

    with headless_scene() as scene:
        values, affine = read_volume(add_grid(scene, read_dose(path), "dose"))
        return np.array(values, float).ravel(), _places(affine, values.shape)


def by_us(path: Path) -> Read:
    """Our own reader."""
    grid = read_dose(path)
    return np.asarray(grid.values, float).ravel(), _places(grid.index_to_lps, grid.shape)


READERS: dict[str, Reader] = {
    "pydicom": by_pydicom, "DCMTK": by_dcmtk, "ITK": by_itk, "plastimatch": by_plastimatch, "MRML core": by_mrml,
    "InTrEPID": by_us,
}  # fmt: skip
PROGRAMS = {"DCMTK": "dcm2json", "plastimatch": "plastimatch"}
# Plastimatch reads no dose whose rows and columns are not along patient x and y; the cells are kept, so that a program
# that learns it shows up here.
KNOWN_IMAGES = {"ITK": "picture", "plastimatch": "picture"}  # read no RTImagePosition
KNOWN = {("plastimatch", case): "elsewhere" for case in ("decubitus", "sagittal", "coronal", "oblique")}
PIXELS_MM = {"square": (1.0, 1.0), "not square": (0.8, 0.5)}


def write_ours(path: Path, case: str) -> None:
    """Write one case by our writer: a linear dose, anisotropic, off-centre."""
    along_row, along_column = np.array(ORIENTATIONS[case], float).reshape(2, 3)
    axes = [along_row, along_column, np.cross(along_row, along_column)]
    affine = affine_from_axes(ORIGIN_MM, SPACING_MM, axes)
    dose = builders.linear_field(_places(affine, SHAPE)).reshape(SHAPE)
    plan = builders.rtplan([BeamSpec()], Ids())
    grid = DoseGrid(dose, affine, plan.FrameOfReferenceUID)
    write_dose(path, grid, references=DoseReferences(plan.SOPInstanceUID), template=plan)


FOREIGN = {
    "16 bit": {"bits": 16},
    "32 bit": {},
    "offsets relative": {},
    "offsets as patient z": {"absolute_z": True},
    "frames descending": {"offsets_mm": tuple(-2.5 * k for k in range(5))},
    "pixels not square": {"row_spacing_mm": 1.5, "column_spacing_mm": 4.0},
    **{f"written {name}": {"orientation": vectors} for name, vectors in ORIENTATIONS.items() if name != "axial"},
}


def write_theirs(path: Path, case: str) -> None:
    """Write one case as other systems do, by pydicom alone, and pass it through DCMTK where that is there."""
    options = dict(FOREIGN[case])
    lattice = replace(Lattice(SHAPE), **{k: options.pop(k) for k in list(options) if k in Lattice.__dataclass_fields__})
    made = builders.rtdose(builders.linear_field(lattice.pixel_positions()), lattice, Ids(), **options)
    plain = builders.save(made, path.with_suffix(".plain.dcm"))
    if shutil.which("dcmconv"):
        subprocess.run(["dcmconv", "+te", plain, path], check=True)
    else:
        shutil.copy(plain, path)


def verdict(reader: Reader, path: Path, tolerance_gy: float = TOLERANCE_GY) -> str:
    """Say "same", or what is other: "refused", or how far the numbers are from those of their places."""
    try:
        values, places = reader(path)
    except (subprocess.CalledProcessError, RuntimeError) as error:
        return f"refused ({type(error).__name__})"
    away = float(np.abs(values - builders.linear_field(places)).max())
    return "same" if away < tolerance_gy else "elsewhere"


def table() -> list[str]:
    """Every cell of both directions, as lines of Markdown."""
    lines = [
        "## Written by us, read by others",
        "",
        f"| RTDOSE, 32 bit | {' | '.join(READERS)} |",
        "| --- |" + " --- |" * len(READERS),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for case in ORIENTATIONS:
            path = Path(folder) / "dose.dcm"
            write_ours(path, case)
            lines.append(f"| {case} | {' | '.join(verdict(reader, path) for reader in READERS.values())} |")
        lines += ["", f"| RTIMAGE, portal dose | {' | '.join(IMAGES)} |", "| --- |" + " --- |" * len(IMAGES)]
        for name, pixel_mm in PIXELS_MM.items():
            image = write_image_case(Path(folder) / "image.dcm", pixel_mm)
            cells = [image_verdict(reader, Path(folder) / "image.dcm", image) for reader in IMAGES.values()]
            lines.append(f"| pixels {name} | {' | '.join(cells)} |")
        lines += ["", *contours.table(Path(folder))]
        lines += [
            "",
            "## Written by others, read by us",
            "",
            "| RTDOSE | InTrEPID | MRML core by us |",
            "| --- | --- | --- |",
        ]
        for case in FOREIGN:
            write_theirs(path, case)
            tolerance_gy = 1e-3 if case == "16 bit" else TOLERANCE_GY
            lines.append(f"| {case} | {verdict(by_us, path, tolerance_gy)} | {verdict(by_mrml, path, tolerance_gy)} |")
        lines += ["", *contours.foreign_table(Path(folder))]
    return lines


if __name__ == "__main__":
    page = Path(sys.argv[1])
    head = page.read_text(encoding="utf-8").split("## Written by us")[0]
    page.write_text(head + "\n".join(table()) + "\n", encoding="utf-8")
