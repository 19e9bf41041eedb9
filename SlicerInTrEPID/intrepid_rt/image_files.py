"""Doses and other scalar images in NRRD, NIfTI or MetaImage files, and doses from whichever format a file has."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.atomic import replacing
from intrepid_rt.dicom_dose import read_dose
from intrepid_rt.errors import InvalidSetting, UnreadableFile, UnsupportedGeometry
from intrepid_rt.grids import DoseGrid, Grid, affine_from_axes
from intrepid_rt.metaimage_check import require_whole_metaimage
from intrepid_rt.nifti_check import require_whole_nifti
from intrepid_rt.small_files import regular_file

_LARGEST_COMPRESSION = 1000  # samples per byte; far above what zlib reaches on a dose that varies
SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")


def read_dose_file(path: str | Path) -> DoseGrid:
    """Read a dose in Gy from an RTDOSE, NRRD, NIfTI or MetaImage file; only RTDOSE states its unit and is checked.

    Raises what `read_dose_object` and `read_image` raise.
    """
    if is_dicom(path):
        return read_dose(path)
    grid = read_image(path)
    return DoseGrid(grid.values, grid.index_to_lps)


def read_image(path: str | Path) -> Grid:
    """Read a scalar image of two or three dimensions; one of two becomes a grid of one plane at z = 0.

    Positions are LPS, whatever convention the format has. Samples keep their type.

    Raises
    ------
    UnreadableFile
        No such file, an unknown format, or a damaged file.
    UnsupportedGeometry
        More than one value per sample, or other than two or three dimensions.
    """
    import SimpleITK as sitk  # noqa: N813 - the name everyone gives it

    image = read_sitk(path)
    if image.GetNumberOfComponentsPerPixel() != 1 or image.GetDimension() not in (2, 3):
        raise UnsupportedGeometry(
            f"{path} has {image.GetDimension()} dimensions with {image.GetNumberOfComponentsPerPixel()} value(s) per "
            "sample; expected a scalar image of two or three dimensions."
        )
    values = sitk.GetArrayFromImage(image)
    return Grid(values if values.ndim == 3 else values[None], _index_to_lps(image))


def read_sitk(path: str | Path) -> Any:
    """Read an image file as the library's own image, after checking that it is one and whole.

    Raises
    ------
    UnreadableFile
        No such file, an unknown format, or a damaged file.
    """
    import SimpleITK as sitk  # noqa: N813

    path = regular_file(path)
    if path.name.lower().endswith((".nii", ".nii.gz")):
        require_whole_nifti(path)
    elif path.suffix.lower() in (".mha", ".mhd"):
        require_whole_metaimage(path)
    # What the library has to say about a damaged header goes to standard error, line by line; the refusal says it once.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        _require_plausible_size(path)
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise UnreadableFile(
            f"{path} cannot be read as an image. Expected RTDOSE or one of {', '.join((*SUFFIXES, '.tif'))}."
        ) from error


def _require_plausible_size(path: Path) -> None:
    """Refuse a header that claims more samples than its file can hold, before memory is set aside for them."""
    import SimpleITK as sitk  # noqa: N813

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    samples = math.prod(reader.GetSize()) * reader.GetNumberOfComponents()
    # The samples of a detached header lie in another file beside it.
    files = path.parent.iterdir() if path.suffix.lower() in (".nhdr", ".mhd") else (path,)
    held = sum(file.stat().st_size for file in files if file.is_file())
    if samples > _LARGEST_COMPRESSION * held:
        raise UnreadableFile(f"{path} claims {samples} samples in {held} bytes: damaged. Export it again.")


def write_image(path: str | Path, values: NDArray, grid: Grid, *, planar: bool = False) -> None:
    """Write ``values`` (nz, ny, nx) on the lattice of ``grid`` in the format that the file's name asks for.

    With ``planar``, a grid of one plane in patient x and y is written with two dimensions.

    Raises
    ------
    InvalidSetting
        A suffix other than `SUFFIXES`; a detached header (.nhdr, .mhd) cannot be written whole or not at all.
    UnsupportedGeometry
        Axes that are not at right angles, which these formats do not hold.
    """
    import SimpleITK as sitk  # noqa: N813

    path = Path(path)
    if not path.name.lower().endswith(tuple(s for s in SUFFIXES if s not in (".nhdr", ".mhd"))):
        raise InvalidSetting(f"{path.name}: a result is written as .nrrd, .nii, .nii.gz or .mha. Choose one of these.")
    axes = (grid.index_to_lps[:3, :3] / np.array(grid.spacing_mm)).T
    if np.abs(axes @ axes.T - np.eye(3)).max() > 1e-4:
        raise UnsupportedGeometry(
            "The grid's axes are not at right angles, which image files do not hold. Resample it."
        )
    dimensions = 2 if planar and grid.shape[0] == 1 and abs(axes[:2, 2]).max() < 1e-6 else 3
    image = sitk.GetImageFromArray(values if dimensions == 3 else values[0])
    image.SetSpacing(grid.spacing_mm[:dimensions])
    image.SetOrigin(grid.origin_lps_mm[:dimensions].tolist())
    image.SetDirection(axes[:dimensions, :dimensions].T.ravel().tolist())
    with replacing(path) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=True)


def dimensions_of(path: str | Path) -> int:
    """Return the number of dimensions that an image file states; 3 for DICOM."""
    import SimpleITK as sitk  # noqa: N813

    if is_dicom(path):
        return 3
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return int(reader.GetDimension())


def is_dicom(path: str | Path) -> bool:
    """Whether a file is DICOM: by its preamble, or by its name if that is missing.

    Raises
    ------
    UnreadableFile
        There is no such file.
    """
    path = Path(path)
    if path.name.lower().endswith(SUFFIXES):
        return False
    if not path.is_file():
        raise UnreadableFile(f"{path} is no file. Check the path.")
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM" or path.suffix.lower() in (".dcm", "")


def _index_to_lps(image: Any) -> NDArray:
    n = image.GetDimension()
    origin, spacing, axes = np.zeros(3), np.ones(3), np.eye(3)
    origin[:n], spacing[:n] = image.GetOrigin(), image.GetSpacing()
    axes[:n, :n] = np.array(image.GetDirection()).reshape(n, n).T
    return affine_from_axes(origin, spacing, axes)
