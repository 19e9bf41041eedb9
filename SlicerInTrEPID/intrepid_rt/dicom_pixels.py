"""Stored pixel values of a DICOM image, checked against the bytes that are there before memory is set aside."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from intrepid_rt.dicom_file import element_value, integer, label, text
from intrepid_rt.errors import MissingObject, UnreadableFile

# Far above what lossless coding reaches on measured images; a header that claims more is damaged.
_LARGEST_COMPRESSION = 1000

_PIXEL_DESCRIPTION = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
)


def stored_pixels(dataset: Dataset) -> NDArray:
    """Return the stored values, (frames, rows, columns), of unsigned or signed 8, 16 or 32 bit.

    Raises
    ------
    MissingObject
        No PixelData, or no Rows, Columns or BitsAllocated.
    UnreadableFile
        The header claims more pixels than the file holds, a colour image, or a compression without decoder.
    """
    pixel_data = element_value(dataset, "PixelData")
    if not pixel_data:
        raise MissingObject(f"{label(dataset)} has no PixelData. Export it with pixels.")
    frames, rows, columns = _shape(dataset)
    dtype = _dtype(dataset)
    claimed = frames * rows * columns * dtype.itemsize
    if _is_compressed(dataset):
        values = _decompressed(dataset, claimed)
        if values.size != frames * rows * columns:
            raise UnreadableFile(f"{label(dataset)} holds other pixels than its header claims: damaged.")
        return values.reshape(frames, rows, columns)
    if len(pixel_data) < claimed:
        raise UnreadableFile(
            f"{label(dataset)} claims {frames} x {rows} x {columns} pixels, {claimed} bytes, but holds "
            f"{len(pixel_data)}: it is cut short or damaged. Export it again."
        )
    values = np.frombuffer(pixel_data, dtype, count=frames * rows * columns)
    return _stored_bits(dataset, values).reshape(frames, rows, columns)


def _shape(dataset: Dataset) -> tuple[int, int, int]:
    rows, columns = integer(dataset, "Rows"), integer(dataset, "Columns")
    if not rows or not columns:
        raise MissingObject(f"{label(dataset)} lacks Rows or Columns. Export it again.")
    if (integer(dataset, "SamplesPerPixel") or 1) != 1:
        raise UnreadableFile(f"{label(dataset)} is a colour image; expected one sample per pixel.")
    return max(integer(dataset, "NumberOfFrames") or 1, 1), rows, columns


def _dtype(dataset: Dataset) -> np.dtype:
    bits = integer(dataset, "BitsAllocated")
    if bits not in (8, 16, 32):
        raise MissingObject(f"{label(dataset)} has BitsAllocated {bits}; expected 8, 16 or 32.")
    kind = "i" if integer(dataset, "PixelRepresentation") else "u"
    # A data set built in memory has no encoding yet; DICOM's default is little endian.
    order = ">" if dataset.original_encoding[1] is False else "<"
    return np.dtype(f"{order}{kind}{bits // 8}")


def _stored_bits(dataset: Dataset, values: NDArray) -> NDArray:
    """Drop what older systems put into the bits above HighBit, such as overlays."""
    unused = values.dtype.itemsize * 8 - bits_stored(dataset)
    if unused == 0:
        return values
    # Shifting up and down again also carries the sign.
    return np.right_shift(np.left_shift(values, unused), unused)


def bits_stored(dataset: Dataset) -> int:
    """Return the number of bits that carry the pixel value; BitsAllocated if BitsStored is absent.

    Raises
    ------
    UnreadableFile
        More bits than are allocated, or none.
    """
    allocated = _dtype(dataset).itemsize * 8
    stored = integer(dataset, "BitsStored")
    if stored is not None and not 0 < stored <= allocated:
        raise UnreadableFile(f"{label(dataset)} claims {stored} of {allocated} bits stored: damaged. Export it again.")
    return stored or allocated


def _is_compressed(dataset: Dataset) -> bool:
    return _transfer_syntax(dataset).is_compressed if _transfer_syntax(dataset).is_transfer_syntax else False


def _transfer_syntax(dataset: Dataset) -> UID:
    meta = getattr(dataset, "file_meta", None)
    return UID(str(meta.get("TransferSyntaxUID") or "") if meta is not None else "")


def _decompressed(dataset: Dataset, claimed: int) -> NDArray:
    if claimed > _LARGEST_COMPRESSION * len(dataset.PixelData):
        raise UnreadableFile(f"{label(dataset)} claims {claimed} bytes of pixels in {len(dataset.PixelData)}: damaged.")
    if text(dataset, "LossyImageCompression") == "01":
        warnings.warn(f"{label(dataset)} was compressed with loss: its values are approximate.", stacklevel=2)
    try:
        return dataset.pixel_array
    except Exception:  # no decoder for this compression, or damaged: the second opinion decides
        return _decompressed_by_itk(dataset)


def _decompressed_by_itk(dataset: Dataset) -> NDArray:
    """Decode JPEG, JPEG-LS and JPEG 2000 with the decoders that come with SimpleITK."""
    import SimpleITK as sitk  # noqa: N813 - the name its documentation uses; imported here, because it takes long

    # Pixels alone, so that neither rescaling nor geometry is applied to them.
    bare = Dataset()
    for keyword in _PIXEL_DESCRIPTION:
        if keyword in dataset:
            bare[keyword] = dataset[keyword]
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = _transfer_syntax(dataset)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels.dcm"
        bare.save_as(path, enforce_file_format=True)
        try:
            return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        except RuntimeError as error:
            raise UnreadableFile(
                f"{label(dataset)} is compressed as {_transfer_syntax(dataset).name}, which cannot be decoded here. "
                "Decompress it first, for example with dcmdjpeg or gdcmconv --raw."
            ) from error
